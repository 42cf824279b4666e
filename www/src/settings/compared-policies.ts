import type { DecodeStrategy, PrefillMethod } from "../engine.ts";
import {
  FULL,
  keepPrompt,
  ofOutput,
  ofPrompt,
  type Family,
  type MeasuredPolicy,
  type Share,
} from "./policy-family.ts";

/** A family of the comparison: what it keeps of the prompt, and by which rule it decodes. */
interface ComparedFamily extends Family {
  /** A method that keeps half of the prompt, or all of it. */
  readonly prefill: PrefillMethod;
  readonly decode: DecodeStrategy;
}

/** Every family that can be compared. One colour a kind, one marker a member. */
export const COMPARED_FAMILIES = [
  { id: "slide", name: "slide", kind: "scope", marker: "circle", prefill: "full", decode: "slide" },
  {
    id: "adaptive",
    name: "adaptive",
    kind: "scope",
    marker: "square",
    prefill: "full",
    decode: "adaptive",
  },
  {
    id: "discontinuous",
    name: "discontinuous",
    kind: "scope",
    marker: "triangle",
    prefill: "full",
    decode: "discontinuous",
  },
  { id: "h2o", name: "h2o", kind: "third", marker: "circle", prefill: "full", decode: "h2o" },
  {
    id: "streamingllm",
    name: "streamingllm",
    kind: "third",
    marker: "square",
    prefill: "full",
    decode: "streamingllm",
  },
  {
    id: "pyramidinfer",
    name: "pyramidinfer",
    kind: "third",
    marker: "triangle",
    prefill: "full",
    decode: "pyramidinfer",
  },
  { id: "tova", name: "tova", kind: "third", marker: "diamond", prefill: "full", decode: "tova" },
  {
    id: "snapkv-slide",
    name: "snapkv 50% + slide",
    kind: "prefill",
    marker: "circle",
    prefill: "snapkv",
    decode: "slide",
  },
  {
    id: "h2o-slide",
    name: "h2o 50% + slide",
    kind: "prefill",
    marker: "square",
    prefill: "h2o",
    decode: "slide",
  },
  {
    id: "decayed-slide",
    name: "decayed-slide",
    kind: "decode",
    marker: "circle",
    prefill: "full",
    decode: "decayed-slide",
  },
  {
    id: "decayed-h2o",
    name: "decayed-h2o",
    kind: "decode",
    marker: "square",
    prefill: "full",
    decode: "decayed-h2o",
  },
] as const satisfies readonly ComparedFamily[];

export type FamilyId = (typeof COMPARED_FAMILIES)[number]["id"];

/** What the comparison's kinds have in common. */
export const KIND_NAMES = {
  scope: "SCOPE: whole prompt, the output in a budget of its own",
  third: "Unified: prompt and output share the same slots",
  prefill: "Half the prompt, then SCOPE",
  decode: "Not the paper's: slide and h2o, by the attention of all steps",
} as const;

export const DECODE_BUDGETS = ["50%", "25%", "12.5%", "6.25%"] as const satisfies readonly Share[];

/** The full cache, then each chosen family at each budget. */
export function comparedPolicies(
  families: readonly FamilyId[],
  budgets: readonly Share[],
): MeasuredPolicy[] {
  const chosen = COMPARED_FAMILIES.filter(({ id }) => families.includes(id));
  return [
    FULL,
    ...chosen.flatMap((family) =>
      budgets.map((budget) => ({
        family,
        budget,
        rules: (prompt: number, expected: number) => ({
          ...(family.prefill === "full"
            ? keepPrompt(prompt)
            : ofPrompt(family.prefill, "50%", prompt)),
          ...ofOutput(family.decode, budget, expected),
        }),
      })),
    ),
  ];
}
