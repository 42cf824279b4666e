import { oneOf, readFields, writeFields, type Reader, type Readers } from "./fragment.ts";
import { keysOf } from "./keys.ts";
import { LIMITS, limited } from "./limits.ts";
import { DECODE_STRATEGIES, PREFILL_METHODS } from "./policy.ts";
import { DEFAULT_SETTING, THIRD_POLICIES, type Setting } from "./setting.ts";
import { STORAGE_TYPES, VALUE_TYPES } from "./storage-types.ts";

/** Prompts longer than this would make links that programs cut off; they stay out of them. */
const LONGEST_PROMPT = 4000;
const BUDGET = /^(?:[1-9]\d{0,6}|(?:100|[1-9]?\d)(?:\.\d{1,3})?%)$/;

const text: Reader<string> = (value) => value;
const budget: Reader<string> = (value) => (BUDGET.test(value) ? value : undefined);

const BOOLEANS = new Map([
  ["true", true],
  ["false", false],
]);

const READERS: Readers<Setting> = {
  model: text,
  prompt: text,
  prefill: oneOf(PREFILL_METHODS),
  prefillBudget: budget,
  observationWindow: limited(LIMITS.observationWindow),
  decode: oneOf(DECODE_STRATEGIES),
  decodeBudget: budget,
  recent: limited(LIMITS.recent),
  tokens: limited(LIMITS.tokens),
  cacheType: oneOf(STORAGE_TYPES),
  valueType: oneOf(VALUE_TYPES),
  temperature: limited(LIMITS.temperature),
  topP: limited(LIMITS.topP),
  seed: limited(LIMITS.seed),
  full: (value) => BOOLEANS.get(value),
  third: oneOf(THIRD_POLICIES),
};
const FIELDS = keysOf(READERS);

/** `setting` as an address's fragment: only what differs from the default. */
export const toFragment = (setting: Setting): string =>
  writeFields(setting, DEFAULT_SETTING, FIELDS, LONGEST_PROMPT);

/** The setting of an address's fragment, with or without its `#`. */
export const fromFragment = (fragment: string): Setting =>
  readFields(fragment, DEFAULT_SETTING, FIELDS, READERS);
