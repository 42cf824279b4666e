import { blobBytes } from "./blob-bytes.js";
import type { KnownFile } from "./download.js";
import { isQuotaExceeded, KvscopeError } from "./error.js";
import type { RemotePart } from "./source.js";
import type { ModelStore, PartWriter } from "./store.js";
import { Twins, type Vouched } from "./twins.js";

/** Place of a part in the store, and what is told of its file. */
export interface KeptPart {
  readonly store: ModelStore | undefined;
  readonly index: number;
  readonly part: RemotePart;
  readonly file: KnownFile;
  /** Bytes of it that are stored already. */
  readonly have: number;
}

/** Keeps the bytes of one part, unless a copy in the store has them. */
export class PartKeeper {
  readonly #kept: KeptPart;
  readonly #twins: Twins;
  readonly #warn: (error: KvscopeError) => void;
  #writer: PartWriter | undefined;

  private constructor(kept: KeptPart, twins: Twins, warn: (error: KvscopeError) => void) {
    this.#kept = kept;
    this.#twins = twins;
    this.#warn = warn;
  }

  /**
   * Opens a part that may be the one of a store in `relatives`. Without a store it keeps nothing.
   * `warn` gets why bytes are not kept, once.
   */
  static async open(
    kept: KeptPart,
    relatives: readonly ModelStore[],
    warn: (error: KvscopeError) => void,
  ): Promise<PartKeeper> {
    const twins = await Twins.of(kept.have > 0 ? [] : relatives, kept.index);
    const keeper = new PartKeeper(kept, twins, warn);
    if (!twins.any) {
      await keeper.#begin();
    }
    return keeper;
  }

  /** Takes the next bytes. */
  async take(bytes: Uint8Array): Promise<void> {
    if (this.#twins.any) {
      const before = await this.#twins.take(bytes);
      if (before === undefined) {
        return;
      }
      await this.#begin();
      await this.#writeAll(before);
    }
    this.#write(bytes);
  }

  /** Returns a copy that is the same file, if that is beyond doubt. */
  vouched(): Vouched | undefined {
    return this.#twins.vouched(this.#kept.file);
  }

  /** Ends the part, and returns the store whose part is the same, if there is one. */
  async end(): Promise<ModelStore | undefined> {
    const twin = this.#twins.ended();
    if (twin !== undefined) {
      return twin;
    }
    const common = this.#twins.common();
    if (common !== undefined) {
      await this.#begin();
      await this.#writeAll(common);
    }
    if (this.#writer !== undefined) {
      this.abandon();
      const { store, index } = this.#kept;
      try {
        await store?.note(index, { complete: true, bytes: (await store.file(index))?.size ?? 0 });
      } catch (cause) {
        this.#warn(notKept(cause));
      }
    }
    return undefined;
  }

  /** Broken-off copies of which this part has all bytes. */
  get outgrown(): ReadonlySet<ModelStore> {
    return this.#twins.outgrown;
  }

  /** Lets go of the file; what was written stays for the next load. */
  abandon(): void {
    this.#writer?.abandon();
    this.#writer = undefined;
  }

  /** Deletes the stored bytes, to begin again. */
  async forget(): Promise<void> {
    this.abandon();
    const { store, index } = this.#kept;
    const fresh = await store?.writer(index, true);
    fresh?.abandon();
    await store?.note(index, { complete: false });
  }

  async #begin(): Promise<void> {
    const { store, index, part, file, have } = this.#kept;
    try {
      // An earlier answer's facts still hold where its bytes are gone on with.
      await (have > 0 ? store?.note(index, { url: part.url }) : store?.begin(index, part, file));
      this.#writer = await store?.writer(index, have === 0);
    } catch (cause) {
      this.#warn(notKept(cause));
    }
  }

  #write(bytes: Uint8Array): void {
    try {
      this.#writer?.write(bytes);
    } catch (cause) {
      this.#warn(notKept(cause));
      this.abandon();
    }
  }

  async #writeAll(blob: Blob): Promise<void> {
    try {
      for await (const bytes of blobBytes(blob)) {
        this.#write(bytes);
      }
    } catch (cause) {
      this.#warn(notKept(cause)); // the copy went away
      this.abandon();
    }
  }
}

/** Returns the warning that a model is not kept, by what kept it from that. */
export function notKept(cause: unknown): KvscopeError {
  return isQuotaExceeded(cause)
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
