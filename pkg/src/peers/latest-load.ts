import { aborted } from "../error.js";

/** Loads of which only the latest goes on: a later one, or {@link end}, ends the one before. */
export class LatestLoad {
  #running: AbortController | undefined;

  /** True while a load runs. */
  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Ends the running load, if there is one: it rejects with `"aborted"`. */
  end(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  /**
   * Runs `load`, and hands what it loaded to `keep` unless it was ended. Then `discard` gets it: a
   * load may end well in the moment that it is told to end.
   */
  async run<T>(
    load: (signal: AbortSignal) => Promise<T>,
    keep: (loaded: T) => void,
    discard: (loaded: T) => void,
    own?: AbortSignal,
  ): Promise<void> {
    this.end();
    const controller = new AbortController();
    this.#running = controller;
    const signal =
      own === undefined ? controller.signal : AbortSignal.any([own, controller.signal]);
    try {
      const loaded = await load(signal);
      if (signal.aborted) {
        discard(loaded);
        throw aborted("The load", signal.reason);
      }
      keep(loaded);
    } catch (error) {
      // Whatever it broke off with: that is why.
      throw signal.aborted ? aborted("The load", signal.reason) : error;
    } finally {
      if (this.#running === controller) {
        this.#running = undefined;
      }
    }
  }
}
