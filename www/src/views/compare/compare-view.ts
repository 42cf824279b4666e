import { shareTicks, type Figure, type Series } from "../../charts/figure-svg.ts";
import { COMPARED_FAMILIES, comparedPolicies } from "../../settings/compared-policies.ts";
import { FULL, shareName, type Kind } from "../../settings/policy-family.ts";
import { percent } from "../../ui/format.ts";
import type { Measured } from "../accuracy-run.ts";
import type { AccuracyKind } from "../accuracy-view.ts";

/** Kinds are told apart in grey, too. */
const DASHES: Partial<Record<Kind, string>> = { third: "6 4", prefill: "2 3" };

/** The view that draws accuracy against bytes. */
export const COMPARE: AccuracyKind = {
  prefix: "compare",
  texts: {
    title: "What does each policy cost?",
    about:
      "Every policy runs the same programs. The higher a point, the more of the lines are right; " +
      "the further left, the less the cache holds. The paper keeps the prompt and gives the " +
      "output a budget of its own; policies that rank both together let new tokens push the " +
      "prompt out.",
    result: "Accuracy against bytes held",
    budget: "Decode budget",
    legend: [
      { kind: "full", name: "full cache" },
      { kind: "scope", name: "SCOPE" },
      { kind: "third", name: "unified" },
      { kind: "prefill", name: "half the prompt, then SCOPE" },
      { kind: "decode", name: "not the paper's" },
    ],
  },
  policies: ({ families, budgets }) => comparedPolicies(families, budgets),
  figure,
  finding,
};

function figure(measured: readonly Measured[]): Figure {
  const [full] = measured;
  const shareOf = (one: Measured): number => (full === undefined ? 0 : one.shareOf(full));
  const most = Math.max(1, ...measured.map(shareOf));
  return {
    title: "Lines right against bytes held",
    x: { label: "most bytes held, of a full f16 cache's", from: 0, to: most, ticks: shareTicks(4) },
    y: { label: "lines right", from: 0, to: 1.03, ticks: shareTicks(4) },
    series: [FULL.family, ...COMPARED_FAMILIES].flatMap((family): Series[] => {
      const points = measured
        .filter(({ policy, answers }) => policy.family === family && answers > 0)
        .map((one) => ({ x: shareOf(one), y: one.exact ?? 0 }));
      const dash = DASHES[family.kind];
      const look = {
        name: family.name,
        colour: family.kind,
        marker: family.marker,
        ...(dash !== undefined && { dash }),
      };
      return points.length === 0 ? [] : [{ ...look, points }];
    }),
  };
}

/** Sentences on the lines that the full cache has right, and on the best policy with few bytes. */
function finding(measured: readonly Measured[]): string {
  const [full, ...others] = measured;
  if (full?.exact === undefined) {
    return "";
  }
  const small = others.filter((one) => one.answers > 0 && one.shareOf(full) <= 0.6);
  const best = small.reduce<Measured | undefined>(
    (most, one) => ((one.exact ?? 0) > (most?.exact ?? -1) ? one : most),
    undefined,
  );
  const all = `The full cache has ${percent(full.exact)} of the lines right.`;
  if (best?.exact === undefined || best.policy.budget === undefined) {
    return all;
  }
  const { family, budget } = best.policy;
  const most = `${family.name} at ${shareName(budget)} has most: ${percent(best.exact)}`;
  const bytes = `with ${percent(best.shareOf(full))} of the bytes`;
  return `${all} Of those within 60 % of its bytes, ${most}, ${bytes}.`;
}
