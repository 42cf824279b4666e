import { aborted } from "./error.js";

/** Options of every call that only waits. */
export interface AbortOptions {
  /** Ends the waiting: the call rejects with `"aborted"`. */
  signal?: AbortSignal | undefined;
}

/**
 * Returns the result of `work`, unless `signal` comes first: then nobody waits for it, though it
 * may still be done. `what` is the subject of the error's message.
 */
export async function abortable<T>(
  what: string,
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) {
    return work();
  }
  if (signal.aborted) {
    throw aborted(what, signal.reason);
  }
  let onAbort!: () => void;
  const abortion = new Promise<never>((_, reject) => {
    onAbort = (): void => reject(aborted(what, signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work(), abortion]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
