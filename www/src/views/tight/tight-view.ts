import { shareTicks, type Figure } from "../../charts/figure-svg.ts";
import { FULL } from "../../settings/policy-family.ts";
import { PREFILL_BUDGETS, TIGHT_FAMILIES, tightPolicies } from "../../settings/tight-policies.ts";
import { percent } from "../../ui/format.ts";
import type { Measured } from "../accuracy-run.ts";
import type { AccuracyKind } from "../accuracy-view.ts";

/** The view that draws accuracy against the share of the prompt that is kept. */
export const TIGHT: AccuracyKind = {
  prefix: "tight",
  texts: {
    title: "What does the prompt's compression cost?",
    about:
      "The paper's first observation: tasks that reason over all of a long prompt suffer when " +
      "prefill keeps too little of it. Here all of the output is kept, and less and less of the " +
      "prompt.",
    result: "Accuracy against the prefill budget",
    budget: "Prefill budget",
    legend: [{ kind: "full", name: "full cache" }, ...TIGHT_FAMILIES],
  },
  policies: tightPolicies,
  figure,
  finding,
};

function pointsOf(ones: readonly Measured[]): { x: number; y: number }[] {
  return ones.flatMap(({ policy: { budget = "100%" }, exact }) =>
    exact === undefined ? [] : [{ x: Number.parseFloat(budget) / 100, y: exact }],
  );
}

function figure(measured: readonly Measured[]): Figure {
  const whole = measured.filter(({ policy }) => policy === FULL);
  return {
    title: "Lines right against the prefill budget",
    x: { label: "prefill budget, of the prompt", from: 0, to: 1.02, ticks: shareTicks(4) },
    y: { label: "lines right", from: 0, to: 1.03, ticks: shareTicks(4) },
    series: [
      ...TIGHT_FAMILIES.map((family) => ({
        name: family.name,
        colour: family.kind,
        marker: family.marker,
        // All of the prompt is the full cache under every method.
        points: pointsOf([...whole, ...measured.filter(({ policy }) => policy.family === family)]),
      })),
      {
        name: FULL.family.name,
        colour: FULL.family.kind,
        marker: FULL.family.marker,
        points: pointsOf(whole),
      },
    ],
  };
}

/** Sentence on the lines right with the whole prompt, with half of it and with the least. */
function finding(measured: readonly Measured[]): string {
  const best = (budget: string | undefined): number | undefined =>
    measured
      .filter(({ policy }) => policy.budget === budget)
      .reduce<number | undefined>(
        (most, { exact }) => (exact === undefined ? most : Math.max(most ?? 0, exact)),
        undefined,
      );
  const whole = best(undefined);
  const half = best("50%");
  const least = best(PREFILL_BUDGETS.at(-1));
  if (whole === undefined || half === undefined || least === undefined) {
    return "";
  }
  return (
    `With the whole prompt ${percent(whole)} of the lines are right; ` +
    `with half of it ${percent(half)} at best, with an eighth ${percent(least)}.`
  );
}
