import { aborted } from "./error.js";

/** Runs tasks one after the other, in the order in which they came. */
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
      await turn(before, signal);
      return await task();
    } finally {
      leave();
    }
  }
}

async function turn(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) {
    await before;
    return;
  }
  let onAbort!: () => void;
  const abortion = new Promise<never>((_, reject) => {
    onAbort = (): void => reject(aborted("The request", signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
    }
  });
  try {
    await Promise.race([before, abortion]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (signal.aborted) {
    throw aborted("The request", signal.reason);
  }
}
