import {
  FULL,
  keepOutput,
  ofPrompt,
  type Family,
  type MeasuredPolicy,
  type Share,
} from "./policy-family.ts";

/** Methods that compress the prompt, each a line of the chart. */
export const TIGHT_FAMILIES = [
  { id: "snapkv", name: "snapkv", kind: "prefill", marker: "circle" },
  { id: "h2o", name: "h2o", kind: "decode", marker: "square" },
  { id: "streamingllm", name: "streamingllm", kind: "third", marker: "triangle" },
] as const satisfies readonly Family[];

/** Below the whole prompt, where all methods are the full cache. */
export const PREFILL_BUDGETS = ["75%", "50%", "25%", "12.5%"] as const satisfies readonly Share[];

/** The full cache, then each method at each budget, with all of the output kept. */
export const tightPolicies = (): MeasuredPolicy[] => [
  FULL,
  ...TIGHT_FAMILIES.flatMap((family) =>
    PREFILL_BUDGETS.map((budget) => ({
      family,
      budget,
      rules: (prompt: number, expected: number) => ({
        ...ofPrompt(family.id, budget, prompt),
        ...keepOutput(expected),
      }),
    })),
  ),
];
