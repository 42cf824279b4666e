import type { CacheType, DecodeStrategy, PrefillMethod } from "../engine.ts";
import { DEFAULT_PROMPT, SHORT_PROMPT } from "./example-prompts.ts";
import { keysOf } from "./keys.ts";
import { defaultOf } from "./options.ts";
import { DEFAULT_STORAGE, SAME, type ValueType } from "./storage-types.ts";

/** Everything that a reader can set, and that a link can carry. */
export interface Setting {
  /** Source of the model, as written in its field; empty for the page's default. */
  readonly model: string;
  readonly prompt: string;
  readonly prefill: PrefillMethod;
  /** A: slots per head, or a share of the prompt such as `30%`. */
  readonly prefillBudget: string;
  /** α2. */
  readonly observationWindow: number;
  readonly decode: DecodeStrategy;
  /** B: slots per head, or a share of the expected tokens such as `25%`. */
  readonly decodeBudget: string;
  /** β2. */
  readonly recent: number;
  /** T: tokens to generate at most. Adaptive strategies pace their budget by it. */
  readonly tokens: number;
  /** Type of the keys. */
  readonly cacheType: CacheType;
  /** Type of the values, or that of the keys. */
  readonly valueType: ValueType;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /** True if the full cache runs beside SCOPE. */
  readonly full: boolean;
  /** A third policy beside them. */
  readonly third: ThirdPolicy;
}

export const THIRD_POLICIES = [
  "none",
  "prompt-only",
  "h2o",
  "streamingllm",
  "pyramidinfer",
] as const;
export type ThirdPolicy = (typeof THIRD_POLICIES)[number];

/** The values that a preset decides. */
export type CacheSetting = Pick<
  Setting,
  | "prefill"
  | "prefillBudget"
  | "observationWindow"
  | "decode"
  | "decodeBudget"
  | "recent"
  | "tokens"
  | "cacheType"
  | "valueType"
>;

/**
 * Settings of the cache by name. The paper's is that of its main experiments (section 4.1), whose
 * budgets are the library's defaults.
 */
export const PRESETS = {
  page: {
    prefill: "snapkv",
    prefillBudget: "256",
    observationWindow: 16,
    decode: "adaptive",
    decodeBudget: "96",
    recent: 48,
    tokens: 256,
    cacheType: DEFAULT_STORAGE,
    valueType: SAME,
  },
  paper: {
    prefill: "snapkv",
    prefillBudget: String(defaultOf("prefill.budget")),
    observationWindow: defaultOf("prefill.observationWindow"),
    decode: "adaptive",
    decodeBudget: String(defaultOf("decode.budget")),
    recent: defaultOf("decode.recent"),
    tokens: 4096,
    cacheType: DEFAULT_STORAGE,
    valueType: SAME,
  },
  small: {
    prefill: "snapkv",
    prefillBudget: "128",
    observationWindow: 8,
    decode: "slide",
    decodeBudget: "64",
    recent: 32,
    tokens: 512,
    cacheType: DEFAULT_STORAGE,
    valueType: SAME,
  },
  quick: {
    prefill: "snapkv",
    prefillBudget: "64",
    observationWindow: 8,
    decode: "adaptive",
    decodeBudget: "32",
    recent: 16,
    tokens: 64,
    cacheType: DEFAULT_STORAGE,
    valueType: SAME,
  },
} as const satisfies Record<string, CacheSetting>;
export type Preset = keyof typeof PRESETS;

export const DEFAULT_SETTING: Setting = {
  ...PRESETS.page,
  model: "",
  prompt: DEFAULT_PROMPT,
  temperature: 0,
  topP: 1,
  seed: 0,
  full: true,
  third: "none",
};

/** Values that replace the default where a CPU stands in for the GPU. */
export const QUICK_SETTING: CacheSetting & Pick<Setting, "prompt"> = {
  ...PRESETS.quick,
  prompt: SHORT_PROMPT,
};

/** The preset whose values `setting` has, if there is one. */
export function presetOf(setting: Setting): Preset | undefined {
  return keysOf(PRESETS).find((name) => {
    const preset: CacheSetting = PRESETS[name];
    return keysOf(preset).every((field) => setting[field] === preset[field]);
  });
}
