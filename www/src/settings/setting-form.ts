import { element } from "../ui/dom.ts";
import { EXAMPLES } from "./example-prompts.ts";
import { keysOf } from "./keys.ts";
import { LIMITS, limit } from "./limits.ts";
import {
  DECODE_STRATEGIES,
  PREFILL_METHODS,
  THIRD_NAMES,
  explainDecode,
  explainPrefill,
  explainThird,
  policiesOf,
} from "./policy.ts";
import { LENGTHS } from "./program-setting.ts";
import { PRESETS, THIRD_POLICIES, presetOf, type Preset, type Setting } from "./setting.ts";
import { openWhereThereIsRoom } from "./settings-card.ts";
import { SAME, STORAGE_TYPES, VALUE_TYPES, explainStorage } from "./storage-types.ts";

/** Prefix of a program's value in the list of examples. */
const PROGRAM = "program-";

const form = element("setting-form", HTMLFormElement);
const prompt = element("prompt", HTMLTextAreaElement);
const example = element("example", HTMLSelectElement);

const PRESET_HINTS: Record<Preset, string> = {
  page: "Budgets that show their effect on a prompt of a page or two.",
  paper: "The paper's: 2048 slots for the prompt, 512 for the output, the newest 256 always kept.",
  small: "A cache that stays within a few MiB, for phones and old machines.",
  quick: "Small budgets and 64 tokens: done soon where the processor has to stand in for a GPU.",
};

/** Form of every setting but the model. It shows one setting, and reports each valid change. */
export class SettingForm {
  #setting: Setting;
  readonly #onChange: (setting: Setting) => void;
  /** Lines of a prompt that is a known program. */
  #linesOf: ((prompt: string) => number | undefined) | undefined;

  /** `onProgram` gets the lines of the program to show. */
  constructor(
    setting: Setting,
    onChange: (setting: Setting) => void,
    onProgram: (lines: number) => void,
  ) {
    this.#setting = setting;
    this.#onChange = onChange;
    fill(control("prefill"), PREFILL_METHODS);
    fill(control("decode"), DECODE_STRATEGIES);
    fill(control("cacheType"), STORAGE_TYPES);
    fill(control("valueType"), VALUE_TYPES, { [SAME]: "as the keys" });
    for (const field of keysOf(LIMITS)) {
      const found = form.elements.namedItem(field);
      if (found instanceof HTMLInputElement) {
        limit(found, LIMITS[field]);
      }
    }
    fill(control("third"), THIRD_POLICIES, { none: "nothing", ...THIRD_NAMES });
    this.offerPrograms(undefined);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => this.#onInput(event.target));
    prompt.addEventListener("input", () => this.#onInput(prompt));
    example.addEventListener("change", () => {
      const chosen = EXAMPLES[Number(example.value)];
      const lines = LENGTHS.find((length) => example.value === `${PROGRAM}${length}`);
      if (lines !== undefined) {
        onProgram(lines);
      } else if (example.value === "" || chosen === undefined) {
        prompt.select();
      } else {
        this.show({ ...this.#setting, prompt: chosen.prompt });
        this.#onChange(this.#setting);
      }
    });
    this.show(setting);
    openWhereThereIsRoom(element("settings", HTMLDetailsElement));
  }

  get setting(): Setting {
    return this.#setting;
  }

  /** Offers programs in place of texts, where `linesOf` tells which is which; without it, texts. */
  offerPrograms(linesOf: ((prompt: string) => number | undefined) | undefined): void {
    this.#linesOf = linesOf;
    const offered =
      linesOf === undefined
        ? EXAMPLES.map(({ name }, index) => new Option(name, String(index)))
        : LENGTHS.map((length) => new Option(`Program of ${length} lines`, `${PROGRAM}${length}`));
    example.replaceChildren(...offered, new Option("Your own", "", false, false));
    this.#explain();
  }

  /** Checks that everything in the form can be run, and points the reader to what can't. */
  report(): boolean {
    if (!form.checkValidity()) {
      element("settings", HTMLDetailsElement).open = true;
    }
    return form.reportValidity();
  }

  /** Puts `setting` into the form. */
  show(setting: Setting): void {
    this.#setting = setting;
    for (const [field, value] of Object.entries(setting)) {
      const found = form.elements.namedItem(field);
      if (found instanceof HTMLInputElement && found.type === "checkbox") {
        found.checked = value === true;
      } else if (isControl(found)) {
        found.value = String(value);
      }
    }
    this.#explain();
  }

  #onInput(target: EventTarget | null): void {
    if (target instanceof HTMLInputElement && target.name === "preset") {
      const preset = keysOf(PRESETS).find((name) => name === target.value);
      this.show({ ...this.#setting, ...(preset && PRESETS[preset]) });
      this.#onChange(this.#setting);
      return;
    }
    checkBudgets();
    if (form.checkValidity()) {
      this.#setting = { ...this.#setting, ...read() };
      this.#explain();
      this.#onChange(this.#setting);
    }
  }

  #explain(): void {
    const setting = this.#setting;
    checkBudgets();
    element("prefill-hint", HTMLElement).textContent = explainPrefill(setting.prefill);
    element("decode-hint", HTMLElement).textContent = explainDecode(setting.decode);
    const { cacheType, valueType } = setting;
    element("cache-type-hint", HTMLElement).textContent = explainStorage(cacheType);
    element("value-type-hint", HTMLElement).textContent =
      valueType === SAME ? "Stored in the same type as keys." : explainStorage(valueType);
    element("third-hint", HTMLElement).textContent = explainThird(setting.third);
    element("settings-summary", HTMLElement).textContent = policiesOf(setting)[0]?.rule ?? "";
    const preset = presetOf(setting);
    element("preset-hint", HTMLElement).textContent = this.#hintOf(preset);
    for (const radio of form.querySelectorAll<HTMLInputElement>("[name=preset]")) {
      radio.checked = radio.value === preset;
    }
    example.value = this.#exampleOf(setting.prompt);
    // An example that is not among those offered now.
    example.value = example.selectedIndex < 0 ? "" : example.value;
  }

  #hintOf(preset: Preset | undefined): string {
    if (preset !== undefined) {
      return PRESET_HINTS[preset];
    }
    return this.#linesOf === undefined
      ? "Values of your own."
      : "Values for programs, or of your own.";
  }

  /** The list's value for the example that is this prompt; empty for the reader's own prompt. */
  #exampleOf(written: string): string {
    const lines = this.#linesOf?.(written);
    if (lines !== undefined) {
      return `${PROGRAM}${lines}`;
    }
    const index = EXAMPLES.findIndex((known) => known.prompt === written);
    return index < 0 ? "" : String(index);
  }
}

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
const isControl = (value: unknown): value is Control =>
  value instanceof HTMLInputElement ||
  value instanceof HTMLSelectElement ||
  value instanceof HTMLTextAreaElement;

function control(name: string): HTMLSelectElement {
  const found = form.elements.namedItem(name);
  if (!(found instanceof HTMLSelectElement)) {
    throw new TypeError(`index.html has no select named ${name}`);
  }
  return found;
}

function fill(
  select: HTMLSelectElement,
  values: readonly string[],
  names: Record<string, string> = {},
): void {
  select.replaceChildren(...values.map((value) => new Option(names[value] ?? value, value)));
}

/** The form's values, each in its field's type. */
function read(): Partial<Setting> {
  const values: Record<string, string | number | boolean> = {};
  for (const found of form.elements) {
    if (!isControl(found) || found.name === "preset" || found.name === "") {
      continue;
    }
    values[found.name] = valueOf(found);
  }
  return values;
}

function valueOf(found: Control): string | number | boolean {
  if (found instanceof HTMLInputElement && found.type === "checkbox") {
    return found.checked;
  }
  return found instanceof HTMLInputElement && found.type === "number"
    ? found.valueAsNumber
    : found.value;
}

/** Checks across fields: the part of a budget that is always kept has to fit into it. */
function checkBudgets(): void {
  fits("prefillBudget", "observationWindow", "The window has to be smaller than budget A.");
  fits("decodeBudget", "recent", "The recent tokens have to be fewer than budget B.");
}

function fits(budgetName: string, partName: string, message: string): void {
  const budget = form.elements.namedItem(budgetName);
  const part = form.elements.namedItem(partName);
  if (budget instanceof HTMLInputElement && part instanceof HTMLInputElement) {
    const slots = Number(budget.value); // NaN for a share, which only the run can check
    part.setCustomValidity(part.valueAsNumber >= slots ? message : "");
  }
}
