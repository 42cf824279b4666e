import { policiesOf } from "../../settings/policy.ts";
import type { Setting } from "../../settings/setting.ts";
import { element } from "../../ui/dom.ts";
import { count, roughly } from "../../ui/format.ts";
import { estimateMs, type Pace } from "./pace.ts";

const plan = element("plan", HTMLElement);
const shorten = element("shorten", HTMLButtonElement);

/** Most that a CPU is asked for without a warning: characters of a prompt, and new tokens. */
const SHORT = { prompt: 1500, tokens: 128 };
const LONG_MS = 120_000;

/** Says what Generate will do with `setting` and for how long; offers less where that is long. */
export function showPlan(setting: Setting, slow: boolean, pace: Pace | undefined): void {
  const runs = policiesOf(setting);
  const names = runs.map(({ name }) => name).join(", then ");
  const each = `${names}: up to ${count(setting.tokens)} tokens${runs.length > 1 ? " each" : ""}.`;
  const time = pace === undefined ? undefined : estimateMs(pace, setting, runs.length);
  const much =
    time === undefined
      ? setting.prompt.length > SHORT.prompt || setting.tokens > SHORT.tokens
      : time > LONG_MS;
  plan.textContent = [
    each,
    time === undefined ? "" : `About ${roughly(time)} here.`,
    slow ? "There is no real GPU: the processor stands in for it." : "",
    slow && much && time === undefined ? "This may take many minutes." : "",
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
  shorten.hidden = !(slow && much);
}

/** Calls `onShorten` when the button that asks for less is clicked. */
export function wireShorten(onShorten: () => void): void {
  shorten.addEventListener("click", onShorten);
}
