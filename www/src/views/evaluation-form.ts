import { markerIcon } from "../charts/figure.ts";
import { COMPARED_FAMILIES, DECODE_BUDGETS, KIND_NAMES } from "../settings/compared-policies.ts";
import {
  CHOSEN_SHARES,
  type EvaluationSetting,
  type View,
} from "../settings/evaluation-setting.ts";
import { keysOf } from "../settings/keys.ts";
import { shareName } from "../settings/policy-family.ts";
import { LENGTHS } from "../settings/program-setting.ts";
import { openWhereThereIsRoom } from "../settings/settings-card.ts";
import { create, element } from "../ui/dom.ts";

const card = element("measure-card", HTMLDetailsElement);
const form = element("measure-form", HTMLFormElement);
const lines = element("measure-lines", HTMLSelectElement);
const programs = element("measure-programs", HTMLInputElement);
const firstSeed = element("measure-seed", HTMLInputElement);
const chosen = element("drift-chosen", HTMLSelectElement);
const families = element("measure-families", HTMLElement);
const budgets = element("measure-budgets", HTMLElement);

/** Form of what the evaluating views run. It shows one setting, and reports each valid change. */
export class EvaluationForm {
  #setting: EvaluationSetting;

  constructor(setting: EvaluationSetting, onChange: (setting: EvaluationSetting) => void) {
    this.#setting = setting;
    lines.replaceChildren(
      ...LENGTHS.map((length) => new Option(`${length} lines`, String(length))),
    );
    chosen.replaceChildren(...CHOSEN_SHARES.map((share) => new Option(shareName(share), share)));
    for (const kind of keysOf(KIND_NAMES)) {
      families.append(create("p", "hint", KIND_NAMES[kind]));
      for (const family of COMPARED_FAMILIES.filter((one) => one.kind === kind)) {
        families.append(box("families", family.id, family.name, markerIcon(family)));
      }
    }
    budgets.replaceChildren(
      ...DECODE_BUDGETS.map((share) => box("budgets", share, shareName(share))),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      requireSome("families", "Choose a policy.");
      requireSome("budgets", "Choose a budget.");
      if (form.checkValidity()) {
        this.#setting = { ...this.#setting, ...read() };
        this.#summarise();
        onChange(this.#setting);
      }
    });
    this.show(setting);
    openWhereThereIsRoom(card);
  }

  get setting(): EvaluationSetting {
    return this.#setting;
  }

  /** Checks that everything in the form can be run, and points the reader to what can't. */
  report(): boolean {
    if (!form.checkValidity()) {
      card.open = true;
    }
    return form.reportValidity();
  }

  /** Puts `setting` into the form, with the fields that its view has. */
  show(setting: EvaluationSetting): void {
    this.#setting = setting;
    lines.value = String(setting.lines);
    programs.value = String(setting.programs);
    firstSeed.value = String(setting.firstSeed);
    chosen.value = setting.chosen;
    check("families", setting.families);
    check("budgets", setting.budgets);
    for (const part of form.querySelectorAll<HTMLElement>("[data-views]")) {
      part.hidden = !(part.dataset["views"]?.split(" ").includes(setting.view) ?? false);
    }
    this.#summarise();
  }

  /** Says what is set where the card is closed. */
  #summarise(): void {
    const { lines: length, programs: number, view } = this.#setting;
    const several = view !== "drift" && number > 1;
    element("measure-summary", HTMLElement).textContent =
      `${several ? `${number} ` : ""}of ${length} lines`;
  }
}

/** Says in the form's card what there is to know of programs and the loaded model. */
export function showModelNote(readsPrograms: boolean | undefined, view: View): void {
  const note = element("measure-note", HTMLElement);
  note.hidden = readsPrograms !== false;
  note.textContent = note.hidden ? "" : noteFor(view);
}

const noteFor = (view: View): string =>
  view === "drift"
    ? "This model was not made for programs: what runs is the prompt of the first tab."
    : "This model was not made for programs: expect few lines to be right.";

function box(name: string, value: string, label: string, ...icon: readonly Element[]): HTMLElement {
  const root = create("label", "check");
  const input = create("input");
  input.type = "checkbox";
  input.name = name;
  input.value = value;
  root.append(input, ...icon, label);
  return root;
}

const boxes = (name: string): HTMLInputElement[] => [
  ...form.querySelectorAll<HTMLInputElement>(`input[name=${name}]`),
];

function check(name: string, values: readonly string[]): void {
  for (const input of boxes(name)) {
    input.checked = values.includes(input.value);
    input.setCustomValidity("");
  }
}

/** Requires one checked box of a group, which no box can require by itself. */
function requireSome(name: string, message: string): void {
  const all = boxes(name);
  const none = all.every(({ checked }) => !checked);
  all.forEach((input, index) => input.setCustomValidity(none && index === 0 ? message : ""));
}

const checked = (name: string): Set<string> =>
  new Set(boxes(name).flatMap((input) => (input.checked ? [input.value] : [])));

function read(): Omit<EvaluationSetting, "view"> {
  const [wantedFamilies, wantedBudgets] = [checked("families"), checked("budgets")];
  return {
    lines: Number(lines.value),
    programs: programs.valueAsNumber,
    firstSeed: firstSeed.valueAsNumber,
    families: COMPARED_FAMILIES.map(({ id }) => id).filter((id) => wantedFamilies.has(id)),
    budgets: DECODE_BUDGETS.filter((share) => wantedBudgets.has(share)),
    chosen: CHOSEN_SHARES.find((share) => share === chosen.value) ?? "25%",
  };
}
