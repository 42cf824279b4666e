import type { BudgetOption } from "../engine.ts";
import type { Policy } from "./policy.ts";

/** Slots that a head holds. */
export interface Slots {
  /** For the prompt. */
  readonly prefill: number;
  /** For the output. */
  readonly decode: number;
}

/** What `policy` leads to at the end of `tokens` after a prompt of so many, from its budgets alone. */
export function planned(
  { cache: { prefill, decode } }: Policy,
  prompt: number,
  tokens: number,
): Slots {
  return {
    prefill: prefill?.method === "full" ? prompt : within(prefill?.budget, prompt),
    decode: decode?.strategy === "full" ? tokens : within(decode?.budget, tokens),
  };
}

/** A budget in slots, of a whole that it may be a share of; all of it where there is none. */
function within(budget: BudgetOption | undefined, whole: number): number {
  const slots =
    typeof budget === "string"
      ? Math.round((whole * Number.parseFloat(budget)) / 100)
      : (budget ?? whole);
  return Math.min(slots, whole);
}
