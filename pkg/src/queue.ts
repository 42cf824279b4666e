import { abortable } from "./abortable.js";
import { aborted } from "./error.js";

/** Runs tasks one after the other, in the order of their calls. */
export class Queue {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `task` once those before it are done, or never if `signal` comes first. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tail;
    let leave!: () => void;
    this.#tail = Promise.all([
      before,
      new Promise<void>((resolve) => {
        leave = resolve;
      }),
    ]);
    try {
      await abortable("The request", () => before, signal);
      if (signal?.aborted === true) {
        throw aborted("The request", signal.reason);
      }
      return await task();
    } finally {
      leave();
    }
  }
}
