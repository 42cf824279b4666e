/* oxlint-disable no-await-in-loop -- bytes come one after the other */
import type { KnownFile } from "./download.js";
import type { ModelStore, StoredPart } from "./store.js";

/** Equal bytes after which the server's word for the rest is taken: a model's header and more. */
const ENOUGH_BYTES = 16 << 20;

/**
 * An `ETag` that is made from the bytes, as those of object stores are. Others are often made from
 * time and length, which two files of a folder may have in common.
 */
const DIGEST = /^"[0-9a-f]{32,}(-\d+)?"$/i;

/** A stored part that may be the file that is being downloaded. */
interface Twin {
  readonly store: ModelStore;
  readonly part: StoredPart;
  readonly file: File;
}

/** A stored copy of the file that is being downloaded, and its bytes that have not come yet. */
export interface Vouched {
  readonly store: ModelStore;
  readonly rest: Blob;
}

/**
 * Stored copies of the file at the same place under another query. That may be another signature,
 * or may choose another file. The bytes tell. While a copy has all that come, nothing is written.
 */
export class Twins {
  #left: readonly Twin[];
  #at = 0;
  /** Copies that broke off, and of which all bytes have come. */
  readonly outgrown = new Set<ModelStore>();

  private constructor(left: readonly Twin[]) {
    this.#left = left;
  }

  /** Finds the copies of part `index` in `stores`. */
  static async of(stores: readonly ModelStore[], index: number): Promise<Twins> {
    const found = stores.map(async (store) => {
      const file = await store.file(index);
      return file === undefined || file.size === 0
        ? []
        : [{ store, part: store.part(index), file }];
    });
    return new Twins((await Promise.all(found)).flat());
  }

  /** Returns whether there is a copy with all the bytes so far. */
  get any(): boolean {
    return this.#left.length > 0;
  }

  /** Returns nothing if a copy goes on with these bytes, else all bytes that came before them. */
  async take(bytes: Uint8Array): Promise<Blob | undefined> {
    const [first] = this.#left;
    const end = this.#at + bytes.length;
    const left: Twin[] = [];
    for (const twin of this.#left) {
      const stored = await bytesOf(twin.file.slice(this.#at, end));
      if (stored !== undefined && beginsWith(bytes, stored)) {
        if (stored.length === bytes.length) {
          left.push(twin);
        } else if (!twin.part.complete) {
          this.outgrown.add(twin.store);
        }
      }
    }
    this.#left = left;
    if (left.length > 0) {
      this.#at = end;
      return undefined;
    }
    return first?.file.slice(0, this.#at) ?? new Blob();
  }

  /**
   * Returns a copy that is the file by the server's word. That is its SHA-256, at once; or an
   * `ETag` made from the bytes, after enough of them.
   */
  vouched(file: KnownFile): Vouched | undefined {
    const isDigest = this.#at >= ENOUGH_BYTES && DIGEST.test(file.etag ?? "");
    const twin = this.#left.find(
      ({ part }) =>
        part.complete &&
        (same(part.sha256, file.sha256) || (isDigest && same(part.etag, file.etag))),
    );
    return twin === undefined ? undefined : { store: twin.store, rest: twin.file.slice(this.#at) };
  }

  /** Returns a copy that ends where the download has. */
  ended(): ModelStore | undefined {
    return this.#left.find(({ part, file }) => part.complete && file.size === this.#at)?.store;
  }

  /** Returns the bytes so far, if only copies that are not whole have them. */
  common(): Blob | undefined {
    for (const { store, part } of this.#left) {
      if (!part.complete) {
        this.outgrown.add(store);
      }
    }
    return this.#left[0]?.file.slice(0, this.#at);
  }
}

function same(known: string | undefined, told: string | undefined): boolean {
  return known !== undefined && known === told;
}

async function bytesOf(blob: Blob): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch {
    return undefined; // deleted or written to meanwhile
  }
}

function beginsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let at = 0; at < start.length; at += 1) {
    if (bytes[at] !== start[at]) {
      return false;
    }
  }
  return true;
}
