import { DECODE, PREFILL } from "../../generated/catalogue.js";
import type { BudgetOption, CacheOptions, DecodeStrategy, PrefillMethod } from "../engine.ts";
import { defaultOf } from "./options.ts";
import type { Setting, ThirdPolicy } from "./setting.ts";
import { bitsOf, storageOf } from "./storage-types.ts";

export const PREFILL_METHODS = PREFILL.map(({ name }) => name);
export const DECODE_STRATEGIES = DECODE.map(({ name }) => name);

const prefillRule = (method: PrefillMethod) => PREFILL.find(({ name }) => name === method);
const decodeRule = (strategy: DecodeStrategy) => DECODE.find(({ name }) => name === strategy);

/** Sentences that explain a method and a strategy. */
export const explainPrefill = (method: PrefillMethod): string => prefillRule(method)?.about ?? "";
export const explainDecode = (strategy: DecodeStrategy): string =>
  decodeRule(strategy)?.about ?? "";

const labelOf = (strategy: DecodeStrategy): string => decodeRule(strategy)?.label ?? strategy;

/** The policies that can run beside SCOPE and the full cache. */
export const THIRD_NAMES: Record<Exclude<ThirdPolicy, "none">, string> = {
  "prompt-only": "Prompt only",
  h2o: labelOf("h2o"),
  streamingllm: labelOf("streamingllm"),
  pyramidinfer: labelOf("pyramidinfer"),
};

const THIRD: Record<ThirdPolicy, string> = {
  none: "Runs come one after the other, on one GPU.",
  "prompt-only":
    "The same prefill, and every token of the output kept: what compressing prompts alone saves.",
  h2o: explainDecode("h2o"),
  streamingllm: explainDecode("streamingllm"),
  pyramidinfer: explainDecode("pyramidinfer"),
};

export const explainThird = (third: ThirdPolicy): string => THIRD[third];

export type PolicyId = "scope" | "full" | "third";

/** One run of a comparison. */
export interface Policy {
  readonly id: PolicyId;
  readonly name: string;
  /** The positions that it keeps, in a few words. */
  readonly rule: string;
  readonly cache: CacheOptions;
}

/** The runs that `setting` asks for, in the order they run in. */
export function policiesOf(setting: Setting): Policy[] {
  const { prefill, decode, full, third } = setting;
  const cacheType = storageOf(setting.cacheType, setting.valueType);
  const policies: Policy[] = [
    { id: "scope", name: nameOf(setting), ...rules(setting, prefill, decode) },
  ];
  if (full) {
    policies.push({
      id: "full",
      name: "Full cache",
      rule: `nothing is evicted · ${bitsOf(cacheType)}`,
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

function nameOf({ prefill, decode }: Pick<Setting, "prefill" | "decode">): string {
  return decodeRule(decode)?.family === "scope" ? labelOf(decode) : `${prefill} + ${decode}`;
}

/** The policy of a cache, as a run of it is shown. */
export const policyOf = (cache: CacheOptions): Policy => ({
  id: "scope",
  name: nameOf({
    prefill: cache.prefill?.method ?? "full",
    decode: cache.decode?.strategy ?? "full",
  }),
  rule: ruleOf(cache),
  cache,
});

function rules(
  setting: Setting,
  prefill: PrefillMethod,
  decode: DecodeStrategy,
): Pick<Policy, "rule" | "cache"> {
  const { prefillBudget, observationWindow, decodeBudget, recent } = setting;
  const cache: CacheOptions = {
    cacheType: storageOf(setting.cacheType, setting.valueType),
    prefill: { method: prefill, budget: budgetOf(prefillBudget), observationWindow },
    decode: { strategy: decode, budget: budgetOf(decodeBudget), recent },
  };
  return { rule: ruleOf(cache), cache };
}

/** The positions that a cache keeps, and its bits, in a few words. */
export function ruleOf({ prefill, decode, cacheType }: CacheOptions): string {
  const method = prefill?.method ?? "full";
  const strategy = decode?.strategy ?? "full";
  const ofPrompt = method === "full" ? "whole prompt" : `${method} ${prefill?.budget ?? ""}`;
  const ofOutput = strategy === "full" ? "all output" : `${strategy} ${decode?.budget ?? ""}`;
  return [ofPrompt, ofOutput, bitsOf(cacheType)].map((part) => part.trim()).join(" · ");
}

/** True if two caches have the same rules, however each was written. */
export const sameRules = (one: CacheOptions, other: CacheOptions): boolean =>
  keyOf(one) === keyOf(other);

const keyOf = (cache: CacheOptions): string =>
  JSON.stringify([
    ruleOf(cache),
    cache.prefill?.observationWindow ?? defaultOf("prefill.observationWindow"),
    cache.decode?.recent ?? defaultOf("decode.recent"),
  ]);

/** Slots are given to the package as a number, shares as text. */
const budgetOf = (written: string): BudgetOption =>
  written.endsWith("%") ? written : Number(written);
