import type { BudgetOption, CacheOptions, DecodeStrategy, PrefillMethod } from "../engine.ts";
import { keysOf } from "./keys.ts";
import type { Setting, ThirdPolicy } from "./setting.ts";

/** Every prefill method, with the line that explains it. */
const PREFILL: Record<PrefillMethod, string> = {
  full: "Keeps the whole prompt.",
  streamingllm: "Keeps the first and the last positions, whatever they say.",
  h2o: "Keeps the positions that drew most attention from the whole prompt.",
  snapkv: "Keeps what the end of the prompt attends to, with its neighbours.",
  pyramidkv: "As SnapKV, with more for early layers and less for late ones.",
  pyramidinfer: "As H2O, with more for early layers and less for late ones.",
};

/** Every decode strategy, with the line that explains it. */
const DECODE: Record<DecodeStrategy, string> = {
  full: "Keeps every token that decoding adds.",
  slide: "SCOPE: a fixed budget from the start; the prompt's slots are never touched.",
  adaptive: "SCOPE: a budget that grows with the output, so that early steps cost less.",
  discontinuous: "SCOPE: as adaptive, but it evicts every so many steps, which saves time.",
  h2o: "One ranking for prompt and output together: new tokens push the prompt out.",
  streamingllm: "The first positions and the newest; nothing between.",
  pyramidinfer: "One ranking for prompt and output, with less for late layers.",
  tova: "Drops what the newest token attends to least, prompt or not.",
  "decayed-slide":
    "As slide, by the attention of all steps instead of one, the older the less. Not the paper's.",
  "decayed-h2o":
    "As H2O, by the attention of all steps instead of one, the older the less. Not the paper's.",
};

export const PREFILL_METHODS = keysOf(PREFILL);
export const DECODE_STRATEGIES = keysOf(DECODE);

export const explainPrefill = (method: PrefillMethod): string => PREFILL[method];
export const explainDecode = (strategy: DecodeStrategy): string => DECODE[strategy];

/** The policies that can run beside SCOPE and the full cache. */
export const THIRD_NAMES: Record<Exclude<ThirdPolicy, "none">, string> = {
  "prompt-only": "Prompt only",
  h2o: "H2O",
  streamingllm: "StreamingLLM",
  pyramidinfer: "PyramidInfer",
};

const THIRD: Record<ThirdPolicy, string> = {
  none: "Runs come one after the other, on one GPU.",
  "prompt-only":
    "The same prefill, and every token of the output kept: what compressing prompts alone saves.",
  h2o: DECODE.h2o,
  streamingllm: DECODE.streamingllm,
  pyramidinfer: DECODE.pyramidinfer,
};

export const explainThird = (third: ThirdPolicy): string => THIRD[third];

export type PolicyId = "scope" | "full" | "third";

/** One run of a comparison. */
export interface Policy {
  readonly id: PolicyId;
  readonly name: string;
  /** What it keeps, in a few words. */
  readonly rule: string;
  readonly cache: CacheOptions;
}

/** The runs that `setting` asks for, in the order they run in. */
export function policiesOf(setting: Setting): Policy[] {
  const { prefill, decode, cacheType, full, third } = setting;
  const policies: Policy[] = [
    { id: "scope", name: nameOf(setting), ...rules(setting, prefill, decode) },
  ];
  if (full) {
    policies.push({
      id: "full",
      name: "Full cache",
      rule: "nothing is evicted",
      cache: { cacheType },
    });
  }
  if (third !== "none") {
    const kept =
      third === "prompt-only" ? rules(setting, prefill, "full") : rules(setting, third, third);
    policies.push({ id: "third", name: THIRD_NAMES[third], ...kept });
  }
  return policies;
}

const SCOPE_STRATEGIES = new Set<DecodeStrategy>(["slide", "adaptive", "discontinuous"]);

function nameOf({ prefill, decode }: Setting): string {
  return SCOPE_STRATEGIES.has(decode) ? `SCOPE ${decode}` : `${prefill} + ${decode}`;
}

function rules(
  setting: Setting,
  prefill: PrefillMethod,
  decode: DecodeStrategy,
): Pick<Policy, "rule" | "cache"> {
  const { prefillBudget, observationWindow, decodeBudget, recent, cacheType } = setting;
  const ofPrompt = prefill === "full" ? "whole prompt" : `${prefill} ${prefillBudget}`;
  const ofOutput = decode === "full" ? "all output" : `${decode} ${decodeBudget}`;
  return {
    rule: `${ofPrompt} · ${ofOutput}`,
    cache: {
      cacheType,
      prefill: { method: prefill, budget: budgetOf(prefillBudget), observationWindow },
      decode: { strategy: decode, budget: budgetOf(decodeBudget), recent },
    },
  };
}

/** Slots are given to the package as a number, shares as text. */
const budgetOf = (written: string): BudgetOption =>
  written.endsWith("%") ? written : Number(written);
