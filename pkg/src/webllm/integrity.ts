import { KvscopeError } from "../error.js";

/** WebLLM's name of a digest, as web pages write it: `"sha256-…"` in base64. */
export type SRIString = string;
/** WebLLM's digests of files by their names. */
export type FileIntegrityMap = Record<string, SRIString>;

/**
 * WebLLM's digests of a model's own files. Ignored: a GGUF file is checked against the digest that
 * its server has.
 */
export interface ModelIntegrity {
  config?: SRIString;
  model_lib?: SRIString;
  tokenizer?: FileIntegrityMap;
  onFailure?: "error" | "warn";
}

/** WebLLM's error of bytes with another digest. */
export class IntegrityError extends KvscopeError {
  /** Address of the bytes. */
  readonly url: string;
  /** Digest that they should have. */
  readonly expected: string;
  /** Digest that they have. */
  readonly actual: string;

  /** Creates the error. */
  constructor(url: string, expected: string, actual: string) {
    super("model-checksum", `${url} has the digest ${actual}, not ${expected}`, { url, expected });
    this.url = url;
    this.expected = expected;
    this.actual = actual;
  }
}

const DIGEST = /^(sha(?:256|384|512))-([A-Za-z0-9+/]+={0,2})$/;
const BYTES: Readonly<Record<string, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** Returns whether `sri` is a digest in the form of {@link SRIString}. */
export function isValidSRI(sri: string): boolean {
  const [, algorithm = "", digest = ""] = DIGEST.exec(sri) ?? [];
  try {
    return atob(digest).length === BYTES[algorithm];
  } catch {
    return false;
  }
}

/**
 * Checks that `data` has a digest. With `"warn"`, another is only told on the console.
 *
 * @throws {IntegrityError} if it has another, or `expectedSRI` is none
 */
export async function verifyIntegrity(
  data: ArrayBuffer,
  expectedSRI: SRIString,
  url: string,
  onFailure: "error" | "warn" = "error",
): Promise<void> {
  const [, algorithm = ""] = isValidSRI(expectedSRI) ? (DIGEST.exec(expectedSRI) ?? []) : [];
  const name = algorithm.replace("sha", "SHA-");
  const actual =
    algorithm === "" ? "" : `${algorithm}-${base64(await crypto.subtle.digest(name, data))}`;
  if (algorithm !== "" && actual === expectedSRI) {
    return;
  }
  const error = new IntegrityError(url, expectedSRI, actual);
  if (onFailure === "error") {
    throw error;
  }
  // oxlint-disable-next-line no-console -- what "warn" asks for
  console.warn(error.message);
}

function base64(digest: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
