import { deleteChat, savedChat, savedChats, type StoredSession } from "../../engine.ts";
import { create, element } from "../../ui/dom.ts";
import { download } from "../../ui/download.ts";
import { bytes } from "../../ui/format.ts";
import { showProblem } from "../../ui/problem-card.ts";
import { describeError } from "../../ui/problem.ts";

/** Ending of the files that conversations are exported to. */
const ENDING = ".kvsession";

/** Words about what is saved of a document. */
const DOCUMENT_ONLY = "Saves the document with its cache, without the questions and answers.";

const form = element("chat-save-form", HTMLFormElement);
const field = element("chat-name", HTMLInputElement);
const save = element("chat-save", HTMLButtonElement);
const hint = element("chat-save-hint", HTMLElement);
const status = element("chat-save-status", HTMLElement);
const list = element("chat-saved-list", HTMLUListElement);
const empty = element("chat-saved-empty", HTMLElement);
const file = element("chat-file", HTMLInputElement);
const auto = element("chat-auto", HTMLInputElement);

/** A saved conversation to open: by its name here, or from a file. */
export interface Opened {
  readonly from: string | File;
  readonly name: string;
}

/** Wishes that the view fulfils. */
export interface SavedWishes {
  /** Resolves to whether it went well. */
  readonly save: (name: string) => Promise<boolean>;
  /** Resolves to those that were opened. */
  readonly open: (chosen: readonly Opened[]) => Promise<readonly Opened[]>;
  /** Called with the name of a conversation that was deleted. */
  readonly deleted: (name: string) => void;
}

/** State of the conversation that is shown. */
export interface SaveState {
  /** Name to save it under, unless the reader writes another. */
  readonly name: string;
  /** True if the model is there and free. */
  readonly free: boolean;
  /** True if there is something to save. */
  readonly any: boolean;
  readonly isSaved: boolean;
  /** Name that it is saved under; empty for none. */
  readonly savedName: string;
  /** True if it is about a document, which is all that is saved of it. */
  readonly isDocument: boolean;
  /** Fingerprint of the model, as saved conversations name it. */
  readonly fingerprint: string | undefined;
}

/** The conversations that this browser keeps: save, open, export, delete, import. */
export class SavedChats {
  readonly #wishes: SavedWishes;
  #stored: readonly StoredSession[] = [];
  #state: SaveState = {
    name: "",
    free: false,
    any: false,
    isSaved: false,
    savedName: "",
    isDocument: false,
    fingerprint: undefined,
  };
  /** Files that are to be opened once the model is free. */
  #waiting: readonly Opened[] = [];
  /** The conversation that is asked about before it is deleted. */
  #doomed = "";

  constructor(wishes: SavedWishes) {
    this.#wishes = wishes;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save(field.value.trim());
    });
    field.addEventListener("input", () => this.#explain());
    file.addEventListener("change", () => {
      const chosen = [...(file.files ?? [])];
      file.value = "";
      this.openFiles(chosen);
    });
  }

  /** Names of the files that wait for the model. */
  get waiting(): readonly string[] {
    return this.#waiting.map(({ name }) => name);
  }

  /** Opens what was exported: now, or once the model is there and free. */
  openFiles(files: readonly File[]): void {
    this.#waiting = [
      ...this.#waiting,
      ...files.map((from) => ({ from, name: withoutEnding(from) })),
    ];
    this.#openWaiting();
  }

  /** Saves the conversation that is shown after an answer, if the reader has wished that. */
  async saveAnswered(): Promise<void> {
    const { any, isDocument, savedName } = this.#state;
    if (!auto.checked || !any || isDocument) {
      return;
    }
    const written = field.value.trim() || this.#state.name;
    await this.list(); // another tab may have saved one
    await this.#save(written === savedName ? written : this.#freeName(written));
  }

  /** Follows the conversation that is shown. */
  show(state: SaveState): void {
    if (state.name !== this.#state.name) {
      field.value = state.name;
    }
    const { free: wasFree, fingerprint } = this.#state;
    this.#state = state;
    if (state.fingerprint !== fingerprint) {
      this.#draw();
    }
    file.disabled = !state.free;
    this.#explain();
    if (state.free && this.#waiting.length > 0) {
      // The run that has freed the model has yet to end.
      setTimeout(() => this.#openWaiting());
    }
    if (state.free !== wasFree) {
      for (const open of list.querySelectorAll<HTMLButtonElement>("[data-opens]")) {
        open.disabled = !state.free;
      }
    }
  }

  /** Lists what is saved now. */
  async list(): Promise<void> {
    try {
      this.#stored = await savedChats();
    } catch (error) {
      showProblem(describeError(error));
    }
    this.#draw();
  }

  #explain(): void {
    const { any, free, isSaved, name, isDocument, savedName } = this.#state;
    const written = field.value.trim();
    save.disabled = !any || !free || written === "";
    const replaces = this.#stored.some((stored) => stored.name === written);
    if (!any) {
      hint.textContent = "There is nothing to save yet.";
    } else if (isDocument) {
      const saved = savedName !== "" && written === savedName;
      hint.textContent = saved
        ? "The document is saved, without the questions and answers."
        : `${replaces ? "Replaces the conversation of this name. " : ""}${DOCUMENT_ONLY}`;
    } else if (isSaved && written === name) {
      hint.textContent = "Everything in it is saved.";
    } else {
      hint.textContent = replaces
        ? "Replaces the conversation that has this name."
        : "Saves the branch that is shown, with its cache: nothing is computed again.";
    }
  }

  async #save(name: string): Promise<void> {
    if (await this.#wishes.save(name)) {
      status.textContent = `Saved as ${name}.`;
      await this.list();
    }
  }

  #openWaiting(): void {
    const chosen = this.#waiting;
    if (this.#state.free && chosen.length > 0) {
      this.#waiting = [];
      void this.#open(chosen);
    }
  }

  async #open(chosen: readonly Opened[]): Promise<void> {
    const opened = await this.#wishes.open(chosen);
    const others = chosen.filter((one) => !opened.includes(one));
    const names = (all: readonly Opened[]): string => all.map(({ name }) => name).join(", ");
    status.textContent = [
      opened.length === 0 ? "" : `Opened ${names(opened)}.`,
      others.length === 0
        ? ""
        : `${names(others)} ${others.length === 1 ? "was" : "were"} not opened.`,
    ]
      .filter((sentence) => sentence !== "")
      .join(" ");
    if (others.length > 0) {
      await this.list(); // which may be without them
    }
  }

  /** A name that no saved conversation has: this one, or with a number behind it. */
  #freeName(name: string): string {
    const taken = new Set(this.#stored.map((stored) => stored.name));
    let free = name;
    for (let number = 2; taken.has(free); number += 1) {
      free = `${name} ${number}`;
    }
    return free;
  }

  async #export(name: string): Promise<void> {
    try {
      download(`${name}${ENDING}`, await savedChat(name));
    } catch (error) {
      showProblem(describeError(error));
      await this.list();
    }
  }

  async #delete(name: string): Promise<void> {
    this.#doomed = "";
    try {
      await deleteChat(name);
      this.#wishes.deleted(name);
      status.textContent = `Deleted ${name}.`;
    } catch (error) {
      showProblem(describeError(error));
    }
    await this.list();
    list.focus({ preventScroll: true });
  }

  #draw(): void {
    empty.hidden = this.#stored.length > 0;
    list.replaceChildren(...this.#stored.map((stored) => this.#row(stored)));
    this.#explain();
  }

  #row(stored: StoredSession): HTMLElement {
    const { name, savedAt } = stored;
    const row = create("li");
    const time = create("time", "", minute(savedAt));
    time.dateTime = new Date(savedAt).toISOString();
    const about = create("span", "quiet");
    const { fingerprint } = this.#state;
    const isOthers = fingerprint !== undefined && stored.model !== fingerprint;
    about.append(time, ` · ${bytes(stored.bytes)}${isOthers ? " · another model's" : ""}`);
    const title = create("span", "saved-name");
    title.append(name, about);
    const buttons = create("div", "buttons");
    buttons.append(...(this.#doomed === name ? this.#doubts(name) : this.#actions(name)));
    row.append(title, buttons);
    return row;
  }

  #actions(name: string): HTMLElement[] {
    const open = button("Open", name, () => void this.#open([{ from: name, name }]));
    open.dataset["opens"] = name;
    open.disabled = !this.#state.free;
    const remove = button("Delete", name, () => this.#doom(name));
    return [open, button("Export", name, () => void this.#export(name)), remove];
  }

  /** Buttons that stand in place of the others until the reader has made sure. */
  #doubts(name: string): HTMLElement[] {
    const remove = button("Delete for good", name, () => void this.#delete(name));
    return [remove, button("Keep", name, () => this.#doom(""))];
  }

  #doom(name: string): void {
    const before = this.#doomed;
    this.#doomed = name;
    this.#draw();
    const label = name === "" ? `Delete ${before}` : `Keep ${name}`;
    const all = [...list.querySelectorAll("button")];
    all.find((one) => one.getAttribute("aria-label") === label)?.focus({ preventScroll: true });
  }
}

const withoutEnding = ({ name }: File): string =>
  name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : name;

function button(text: string, name: string, onClick: () => void): HTMLButtonElement {
  const made = create("button", "small", text);
  made.type = "button";
  made.setAttribute("aria-label", `${text} ${name}`);
  made.addEventListener("click", onClick);
  return made;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A time as `2026-11-30 21:17`, here. */
function minute(time: number): string {
  const at = new Date(time);
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
