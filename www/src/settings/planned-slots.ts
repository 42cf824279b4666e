import type { BudgetOption, LoadedModel, Slots } from "../engine.ts";
import type { Policy } from "./policy.ts";

type Planner = Pick<LoadedModel, "plannedSlots">;

/**
 * Slots per head, as the library plans them for a model. Until it has answered, and without a
 * model, whose layers a plan depends on, they are estimated.
 */
export class SlotPlans {
  readonly model: Planner | undefined;
  readonly #onPlanned: () => void;
  /** Answers, and the questions without one yet. */
  readonly #plans = new Map<string, Slots | undefined>();

  /** `onPlanned` is called after each of the library's answers. */
  constructor(model: Planner | undefined, onPlanned: () => void) {
    this.model = model;
    this.#onPlanned = onPlanned;
  }

  /** Slots at the end of `tokens` new ones, after a prompt of so many. */
  at(policy: Policy, prompt: number, tokens: number): Slots {
    const key = JSON.stringify([policy.cache, prompt, tokens]);
    if (this.model !== undefined && !this.#plans.has(key)) {
      this.#plans.set(key, undefined);
      void this.#ask(this.model, key, policy, prompt, tokens);
    }
    return this.#plans.get(key) ?? planned(policy, prompt, tokens);
  }

  async #ask(
    model: Planner,
    key: string,
    { cache }: Policy,
    prompt: number,
    tokens: number,
  ): Promise<void> {
    // The run itself says what is wrong with rules that have no plan.
    const plan = await model.plannedSlots(cache, prompt, tokens).catch(() => undefined);
    if (plan !== undefined) {
      this.#plans.set(key, plan);
      this.#onPlanned();
    }
  }
}

/** Estimate of what `policy` leads to, from its budgets alone: the same in every layer. */
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

/** A budget in slots. It may be a share of a whole; without a budget it is the whole. */
function within(budget: BudgetOption | undefined, whole: number): number {
  const slots =
    typeof budget === "string"
      ? Math.round((whole * Number.parseFloat(budget)) / 100)
      : (budget ?? whole);
  return Math.min(slots, whole);
}
