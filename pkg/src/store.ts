import type { KnownFile } from "./download.js";
import { KvscopeError } from "./error.js";
import { ifUnlocked } from "./lock.js";
import { modelId, placeOf, type RemotePart } from "./source.js";

/**
 * Folder of the models in the origin's file system. Each has a folder there, with a file per part
 * and a manifest.
 */
const FOLDER = "kvscope-models";
const MANIFEST = "manifest.json";

/** Facts about a stored part, with what the server told when its first bytes came. */
export interface StoredPart extends KnownFile {
  name: string;
  url: string;
  /** All of it is there, and was checked. */
  complete: boolean;
}

interface Manifest {
  version: 1;
  name: string;
  parts: StoredPart[];
}

/** A model in the origin's file system. */
export interface StoredModel {
  /** Name of the model in the store. */
  id: string;
  /** Name of its (first) file. */
  name: string;
  /** Addresses of the model, one per part. */
  urls: readonly string[];
  /** Bytes stored. */
  bytes: number;
  /** Bytes of the whole model, if known. */
  totalBytes: number | undefined;
  /** All of it is there; if not, the next load resumes from the stored bytes. */
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

/** Folder of one model. */
export class ModelStore {
  readonly #folder: FileSystemDirectoryHandle;
  #manifest: Manifest;
  /** Name of the model in the store. */
  readonly id: string;

  private constructor(id: string, folder: FileSystemDirectoryHandle, manifest: Manifest) {
    this.id = id;
    this.#folder = folder;
    this.#manifest = manifest;
  }

  /**
   * Opens the folder of the model with these parts. Under the name of another address of the same
   * files it may be there already.
   *
   * @throws {KvscopeError} `"storage-failed"`
   */
  static async find(name: string, parts: readonly RemotePart[]): Promise<ModelStore> {
    return ModelStore.open(await folderOf(modelId(parts)), name, parts);
  }

  /**
   * Opens, or creates, the folder `id` for the model with these parts.
   *
   * @throws {KvscopeError} `"storage-failed"` without a file system, as in some private windows
   */
  static async open(id: string, name: string, parts: readonly RemotePart[]): Promise<ModelStore> {
    try {
      const root = await navigator.storage.getDirectory();
      const models = await root.getDirectoryHandle(FOLDER, { create: true });
      const folder = await models.getDirectoryHandle(id, { create: true });
      const manifest = (await readManifest(folder)) ?? freshManifest(name, parts);
      return new ModelStore(id, folder, manifest);
    } catch (cause) {
      throw storageFailed(cause);
    }
  }

  /**
   * Returns the other stored models whose files come from the same places, but for their queries.
   */
  static async atSamePlaces(id: string, parts: readonly RemotePart[]): Promise<ModelStore[]> {
    const places = placesOf(parts);
    const all = (await foldersWithManifests()).filter(
      (stored) => stored.id !== id && placesOf(stored.manifest.parts) === places,
    );
    return all.map((stored) => new ModelStore(stored.id, stored.folder, stored.manifest));
  }

  /** Returns whether every part is complete. */
  async complete(): Promise<boolean> {
    const whole = this.#manifest.parts.map(async (part, index) => {
      const file = await this.file(index);
      return part.complete && file !== undefined && file.size === part.bytes;
    });
    return (await Promise.all(whole)).every(Boolean);
  }

  /** Returns the facts about part `index`. */
  part(index: number): StoredPart {
    const part = this.#manifest.parts[index];
    if (part === undefined) {
      throw new KvscopeError("storage-failed", `the stored model has no part ${index}`);
    }
    return part;
  }

  /** Records facts about part `index`. */
  async note(index: number, known: Partial<StoredPart>): Promise<void> {
    await this.#save(this.#manifest.parts.with(index, { ...this.part(index), ...known }));
  }

  /** Records that part `index` is begun anew, of a file that the server describes so. */
  async begin(index: number, { name, url }: RemotePart, file: KnownFile): Promise<void> {
    const part: StoredPart = { name, url, ...file, complete: false };
    await this.#save(this.#manifest.parts.with(index, part));
  }

  /** Records the addresses at which the model was found last. */
  async moveTo(addresses: readonly RemotePart[]): Promise<void> {
    const parts = this.#manifest.parts.map((part, index) => ({
      ...part,
      url: addresses[index]?.url ?? part.url,
    }));
    await this.#save(parts);
  }

  /** Returns the numbers of the parts of which something is stored. */
  async begun(): Promise<number[]> {
    const files = this.#manifest.parts.map((_, index) => this.file(index));
    const sizes = (await Promise.all(files)).map((file) => file?.size ?? 0);
    return [...sizes.keys()].filter((index) => sizes[index] !== 0);
  }

  /** Returns whether the next load can use any of what is stored. */
  async isUseful(): Promise<boolean> {
    const begun = await this.begun();
    return begun.some((index) => {
      const { etag, modified, sha256, bytes, length } = this.part(index);
      return [etag, modified, sha256, bytes, length].some((fact) => fact !== undefined);
    });
  }

  /** Returns the stored bytes of part `index`. */
  async file(index: number): Promise<File | undefined> {
    try {
      return await (await this.#folder.getFileHandle(String(index))).getFile();
    } catch {
      return undefined;
    }
  }

  /**
   * Opens part `index` for appending or, with `fresh`, for writing from its beginning. Workers
   * only.
   */
  async writer(index: number, fresh: boolean): Promise<PartWriter> {
    const handle = await this.#folder.getFileHandle(String(index), { create: true });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- workers have it
    const access = await (handle as SyncFileHandle).createSyncAccessHandle();
    if (fresh) {
      access.truncate(0);
    }
    return new PartWriter(access);
  }

  async #save(parts: StoredPart[]): Promise<void> {
    const manifest = { ...this.#manifest, parts };
    await writeManifest(this.#folder, manifest);
    this.#manifest = manifest;
  }
}

/** Appends to a stored part. */
export class PartWriter {
  readonly #access: SyncAccessHandle;
  #at: number;

  /** Creates a writer at the end of the stored bytes. */
  constructor(access: SyncAccessHandle) {
    this.#access = access;
    this.#at = access.getSize();
  }

  /**
   * Appends bytes.
   *
   * @throws `QuotaExceededError` if nothing more fits
   */
  write(bytes: Uint8Array): void {
    const written = this.#access.write(bytes, { at: this.#at });
    this.#at += written;
    if (written < bytes.length) {
      throw new DOMException("no more fits", "QuotaExceededError");
    }
  }

  /**
   * Closes the file and keeps the written bytes. Throws if they can't be kept, but closes it all
   * the same.
   */
  close(): void {
    try {
      this.#access.flush();
    } finally {
      this.#access.close();
    }
  }

  /** Closes the file and keeps what it can, ignoring failures. */
  abandon(): void {
    try {
      this.close();
    } catch {
      // The length of the stored bytes is checked before use.
    }
  }
}

/**
 * Lists every model in the origin's file system, complete or not; none without such a file system.
 */
export async function storedModels(): Promise<StoredModel[]> {
  return Promise.all((await foldersWithManifests()).map(describe));
}

/** Returns whether all of a model is in the origin's file system, under whichever name. */
export async function isStored(parts: readonly RemotePart[]): Promise<boolean> {
  const id = await folderOf(modelId(parts));
  return (await storedModels()).some((model) => model.id === id && model.complete);
}

/**
 * Removes a model's folder, if there is one, under whichever name. The caller holds the lock of
 * `id`.
 *
 * @throws {KvscopeError} `"storage-failed"`, or `"storage-busy"` under another name
 */
export async function removeStored(id: string): Promise<void> {
  const real = await folderOf(id);
  if (real === id) {
    await removeFolder(id);
  } else if (!(await ifUnlocked(real, () => removeFolder(real)))) {
    throw new KvscopeError("storage-busy", "The stored model is in use. Delete it after that.");
  }
}

/** Removes the folder `id`, if there is one. The caller holds its lock. */
export async function removeFolder(id: string): Promise<void> {
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

interface Stored {
  readonly id: string;
  readonly folder: FileSystemDirectoryHandle;
  readonly manifest: Manifest;
}

async function foldersWithManifests(): Promise<Stored[]> {
  const models = await modelsFolder();
  if (models === undefined) {
    return [];
  }
  const found: Promise<Stored | undefined>[] = [];
  for await (const [id, folder] of models.entries()) {
    if (folder.kind === "directory") {
      found.push(
        readManifest(folder).then((manifest) =>
          manifest === undefined ? undefined : { id, folder, manifest },
        ),
      );
    }
  }
  return (await Promise.all(found)).filter((stored) => stored !== undefined);
}

/** Finds the folder of the model `id`: of that name, or with addresses that stand for it. */
async function folderOf(id: string): Promise<string> {
  const all = await foldersWithManifests();
  if (all.some((stored) => stored.id === id)) {
    return id;
  }
  const others = all.filter(({ manifest }) => modelId(manifest.parts) === id);
  const whole = others.find(({ manifest }) => manifest.parts.every(({ complete }) => complete));
  return (whole ?? others[0])?.id ?? id;
}

function placesOf(parts: readonly { readonly url: string }[]): string {
  return parts.map(({ url }) => placeOf(url)).join("\n");
}

function freshManifest(name: string, parts: readonly RemotePart[]): Manifest {
  const fresh = parts.map((part) => ({ name: part.name, url: part.url, complete: false }));
  return { version: 1, name, parts: fresh };
}

async function describe({ id, folder, manifest }: Stored): Promise<StoredModel> {
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
    Array.isArray(value.parts) &&
    value.parts.every((part: unknown) => hasAddress(part))
  );
}

function hasAddress(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && "url" in value && typeof value.url === "string"
  );
}

async function writeManifest(folder: FileSystemDirectoryHandle, manifest: Manifest): Promise<void> {
  const handle = await folder.getFileHandle(MANIFEST, { create: true });
  const writable = await handle.createWritable(); // replaces the old one when closed
  await writable.write(JSON.stringify(manifest));
  await writable.close();
}

function storageFailed(cause: unknown): KvscopeError {
  const message =
    "The browser gave no file storage, as some private windows do: the model is not kept.";
  return new KvscopeError("storage-failed", message, {}, { cause });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
