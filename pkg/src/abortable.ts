import { aborted } from "./error.js";

/** What every call that only waits may have beside its arguments. */
export interface AbortOptions {
  /** Ends the waiting: the call rejects with `"aborted"`. */
  signal?: AbortSignal | undefined;
}

/**
 * What `work` gives, unless `signal` comes first: then nobody waits for it any more, though it may still be done. `what` is
 * who says so.
 */
export async function abortable<T>(what: string, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
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
