const modelLock = (id: string): string => `kvscope-model-${id}`;

/**
 * Runs `work` while no other tab or engine writes the stored model `id`; with mode `"exclusive"`,
 * nobody reads it either. Calls `onWait` if it has to wait. Without Web Locks it runs at once.
 */
export async function withModelLock<T>(
  id: string,
  mode: LockMode,
  signal: AbortSignal,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  if (navigator.locks === undefined) {
    return work();
  }
  const attempt = await navigator.locks.request(
    modelLock(id),
    { mode, ifAvailable: true },
    async (lock) => (lock === null ? undefined : { result: await work() }),
  );
  if (attempt !== undefined) {
    return attempt.result;
  }
  onWait();
  return navigator.locks.request(modelLock(id), { mode, signal }, work);
}

/** Runs `work` while it has the lock `name`, after those before it. Without Web Locks at once. */
export async function whileLocked<T>(
  name: string,
  mode: LockMode,
  work: () => Promise<T>,
): Promise<T> {
  return navigator.locks === undefined ? work() : navigator.locks.request(name, { mode }, work);
}

/** Runs `work` if nobody has the stored model `id`, and returns whether it did. */
export async function ifUnlocked(id: string, work: () => Promise<void>): Promise<boolean> {
  if (navigator.locks === undefined) {
    await work();
    return true;
  }
  return navigator.locks.request(modelLock(id), { ifAvailable: true }, async (lock) => {
    if (lock !== null) {
      await work();
    }
    return lock !== null;
  });
}
