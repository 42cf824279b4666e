/** OPFS file with the fastest kernel tuning per adapter. */
const FILE = "kvscope-tunings.json";

/** Reads the stored tunings, if there are any. */
export async function keptTunings(): Promise<string | undefined> {
  try {
    const root = await navigator.storage.getDirectory();
    return await (await (await root.getFileHandle(FILE)).getFile()).text();
  } catch {
    return undefined; // none yet, or no such file system, as in some private windows
  }
}

/** Stores `text` for the next load. If that fails, the next load measures again. */
export async function keepTunings(text: string): Promise<void> {
  try {
    const root = await navigator.storage.getDirectory();
    const handle = await root.getFileHandle(FILE, { create: true });
    const writable = await handle.createWritable(); // replaces the old one when closed
    await writable.write(text);
    await writable.close();
  } catch {
    // The next load measures again.
  }
}
