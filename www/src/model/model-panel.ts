import type { LoadProgress, ModelSource, StoredModel } from "../engine.ts";
import { create, element } from "../ui/dom.ts";
import { bytes } from "../ui/format.ts";
import { readModelSource } from "./model-source.ts";
import type { OfferedModel } from "./offered-models.ts";

const name = element("model-name", HTMLElement);
const status = element("status", HTMLElement);
const progress = element("model-progress", HTMLProgressElement);
const amount = element("model-amount", HTMLElement);
const note = element("model-note", HTMLElement);
const cancel = element("cancel-load", HTMLButtonElement);
const choice = element("model-choice", HTMLDetailsElement);
const form = element("model-form", HTMLFormElement);
const written = element("model-source", HTMLInputElement);
const files = element("model-file", HTMLInputElement);
const offered = element("offered", HTMLElement);
const offeredList = element("offered-models", HTMLUListElement);
const stored = element("stored", HTMLElement);
const storedList = element("stored-models", HTMLUListElement);

/** Requests that the reader makes in the panel. */
export interface ModelWishes {
  readonly load: (source: ModelSource, written: string) => void;
  readonly loadOffered: (model: OfferedModel) => void;
  readonly cancel: () => void;
  readonly remove: (model: StoredModel) => void;
}

/** Wires the model's card to `wishes`. */
export function wireModelPanel(wishes: ModelWishes): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const source = readModelSource(written.value, document.baseURI);
    if (source === undefined) {
      written.setCustomValidity(
        "An address that begins with https://, or owner/repository/file.gguf",
      );
      written.reportValidity();
    } else {
      wishes.load(source, written.value.trim());
    }
  });
  written.addEventListener("input", () => written.setCustomValidity(""));
  files.addEventListener("change", () => {
    const chosen = [...(files.files ?? [])];
    if (chosen.length > 0) {
      wishes.load(chosen, "");
      files.value = "";
    }
  });
  cancel.addEventListener("click", () => wishes.cancel());
  listWishes = wishes;
}

let listWishes: ModelWishes | undefined;

/** Lists the models that come with the page. */
export function showOffered(models: readonly OfferedModel[]): void {
  offered.hidden = models.length === 0;
  offeredList.replaceChildren(
    ...models.map((model) => {
      const item = create("li");
      const use = create("button", "small", "Use");
      use.type = "button";
      use.setAttribute("aria-label", `Use the page's ${model.name}`);
      use.addEventListener("click", () => listWishes?.loadOffered(model));
      item.append(
        create(
          "span",
          "",
          model.bytes === undefined ? model.name : `${model.name} (${bytes(model.bytes)})`,
        ),
        use,
      );
      return item;
    }),
  );
}

/** Opens the ways to a model, where none loads by itself. */
export function askForModel(): void {
  choice.open = true;
}

export function showSource(text: string): void {
  written.value = text;
}

export function showName(text: string): void {
  name.textContent = text;
}

/** Says how things stand, aloud for those who listen. */
export function showStatus(text: string): void {
  if (status.textContent !== text) {
    status.textContent = text;
  }
}

/** Says what the reader should know of a load that went well. */
export function showNote(text: string): void {
  note.textContent = text;
  note.hidden = text === "";
}

const PHASES: Record<LoadProgress["phase"], string> = {
  module: "Fetching kvscope",
  gpu: "Opening the GPU",
  wait: "Another tab stores this model; waiting for it",
  download: "Fetching the model",
  load: "Loading the model",
  finish: "The GPU takes in the last of it",
  ready: "Ready",
};

/** Shows how far loading is. `undefined`: nothing loads. */
export function showProgress(now: LoadProgress | undefined): void {
  cancel.disabled = now === undefined;
  amount.textContent = "";
  if (now === undefined) {
    return;
  }
  const { phase, loadedBytes, totalBytes, fromStore } = now;
  const share = totalBytes === undefined || totalBytes === 0 ? undefined : loadedBytes / totalBytes;
  progress.value = share ?? 0;
  // The status is read out when it changes; bytes and the bar are there for whoever looks.
  showStatus(
    phase === "load" && fromStore ? "Loading the model that this browser kept" : PHASES[phase],
  );
  amount.textContent =
    share === undefined ? "" : `${bytes(loadedBytes)} of ${bytes(totalBytes ?? 0)}`;
}

/** Shows how the load ended: `origin` says what is there now, and nothing where nothing is. */
export function showDone(origin: string | undefined): void {
  progress.value = origin === undefined ? 0 : 1;
  amount.textContent = origin ?? "";
}

/** Lists the models that this browser keeps. */
export function showStored(models: readonly StoredModel[]): void {
  stored.hidden = models.length === 0;
  storedList.replaceChildren(
    ...models.map((model) => {
      const item = create("li");
      const use = create("button", "small", "Use");
      const remove = create("button", "small", "Delete");
      const part = model.complete ? "" : ", part of it";
      use.type = "button";
      remove.type = "button";
      use.setAttribute("aria-label", `Use ${model.name}`);
      remove.setAttribute("aria-label", `Delete ${model.name}`);
      use.addEventListener("click", () =>
        listWishes?.load(model.urls[0] ?? "", model.urls[0] ?? ""),
      );
      remove.addEventListener("click", () => listWishes?.remove(model));
      const buttons = create("div", "buttons");
      buttons.append(use, remove);
      item.append(create("span", "", `${model.name} (${bytes(model.bytes)}${part})`), buttons);
      return item;
    }),
  );
}
