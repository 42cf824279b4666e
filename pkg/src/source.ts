import { invalidArgument } from "./error.js";
import { Sha256 } from "./sha256.js";

/** A file of a repository on the Hugging Face hub. */
export interface HubFile {
  /** Repository as `"owner/name"`. */
  repo: string;
  /** Path of the file in the repository. */
  file: string;
  /** Branch, tag or commit; `"main"` by default. */
  revision?: string;
}

/**
 * Source of a model: an address, a file, or those of its parts; a file on the hub; or `"default"`.
 * The last is `options.defaultModel`. A file named `…-00001-of-0000N.gguf` at an address brings its
 * other parts.
 */
export type ModelSource =
  string | URL | HubFile | Blob | readonly (string | URL)[] | readonly Blob[];

/** One file of a model at an address. */
export interface RemotePart {
  readonly name: string;
  readonly url: string;
  /** Address at which the hub gives the file's SHA-256. */
  readonly pointerUrl?: string;
}

/** One local file of a model. */
export interface LocalPart {
  readonly name: string;
  readonly blob: Blob;
}

/** A resolved source: every part, in order. */
export interface Model {
  /** Name of the (first) file. */
  readonly name: string;
  readonly parts: readonly RemotePart[] | readonly LocalPart[];
}

const HUB = "https://huggingface.co";
const SPLIT = /-(\d{5})-of-(\d{5})(?=\.gguf$)/;
const MOST_PARTS = 1024;

/**
 * Resolves a source to its parts.
 *
 * @throws {KvscopeError} `"invalid-argument"` for an invalid source
 */
export function resolveSource(source: ModelSource, defaultModel?: ModelSource): Model {
  if (source === "default") {
    if (defaultModel === undefined || defaultModel === "default") {
      throw invalidArgument(
        "source",
        'is "default", and options.defaultModel does not say which model that is',
      );
    }
    return resolveSource(defaultModel);
  }
  const list: readonly unknown[] = Array.isArray(source) ? source : [source];
  const [first] = list;
  if (first === undefined || list.length > MOST_PARTS) {
    throw invalidArgument("source", `must have between 1 and ${MOST_PARTS} parts`);
  }
  if (list.every((part) => part instanceof Blob)) {
    const parts = list.map((blob) => ({
      name: blob instanceof File ? blob.name : "model.gguf",
      blob,
    }));
    return named(parts.toSorted((a, b) => partNumber(a.name) - partNumber(b.name)));
  }
  if (list.every((part) => typeof part === "string" || part instanceof URL)) {
    const parts = list.map((address) => remotePart(String(address)));
    const [only] = parts;
    return named(parts.length === 1 && only !== undefined ? withSiblings(only) : parts);
  }
  if (isHubFile(first) && list.length === 1) {
    return named(withSiblings(hubPart(first)));
  }
  throw invalidArgument(
    "source",
    "must be an address, a File or Blob, { repo, file }, or a list of addresses or files",
  );
}

/** Returns whether the parts are local files. */
export function areLocal(
  parts: readonly RemotePart[] | readonly LocalPart[],
): parts is readonly LocalPart[] {
  return parts[0] !== undefined && "blob" in parts[0];
}

/** Identifies a model in the store by its addresses. */
export function modelId(parts: readonly RemotePart[]): string {
  return new Sha256()
    .update(new TextEncoder().encode(parts.map(({ url }) => url).join("\n")))
    .digest();
}

function named(parts: readonly RemotePart[] | readonly LocalPart[]): Model {
  return { name: parts[0]?.name ?? "model.gguf", parts };
}

function remotePart(address: string): RemotePart {
  let url: URL;
  try {
    url = new URL(address, globalThis.location?.href);
  } catch {
    throw invalidArgument("source", `${JSON.stringify(address)} is no address`);
  }
  if (!["http:", "https:", "blob:", "data:"].includes(url.protocol)) {
    throw invalidArgument("source", `${JSON.stringify(address)} can't be fetched by a page`);
  }
  url.hash = "";
  return { name: decodeName(url.pathname), url: url.href };
}

function hubPart({ repo, file, revision = "main" }: HubFile): RemotePart {
  const path = (action: string): string =>
    `${HUB}/${escapePath(repo)}/${action}/${encodeURIComponent(revision)}/${escapePath(file)}`;
  return { ...remotePart(path("resolve")), pointerUrl: path("raw") };
}

/** Lists all parts of the split set that `part` is of; it alone if it is of none. */
function withSiblings(part: RemotePart): readonly RemotePart[] {
  const [, , total] = SPLIT.exec(part.name) ?? [];
  if (total === undefined) {
    return [part];
  }
  const count = Number(total);
  if (count < 1 || count > MOST_PARTS) {
    throw invalidArgument(
      "source",
      `${part.name} is of ${count} parts, at most ${MOST_PARTS} are read`,
    );
  }
  const renumber = (text: string, number: number): string =>
    text.replace(/-\d{5}-of-\d{5}(?=\.gguf)/, `-${String(number).padStart(5, "0")}-of-${total}`);
  return Array.from({ length: count }, (_, index) => ({
    name: renumber(part.name, index + 1),
    url: renumber(part.url, index + 1),
    ...(part.pointerUrl === undefined ? {} : { pointerUrl: renumber(part.pointerUrl, index + 1) }),
  }));
}

function partNumber(name: string): number {
  return Number(SPLIT.exec(name)?.[1] ?? 0);
}

function isHubFile(value: unknown): value is HubFile {
  return (
    typeof value === "object" &&
    value !== null &&
    "repo" in value &&
    typeof value.repo === "string" &&
    "file" in value &&
    typeof value.file === "string"
  );
}

function escapePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function decodeName(path: string): string {
  const name = path.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(name) || "model.gguf";
  } catch {
    return name;
  }
}
