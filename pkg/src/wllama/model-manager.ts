import { Engine } from "../engine.js";
import { invalidArgument } from "../error.js";
import { areLocal, resolveSource } from "../source.js";
import { CacheManager, type CacheEntry } from "./cache-manager.js";
import { download } from "./download.js";
import { WllamaError } from "./error.js";
import type { WllamaModelSource } from "./hub.js";
import type { DownloadOptions } from "./load-params.js";
import { LoggerWithoutDebug, type WllamaLogger } from "./logger.js";

/** wllama's states of a kept model. */
export const ModelValidationStatus = {
  VALID: "valid",
  INVALID: "invalid",
  DELETED: "deleted",
} as const;
/** wllama's state of a kept model. */
export type ModelValidationStatus =
  (typeof ModelValidationStatus)[keyof typeof ModelValidationStatus];

/** wllama's options of a manager. Those without a text are ignored. */
export interface ModelManagerParams {
  /** Manager of the files. */
  cacheManager?: CacheManager;
  logger?: WllamaLogger;
  parallelDownloads?: number | undefined;
  allowOffline?: boolean | undefined;
}

/** Returns whether a path ends as a GGUF file's does. */
export function isValidGgufFile(path: string): boolean {
  return /\.gguf(?:\?.*)?$/i.test(path);
}

/** wllama's model in the store. */
export class Model {
  /** Address of the file, of a split model that of its first part. */
  url: string;
  mmprojUrl?: string;
  /** Bytes of all files; -1 once it is deleted. */
  size = 0;
  /** Its files in the store. */
  files: CacheEntry[] = [];
  readonly #manager: ModelManager;

  /** Creates the model of an address, with those of `saved` that are its files. */
  constructor(
    manager: ModelManager,
    url: string,
    mmprojUrl?: string,
    saved: readonly CacheEntry[] = [],
  ) {
    if (mmprojUrl !== undefined) {
      throw invalidArgument("mmprojUrl", "is not supported: models of images are not run");
    }
    this.#manager = manager;
    this.url = url;
    this.#take(saved);
  }

  /** Opens its files. */
  async open(): Promise<Blob[]> {
    if (this.size === -1) {
      throw new WllamaError("The model is deleted. Download it again.", "load_error");
    }
    const blobs = this.files.map(async ({ name }) => {
      const blob = await this.#manager.cacheManager.open(name);
      if (blob === null) {
        throw new WllamaError(`${name} is not in the store. Download it again.`, "load_error");
      }
      return blob;
    });
    return Promise.all(blobs);
  }

  /** Tells whether all of it is there. */
  validate(): ModelValidationStatus {
    if (this.size === -1) {
      return ModelValidationStatus.DELETED;
    }
    const all = this.files.length === ModelManager.parseModelUrl(this.url).length;
    return all && this.files.every(({ size, metadata }) => size === metadata.originalSize)
      ? ModelValidationStatus.VALID
      : ModelValidationStatus.INVALID;
  }

  /** Downloads what is missing. */
  async refresh(options: DownloadOptions = {}): Promise<void> {
    await download(this.url, options);
    this.#take(await this.#manager.cacheManager.list());
  }

  /** Deletes it from the store. */
  async remove(): Promise<void> {
    await Engine.deleteModel(this.url);
    this.size = -1;
  }

  #take(saved: readonly CacheEntry[]): void {
    const urls = ModelManager.parseModelUrl(this.url);
    this.files = urls.flatMap((url) => saved.filter(({ name }) => name === url));
    this.size = this.files.reduce((sum, { metadata }) => sum + metadata.originalSize, 0);
  }
}

/** wllama's manager of kept models, over those in the origin's file system. */
export class ModelManager {
  /** Manager of their files. */
  cacheManager: CacheManager;
  params: ModelManagerParams;
  logger: WllamaLogger;

  /** Creates a manager. All managers of an origin have the same models. */
  constructor(params: ModelManagerParams = {}) {
    this.params = params;
    this.cacheManager = params.cacheManager ?? new CacheManager();
    this.logger = params.logger ?? LoggerWithoutDebug;
  }

  /** Addresses of all parts of a model. */
  static parseModelUrl(this: void, modelUrl: string | string[]): string[] {
    const { parts } = resolveSource(modelUrl);
    return areLocal(parts) ? [] : parts.map(({ url }) => url);
  }

  /** Lists the models; those whose download broke off only with `includeInvalid`. */
  async getModels(options: { includeInvalid?: boolean } = {}): Promise<Model[]> {
    const [stored, files] = await Promise.all([Engine.models(), this.cacheManager.list()]);
    return stored
      .filter(({ complete }) => complete || options.includeInvalid === true)
      .map(({ urls }) => new Model(this, urls[0] ?? "", undefined, files));
  }

  /** Downloads a model, if it is not there, and keeps it. */
  async downloadModel(
    source: WllamaModelSource | string,
    options: DownloadOptions = {},
  ): Promise<Model> {
    const { url, mmprojUrl } = typeof source === "string" ? { url: source } : source;
    if (!isValidGgufFile(url)) {
      throw new WllamaError(`${url} does not end with ".gguf"`, "download_error");
    }
    const model = new Model(this, url, mmprojUrl, await this.cacheManager.list());
    if (model.validate() !== ModelValidationStatus.VALID) {
      await model.refresh(options);
    }
    return model;
  }

  /** Finds a model in the store, or downloads it. */
  async getModelOrDownload(
    source: WllamaModelSource | string,
    options: DownloadOptions = {},
  ): Promise<Model> {
    const model = await this.downloadModel(source, options);
    options.progressCallback?.({ loaded: model.size, total: model.size });
    return model;
  }

  /** Deletes all models. */
  clear(): Promise<void> {
    return this.cacheManager.clear();
  }
}
