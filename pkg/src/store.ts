import { KvscopeError } from "./error.js";
import { modelId, type RemotePart } from "./source.js";

/** The folder of the origin's file system in which models are: a folder each, with a file a part and a manifest. */
const FOLDER = "kvscope-models";
const MANIFEST = "manifest.json";

/** What is known of a stored part. */
export interface StoredPart {
  name: string;
  url: string;
  /** Bytes that the whole part has. */
  bytes?: number;
  /** The server's version of it. */
  etag?: string;
  /** Whether all of it is there, and was checked. */
  complete: boolean;
}

interface Manifest {
  version: 1;
  name: string;
  parts: StoredPart[];
}

/** A model in the origin's file system. */
export interface StoredModel {
  /** The store's name for it. */
  id: string;
  /** The name of its (first) file. */
  name: string;
  /** Its addresses, one a part. */
  urls: readonly string[];
  /** Bytes that are stored. */
  bytes: number;
  /** Bytes of the whole model, where that is known. */
  totalBytes: number | undefined;
  /** Whether all of it is there; if not, the next load goes on from what is. */
  complete: boolean;
}

/** `FileSystemSyncAccessHandle`: workers only, and not in TypeScript's types of a page. */
interface SyncAccessHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

interface SyncFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
}

/** The folder of one model. */
export class ModelStore {
  readonly #folder: FileSystemDirectoryHandle;
  readonly #manifest: Manifest;

  private constructor(folder: FileSystemDirectoryHandle, manifest: Manifest) {
    this.#folder = folder;
    this.#manifest = manifest;
  }

  /**
   * Opens, or makes, the folder of the model with these parts.
   *
   * @throws {KvscopeError} `"storage-failed"` where there is no such file system, as in some private windows
   */
  static async open(name: string, parts: readonly RemotePart[]): Promise<ModelStore> {
    try {
      const root = await navigator.storage.getDirectory();
      const models = await root.getDirectoryHandle(FOLDER, { create: true });
      const folder = await models.getDirectoryHandle(modelId(parts), { create: true });
      const fresh = parts.map((part) => ({ name: part.name, url: part.url, complete: false }));
      return new ModelStore(folder, (await readManifest(folder)) ?? { version: 1, name, parts: fresh });
    } catch (cause) {
      throw storageFailed(cause);
    }
  }

  /** Whether every part is there as a whole. */
  async complete(): Promise<boolean> {
    const whole = this.#manifest.parts.map(async (part, index) => {
      const file = await this.file(index);
      return part.complete && file !== undefined && file.size === part.bytes;
    });
    return (await Promise.all(whole)).every(Boolean);
  }

  /** What is known of part `index`. */
  part(index: number): StoredPart {
    const part = this.#manifest.parts[index];
    if (part === undefined) {
      throw new KvscopeError("storage-failed", `the stored model has no part ${index}`);
    }
    return part;
  }

  /** Notes what is known of part `index`. */
  async note(index: number, known: Partial<StoredPart>): Promise<void> {
    const parts = this.#manifest.parts.with(index, { ...this.part(index), ...known });
    await writeManifest(this.#folder, { ...this.#manifest, parts });
    this.#manifest.parts = parts;
  }

  /** What is stored of part `index`. */
  async file(index: number): Promise<File | undefined> {
    try {
      return await (await this.#folder.getFileHandle(String(index))).getFile();
    } catch {
      return undefined;
    }
  }

  /** Opens part `index` to write on from its end, or with `fresh` from its beginning. Workers only. */
  async writer(index: number, fresh: boolean): Promise<PartWriter> {
    const handle = await this.#folder.getFileHandle(String(index), { create: true });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- workers have it
    const access = await (handle as SyncFileHandle).createSyncAccessHandle();
    if (fresh) {
      access.truncate(0);
    }
    return new PartWriter(access);
  }
}

/** Appends to a stored part. */
export class PartWriter {
  readonly #access: SyncAccessHandle;
  #at: number;

  /** On from the end of what is there. */
  constructor(access: SyncAccessHandle) {
    this.#access = access;
    this.#at = access.getSize();
  }

  /** @throws `QuotaExceededError` where nothing more fits */
  write(bytes: Uint8Array): void {
    const written = this.#access.write(bytes, { at: this.#at });
    this.#at += written;
    if (written < bytes.length) {
      throw new DOMException("no more fits", "QuotaExceededError");
    }
  }

  /** Keeps what was written. Throws where that can't be, and is closed all the same. */
  close(): void {
    try {
      this.#access.flush();
    } finally {
      this.#access.close();
    }
  }

  /** Keeps what can be kept, for whom there is nothing to do about the rest. */
  abandon(): void {
    try {
      this.close();
    } catch {
      // The length of what is there is looked at before it is used.
    }
  }
}

/** Every model in the origin's file system, complete or not; none where there is no such file system. */
export async function storedModels(): Promise<StoredModel[]> {
  const models = await modelsFolder();
  if (models === undefined) {
    return [];
  }
  const found: Promise<StoredModel | undefined>[] = [];
  for await (const [id, folder] of models.entries()) {
    if (folder.kind === "directory") {
      found.push(describe(id, folder));
    }
  }
  return (await Promise.all(found)).filter((model) => model !== undefined);
}

/** Removes a model's folder, if there is one. Whoever calls has its lock. */
export async function removeStored(id: string): Promise<void> {
  try {
    await (await modelsFolder())?.removeEntry(id, { recursive: true });
  } catch (cause) {
    if (!(cause instanceof DOMException && cause.name === "NotFoundError")) {
      throw storageFailed(cause);
    }
  }
}

async function modelsFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
  } catch {
    return undefined;
  }
}

async function describe(id: string, folder: FileSystemDirectoryHandle): Promise<StoredModel | undefined> {
  const manifest = await readManifest(folder);
  if (manifest === undefined) {
    return undefined;
  }
  const sizes = manifest.parts.map((_, index) =>
    folder
      .getFileHandle(String(index))
      .then((handle) => handle.getFile())
      .then(
        ({ size }) => size,
        () => 0,
      ),
  );
  const totals = manifest.parts.map(({ bytes }) => bytes);
  return {
    id,
    name: manifest.name,
    urls: manifest.parts.map(({ url }) => url),
    bytes: sum(await Promise.all(sizes)),
    totalBytes: totals.every((bytes) => bytes !== undefined) ? sum(totals) : undefined,
    complete: manifest.parts.every(({ complete }) => complete),
  };
}

async function readManifest(folder: FileSystemDirectoryHandle): Promise<Manifest | undefined> {
  try {
    const file = await (await folder.getFileHandle(MANIFEST)).getFile();
    const manifest: unknown = JSON.parse(await file.text());
    return isManifest(manifest) ? manifest : undefined;
  } catch {
    return undefined; // none yet, or cut short
  }
}

function isManifest(value: unknown): value is Manifest {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === 1 &&
    "parts" in value &&
    Array.isArray(value.parts)
  );
}

async function writeManifest(folder: FileSystemDirectoryHandle, manifest: Manifest): Promise<void> {
  const handle = await folder.getFileHandle(MANIFEST, { create: true });
  const writable = await handle.createWritable(); // takes the old one's place when closed, as a whole
  await writable.write(JSON.stringify(manifest));
  await writable.close();
}

function storageFailed(cause: unknown): KvscopeError {
  const message = "The browser gave no file storage, as some private windows do: the model is not kept.";
  return new KvscopeError("storage-failed", message, {}, { cause });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
