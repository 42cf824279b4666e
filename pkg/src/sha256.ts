/**
 * First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4
 * §4.2.2).
 */
const ROUNDS = fractions(64, Math.cbrt);
/** The same of the square roots of the first 8 (§5.3.3). */
const INITIAL = fractions(8, Math.sqrt);

/**
 * SHA-256 (FIPS 180-4) of a stream of bytes. The browser's own `crypto.subtle.digest` wants all of
 * them at once, and a model is larger than a page may hold.
 */
export class Sha256 {
  readonly #state = Int32Array.from(INITIAL);
  readonly #words = new Int32Array(64);
  readonly #block = new Uint8Array(64);
  readonly #view = new DataView(this.#block.buffer);
  #filled = 0;
  #bytes = 0;

  /** Adds the next bytes. */
  update(bytes: Uint8Array): this {
    this.#bytes += bytes.length;
    let at = 0;
    while (at < bytes.length) {
      const taken = Math.min(64 - this.#filled, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === 64) {
        this.#compress();
        this.#filled = 0;
      }
    }
    return this;
  }

  /** Returns the digest in hexadecimal. No bytes may be added after it. */
  digest(): string {
    const bits = this.#bytes * 8;
    this.update(Uint8Array.of(0x80));
    this.update(new Uint8Array((120 - this.#filled) % 64));
    const length = new DataView(new ArrayBuffer(8));
    length.setUint32(0, Math.floor(bits / 2 ** 32));
    length.setUint32(4, bits >>> 0);
    this.update(new Uint8Array(length.buffer));
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** §6.2.2, on the filled block. */
  #compress(): void {
    const words = this.#words;
    for (let t = 0; t < 16; t += 1) {
      words[t] = this.#view.getInt32(4 * t);
    }
    for (let t = 16; t < 64; t += 1) {
      const x = words[t - 15] ?? 0;
      const y = words[t - 2] ?? 0;
      const sigma0 = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3);
      const sigma1 = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10);
      words[t] = ((words[t - 16] ?? 0) + sigma0 + (words[t - 7] ?? 0) + sigma1) | 0;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#state;
    for (let t = 0; t < 64; t += 1) {
      const sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
      const first = (h + sum1 + ((e & f) ^ (~e & g)) + (ROUNDS[t] ?? 0) + (words[t] ?? 0)) | 0;
      const sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
      const second = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, index) => {
      this.#state[index] = ((this.#state[index] ?? 0) + value) | 0;
    });
  }
}

function rotated(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function fractions(count: number, root: (prime: number) => number): Int32Array {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate += 1) {
    if (primes.every((prime) => candidate % prime !== 0)) {
      primes.push(candidate);
    }
  }
  return Int32Array.from(primes, (prime) => ((root(prime) % 1) * 2 ** 32) | 0);
}
