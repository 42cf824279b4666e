import type { EvaluationSetting } from "../settings/evaluation-setting.ts";
import { argumentOf } from "../settings/policy-family.ts";
import type { Measured } from "./accuracy-run.ts";

/** Setting, model and adapter of a measurement. */
export interface Ran {
  readonly setting: EvaluationSetting;
  readonly model: string;
  readonly device: string | undefined;
}

/** Record of a measurement. Its `results` are like those of `kvscope eval trace --json`. */
export function toAccuracyRecord(
  view: string,
  { setting, model, device }: Ran,
  measured: readonly Measured[],
): string {
  const { lines, programs, firstSeed } = setting;
  return JSON.stringify({
    program: "kvscope",
    format: 1,
    createdAt: new Date().toISOString(),
    view,
    model,
    adapter: device,
    seed: firstSeed,
    programs,
    results: begun(measured).map((one) => ({
      family: one.policy.family.id,
      budget: one.policy.budget ?? null,
      policy: one.rules === undefined ? "" : argumentOf(one.rules),
      lines,
      programs: one.answers,
      exact: one.exact,
      exactByLine: one.rightByLine.map((right) => right / one.answers),
      heldBytes: one.heldBytes,
      fullBytes: one.fullBytes,
    })),
  });
}

/** The table, for spreadsheets. */
export function toAccuracyCsv(measured: readonly Measured[]): string {
  const rows = begun(measured).map(
    ({ policy, answers, right, graded, exact, heldBytes, fullBytes }) =>
      [
        policy.family.name,
        policy.budget ?? "100%",
        answers,
        right,
        graded,
        exact,
        heldBytes,
        fullBytes,
      ].join(","),
  );
  return ["policy,budget,programs,lines right,lines,exact,held bytes,full bytes", ...rows, ""].join(
    "\n",
  );
}

const begun = (measured: readonly Measured[]): Measured[] =>
  measured.filter(({ answers }) => answers > 0);
