import { DECODE } from "../../generated/catalogue.js";
import type { DecodeStrategy, PrefillMethod } from "../engine.ts";
import {
  FULL,
  keepPrompt,
  ofOutput,
  ofPrompt,
  type Family,
  type Kind,
  type Marker,
  type MeasuredPolicy,
  type Share,
} from "./policy-family.ts";

/** A family of the comparison: what it keeps of the prompt, and by which rule it decodes. */
interface ComparedFamily extends Family {
  readonly id: FamilyId;
  /** A method that keeps half of the prompt, or all of it. */
  readonly prefill: PrefillMethod;
  readonly decode: DecodeStrategy;
}

const MARKERS = ["circle", "square", "triangle", "diamond"] as const satisfies readonly Marker[];

export type FamilyId = DecodeStrategy | "snapkv-slide" | "h2o-slide";

/** Each of the library's strategies of one kind, with the whole prompt. */
const strategies = (family: (typeof DECODE)[number]["family"], kind: Kind): ComparedFamily[] =>
  DECODE.filter((rule) => rule.family === family).map(({ name }, index) => ({
    id: name,
    name,
    kind,
    marker: MARKERS[index % MARKERS.length] ?? "circle",
    prefill: "full",
    decode: name,
  }));

/** Every family that can be compared. One colour a kind, one marker a member. */
export const COMPARED_FAMILIES: readonly ComparedFamily[] = [
  ...strategies("scope", "scope"),
  ...strategies("unified", "third"),
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
  ...strategies("own", "decode"),
];

/** Names of the comparison's kinds. */
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
