import { DECODE, PREFILL } from "../../generated/catalogue.js";
import type { BudgetOption, CacheOptions, DecodeStrategy, PrefillMethod } from "../engine.ts";
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

function nameOf({ prefill, decode }: Setting): string {
  return decodeRule(decode)?.family === "scope" ? labelOf(decode) : `${prefill} + ${decode}`;
}

function rules(
  setting: Setting,
  prefill: PrefillMethod,
  decode: DecodeStrategy,
): Pick<Policy, "rule" | "cache"> {
  const { prefillBudget, observationWindow, decodeBudget, recent } = setting;
  const cacheType = storageOf(setting.cacheType, setting.valueType);
  const ofPrompt = prefill === "full" ? "whole prompt" : `${prefill} ${prefillBudget}`;
  const ofOutput = decode === "full" ? "all output" : `${decode} ${decodeBudget}`;
  return {
    rule: `${ofPrompt} · ${ofOutput} · ${bitsOf(cacheType)}`,
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
