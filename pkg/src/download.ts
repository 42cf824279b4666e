/* oxlint-disable no-await-in-loop -- bytes come one after the other */
import { aborted, KvscopeError } from "./error.js";

/** Attempts in a row at a broken download before it fails. */
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/** A server's description of a file. */
export interface RemoteFile {
  /** Bytes of the whole file, if the server tells. */
  readonly bytes: number | undefined;
  /** Version of the file, if the server tells and calls it a strong one. */
  readonly etag: string | undefined;
  /** SHA-256 of the file in hexadecimal, if the server tells. */
  readonly sha256: string | undefined;
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
  /** The server's description of the file. */
  readonly file: RemoteFile;

  private constructor(
    url: string,
    from: number,
    response: Response,
    file: RemoteFile,
    signal: AbortSignal,
  ) {
    this.#url = url;
    this.#at = from;
    this.#response = response;
    this.#signal = signal;
    this.file = file;
  }

  /**
   * Requests `url` from byte `from` on. `known` is the server's description from when the earlier
   * bytes came.
   *
   * @throws {KvscopeError} `"download-failed"`; {@link StartOver} if it can't begin at `from` > 0
   */
  static async open(
    url: string,
    from: number,
    known: Partial<RemoteFile> | undefined,
    signal: AbortSignal,
  ): Promise<Download> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { response, file } = await request(url, from, known, signal);
        return new Download(url, from, response, file, signal);
      } catch (error) {
        if (!mayPass(error) || attempt === ATTEMPTS) {
          throw error;
        }
        await pause(attempt, signal);
      }
    }
  }

  /** Yields the bytes, and resumes after a broken connection. */
  async *bytes(): AsyncGenerator<Uint8Array, void, void> {
    for (let attempt = 1; ; attempt += 1) {
      const reader = this.#response.body?.getReader();
      try {
        for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
          this.#at += next.value.length;
          attempt = 1;
          yield next.value;
        }
        if (this.file.bytes === undefined || this.#at >= this.file.bytes) {
          return;
        }
        throw new TypeError(`the answer ended after ${this.#at} of ${this.file.bytes} bytes`);
      } catch (cause) {
        if (this.#signal.aborted || attempt === ATTEMPTS) {
          throw unreachable(this.#url, cause);
        }
      } finally {
        // Nothing can be done about a connection that can't even be closed.
        void reader?.cancel().catch(() => {});
      }
      await pause(attempt, this.#signal);
      this.#response = await this.#goOn();
    }
  }

  async #goOn(): Promise<Response> {
    const again = await Download.open(this.#url, this.#at, this.file, this.#signal);
    return again.#response;
  }
}

async function request(
  url: string,
  from: number,
  known: Partial<RemoteFile> | undefined,
  signal: AbortSignal,
): Promise<{ response: Response; file: RemoteFile }> {
  const headers = new Headers();
  if (from > 0) {
    headers.set("range", `bytes=${from}-`);
    // Other origins would need the server's leave (a CORS preflight); the comparison below does the
    // same.
    if (known?.etag !== undefined && new URL(url).origin === globalThis.location.origin) {
      headers.set("if-range", known.etag);
    }
  }
  // The store keeps the file: a copy in the browser's cache would only take room.
  const response = await fetch(url, { headers, signal, cache: "no-store" }).catch(
    (cause: unknown) => {
      throw unreachable(url, cause);
    },
  );
  if (from > 0 && (response.status === 200 || response.status === 416)) {
    await response.body?.cancel();
    throw new StartOver(
      "the server sends the file from its beginning only, or has another one now",
    );
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw refused(url, response.status);
  }
  const file = describe(response, from);
  const differs = (key: "bytes" | "etag"): boolean =>
    known?.[key] !== undefined && file[key] !== undefined && known[key] !== file[key];
  if (from > 0 && (differs("bytes") || differs("etag"))) {
    await response.body?.cancel();
    throw new StartOver("the server has another file now");
  }
  return { response, file };
}

function describe({ headers, status }: Response, from: number): RemoteFile {
  const etag = headers.get("etag");
  const strong = etag !== null && !etag.startsWith("W/") ? etag : undefined;
  // The hub names a large file by its SHA-256.
  const [sha256] = /\b[0-9a-f]{64}\b/.exec(headers.get("x-linked-etag") ?? strong ?? "") ?? [];
  const length = headers.has("content-encoding") ? undefined : count(headers.get("content-length"));
  const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  const bytes =
    status === 206 ? (count(total) ?? (length === undefined ? undefined : from + length)) : length;
  return { bytes, etag: strong, sha256 };
}

function count(text: string | null | undefined): number | undefined {
  return text !== null && text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * Fetches the SHA-256 that the hub gives of a large file from its git-lfs pointer (`raw`), if there
 * is one.
 */
export async function pointedSha256(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal });
    const text =
      response.ok && Number(response.headers.get("content-length") ?? 0) < 4096
        ? await response.text()
        : "";
    return /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  } catch {
    return undefined; // length and version are still checked
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
