import type { LoadedModel, Slots } from "../../engine.ts";
import { SlotPlans } from "../../settings/planned-slots.ts";
import type { Setting } from "../../settings/setting.ts";
import { bitsOf } from "../../settings/storage-types.ts";
import { create, element } from "../../ui/dom.ts";
import { count } from "../../ui/format.ts";
import type { Run } from "./run.ts";

/** Characters per token of English text: a guess, until a run has read the prompt. */
const CHARACTERS_PER_TOKEN = 4.4;

/** One bar per run, all to one scale: the slots per head for the prompt, and for the output. */
export class BudgetBars {
  readonly #list = element("bars", HTMLUListElement);
  readonly #onPlanned: () => void;
  #rows: readonly Row[] = [];
  #plans: SlotPlans;

  /** `onPlanned` is called when a plan has come, to be drawn. */
  constructor(onPlanned: () => void) {
    this.#onPlanned = onPlanned;
    this.#plans = new SlotPlans(undefined, onPlanned);
  }

  /** Puts up a bar for each of `runs`, which `model` is to run. */
  show(runs: readonly Run[], setting: Setting, model: LoadedModel | undefined): void {
    if (model !== this.#plans.model) {
      this.#plans = new SlotPlans(model, this.#onPlanned);
    }
    this.#rows = runs.map((run) => new Row(run));
    this.#list.replaceChildren(...this.#rows.map(({ root }) => root));
    this.update(setting);
  }

  /** Draws them as far as the runs have come. */
  update(setting: Setting): void {
    const known = Math.max(0, ...this.#rows.map(({ run }) => run.prefilled[1]));
    const prompt = known > 0 ? known : Math.round(setting.prompt.length / CHARACTERS_PER_TOKEN);
    const slotsOf = (run: Run): Slots =>
      run.kv !== undefined && isMeasured(run)
        ? run.kv.slots
        : this.#plans.at(run.policy, prompt, setting.tokens);
    const slots = this.#rows.map(({ run }) => slotsOf(run));
    // The scale is that of the runs' ends: bars grow into it, and do not shrink while others run.
    const ends = this.#rows.map(({ run }) =>
      run.state === "waiting" || run.running
        ? this.#plans.at(run.policy, prompt, setting.tokens)
        : slotsOf(run),
    );
    const most = Math.max(1, ...[...slots, ...ends].map(({ prefill, decode }) => prefill + decode));
    this.#rows.forEach((row, index) => {
      const held = slots[index];
      if (held !== undefined) {
        row.draw(held, isMeasured(row.run), most);
      }
    });
  }
}

class Row {
  readonly root = create("li", "bar-row");
  readonly #prefill = create("span", "bar-part prefill");
  readonly #decode = create("span", "bar-part decode");
  readonly #figures = create("span", "bar-figures");
  readonly #spoken = create("span", "visually-hidden");
  #drawn = "";

  constructor(readonly run: Run) {
    const bar = create("span", "bar");
    bar.setAttribute("aria-hidden", "true");
    bar.append(this.#prefill, this.#decode);
    this.#figures.setAttribute("aria-hidden", "true");
    this.root.append(create("span", "", run.policy.name), bar, this.#figures, this.#spoken);
  }

  draw({ prefill, decode }: Slots, measured: boolean, most: number): void {
    const drawn = `${prefill} ${decode} ${measured} ${most}`;
    if (drawn === this.#drawn) {
      return;
    }
    this.#drawn = drawn;
    this.root.classList.toggle("planned", !measured);
    // Clipped, not sized: a part that grows moves nothing.
    this.#prefill.style.clipPath = stretch(0, prefill / most);
    this.#decode.style.clipPath = stretch(prefill / most, (prefill + decode) / most);
    const about = measured ? "" : "about ";
    const bits = bitsOf(this.run.policy.cache.cacheType);
    this.#figures.textContent = `${about}${count(prefill)} + ${count(decode)} slots · ${bits}`;
    const ofPrompt = `${about}${count(prefill)} slots for the prompt`;
    this.#spoken.textContent = `: ${ofPrompt}, ${count(decode)} for the output, ${bits}`;
  }
}

/** A clip from one share of the width to another. */
const stretch = (from: number, to: number): string =>
  `inset(0 ${100 * (1 - to)}% 0 ${100 * from}%)`;

/** The first token's report is of the cache before that token: it has nothing of the output. */
const isMeasured = (run: Run): boolean => run.pieces.length > 1;
