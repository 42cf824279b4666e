import { isDeviceLost, type LoadedModel, type ModelSource } from "../engine.ts";
import { hideProblem, showProblem } from "./problem-card.ts";
import { describeError } from "./problem.ts";

/** Phase that the page is in. `html[data-state]` tells it to style and tests. */
export type Phase = "opening" | "empty" | "loading" | "ready" | "generating" | "failed" | "lost";

/** State of the page: its phase, its one model, and the one run that occupies it. */
export class PageState {
  #phase: Phase = "opening";
  /** The loaded model, if there is one. */
  model: LoadedModel | undefined;
  /** The model's name, as the page shows it. */
  modelName = "";
  /** Source of the model, loaded or not yet. */
  source: ModelSource | undefined;
  #run: AbortController | undefined;
  readonly #listeners: ((line: string | undefined) => void)[] = [];

  get phase(): Phase {
    return this.#phase;
  }

  /** True if the model is there and nothing runs on it. */
  get free(): boolean {
    return this.#phase === "ready";
  }

  /** True while a run has the model, or has yet to notice that it was stopped. */
  get running(): boolean {
    return this.#run !== undefined;
  }

  /** Calls `listener` at each change of phase, with the new line for people if there is one. */
  onChange(listener: (line: string | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** Changes the phase. `line` says to people how things stand; without it what was said stays. */
  change(phase: Phase, line?: string): void {
    this.#phase = phase;
    document.documentElement.dataset["state"] = phase;
    for (const listener of this.#listeners) {
      listener(line);
    }
  }

  /** Begins a run, which the signal ends. */
  begin(): AbortSignal {
    const run = new AbortController();
    this.#run = run;
    this.change("generating");
    return run.signal;
  }

  /** Tells that the run has ended: the model, if it is still there, is free. */
  end(): void {
    this.#run = undefined;
    if (this.model !== undefined) {
      this.change("ready");
    }
  }

  /** Stops the run, if there is one. */
  stop(): void {
    this.#run?.abort();
  }

  /** Runs `work` on the model, if that is free, and shows what it throws. */
  async occupy(work: (model: LoadedModel, signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.model === undefined || this.running) {
      return;
    }
    hideProblem();
    const { model } = this;
    const signal = this.begin();
    try {
      await work(model, signal);
    } catch (error) {
      // The loader tells of a lost device and of a replaced model.
      if (!isDeviceLost(error) && !signal.aborted) {
        showProblem(describeError(error));
      }
    } finally {
      this.end();
    }
  }
}
