import { deleteChat, savedChat, savedChats, type StoredSession } from "../../engine.ts";
import { create, element } from "../../ui/dom.ts";
import { download } from "../../ui/download.ts";
import { bytes } from "../../ui/format.ts";
import { showProblem } from "../../ui/problem-card.ts";
import { describeError } from "../../ui/problem.ts";

/** Ending of the files that conversations are exported to. */
const ENDING = ".kvsession";

const form = element("chat-save-form", HTMLFormElement);
const field = element("chat-name", HTMLInputElement);
const save = element("chat-save", HTMLButtonElement);
const hint = element("chat-save-hint", HTMLElement);
const status = element("chat-save-status", HTMLElement);
const list = element("chat-saved-list", HTMLUListElement);
const empty = element("chat-saved-empty", HTMLElement);
const file = element("chat-file", HTMLInputElement);

/** Wishes that the view fulfils. Each resolves to whether it went well. */
export interface SavedWishes {
  readonly save: (name: string) => Promise<boolean>;
  readonly open: (from: string | File, name: string) => Promise<boolean>;
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
  /** Fingerprint of the model, as saved conversations name it. */
  readonly fingerprint: string | undefined;
}

/** The conversations that this browser keeps: save, open, export, delete, import. */
export class SavedChats {
  readonly #wishes: SavedWishes;
  #stored: readonly StoredSession[] = [];
  #state: SaveState = { name: "", free: false, any: false, isSaved: false, fingerprint: undefined };
  /** The conversation that is asked about before it is deleted. */
  #doomed = "";

  constructor(wishes: SavedWishes) {
    this.#wishes = wishes;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
    field.addEventListener("input", () => this.#explain());
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      if (chosen !== undefined) {
        file.value = "";
        const { name } = chosen;
        const own = name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : name;
        void this.#open(chosen, own);
      }
    });
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
    const { any, free, isSaved, name } = this.#state;
    const written = field.value.trim();
    save.disabled = !any || !free || written === "";
    const replaces = this.#stored.some((stored) => stored.name === written);
    if (!any) {
      hint.textContent = "There is nothing to save yet.";
    } else if (isSaved && written === name) {
      hint.textContent = "Everything in it is saved.";
    } else {
      hint.textContent = replaces
        ? "Replaces the conversation that has this name."
        : "Saves the branch that is shown, with its cache: nothing is computed again.";
    }
  }

  async #save(): Promise<void> {
    const name = field.value.trim();
    if (await this.#wishes.save(name)) {
      status.textContent = `Saved as ${name}.`;
      await this.list();
    }
  }

  async #open(from: string | File, name: string): Promise<void> {
    if (await this.#wishes.open(from, name)) {
      status.textContent = `Opened ${name}.`;
      return;
    }
    status.textContent = `${name} was not opened.`;
    await this.list(); // which may be without it
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
    const open = button("Open", name, () => void this.#open(name, name));
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
