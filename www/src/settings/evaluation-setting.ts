import { COMPARED_FAMILIES, DECODE_BUDGETS, type FamilyId } from "./compared-policies.ts";
import { oneOf, readFields, within, writeFields, type Reader, type Readers } from "./fragment.ts";
import type { Share } from "./policy-family.ts";
import { LENGTHS, type Programs } from "./program-setting.ts";

/** Views of the page, each in a tab. */
export const VIEWS = ["prompt", "chat", "compare", "tight", "drift"] as const;
export type View = (typeof VIEWS)[number];

/** Shares of the prompt that can be chosen at prefill. */
export const CHOSEN_SHARES = ["12.5%", "25%", "50%"] as const satisfies readonly Share[];

export const MOST_PROGRAMS = 1000;
export const MOST_SEED = 1_000_000;

/** Setting of the views that evaluate policies: all that a reader can set, and a link carry. */
export interface EvaluationSetting extends Programs {
  readonly view: View;
  /** Policies to compare with the full cache, at each of the decode budgets. */
  readonly families: readonly FamilyId[];
  readonly budgets: readonly Share[];
  /** Share of the prompt's positions that is chosen at prefill, for the drift. */
  readonly chosen: Share;
}

export const DEFAULT_EVALUATION: EvaluationSetting = {
  view: "prompt",
  lines: 16,
  programs: 3,
  firstSeed: 0,
  families: COMPARED_FAMILIES.map(({ id }) => id),
  budgets: ["50%", "25%", "12.5%"],
  chosen: "25%",
};

/** Values that replace the default where a CPU stands in for the GPU. */
export const QUICK_EVALUATION = {
  programs: 1,
  families: ["slide", "adaptive", "h2o", "streamingllm"],
  budgets: ["50%", "12.5%"],
} as const satisfies Partial<EvaluationSetting>;

const listOf =
  <T extends string>(names: readonly T[]): Reader<readonly T[]> =>
  (value) => {
    const wanted = new Set(value.split(","));
    const found = names.filter((name) => wanted.has(name));
    return found.length === 0 ? undefined : found;
  };

const READERS: Readers<EvaluationSetting> = {
  view: oneOf(VIEWS),
  lines: (value) => LENGTHS.find((lines) => String(lines) === value),
  programs: within(1, MOST_PROGRAMS, true),
  firstSeed: within(0, MOST_SEED, true),
  families: listOf(COMPARED_FAMILIES.map(({ id }) => id)),
  budgets: listOf(DECODE_BUDGETS),
  chosen: oneOf(CHOSEN_SHARES),
};
const FIELDS = ["view", "lines", "programs", "firstSeed", "families", "budgets", "chosen"] as const;

/** `setting` as a part of an address's fragment: only what differs from the default. */
export const toEvaluationFragment = (setting: EvaluationSetting): string =>
  writeFields(setting, DEFAULT_EVALUATION, FIELDS);

/** The setting of an address's fragment. What a field can't be is left at its default. */
export const fromEvaluationFragment = (fragment: string): EvaluationSetting =>
  readFields(fragment, DEFAULT_EVALUATION, FIELDS, READERS);
