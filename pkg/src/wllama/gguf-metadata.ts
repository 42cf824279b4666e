import { KvscopeError } from "../error.js";

/** Bytes that are read at once. */
const WINDOW = 1 << 20;
const MAGIC = 0x46554747; // "GGUF", little endian
const STRING = 8;
const ARRAY = 9;
/** Bytes of a number, by its type. */
const SIZES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

/** Value of a key of a GGUF file, with lists as their lengths. */
export type GgufValue = string | number | boolean | { readonly length: number };

/** Reads the keys and values at the beginning of a GGUF file, and no more of it. */
export async function ggufMetadata(file: Blob): Promise<ReadonlyMap<string, GgufValue>> {
  const reader = new Reader(file);
  const magic = await reader.number(4);
  const version = await reader.number(4);
  if (magic !== MAGIC || version < 2 || version > 3) {
    throw new KvscopeError("model-malformed", "the file is no GGUF file");
  }
  await reader.number(10); // tensors
  const count = await reader.number(10);
  const found = new Map<string, GgufValue>();
  for (let index = 0; index < count; index += 1) {
    /* oxlint-disable no-await-in-loop -- each begins where the one before ends */
    const key = await reader.text();
    found.set(key, await reader.value(await reader.number(4)));
    /* oxlint-enable no-await-in-loop */
  }
  return found;
}

class Reader {
  readonly #file: Blob;
  #at = 0;
  #view = new DataView(new ArrayBuffer(0));
  #from = 0;

  constructor(file: Blob) {
    this.#file = file;
  }

  /** Reads a number of a type. */
  async number(type: number): Promise<number> {
    const size = SIZES[type];
    if (size === undefined) {
      throw new KvscopeError("model-malformed", `the file has a value of type ${type}`);
    }
    const { view, at } = await this.#take(size);
    switch (type) {
      case 0:
      case 7:
        return view.getUint8(at);
      case 1:
        return view.getInt8(at);
      case 2:
        return view.getUint16(at, true);
      case 3:
        return view.getInt16(at, true);
      case 5:
        return view.getInt32(at, true);
      case 6:
        return view.getFloat32(at, true);
      case 10:
        return Number(view.getBigUint64(at, true));
      case 11:
        return Number(view.getBigInt64(at, true));
      case 12:
        return view.getFloat64(at, true);
      default:
        return view.getUint32(at, true);
    }
  }

  async text(): Promise<string> {
    const length = await this.number(10);
    const { view, at } = await this.#take(length);
    return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
  }

  async value(type: number): Promise<GgufValue> {
    if (type === STRING) {
      return this.text();
    }
    if (type !== ARRAY) {
      const number = await this.number(type);
      return type === 7 ? number !== 0 : number;
    }
    const of = await this.number(4);
    const length = await this.number(10);
    const size = SIZES[of];
    if (size !== undefined) {
      this.#at += size * length;
      return { length };
    }
    for (let index = 0; index < length; index += 1) {
      // oxlint-disable-next-line no-await-in-loop -- each begins where the one before ends
      await (of === STRING ? this.#skipText() : this.value(of));
    }
    return { length };
  }

  /** Passes a text over; within what has been read, without waiting. */
  async #skipText(): Promise<void> {
    const length = await this.number(10);
    this.#at += length;
  }

  /** Finds the next `size` bytes. */
  async #take(size: number): Promise<{ view: DataView; at: number }> {
    const from = this.#at;
    if (from < this.#from || from + size > this.#from + this.#view.byteLength) {
      if (from + size > this.#file.size) {
        throw new KvscopeError("model-truncated", `the file ends before byte ${from + size}`);
      }
      const slice = this.#file.slice(from, from + Math.max(size, WINDOW));
      this.#view = new DataView(await slice.arrayBuffer());
      this.#from = from;
    }
    this.#at += size;
    return { view: this.#view, at: from - this.#from };
  }
}
