/* oxlint-disable no-await-in-loop -- parts and bytes come one after the other */
import { WasmLoader, type WasmEngine, type WasmGpu } from "../wasm/kvscope.js";
import { Download, pointedSha256, StartOver, type RemoteFile } from "./download.js";
import { KvscopeError, toErrorRecord, toKvscopeError } from "./error.js";
import { withModelLock } from "./lock.js";
import type { LoadEvent, LoadProgress, LoadRequest } from "./protocol.js";
import { Sha256 } from "./sha256.js";
import { areLocal, modelId, type LocalPart, type RemotePart } from "./source.js";
import { ModelStore, removeStored, type PartWriter } from "./store.js";
import { keepTunings, keptTunings } from "./tunings.js";

const PROGRESS_EVERY_MS = 50;
/** Downloads of a file that keeps changing on its server, before the load fails. */
const MOST_STARTS = 3;

/** A loaded model, and its origin. */
export interface Loaded {
  readonly engine: WasmEngine;
  readonly bytes: number;
  readonly fromStore: boolean;
  readonly stored: boolean;
}

/** Loads a model onto `gpu`, through the store if wanted. */
export class ModelLoad {
  readonly #gpu: WasmGpu;
  readonly #request: LoadRequest;
  readonly #signal: AbortSignal;
  readonly #emit: (event: LoadEvent) => void;
  readonly #totals: (number | undefined)[];
  #loaded = 0;
  #fromStore = false;
  #reported = 0;
  #warned = false;

  /** Creates a load. `emit` receives progress and warnings. */
  constructor(
    gpu: WasmGpu,
    request: LoadRequest,
    signal: AbortSignal,
    emit: (event: LoadEvent) => void,
  ) {
    this.#gpu = gpu;
    this.#request = request;
    this.#signal = signal;
    this.#emit = emit;
    this.#totals = request.model.parts.map(() => undefined);
  }

  /** Loads the model. */
  async run(): Promise<Loaded> {
    const { parts, name } = this.#request.model;
    if (areLocal(parts)) {
      const engine = await this.#assemble(parts.length, (loader, index) =>
        this.#readBlob(loader, index, parts[index]),
      );
      return this.#done(engine, false);
    }
    if (!this.#request.store) {
      return this.#done(await this.#download(parts, undefined), false);
    }
    const store = await ModelStore.open(name, parts).catch((error: unknown) => {
      this.#warn(error);
      return undefined;
    });
    if (store === undefined) {
      return this.#done(await this.#download(parts, undefined), false);
    }
    return this.#throughStore(name, parts);
  }

  async #throughStore(name: string, parts: readonly RemotePart[]): Promise<Loaded> {
    const id = modelId(parts);
    const wait = (): void => this.#progress("wait", true);
    const stored = async (): Promise<Loaded | undefined> => {
      const store = await ModelStore.open(name, parts); // again: may have changed during the wait
      if (!(await store.complete())) {
        return undefined;
      }
      this.#fromStore = true;
      const engine = await this.#assemble(parts.length, async (loader, index) =>
        this.#readBlob(loader, index, await store.file(index)),
      );
      return this.#done(engine, true);
    };
    const ready = await withModelLock(id, "shared", this.#signal, wait, stored);
    if (ready !== undefined) {
      return ready;
    }
    return withModelLock(id, "exclusive", this.#signal, wait, async () => {
      const meanwhile = await stored();
      if (meanwhile !== undefined) {
        return meanwhile;
      }
      try {
        const store = await ModelStore.open(name, parts);
        const engine = await this.#download(parts, store);
        const kept = await store.complete();
        if (!kept) {
          await removeStored(id);
        }
        return this.#done(engine, kept);
      } catch (error) {
        if (isNoModel(error)) {
          await removeStored(id);
        }
        throw error;
      }
    });
  }

  async #download(
    parts: readonly RemotePart[],
    store: ModelStore | undefined,
  ): Promise<WasmEngine> {
    for (let start = 1; ; start += 1) {
      try {
        return await this.#assemble(parts.length, (loader, index) =>
          this.#downloadPart(loader, parts[index], index, store),
        );
      } catch (error) {
        if (!(error instanceof StartOver) || start === MOST_STARTS) {
          throw error instanceof StartOver
            ? new KvscopeError(
                "download-failed",
                `The download of the model can't be gone on with: ${error.message}.`,
              )
            : error;
        }
      }
    }
  }

  /** Lets `readPart` push every part into a loader. */
  async #assemble(
    count: number,
    readPart: (loader: WasmLoader, index: number) => Promise<void>,
  ): Promise<WasmEngine> {
    const loader = WasmLoader.gguf(this.#gpu);
    this.#loaded = 0;
    try {
      for (let index = 0; index < count; index += 1) {
        await readPart(loader, index);
        loader.end_file();
      }
      this.#progress("finish", true);
      return await this.#finish(loader);
    } finally {
      loader.free();
    }
  }

  /** Finishes the engine, with the stored tuning or a new one. */
  async #finish(loader: WasmLoader): Promise<WasmEngine> {
    if (!this.#request.store) {
      return loader.finish();
    }
    const engine = await loader.finish(await keptTunings());
    const found = engine.tunings();
    if (found !== undefined) {
      await keepTunings(found);
    }
    return engine;
  }

  async #readBlob(
    loader: WasmLoader,
    index: number,
    part: LocalPart | Blob | undefined,
  ): Promise<void> {
    const blob = part instanceof Blob ? part : part?.blob;
    if (blob === undefined) {
      throw new KvscopeError(
        "storage-failed",
        "A stored model went away while it was read. Load it again.",
      );
    }
    this.#totals[index] = blob.size;
    loader.begin_file(blob.size);
    for await (const bytes of blobBytes(blob)) {
      this.#push(loader, bytes, "load");
    }
  }

  async #downloadPart(
    loader: WasmLoader,
    part: RemotePart | undefined,
    index: number,
    store: ModelStore | undefined,
  ): Promise<void> {
    if (part === undefined) {
      return;
    }
    const known = store?.part(index);
    const have = (await store?.file(index)) ?? new Blob();
    const whole = known?.complete === true && known.bytes === have.size;
    this.#fromStore = whole;
    if (whole) {
      await this.#readBlob(loader, index, have);
      return;
    }
    const expected =
      part.pointerUrl === undefined ? undefined : pointedSha256(part.pointerUrl, this.#signal);
    const download = await this.#open(part.url, have.size, known, store, index);
    const { bytes, etag, sha256 } = download.file;
    this.#totals[index] = bytes;
    const digest = (await expected) ?? sha256;
    const hash = digest === undefined ? undefined : new Sha256();
    loader.begin_file(bytes);
    for await (const chunk of blobBytes(have)) {
      hash?.update(chunk);
      this.#push(loader, chunk, "load");
    }
    const about = {
      ...(bytes === undefined ? {} : { bytes }),
      ...(etag === undefined ? {} : { etag }),
    };
    let writer = await this.#writer(store, index, have.size, about);
    try {
      for await (const chunk of download.bytes()) {
        hash?.update(chunk);
        writer = this.#write(writer, chunk);
        this.#push(loader, chunk, "download");
      }
    } catch (error) {
      if (error instanceof StartOver) {
        await forget(store, index, writer);
        writer = undefined;
      }
      throw error;
    } finally {
      writer?.abandon();
    }
    if (hash !== undefined && hash.digest() !== digest) {
      await forget(store, index, undefined);
      const message = `${part.url} did not arrive as it is there: its SHA-256 is another. Load it again.`;
      throw new KvscopeError("model-checksum", message, { url: part.url, sha256: digest });
    }
    if (writer !== undefined) {
      await this.#keep(store, index);
    }
  }

  /** Records that all of a part is stored. */
  async #keep(store: ModelStore | undefined, index: number): Promise<void> {
    try {
      await store?.note(index, { complete: true, bytes: (await store.file(index))?.size ?? 0 });
    } catch (cause) {
      this.#warn(notKept(cause));
    }
  }

  async #open(
    url: string,
    from: number,
    known: Partial<RemoteFile> | undefined,
    store: ModelStore | undefined,
    index: number,
  ): Promise<Download> {
    try {
      return await Download.open(url, from, known, this.#signal);
    } catch (error) {
      if (error instanceof StartOver) {
        await forget(store, index, undefined);
      }
      throw error;
    }
  }

  async #writer(
    store: ModelStore | undefined,
    index: number,
    have: number,
    about: { bytes?: number; etag?: string },
  ): Promise<PartWriter | undefined> {
    if (store === undefined || this.#warned) {
      return undefined;
    }
    try {
      await store.note(index, about);
      return await store.writer(index, have === 0);
    } catch (cause) {
      this.#warn(notKept(cause));
      return undefined;
    }
  }

  #write(writer: PartWriter | undefined, bytes: Uint8Array): PartWriter | undefined {
    try {
      writer?.write(bytes);
      return writer;
    } catch (cause) {
      this.#warn(notKept(cause));
      writer?.abandon();
      return undefined;
    }
  }

  #push(loader: WasmLoader, bytes: Uint8Array, phase: "load" | "download"): void {
    this.#signal.throwIfAborted();
    loader.push(bytes);
    this.#loaded += bytes.length;
    this.#progress(phase, false);
  }

  #progress(phase: LoadProgress["phase"], always: boolean): void {
    const now = performance.now();
    if (always || now - this.#reported >= PROGRESS_EVERY_MS) {
      this.#reported = now;
      const known = this.#totals.filter((total) => total !== undefined);
      const totalBytes =
        known.length === this.#totals.length
          ? known.reduce((sum, total) => sum + total, 0)
          : undefined;
      this.#emit({
        progress: { phase, loadedBytes: this.#loaded, totalBytes, fromStore: this.#fromStore },
      });
    }
  }

  #warn(error: unknown): void {
    this.#warned = true;
    this.#emit({ warning: toErrorRecord(error) });
  }

  #done(engine: WasmEngine, stored: boolean): Loaded {
    this.#progress("ready", true);
    return { engine, bytes: this.#loaded, fromStore: this.#fromStore, stored };
  }
}

async function* blobBytes(blob: Blob): AsyncGenerator<Uint8Array, void, void> {
  const reader = blob.stream().getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    yield next.value;
  }
}

/** Deletes the stored bytes of a part, to begin again. */
async function forget(
  store: ModelStore | undefined,
  index: number,
  writer: PartWriter | undefined,
): Promise<void> {
  writer?.abandon();
  const fresh = await store?.writer(index, true);
  fresh?.abandon();
  await store?.note(index, { complete: false });
}

/** Returns whether a file is unusable, however it is loaded. */
function isNoModel(error: unknown): boolean {
  return [
    "model-malformed",
    "model-truncated",
    "model-unsupported",
    "tokenizer-malformed",
  ].includes(toKvscopeError(error).code);
}

function notKept(cause: unknown): KvscopeError {
  const full = cause instanceof DOMException && cause.name === "QuotaExceededError";
  return full
    ? new KvscopeError(
        "storage-full",
        "The browser has no room left for the model: it works now and is downloaded again next time. Delete stored models to make room.",
        {},
        { cause },
      )
    : new KvscopeError(
        "storage-failed",
        "The model could not be stored: it is downloaded again next time.",
        {},
        { cause },
      );
}
