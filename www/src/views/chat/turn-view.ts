import { create } from "../../ui/dom.ts";
import { copyText } from "../../ui/copy-button.ts";
import { bytes, count, percent, rate } from "../../ui/format.ts";
import type { Turn } from "./turn.ts";

/** Wishes that a reader has of one turn. */
export interface TurnWishes {
  /** Asks the edited question in a new branch. */
  readonly edit: (turn: Turn, text: string) => void;
  /** Asks the same question in a new branch. */
  readonly regenerate: (turn: Turn) => void;
  /** Shows the branch that has `turn`. */
  readonly show: (turn: Turn) => void;
}

/** Place of a turn among the others. */
export interface TurnPlace {
  /** Its number in the branch, from 1. */
  readonly number: number;
  /** Turns that stand in this place in one branch or another. */
  readonly alternatives: readonly Turn[];
  /** The most bytes that a full cache would hold at any turn: the bars' common scale. */
  readonly most: number;
  /** True if the model is free to answer. */
  readonly free: boolean;
}

/** A turn in the transcript: the question, the answer, its figures, and what can be done. */
export class TurnView {
  readonly root = create("li", "turn");
  readonly #turn: Turn;
  readonly #wishes: TurnWishes;
  readonly #question = create("div", "said asked");
  readonly #asked: HTMLElement;
  readonly #edit: HTMLButtonElement;
  readonly #branches = create("div", "branches");
  readonly #before: HTMLButtonElement;
  readonly #after: HTMLButtonElement;
  readonly #which = create("span", "quiet");
  readonly #wait = create("p", "quiet");
  readonly #answer = create("p", "said-text");
  readonly #text = new Text();
  readonly #figures = create("div", "turn-figures");
  readonly #facts = create("p", "hint turn-facts");
  readonly #memory = create("p", "hint turn-memory");
  readonly #bar = create("span", "turn-bar");
  readonly #held = create("span", "scope");
  readonly #full = create("span", "full");
  readonly #copy: HTMLButtonElement;
  readonly #regenerate: HTMLButtonElement;
  #editor: HTMLFormElement | undefined;
  #place: TurnPlace | undefined;

  constructor(turn: Turn, wishes: TurnWishes) {
    this.#turn = turn;
    this.#wishes = wishes;
    this.#asked = create("p", "said-text", turn.question);
    this.#edit = button("Edit", () => this.openEditor(turn.question));
    this.#before = button("‹", () => this.#step(-1));
    this.#after = button("›", () => this.#step(1));
    this.#copy = button("Copy", () => void copyText(turn.answer, this.#copy));
    this.#copy.classList.add("copy");
    this.#regenerate = button("Regenerate", () => wishes.regenerate(turn));
    this.#branches.setAttribute("role", "group");
    this.#branches.append(this.#before, this.#which, this.#after);
    const asking = create("div", "said-actions");
    asking.append(this.#branches, this.#edit);
    const head = create("div", "said-head");
    head.append(create("h3", "", "You"), asking);
    this.#question.append(head, this.#asked);

    const answering = create("div", "said-actions");
    answering.append(this.#regenerate, this.#copy);
    const title = create("div", "said-head");
    title.append(create("h3", "", turn.model), answering);
    this.#answer.append(this.#text);
    this.#bar.setAttribute("aria-hidden", "true");
    this.#bar.append(this.#full, this.#held);
    this.#figures.append(this.#bar, this.#memory, this.#facts);
    const answer = create("div", "said answered");
    answer.append(title, this.#wait, this.#answer, this.#figures);
    this.root.append(this.#question, answer);
  }

  /** Shows the turn as far as it has come. */
  update(place: TurnPlace): void {
    this.#place = place;
    const turn = this.#turn;
    const { number, free } = place;
    setText(this.#text, turn.answer);
    this.#answer.hidden = turn.state === "reading";
    this.#wait.hidden = turn.state !== "reading";
    this.#wait.textContent = waitOf(turn);
    // Below a text that grows they would move with each line.
    this.#figures.hidden = turn.running;
    this.#facts.textContent = factsOf(turn);
    this.#memory.textContent = memoryOf(turn);
    const { heldBytes = 0, fullBytes = 0 } = turn.kv ?? {};
    this.#held.style.clipPath = upTo(heldBytes / place.most);
    this.#full.style.clipPath = upTo(fullBytes / place.most);
    this.#edit.disabled = !free;
    this.#regenerate.disabled = !free;
    this.#copy.disabled = turn.answer === "";
    this.#edit.setAttribute("aria-label", `Edit question ${number}`);
    this.#copy.setAttribute("aria-label", `Copy answer ${number}`);
    this.#regenerate.setAttribute("aria-label", `Regenerate answer ${number}`);
    this.#showBranches(place);
  }

  /** Puts the question into a field, to be asked otherwise. */
  openEditor(text: string): void {
    const number = this.#place?.number ?? 1;
    const form = create("form", "said-editor");
    const field = create("textarea");
    field.rows = 3;
    field.value = text;
    field.required = true;
    field.setAttribute("aria-label", `Question ${number}, edited`);
    const send = create("button", "small primary", "Send as a branch");
    const cancel = button("Cancel", () => this.#closeEditor());
    const buttons = create("div", "buttons");
    buttons.append(send, cancel);
    form.append(field, buttons);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { value } = field;
      if (value.trim() !== "" && this.#place?.free === true) {
        this.#closeEditor();
        this.#wishes.edit(this.#turn, value);
      }
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.#closeEditor();
      } else if (sends(event)) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.#editor?.remove();
    this.#editor = form;
    this.#asked.hidden = true;
    this.#edit.hidden = true;
    this.#asked.after(form);
    field.focus();
  }

  /** Puts the keyboard's place at the buttons that step through the branches. */
  focusBranches(): void {
    const place = this.#after.disabled ? this.#before : this.#after;
    place.focus({ preventScroll: true });
  }

  #closeEditor(): void {
    this.#editor?.remove();
    this.#editor = undefined;
    this.#asked.hidden = false;
    this.#edit.hidden = false;
    this.#edit.focus({ preventScroll: true });
  }

  #showBranches({ alternatives, number, free }: TurnPlace): void {
    const at = alternatives.indexOf(this.#turn);
    this.#branches.hidden = alternatives.length < 2;
    this.#which.textContent = `${at + 1} of ${alternatives.length}`;
    this.#before.disabled = !free || at <= 0;
    this.#after.disabled = !free || at >= alternatives.length - 1;
    this.#branches.setAttribute("aria-label", `Branches at question ${number}`);
    this.#before.setAttribute("aria-label", `Branch before, at question ${number}`);
    this.#after.setAttribute("aria-label", `Branch after, at question ${number}`);
  }

  #step(by: number): void {
    const { alternatives = [] } = this.#place ?? {};
    const other = alternatives[alternatives.indexOf(this.#turn) + by];
    if (other !== undefined) {
      this.#wishes.show(other);
    }
  }
}

/** True for Enter alone, which sends; with Shift it is a new line, as in an input method's text. */
export const sends = ({ key, shiftKey, isComposing }: KeyboardEvent): boolean =>
  key === "Enter" && !shiftKey && !isComposing;

function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = create("button", "small", text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

const upTo = (share: number): string => `inset(0 ${100 * (1 - share)}% 0 0)`;

/** Appends what is new, where that is enough: a selection before it stays. */
function setText(node: Text, text: string): void {
  if (text.startsWith(node.data)) {
    node.appendData(text.slice(node.length));
  } else {
    node.data = text;
  }
}

function waitOf({ read: [done, of] }: Turn): string {
  return of === 0 ? "Reads…" : `Reads: ${count(done)} of ${count(of)} tokens`;
}

function memoryOf({ kv }: Turn): string {
  if (kv === undefined || kv.fullBytes === 0) {
    return "";
  }
  const saved = percent(Math.max(0, 1 - kv.heldBytes / kv.fullBytes));
  return `${bytes(kv.heldBytes)} held, a full f16 cache ${bytes(kv.fullBytes)}: ${saved} saved.`;
}

function factsOf(turn: Turn): string {
  const { state, usage, finish } = turn;
  if (usage === undefined) {
    return state === "saved" ? "From a saved conversation." : "Stopped.";
  }
  const { promptTokens, cachedTokens, newTokens, decodeTokensPerSecond } = usage;
  const speed = decodeTokensPerSecond > 0 ? ` at ${rate(decodeTokensPerSecond)} a second` : "";
  return [
    `${tokens(cachedTokens)} held from before, ${count(promptTokens - cachedTokens)} read,`,
    `${count(newTokens)} written${speed}.`,
    state === "stopped" ? "Stopped." : "",
    finish === "length" ? "Ended at the longest output." : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

const tokens = (number: number): string => `${count(number)} token${number === 1 ? "" : "s"}`;
