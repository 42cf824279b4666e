/* oxlint-disable no-await-in-loop -- parts and bytes come one after the other */
import { WasmLoader, type WasmEngine, type WasmGpu } from "../wasm/kvscope.js";
import { blobBytes } from "./blob-bytes.js";
import {
  Download,
  fetchPointer,
  remoteLength,
  sameVersion,
  StartOver,
  type Pointer,
} from "./download.js";
import { KvscopeError, toErrorRecord, toKvscopeError } from "./error.js";
import { LoadMeter } from "./load-meter.js";
import { ifUnlocked, withModelLock } from "./lock.js";
import { notKept, PartKeeper } from "./part-keeper.js";
import type { LoadEvent, LoadRequest } from "./protocol.js";
import { Sha256 } from "./sha256.js";
import { areLocal, isLasting, type RemotePart } from "./source.js";
import { ModelStore, removeFolder } from "./store.js";
import { keepTunings, keptTunings } from "./tunings.js";

/** Lengths that are asked for at once. */
const ASKED_AT_ONCE = 4;
/** Downloads of a file that keeps changing on its server, before the load fails. */
const MOST_STARTS = 3;

/** A loaded model, and its origin. */
export interface Loaded {
  readonly engine: WasmEngine;
  readonly bytes: number;
  readonly fromStore: boolean;
  readonly stored: boolean;
}

/** A stored model at the same places, and what a download has shown of it. */
interface Relative {
  readonly store: ModelStore;
  /** Parts that are the downloaded ones. */
  readonly equal: Set<number>;
  /** Unfinished parts that are the beginnings of downloaded ones. */
  readonly outgrown: Set<number>;
}

/** Loads a model onto `gpu`, through the store if wanted. */
export class ModelLoad {
  readonly #gpu: WasmGpu;
  readonly #request: LoadRequest;
  readonly #signal: AbortSignal;
  readonly #emit: (event: LoadEvent) => void;
  readonly #meter: LoadMeter;
  readonly #pointers = new Map<string, Promise<Pointer>>();
  /** Ends what may still be asked for when the load is over. */
  readonly #over = new AbortController();
  #relatives: readonly Relative[] = [];
  #asked = false;
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
    this.#meter = new LoadMeter(request.model.parts.length, (progress) => emit({ progress }));
  }

  /** Loads the model. */
  async run(): Promise<Loaded> {
    try {
      return await this.#run();
    } finally {
      this.#over.abort();
    }
  }

  async #run(): Promise<Loaded> {
    const { parts, name } = this.#request.model;
    if (areLocal(parts)) {
      parts.forEach(({ blob }, index) => this.#meter.expect(index, blob.size));
      const engine = await this.#assemble(parts.length, (loader, index) =>
        this.#readBlob(loader, index, parts[index]?.blob, false),
      );
      return this.#done(engine, false, false);
    }
    // A `blob:` or `data:` address has its file at hand, and no later load has that address.
    if (!this.#request.store || !parts.every(({ url }) => isLasting(url))) {
      return this.#done(await this.#download(parts, undefined), false, false);
    }
    const store = await ModelStore.find(name, parts).catch((error: unknown) => {
      this.#warn(error);
      return undefined;
    });
    if (store === undefined) {
      return this.#done(await this.#download(parts, undefined), false, false);
    }
    return this.#throughStore(store.id, name, parts);
  }

  async #throughStore(id: string, name: string, parts: readonly RemotePart[]): Promise<Loaded> {
    const wait = (): void => this.#meter.report("wait");
    const stored = async (): Promise<Loaded | undefined> => {
      // Again: may have changed during the wait.
      const store = await ModelStore.open(id, name, parts);
      if (!(await store.complete())) {
        return undefined;
      }
      parts.forEach((_, index) => this.#meter.expect(index, store.part(index).bytes));
      const engine = await this.#assemble(parts.length, async (loader, index) =>
        this.#readBlob(loader, index, await store.file(index), true),
      );
      return this.#done(engine, true, true);
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
      const store = await ModelStore.open(id, name, parts);
      try {
        const engine = await this.#download(parts, store);
        const kept = await this.#settle(store, parts).catch((cause: unknown) => {
          this.#warn(notKept(cause));
          return false;
        });
        return this.#done(engine, kept, false);
      } catch (error) {
        if (isNoModel(error) || !(await store.isUseful())) {
          await removeFolder(id);
        }
        throw error;
      }
    });
  }

  /** Keeps one copy of what was downloaded, and returns whether it is whole. */
  async #settle(store: ModelStore, parts: readonly RemotePart[]): Promise<boolean> {
    const known = this.#relatives.find(({ equal }) => equal.size === parts.length);
    if (known !== undefined) {
      await removeFolder(store.id);
      // Elsewhere in use, it can be found by its earlier address only, which is as good.
      await ifUnlocked(known.store.id, () => known.store.moveTo(parts));
      return true;
    }
    for (const { store: other, equal } of this.#relatives) {
      for (const index of equal) {
        await this.#copy(other, store, index, parts[index]);
      }
    }
    for (const { store: other, equal, outgrown } of this.#relatives) {
      const begun = await other.begun();
      const isPassed = begun.every((index) => equal.has(index) || outgrown.has(index));
      if (isPassed && !(await other.complete())) {
        await ifUnlocked(other.id, () => removeFolder(other.id));
      }
    }
    const kept = await store.complete();
    if (!kept) {
      await removeFolder(store.id);
    }
    return kept;
  }

  async #copy(
    from: ModelStore,
    to: ModelStore,
    index: number,
    part: RemotePart | undefined,
  ): Promise<void> {
    const copy = await from.file(index);
    if (part !== undefined && copy !== undefined && !to.part(index).complete && !this.#warned) {
      const kept = { store: to, index, part, file: from.part(index), have: 0 };
      const keeper = await PartKeeper.open(kept, [], (error) => this.#warn(error));
      for await (const bytes of blobBytes(copy)) {
        await keeper.take(bytes);
      }
      await keeper.end();
    }
  }

  async #download(
    parts: readonly RemotePart[],
    store: ModelStore | undefined,
  ): Promise<WasmEngine> {
    for (let start = 1; ; start += 1) {
      this.#relatives = start === 1 ? await relativesOf(store, parts) : [];
      try {
        return await this.#assemble(parts.length, (loader, index) =>
          this.#downloadPart(loader, parts, index, store),
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
    this.#meter.restart();
    try {
      for (let index = 0; index < count; index += 1) {
        await readPart(loader, index);
      }
      this.#meter.report("finish");
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
    blob: Blob | undefined,
    fromStore: boolean,
  ): Promise<void> {
    if (blob === undefined) {
      throw new KvscopeError(
        "storage-failed",
        "A stored model went away while it was read. Load it again.",
      );
    }
    this.#meter.begin(fromStore);
    this.#meter.expect(index, blob.size);
    loader.begin_file(blob.size);
    for await (const bytes of blobBytes(blob)) {
      this.#push(loader, index, bytes, "load");
    }
    loader.end_file();
    this.#meter.end(index, "load");
  }

  async #downloadPart(
    loader: WasmLoader,
    parts: readonly RemotePart[],
    index: number,
    store: ModelStore | undefined,
  ): Promise<void> {
    const part = parts[index];
    if (part === undefined) {
      return;
    }
    const known = store?.part(index);
    const have = (await store?.file(index)) ?? new Blob();
    if (known?.complete === true && known.bytes === have.size) {
      this.#askLengths(parts, index, store);
      await this.#readBlob(loader, index, have, true);
      return;
    }
    this.#meter.begin(false);
    const pointer = this.#pointer(part);
    const isOther = have.size > 0 && sameVersion(known ?? {}, await pointer) === false;
    const from = isOther ? 0 : have.size;
    const download = await Download.open(part.url, from, known, this.#signal);
    this.#askLengths(parts, index, store);
    const there = download.from > 0 ? have : new Blob();
    const { sha256: pointed, bytes: stated } = await pointer;
    const file = {
      ...download.file,
      bytes: stated ?? download.file.bytes,
      sha256: pointed ?? download.file.sha256 ?? (there.size > 0 ? known?.sha256 : undefined),
    };
    const length = file.bytes ?? file.length;
    // An answer to a plain request may be packed: what was asked for without that is better.
    if (file.bytes !== undefined || !this.#meter.knows(index)) {
      this.#meter.expect(index, length);
    }
    const hash = file.sha256 === undefined ? undefined : new Sha256();
    const take = (bytes: Uint8Array, phase: "load" | "download"): void => {
      hash?.update(bytes);
      this.#push(loader, index, bytes, phase);
    };
    loader.begin_file(file.bytes);
    for await (const bytes of blobBytes(there)) {
      take(bytes, "load");
    }
    const keeper = await PartKeeper.open(
      { store: this.#warned ? undefined : store, index, part, file, have: there.size },
      this.#relatives.map((relative) => relative.store),
      (error) => this.#warn(error),
    );
    let isEnded = false;
    const isWhole = (): boolean => {
      isEnded ||= canEnd(loader);
      return isEnded;
    };
    try {
      let twin = keeper.vouched();
      for await (const bytes of twin === undefined ? download.bytes(isWhole) : []) {
        take(bytes, "download");
        await keeper.take(bytes);
        twin = keeper.vouched();
        if (twin !== undefined) {
          break;
        }
      }
      for await (const bytes of copiedBytes(twin?.rest ?? new Blob())) {
        take(bytes, "load");
      }
      if (hash !== undefined && hash.digest() !== file.sha256) {
        await keeper.forget();
        const message = `${part.url} did not arrive as it is there: its SHA-256 is another. Load it again.`;
        throw new KvscopeError("model-checksum", message, { url: part.url, sha256: file.sha256 });
      }
      const same = twin?.store ?? (await keeper.end());
      for (const relative of this.#relatives) {
        if (relative.store === same) {
          relative.equal.add(index);
        } else if (keeper.outgrown.has(relative.store)) {
          relative.outgrown.add(index);
        }
      }
    } catch (error) {
      if (error instanceof StartOver) {
        await keeper.forget();
      }
      throw error;
    } finally {
      keeper.abandon();
      download.close();
    }
    if (!isEnded) {
      loader.end_file();
    }
    this.#meter.end(index, "download");
  }

  /** Fetches the hub's facts about a part, once. */
  #pointer({ pointerUrl }: RemotePart): Promise<Partial<Pointer>> {
    if (pointerUrl === undefined) {
      return Promise.resolve({});
    }
    const pointer =
      this.#pointers.get(pointerUrl) ?? fetchPointer(pointerUrl, { signal: this.#signal });
    this.#pointers.set(pointerUrl, pointer);
    return pointer;
  }

  /**
   * Asks for the lengths of the parts behind part `index` that nothing has told. Nobody waits for
   * them, and the parts come without them too.
   */
  #askLengths(parts: readonly RemotePart[], index: number, store: ModelStore | undefined): void {
    if (this.#asked) {
      return;
    }
    this.#asked = true;
    parts.forEach((_, at) => this.#meter.expect(at, store?.part(at).bytes));
    const rest = [...parts.entries()].slice(index + 1).values();
    const ask = async (): Promise<void> => {
      for (const [at, part] of rest) {
        if (!this.#meter.knows(at)) {
          const { bytes } = await this.#pointer(part);
          const length = bytes ?? (await remoteLength(part.url, this.#over.signal));
          if (!this.#meter.knows(at)) {
            this.#meter.expect(at, length);
          }
        }
      }
    };
    for (let asker = 0; asker < ASKED_AT_ONCE; asker += 1) {
      void ask();
    }
  }

  #push(loader: WasmLoader, index: number, bytes: Uint8Array, phase: "load" | "download"): void {
    this.#signal.throwIfAborted();
    loader.push(bytes);
    this.#meter.add(index, bytes.length, phase);
  }

  #warn(error: unknown): void {
    this.#warned = true;
    this.#emit({ warning: toErrorRecord(error) });
  }

  #done(engine: WasmEngine, stored: boolean, fromStore: boolean): Loaded {
    this.#meter.begin(fromStore);
    this.#meter.report("ready");
    return { engine, bytes: this.#meter.bytes, fromStore, stored };
  }
}

async function relativesOf(
  store: ModelStore | undefined,
  parts: readonly RemotePart[],
): Promise<Relative[]> {
  const stores = store === undefined ? [] : await ModelStore.atSamePlaces(store.id, parts);
  return stores.map((other) => ({ store: other, equal: new Set(), outgrown: new Set() }));
}

/** Ends the file, unless something of it is missing. */
function canEnd(loader: WasmLoader): boolean {
  try {
    loader.end_file();
    return true;
  } catch {
    return false; // the loader is as it was
  }
}

/** Yields the bytes of a stored copy that nobody keeps from being deleted. */
async function* copiedBytes(blob: Blob): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* blobBytes(blob);
  } catch {
    throw new StartOver("a stored copy of it went away");
  }
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
