import {
  LoadedModel,
  deleteModel,
  isAborted,
  requireWebGpu,
  storedModels,
  type ModelSource,
  type StoredModel,
} from "../engine.ts";
import type { PageState } from "../ui/page-state.ts";
import { hideProblem, showProblem } from "../ui/problem-card.ts";
import { describeError, describeLoss } from "../ui/problem.ts";
import * as panel from "./model-panel.ts";
import { readModelSource } from "./model-source.ts";
import { findOfferedModels, type OfferedModel } from "./offered-models.ts";

/** Steps of the page around a load. */
export interface LoadSteps {
  /** Takes the model as its setting names it, when its load begins. */
  readonly begin: (written: string) => void;
  /** Makes the page's settings suit the model, before it is ready. */
  readonly fit: (model: LoadedModel) => Promise<void>;
}

/** Loads one model after the other: the page's default, then what the reader chooses. */
export class ModelLoader {
  readonly #page: PageState;
  readonly #steps: LoadSteps;
  #default: OfferedModel | undefined;
  /** The load in progress: an earlier one that is still running has lost its turn. */
  #loading: AbortController | undefined;

  constructor(page: PageState, steps: LoadSteps) {
    this.#page = page;
    this.#steps = steps;
    page.onChange((line) => {
      if (line !== undefined) {
        panel.showStatus(line);
      }
    });
    panel.wireModelPanel({
      load: (source, written) => void this.#load(source, written),
      loadOffered: (offered) => void this.#loadOffered(offered),
      cancel: () => this.#loading?.abort(),
      remove: (stored) => void remove(stored),
    });
  }

  /** Loads the default model, unless the setting, by `written`, names another. */
  async start(written: () => string): Promise<void> {
    try {
      requireWebGpu();
    } catch (error) {
      this.#page.change("failed", "There is no GPU to run a model on.");
      showProblem(describeError(error));
      return;
    }
    const offered = await findOfferedModels();
    [this.#default] = offered;
    panel.showOffered(offered);
    void listStored();
    const named = written();
    if (named !== "" && readModelSource(named, document.baseURI) !== undefined) {
      // A link's author chose this address, not its reader: the reader's click asks for it.
      panel.showSource(named);
      panel.askForModel();
      this.#page.change("empty", "This link names a model. Load fetches it from there.");
    } else if (this.#default === undefined) {
      panel.askForModel();
      this.#page.change("empty", "Choose a model to begin.");
    } else {
      await this.#loadOffered(this.#default);
    }
  }

  /** Loads files at hand, the parts of one model. */
  loadFiles(files: readonly File[]): void {
    void this.#load(files, "");
  }

  /** Loads an offered model. The default needs no address in a link. */
  async #loadOffered(offered: OfferedModel): Promise<void> {
    await this.#load(offered.url, offered === this.#default ? "" : offered.url, offered.name);
  }

  async #load(source: ModelSource, written: string, name = nameOf(source)): Promise<void> {
    const page = this.#page;
    const retry = (): void => void this.#load(source, written, name);
    const controller = new AbortController();
    const current = (): boolean => this.#loading === controller;
    page.stop();
    this.#loading?.abort();
    this.#loading = controller;
    hideProblem();
    panel.showNote("");
    this.#replace(source, written, name);
    page.change("loading", "Loading…");
    try {
      const model = await LoadedModel.load(source, {
        signal: controller.signal,
        onProgress: (progress) => {
          if (current()) {
            panel.showProgress(progress);
          }
        },
        onWarning: ({ message }) =>
          panel.showNote(`The model is not kept for next time: ${message}`),
      });
      if (!current()) {
        model.dispose();
        return;
      }
      page.model = model;
      void this.#watch(model, retry);
      await this.#steps.fit(model);
      if (current() && page.model === model) {
        page.change("ready", `Ready: ${model.summary}`);
      }
    } catch (error) {
      if (current()) {
        this.#fail(error, retry);
      }
    } finally {
      if (current()) {
        this.#loading = undefined;
        panel.showProgress(undefined);
        panel.showDone(page.model?.origin);
      }
      void listStored();
    }
  }

  /** Lets go of the model before, and names the next one. */
  #replace(source: ModelSource, written: string, name: string): void {
    const before = this.#page.model;
    this.#page.model = undefined;
    before?.dispose();
    this.#page.source = source;
    this.#page.modelName = name;
    panel.showName(name);
    this.#steps.begin(written);
  }

  /** Tells once the GPU is gone, if the page still has `model` by then. */
  async #watch(model: LoadedModel, retry: () => void): Promise<void> {
    const loss = await model.lost;
    if (this.#page.model === model) {
      this.#page.model = undefined;
      this.#page.stop();
      this.#page.change("lost", "The GPU is gone.");
      showProblem(describeLoss(loss), retry);
    }
  }

  #fail(error: unknown, retry: () => void): void {
    if (isAborted(error)) {
      panel.askForModel();
      this.#page.change("empty", "Cancelled. What was fetched is kept.");
    } else {
      this.#page.change("failed", "The model was not loaded.");
      showProblem(describeError(error), retry);
    }
  }
}

async function listStored(): Promise<void> {
  panel.showStored(await storedModels());
}

async function remove(stored: StoredModel): Promise<void> {
  try {
    await deleteModel(stored);
  } catch (error) {
    showProblem(describeError(error));
  }
  await listStored();
}

function nameOf(source: ModelSource): string {
  if (typeof source === "string") {
    return decodeURIComponent(source.slice(source.lastIndexOf("/") + 1));
  }
  return "repo" in source ? source.file : (source[0]?.name ?? "");
}
