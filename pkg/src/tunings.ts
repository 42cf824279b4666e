/** The file of the origin's file system that keeps which way of computing was found to be the fastest, by adapter. */
const FILE = "kvscope-tunings.json";

/** What is kept, if anything is. */
export async function keptTunings(): Promise<string | undefined> {
  try {
    const root = await navigator.storage.getDirectory();
    return await (await (await root.getFileHandle(FILE)).getFile()).text();
  } catch {
    return undefined; // none yet, or no such file system, as in some private windows
  }
}

/** Keeps `text` for the next load. Where that can't be, the next load measures again. */
export async function keepTunings(text: string): Promise<void> {
  try {
    const root = await navigator.storage.getDirectory();
    const handle = await root.getFileHandle(FILE, { create: true });
    const writable = await handle.createWritable(); // takes the old one's place when closed, as a whole
    await writable.write(text);
    await writable.close();
  } catch {
    // Said above.
  }
}
