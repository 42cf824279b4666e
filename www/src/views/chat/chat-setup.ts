import type { LoadedModel, OpeningMessage } from "../../engine.ts";
import { element } from "../../ui/dom.ts";
import { count } from "../../ui/format.ts";
import { showProblem } from "../../ui/problem-card.ts";
import { textOf } from "./text-file.ts";

/** Pause after a change before the document's tokens are counted, in milliseconds. */
const PAUSE = 300;

const panel = element("chat-setup", HTMLDetailsElement);
const system = element("chat-system", HTMLTextAreaElement);
const dropRow = element("chat-drop-row", HTMLElement);
const drop = element("chat-drop", HTMLInputElement);
const form = element("chat-document-form", HTMLFormElement);
const field = element("chat-document", HTMLTextAreaElement);
const files = element("chat-document-file", HTMLInputElement);
const size = element("chat-document-size", HTMLElement);
const read = element("chat-read", HTMLButtonElement);

/** Wishes that the view fulfils. */
export interface SetupWishes {
  /** Called when what a new conversation begins with has changed. */
  readonly changed: () => void;
  /** Reads a document into a new conversation. Resolves to whether it went well. */
  readonly read: (text: string) => Promise<boolean>;
}

/** Beginning of a new conversation: the system message, and the document to ask about. */
export class ChatSetup {
  readonly #wishes: SetupWishes;
  #model: LoadedModel | undefined;
  #free = false;
  /** Text that came from files, unless the reader has written since. */
  #brought = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(wishes: SetupWishes) {
    this.#wishes = wishes;
    system.addEventListener("input", () => wishes.changed());
    drop.addEventListener("change", () => wishes.changed());
    field.addEventListener("input", () => this.#written());
    files.addEventListener("change", () => {
      const chosen = [...(files.files ?? [])];
      files.value = "";
      void this.take(chosen);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#read();
    });
  }

  /** The system's message, if there is one. */
  get messages(): readonly OpeningMessage[] {
    const content = system.value.trim();
    return content === "" ? [] : [{ role: "system", content }];
  }

  /** True if the thinking of answers is to leave the cache. */
  get dropReasoning(): boolean {
    return !dropRow.hidden && drop.checked;
  }

  /** Follows the model; `free` tells whether it can read. */
  follow(model: LoadedModel | undefined, free: boolean): void {
    this.#free = free;
    this.#showControls();
    if (model !== this.#model) {
      this.#model = model;
      this.#count();
      void this.#look(model);
    }
  }

  /** Takes texts as the document: in place of what came from files before, else behind it. */
  async take(chosen: readonly File[]): Promise<void> {
    if (chosen.length === 0) {
      return;
    }
    panel.open = true;
    const texts = await Promise.all(chosen.map(textOf));
    const others = chosen.filter((_, index) => texts[index] === undefined);
    if (others.length > 0) {
      showProblem({
        title: "This is not a text",
        message: `${others.map(({ name }) => name).join(", ")} can't be read as a text.`,
        advice: ["Choose a file that a text editor opens, or paste its text."],
      });
    }
    const found = texts.filter((text) => text !== undefined);
    if (found.length > 0) {
      const kept = field.value === this.#brought ? [] : [field.value];
      field.value = [...kept, ...found].join("\n\n");
      this.#brought = field.value;
      this.#written();
      field.focus();
    }
  }

  /** Shows how far reading the document has come, in tokens. */
  showRead(done: number, of: number): void {
    // To be looked at: read out, each step of it would be too much.
    size.ariaLive = "off";
    size.textContent = `Reads: ${count(done)} of ${count(of)} tokens`;
  }

  #written(): void {
    this.#showControls();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#count(), PAUSE);
  }

  #showControls(): void {
    read.disabled = !this.#free || field.value.trim() === "";
  }

  async #read(): Promise<void> {
    const text = field.value;
    if (!this.#free || text.trim() === "") {
      return;
    }
    if ((await this.#wishes.read(text)) && field.value === text) {
      field.value = "";
      this.#brought = "";
    }
    this.#showControls();
    this.#count();
  }

  /** Says how long the document is. */
  #count(): void {
    const text = field.value;
    const model = this.#model;
    size.ariaLive = "polite";
    if (model === undefined || text.trim() === "") {
      size.textContent = "";
      return;
    }
    const tell = (tokens: number): void => {
      if (field.value === text && this.#model === model) {
        const fits = tokens < model.context ? "" : ": too long";
        const context = `the model's context has ${count(model.context)}`;
        size.textContent = `${count(tokens)} tokens${fits}; ${context}.`;
      }
    };
    // Reading it tells what is wrong with it.
    model.textTokens(text).then(tell, () => undefined);
  }

  /** Offers to drop thinking, if the model's template does so too. */
  async #look(model: LoadedModel | undefined): Promise<void> {
    const thinks = (await model?.leavesThinkingOut()) ?? false;
    if (this.#model === model && dropRow.hidden === thinks) {
      dropRow.hidden = !thinks;
      this.#wishes.changed();
    }
  }
}
