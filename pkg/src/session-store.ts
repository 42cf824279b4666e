import { invalidArgument, isQuotaExceeded, KvscopeError } from "./error.js";
import { whileLocked } from "./lock.js";

/** Folder of the sessions in the origin's file system: a file each. */
const FOLDER = "kvscope-sessions";
const ENDING = ".kvsession";

/** A session in the origin's file system. */
export interface StoredSession {
  /** Name that it was saved under. */
  name: string;
  /** Fingerprint of its model, as `engine.model.fingerprint` has it; undefined if it is damaged. */
  model: string | undefined;
  /** Bytes of its file. */
  bytes: number;
  /** Time that it was saved, in milliseconds since 1970. */
  savedAt: number;
}

/** @throws {KvscopeError} `"invalid-argument"` for a name that no file can have */
function fileName(name: string): string {
  try {
    return `${encodeURIComponent(name)}${ENDING}`;
  } catch {
    throw invalidArgument("name", "must be a whole text: it has half a character");
  }
}

const lockName = (name: string): string => `kvscope-session-${name}`;

/**
 * The bytes of a file.
 *
 * @throws {KvscopeError} `"storage-failed"` if it has changed or gone since it was chosen
 */
export async function bytesOf(file: Blob): Promise<ArrayBuffer> {
  try {
    return await file.arrayBuffer();
  } catch (cause) {
    throw new KvscopeError("storage-failed", "The file can't be read any more.", {}, { cause });
  }
}

/**
 * Saves a session. The browser replaces the old file once the new one is whole. A tab that ends in
 * between leaves the old one.
 *
 * @throws {KvscopeError} `"storage-full"` or `"storage-failed"`
 */
export async function writeSession(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const place = fileName(name);
  await whileLocked(lockName(name), "exclusive", async () => {
    try {
      const root = await navigator.storage.getDirectory();
      const folder = await root.getDirectoryHandle(FOLDER, { create: true });
      const handle = await folder.getFileHandle(place, { create: true });
      const writable = await handle.createWritable();
      try {
        await writable.write(bytes);
        await writable.close();
      } catch (error) {
        // Half a file is dropped here; the first error says more.
        await writable.abort().catch(() => undefined);
        throw error;
      }
    } catch (cause) {
      throw notSaved(cause);
    }
  });
}

/**
 * The file of a session.
 *
 * @throws {KvscopeError} `"session-not-found"`
 */
export async function readSession(name: string): Promise<File> {
  const place = fileName(name);
  return whileLocked(lockName(name), "shared", async () => {
    const folder = await sessionsFolder();
    const file = await folder
      ?.getFileHandle(place)
      .then((handle) => handle.getFile())
      .catch(() => undefined);
    // A first save that was cut off leaves an empty file.
    if (file === undefined || file.size === 0) {
      throw new KvscopeError("session-not-found", `There is no saved session ${name}.`, { name });
    }
    // A later save would make the browser's own file unreadable.
    return new File([await bytesOf(file)], file.name, { lastModified: file.lastModified });
  });
}

/** Lists the saved sessions, the newest first; none without such a file system. */
export async function storedSessions(): Promise<StoredSession[]> {
  const folder = await sessionsFolder();
  if (folder === undefined) {
    return [];
  }
  const names: string[] = [];
  for await (const place of folder.keys()) {
    const name = place.endsWith(ENDING) ? decoded(place.slice(0, -ENDING.length)) : undefined;
    if (name !== undefined) {
      names.push(name);
    }
  }
  const found = await Promise.all(names.map((name) => describe(folder, name)));
  return found
    .filter((session) => session !== undefined)
    .toSorted((one, other) => other.savedAt - one.savedAt);
}

/** A saved session; undefined if it has gone, or was never whole. */
async function describe(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<StoredSession | undefined> {
  return whileLocked(lockName(name), "shared", async () => {
    try {
      const file = await (await folder.getFileHandle(fileName(name))).getFile();
      const { size: bytes, lastModified: savedAt } = file;
      return bytes === 0 ? undefined : { name, model: await modelOf(file), bytes, savedAt };
    } catch {
      return undefined;
    }
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // no file of this package
  }
}

/**
 * Deletes a saved session, if it is there.
 *
 * @throws {KvscopeError} `"storage-failed"`
 */
export async function removeSession(name: string): Promise<void> {
  const place = fileName(name);
  await whileLocked(lockName(name), "exclusive", async () => {
    try {
      await (await sessionsFolder())?.removeEntry(place);
    } catch (cause) {
      if (!(cause instanceof DOMException && cause.name === "NotFoundError")) {
        throw notSaved(cause);
      }
    }
  });
}

/** Bytes before a session's header; the last four are the header's length. */
const PREAMBLE = 16;

/** The model's fingerprint in the header of a session's file. */
async function modelOf(file: File): Promise<string | undefined> {
  try {
    const preamble = new DataView(await file.slice(0, PREAMBLE).arrayBuffer());
    const end = PREAMBLE + preamble.getUint32(PREAMBLE - 4, true);
    const header: unknown = JSON.parse(await file.slice(PREAMBLE, end).text());
    const isHeader = typeof header === "object" && header !== null && "model" in header;
    return isHeader && typeof header.model === "string" ? header.model : undefined;
  } catch {
    return undefined;
  }
}

async function sessionsFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
  } catch {
    return undefined;
  }
}

function notSaved(cause: unknown): KvscopeError {
  return isQuotaExceeded(cause)
    ? new KvscopeError(
        "storage-full",
        "The session does not fit in the browser's storage.",
        {},
        { cause },
      )
    : new KvscopeError("storage-failed", "The browser did not store the session.", {}, { cause });
}
