import { element } from "../../ui/dom.ts";
import { count, percent, rate } from "../../ui/format.ts";
import type { Run } from "./run.ts";

const status = element("run-status", HTMLElement);

/** Says how the runs stand: a line that changes with each phase, not with each token. */
export function showRunStatus(runs: readonly Run[], loaded: boolean): void {
  const text = statusOf(runs, loaded);
  if (status.textContent !== text) {
    status.textContent = text;
  }
}

function statusOf(runs: readonly Run[], loaded: boolean): string {
  const index = runs.findIndex(({ running }) => running);
  const current = runs[index];
  if (current !== undefined) {
    const phase = current.state === "prefill" ? "reading the prompt" : "writing";
    return `Run ${index + 1} of ${runs.length}, ${current.policy.name}: ${phase}.`;
  }
  const [first] = runs;
  if (first === undefined || first.pieces.length === 0) {
    return loaded ? "Ready to run." : "Runs once the model is there.";
  }
  const speed = first.usage?.decodeTokensPerSecond ?? first.tokensPerSecond;
  const figure =
    first.saved === undefined ? "" : `, ${percent(first.saved)} of a full f16 cache saved`;
  const tokens = `${count(first.pieces.length)} tokens at ${rate(speed)} a second`;
  return `${endOf(first)}: ${tokens}${figure}.`;
}

function endOf({ state }: Run): string {
  if (state === "done") {
    return "Done";
  }
  return state === "failed" ? "Failed" : "Stopped";
}
