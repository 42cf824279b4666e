import type { CacheOptions, DecodeStrategy, PrefillMethod } from "../engine.ts";

/** A share of a whole, as the package and the command take it. */
export type Share = `${number}%`;

/** Policies that differ only in their budget: a line of a chart. */
export interface Family {
  readonly id: string;
  readonly name: string;
  /** Kind, which is also the name of its colour on the page. */
  readonly kind: Kind;
  readonly marker: Marker;
}

export type Kind = "full" | "scope" | "third" | "prefill" | "decode";
export type Marker = "circle" | "square" | "triangle" | "diamond";

/** One policy to be measured. */
export interface MeasuredPolicy {
  readonly family: Family;
  /** The budget that tells it from the others of its family; nothing for the full cache. */
  readonly budget: Share | undefined;
  /** Rules for a prompt of `prompt` tokens whose answer takes `expected` tokens. */
  readonly rules: (prompt: number, expected: number) => Rules;
}

/** The parts of a policy that the views set. */
export interface Rules {
  readonly method: PrefillMethod;
  readonly prefillBudget: Share;
  readonly window: number;
  readonly strategy: DecodeStrategy;
  readonly decodeBudget: Share;
  readonly recent: number;
}

export const FULL: MeasuredPolicy = {
  family: { id: "full", name: "Full cache", kind: "full", marker: "diamond" },
  budget: undefined,
  rules: (prompt, expected) => ({ ...keepPrompt(prompt), ...keepOutput(expected) }),
};

/** The most that the prompt's window takes, of budgets that have room for it. */
const WINDOW = 8;

/** Rules for what `method` keeps of the prompt, within a share of it. */
export function ofPrompt(
  method: PrefillMethod,
  budget: Share,
  prompt: number,
): Pick<Rules, "method" | "prefillBudget" | "window"> {
  const window = Math.max(1, Math.min(WINDOW, half(budget, prompt)));
  return { method, prefillBudget: budget, window };
}

export const keepPrompt = (prompt: number): ReturnType<typeof ofPrompt> =>
  ofPrompt("full", "100%", prompt);

/**
 * Rules for what `strategy` keeps of the output, within a share of it. Half of that share is for
 * the newest tokens, as in the paper.
 */
export function ofOutput(
  strategy: DecodeStrategy,
  budget: Share,
  expected: number,
): Pick<Rules, "strategy" | "decodeBudget" | "recent"> {
  return { strategy, decodeBudget: budget, recent: Math.max(1, half(budget, expected)) };
}

export const keepOutput = (expected: number): ReturnType<typeof ofOutput> =>
  ofOutput("full", "100%", expected);

const half = (budget: Share, whole: number): number =>
  Math.floor((whole * Number.parseFloat(budget)) / 200);

/** The rules as the package takes them. */
export function cacheOf({
  method,
  prefillBudget,
  window,
  strategy,
  decodeBudget,
  recent,
}: Rules): CacheOptions {
  return {
    prefill: { method, budget: prefillBudget, observationWindow: window },
    decode: { strategy, budget: decodeBudget, recent },
  };
}

/** The rules as `--policy` of `kvscope eval trace` takes them. */
export function argumentOf({
  method,
  prefillBudget,
  window,
  strategy,
  decodeBudget,
  recent,
}: Rules): string {
  return [
    `prefill-method=${method} prefill-budget=${prefillBudget} observation-window=${window}`,
    `decode-strategy=${strategy} decode-budget=${decodeBudget} recent=${recent}`,
  ].join(" ");
}

/** A share as it is read: `12.5 %`. */
export const shareName = (share: Share): string => share.replace("%", " %");
