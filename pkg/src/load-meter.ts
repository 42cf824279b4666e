import type { LoadProgress } from "./protocol.js";

const EVERY_MS = 50;

interface Part {
  /** Length that something has told, sure or not. */
  told: number | undefined;
  arrived: number;
  /** All of it has arrived. */
  ended: boolean;
}

/** Progress of a load, told of all parts together, and never backwards. */
export class LoadMeter {
  readonly #tell: (progress: LoadProgress) => void;
  readonly #parts: readonly Part[];
  #fromStore = false;
  #reported = 0;
  /** The most that was told. */
  #loaded = 0;
  #share = 0;

  /** Creates a meter of so many parts. */
  constructor(parts: number, tell: (progress: LoadProgress) => void) {
    this.#tell = tell;
    this.#parts = Array.from({ length: parts }, () => ({
      told: undefined,
      arrived: 0,
      ended: false,
    }));
  }

  /** Bytes read so far. */
  get bytes(): number {
    return this.#parts.reduce((sum, { arrived }) => sum + arrived, 0);
  }

  /** Begins again with nothing read. What was told stays the least to be told. */
  restart(): void {
    for (const part of this.#parts) {
      part.arrived = 0;
      part.ended = false;
    }
  }

  /** Returns whether the length of part `index` was told. */
  knows(index: number): boolean {
    return this.#parts[index]?.told !== undefined;
  }

  /** Takes the length of part `index`, if it is told. */
  expect(index: number, bytes: number | undefined): void {
    const part = this.#parts[index];
    if (part !== undefined && bytes !== undefined) {
      part.told = bytes;
    }
  }

  /** Begins to read a part, from the store or not. */
  begin(fromStore: boolean): void {
    this.#fromStore = fromStore;
  }

  /** Counts bytes of part `index`. */
  add(index: number, bytes: number, phase: "load" | "download"): void {
    const part = this.#parts[index];
    if (part !== undefined) {
      part.arrived += bytes;
    }
    if (performance.now() - this.#reported >= EVERY_MS) {
      this.report(phase);
    }
  }

  /** Ends part `index`: its length is what has arrived. */
  end(index: number, phase: "load" | "download"): void {
    const part = this.#parts[index];
    if (part !== undefined) {
      part.ended = true;
    }
    this.report(phase);
  }

  /** Tells the progress now. */
  report(phase: LoadProgress["phase"]): void {
    this.#reported = performance.now();
    const read = this.bytes;
    const all = this.#parts.every(({ ended }) => ended);
    const loadedBytes = all ? read : Math.max(read, this.#loaded);
    this.#loaded = loadedBytes;
    const totalBytes = this.#total(loadedBytes);
    const fromStore = this.#fromStore;
    this.#tell({ phase, loadedBytes, totalBytes, fromStore });
  }

  /** Sum of the lengths, unless one is unknown or what they make of `loaded` would fall back. */
  #total(loaded: number): number | undefined {
    let total = 0;
    for (const { told, arrived, ended } of this.#parts) {
      // A part that has outgrown its length came packed, and that was the length of the packed.
      if (!ended && (told === undefined || told < arrived)) {
        return undefined;
      }
      total += ended ? arrived : (told ?? 0);
    }
    const share = total === 0 ? 0 : loaded / total;
    if (share < this.#share || share > 1) {
      return undefined;
    }
    this.#share = share;
    return total;
  }
}
