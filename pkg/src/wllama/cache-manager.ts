import { Engine } from "../engine.js";
import { invalidArgument } from "../error.js";
import { areLocal, resolveSource } from "../source.js";
import { ModelStore, type StoredModel } from "../store.js";
import { download } from "./download.js";
import type { DownloadOptions } from "./load-params.js";

/** wllama's mark of a file of which no version is known. */
export const POLYFILL_ETAG = "polyfill_for_older_version";

/** wllama's facts about a kept file. */
export interface CacheEntryMetadata {
  /** Version on the server, or {@link POLYFILL_ETAG}. */
  etag: string;
  /** Bytes of the whole file. */
  originalSize: number;
  originalURL: string;
  mmprojURL?: string;
  sha256?: string;
}

/** wllama's entry of a kept file. */
export interface CacheEntry {
  /** Name of the file in the store. */
  name: string;
  /** Bytes that are there. */
  size: number;
  metadata: CacheEntryMetadata;
}

interface StoredFile extends CacheEntry {
  readonly file: File;
  readonly model: StoredModel;
}

/** wllama's manager of kept files, over the models in the origin's file system. */
export class CacheManager {
  /** Name of the file of an address. */
  getNameFromURL(url: string): Promise<string> {
    return Promise.resolve(new URL(url, globalThis.location.href).href);
  }

  /** Downloads the model at an address, and keeps it. */
  async download(url: string, options: DownloadOptions = {}): Promise<void> {
    await download(url, options);
  }

  /** Lists the files, also those whose download broke off. */
  async list(): Promise<CacheEntry[]> {
    const files = await this.#files();
    return files.map(({ name, size, metadata }) => ({ name, size, metadata }));
  }

  /** Opens a file by its name or address; null without it. */
  async open(nameOrURL: string): Promise<Blob | null> {
    return (await this.#find(nameOrURL))?.file ?? null;
  }

  /** Bytes of a file that are there; -1 without it. */
  async getSize(name: string): Promise<number> {
    return (await this.#find(name))?.size ?? -1;
  }

  /** Facts about a file; null without it. */
  async getMetadata(name: string): Promise<CacheEntryMetadata | null> {
    return (await this.#find(name))?.metadata ?? null;
  }

  /** Deletes a file, with all others of its model. */
  async delete(nameOrURL: string): Promise<void> {
    const found = await this.#find(nameOrURL);
    if (found !== undefined) {
      await Engine.deleteModel(found.model);
    }
  }

  /** Deletes the files that `predicate` returns true for, with all others of their models. */
  async deleteMany(predicate: (entry: CacheEntry) => boolean): Promise<void> {
    const files = await this.#files();
    const models = new Map(files.filter(predicate).map(({ model }) => [model.id, model]));
    await Promise.all([...models.values()].map((model) => Engine.deleteModel(model)));
  }

  /** Deletes all files. */
  clear(): Promise<void> {
    return this.deleteMany(() => true);
  }

  /** Rejects with `"invalid-argument"`: files come from addresses only. */
  write(name: string, ...rest: unknown[]): Promise<void>;
  write(): Promise<void> {
    return Promise.reject(invalidArgument("write", "is not supported: use download()"));
  }

  /** Rejects with `"invalid-argument"`: facts are those of the download. */
  writeMetadata(name: string, metadata: CacheEntryMetadata): Promise<void>;
  writeMetadata(): Promise<void> {
    return Promise.reject(invalidArgument("writeMetadata", "is not supported: use download()"));
  }

  async #find(nameOrURL: string): Promise<StoredFile | undefined> {
    const url = URL.canParse(nameOrURL, globalThis.location.href)
      ? new URL(nameOrURL, globalThis.location.href).href
      : nameOrURL;
    return (await this.#files()).find(({ name }) => name === url);
  }

  async #files(): Promise<StoredFile[]> {
    const models = await Engine.models();
    const files = models.map(async (model) => {
      const { parts, name } = resolveSource(model.urls);
      const store = areLocal(parts) ? undefined : await ModelStore.find(name, parts);
      return Promise.all(
        model.urls.map(async (url, index): Promise<StoredFile | undefined> => {
          const file = await store?.file(index);
          const { bytes, etag = POLYFILL_ETAG } = store?.part(index) ?? {};
          const originalSize = bytes ?? file?.size ?? 0;
          const metadata = { etag, originalSize, originalURL: url };
          return file && { name: url, size: file.size, metadata, file, model };
        }),
      );
    });
    return (await Promise.all(files)).flat().filter((file) => file !== undefined);
  }
}
