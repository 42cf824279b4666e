import { keysOf } from "./keys.ts";
import { DECODE_STRATEGIES, PREFILL_METHODS } from "./policy.ts";
import { DEFAULT_SETTING, THIRD_POLICIES, type Setting } from "./setting.ts";

/** Prompts longer than this would make links that programs cut off; they stay out of them. */
const LONGEST_PROMPT = 4000;
const BUDGET = /^(?:[1-9]\d{0,6}|(?:100|[1-9]?\d)(?:\.\d{1,3})?%)$/;

/** How a field is read from a link: what it can't be is left at its default, since anyone can write a link. */
export type Reader<T> = (text: string) => T | undefined;

const text: Reader<string> = (value) => value;
const budget: Reader<string> = (value) => (BUDGET.test(value) ? value : undefined);
export const oneOf =
  <T extends string>(names: readonly T[]): Reader<T> =>
  (value) =>
    names.find((name) => name === value);
export const within =
  (least: number, most: number, whole: boolean): Reader<number> =>
  (value) => {
    const number = Number(value);
    const fits = value.trim() !== "" && number >= least && number <= most && (!whole || Number.isInteger(number));
    return fits ? number : undefined;
  };

const READERS: { readonly [Field in keyof Setting]: Reader<Setting[Field]> } = {
  model: text,
  prompt: text,
  prefill: oneOf(PREFILL_METHODS),
  prefillBudget: budget,
  observationWindow: within(1, 4096, true),
  decode: oneOf(DECODE_STRATEGIES),
  decodeBudget: budget,
  recent: within(1, 65_536, true),
  tokens: within(1, 65_536, true),
  cacheType: oneOf(["f16", "f32"]),
  temperature: within(0, 5, false),
  topP: within(0.01, 1, false),
  seed: within(0, 2 ** 32 - 1, true),
  full: (value) => (value === "true" ? true : value === "false" ? false : undefined),
  third: oneOf(THIRD_POLICIES),
};
const FIELDS = keysOf(READERS);

/** `setting` as an address's fragment: only what differs from the default. */
export function toFragment(setting: Setting): string {
  const link = new URLSearchParams();
  for (const field of FIELDS) {
    const value = String(setting[field]);
    if (setting[field] !== DEFAULT_SETTING[field] && value.length <= LONGEST_PROMPT) {
      link.set(field, value);
    }
  }
  return link.toString();
}

/** The setting of an address's fragment, with or without its `#`. */
export function fromFragment(fragment: string): Setting {
  const link = new URLSearchParams(fragment.replace(/^#/, ""));
  const given = FIELDS.flatMap((field) => {
    const value = link.get(field);
    const read = value === null ? undefined : READERS[field](value);
    return read === undefined ? [] : [[field, read] as const];
  });
  return { ...DEFAULT_SETTING, ...Object.fromEntries(given) };
}
