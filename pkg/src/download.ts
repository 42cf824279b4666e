/* oxlint-disable no-await-in-loop -- bytes come one after the other */
import { aborted, KvscopeError } from "./error.js";

/** Attempts in a row at a broken download before it fails. */
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/** A server's description of a file. */
export interface RemoteFile {
  /** Bytes of the whole file, if that is certain. */
  readonly bytes: number | undefined;
  /**
   * Length that the server gave, which may be that of the packed bytes. A page may read
   * `content-length` on another origin, but hardly ever `content-encoding`.
   */
  readonly length: number | undefined;
  /** Version of the file, if the server tells and calls it a strong one. */
  readonly etag: string | undefined;
  /** Time of the file's last change, as the server writes it. */
  readonly modified: string | undefined;
  /** SHA-256 of the file in hexadecimal, if the server tells. */
  readonly sha256: string | undefined;
}

/** An earlier description of a file; what it lacks is not known. */
export type KnownFile = { readonly [Key in keyof RemoteFile]?: RemoteFile[Key] };

/** Facts that a git-lfs pointer states about its file. */
export type Pointer = Pick<RemoteFile, "bytes" | "sha256">;

/** An answer of a server, and the byte of the file that its body begins with. */
interface Answer {
  readonly response: Response;
  readonly file: RemoteFile;
  readonly from: number;
}

/**
 * The download can't resume from the middle: the server does not support it, or has another file
 * now.
 */
export class StartOver extends Error {}

/** A download of a file from byte `from` on. */
export class Download {
  readonly #url: string;
  readonly #signal: AbortSignal;
  #response: Response;
  #at: number;
  /** Bytes of this answer that came earlier, before the connection broke. */
  #repeated = 0;
  /** The server's description of the file. */
  readonly file: RemoteFile;
  /** First byte that comes: the one asked for, or 0 if the server could not begin there. */
  readonly from: number;

  private constructor(url: string, { response, file, from }: Answer, signal: AbortSignal) {
    this.#url = url;
    this.#at = from;
    this.#response = response;
    this.#signal = signal;
    this.file = file;
    this.from = from;
  }

  /**
   * Requests `url` from byte `from` on, or else from its beginning. `known` is the server's
   * description from when the earlier bytes came.
   *
   * @throws {KvscopeError} `"download-failed"`
   */
  static async open(
    url: string,
    from: number,
    known: KnownFile | undefined,
    signal: AbortSignal,
  ): Promise<Download> {
    const answer = await begin(url, from, known, signal).catch((error: unknown) => {
      if (error instanceof StartOver) {
        return begin(url, 0, undefined, signal);
      }
      throw error;
    });
    return new Download(url, answer, signal);
  }

  /**
   * Yields the bytes, and resumes after a broken connection. The end of a body is the end of the
   * file: browsers reject a body that broke off. Some may not, so after too few bytes for the
   * server's length `isWhole` decides.
   *
   * @throws {KvscopeError} `"download-failed"`; {@link StartOver} if it can't go on where it broke
   */
  async *bytes(isWhole: () => boolean): AsyncGenerator<Uint8Array, void, void> {
    for (let attempt = 1; ; attempt += 1) {
      let ended = false;
      const reader = this.#response.body?.getReader();
      try {
        for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
          const fresh = this.#withoutRepeated(next.value);
          if (fresh.length > 0) {
            this.#at += fresh.length;
            attempt = 1;
            yield fresh;
          }
        }
        ended = true;
        if (this.#at >= (this.file.length ?? 0) || isWhole() || attempt === ATTEMPTS) {
          return;
        }
      } catch (cause) {
        if (this.#signal.aborted || attempt === ATTEMPTS) {
          throw unreachable(this.#url, cause);
        }
      } finally {
        // Nothing can be done about a connection that can't even be closed.
        void reader?.cancel().catch(() => {});
      }
      await pause(attempt, this.#signal);
      try {
        await this.#goOn();
      } catch (error) {
        if (ended && error instanceof StartOver) {
          return; // that was all there is
        }
        throw error;
      }
    }
  }

  /** Ends the request, if it still runs. */
  close(): void {
    void this.#response.body?.cancel().catch(() => {});
  }

  #withoutRepeated(bytes: Uint8Array): Uint8Array {
    const dropped = Math.min(this.#repeated, bytes.length);
    this.#repeated -= dropped;
    return bytes.subarray(dropped);
  }

  async #goOn(): Promise<void> {
    const { response, file, from } = await begin(this.#url, this.#at, this.file, this.#signal);
    // All of the file again, from a server that knows no ranges: its first bytes are to be skipped,
    // if it is the same file beyond doubt.
    if (from < this.#at && (file.etag === undefined || file.etag !== this.file.etag)) {
      await response.body?.cancel();
      throw new StartOver("the server sends the file from its beginning only");
    }
    this.#repeated = this.#at - from;
    this.#response = response;
  }
}

/**
 * Returns whether two files are the same version of one by the server's words. Undefined if those
 * say nothing of it.
 */
export function sameVersion(known: KnownFile, file: KnownFile): boolean | undefined {
  return equal(known, file, "bytes") === false
    ? false
    : (equal(known, file, "sha256") ??
        equal(known, file, "etag") ??
        equal(known, file, "modified"));
}

function equal(known: KnownFile, file: KnownFile, key: keyof RemoteFile): boolean | undefined {
  return known[key] === undefined || file[key] === undefined ? undefined : known[key] === file[key];
}

/** Requests the file, and again while that may help. */
async function begin(
  url: string,
  from: number,
  known: KnownFile | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request(url, from, known, signal);
    } catch (error) {
      if (!mayPass(error)) {
        throw error;
      }
      if (attempt === ATTEMPTS) {
        return withoutRange(error, url, from, known, signal);
      }
      await pause(attempt, signal);
    }
  }
}

/**
 * Requests all of the file where requests from byte `from` on have failed by `error`. Browsers
 * reject the answer of a server that packs even ranges. Whether it is that, and not the connection,
 * the next two requests show.
 */
async function withoutRange(
  error: unknown,
  url: string,
  from: number,
  known: KnownFile | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  if (from === 0 || signal.aborted) {
    throw error;
  }
  const whole = await request(url, 0, undefined, signal);
  try {
    const rest = await request(url, from, known, signal);
    await whole.response.body?.cancel();
    return rest;
  } catch {
    return whole;
  }
}

/** @throws {StartOver} if what the server sends from `from` > 0 on may be of another file */
async function request(
  url: string,
  from: number,
  known: KnownFile = {},
  signal: AbortSignal,
): Promise<Answer> {
  const headers = new Headers();
  if (from > 0) {
    headers.set("range", `bytes=${from}-`);
    // Other origins would need the server's leave (a CORS preflight); the comparison below does the
    // same.
    if (known.etag !== undefined && new URL(url).origin === globalThis.location.origin) {
      headers.set("if-range", known.etag);
    }
  }
  // The store keeps the file: a copy in the browser's cache would only take room.
  const response = await fetch(url, { headers, signal, cache: "no-store" }).catch(
    (cause: unknown) => {
      throw unreachable(url, cause);
    },
  );
  if (from > 0 && response.status === 416) {
    await response.body?.cancel();
    throw new StartOver("the server has another file now");
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw refused(url, response.status);
  }
  const file = describe(response, from);
  if (from === 0 || response.status !== 206) {
    return { response, file, from: 0 };
  }
  // Bytes that are packed count from another beginning, and so does an answer to another range.
  const begins = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  const fits = !isPacked(response) && (begins === undefined || Number(begins) === from);
  // Where a server tells nothing but a length, that must do. A known SHA-256 is checked at the end.
  const same =
    sameVersion(known, file) ??
    equal(known, file, "bytes") ??
    equal(known, file, "length") ??
    known.sha256 !== undefined;
  if (!fits || !same) {
    await response.body?.cancel();
    throw new StartOver("the server has another file now");
  }
  return { response, file, from };
}

function describe(response: Response, from: number): RemoteFile {
  const { headers, status, type } = response;
  const etag = headers.get("etag");
  const strong = etag !== null && !etag.startsWith("W/") ? etag : undefined;
  // The hub names a large file by its SHA-256.
  const [sha256] = /\b[0-9a-f]{64}\b/.exec(headers.get("x-linked-etag") ?? strong ?? "") ?? [];
  const modified = headers.get("last-modified") ?? undefined;
  const stated = count(headers.get("content-length"));
  const total = count(/\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1]);
  const rest = stated === undefined ? undefined : stated + (status === 206 ? from : 0);
  const length = isPacked(response) ? undefined : (total ?? rest);
  // Only an answer of the own origin shows all of its headers.
  const certain = total !== undefined || (type === "basic" && status !== 206);
  return { bytes: certain ? length : undefined, length, etag: strong, modified, sha256 };
}

function isPacked({ headers }: Response): boolean {
  return (headers.get("content-encoding") ?? "identity") !== "identity";
}

function count(text: string | null | undefined): number | undefined {
  return text !== null && text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * Fetches the length of a file by a request that ends with the answer's head. Undefined if the
 * server does not tell it. Addresses are often signed for `GET` alone, and some servers make all of
 * a body before they answer `HEAD`.
 */
export async function remoteLength(url: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    // With a range browsers accept no packed bytes, whose length would be told otherwise.
    const headers = { range: "bytes=0-" };
    const response = await fetch(url, { headers, signal, cache: "no-store" });
    await response.body?.cancel();
    return response.ok ? describe(response, 0).length : undefined;
  } catch {
    return undefined; // the length comes with the file
  }
}

/** Fetches the hub's facts about a large file, its git-lfs pointer (`raw`), if there is one. */
export async function fetchPointer(url: string, init: RequestInit): Promise<Pointer> {
  try {
    const response = await fetch(url, init);
    const text =
      response.ok && Number(response.headers.get("content-length") ?? 0) < 4096
        ? await response.text()
        : "";
    const sha256 = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
    const size = /^size (\d+)$/m.exec(text)?.[1];
    return { sha256, bytes: sha256 === undefined ? undefined : count(size) };
  } catch {
    return { sha256: undefined, bytes: undefined }; // version and end are still checked
  }
}

/** Returns whether a retry may help: no connection, or a busy server. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof KvscopeError) || error.code !== "download-failed") {
    return false;
  }
  const status = error.details["status"];
  return status === undefined || (typeof status === "number" && (status === 429 || status >= 500));
}

function unreachable(url: string, cause: unknown): KvscopeError {
  const message = `The download from ${url} broke off. Check the connection and the address, then load again: it goes on where it was.`;
  return new KvscopeError("download-failed", message, { url }, { cause });
}

function refused(url: string, status: number): KvscopeError {
  const why =
    status === 404 || status === 410
      ? "there is no such file. Check the address"
      : status === 401 || status === 403
        ? "the file is not public. Download it by hand and open it as a file"
        : "try again later";
  return new KvscopeError("download-failed", `${url} can't be had (HTTP ${status}): ${why}.`, {
    url,
    status,
  });
}

function pause(attempt: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(aborted("The download", signal.reason));
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener("abort", stop);
        resolve();
      },
      FIRST_PAUSE_MS * 2 ** (attempt - 1),
    );
    if (signal.aborted) {
      stop();
    }
    signal.addEventListener("abort", stop, { once: true });
  });
}
