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

/** Name of a model whose file has none. */
const UNNAMED = "model.gguf";
/** Address of the Hugging Face hub. */
export const HUB = "https://huggingface.co";
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
      name: blob instanceof File ? blob.name : UNNAMED,
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

/** Identifies a model in the store by its addresses, signed or not. */
export function modelId(parts: readonly { readonly url: string }[]): string {
  const text = parts.map(({ url }) => unsigned(url)).join("\n");
  return new Sha256().update(new TextEncoder().encode(text)).digest();
}

/** Returns an address without its query: where a file is, or one of several. */
export function placeOf(url: string): string {
  return url.replace(/\?.*$/s, "");
}

/** Returns whether an address may lead to the same file another time. */
export function isLasting(url: string): boolean {
  return /^https?:/.test(url);
}

/**
 * Signatures of an address: `marks` are the parameters that show one, and `signing` is all that may
 * belong to it. By all of these the path names the file. The rest of the query does what it does
 * without them. A token by itself may well name a file, and is none of them.
 */
const SIGNATURES: readonly { readonly marks: readonly RegExp[]; readonly signing: RegExp }[] = [
  // Signature version 4 and its kin: Amazon's, Google's, Alibaba's, Volcano's.
  {
    marks: [/^x-(amz|goog|oss|tos)-signature$/],
    signing: /^(x-(amz|goog|oss|tos)-(?!process)[a-z0-9-]+|x-id|response-[a-z-]+)$/,
  },
  // Version 2, and CloudFront's.
  {
    marks: [/^signature$/, /^(expires|policy)$/],
    signing: anyOf(
      "signature|expires|policy|key-pair-id|hash-algorithm",
      "awsaccesskeyid|ossaccesskeyid|googleaccessid",
      "x-amz-security-token|security-token|response-[a-z-]+",
    ),
  },
  // Tencent's.
  {
    marks: [/^q-signature$/],
    signing: anyOf("q-[a-z-]+", "x-cos-security-token", "response-[a-z-]+"),
  },
  // Azure's shared access signatures.
  {
    marks: [/^sig$/, /^(sv|se)$/],
    signing: anyOf(
      "sig|sv|ss|srt|sp|se|st|spr|sip|sr|si|sdd|ses",
      "skoid|sktid|skt|ske|sks|skv|saoid|suoid|scid|rsc[a-z]",
    ),
  },
];
/** A parameter that only asks for the file to be saved. */
const DOWNLOAD = /^(download|dl)(=(true|false|1|0)?)?$/i;

function anyOf(...names: readonly string[]): RegExp {
  return new RegExp(`^(${names.join("|")})$`);
}

function parameterName(pair: string): string {
  return (pair.split("=", 1)[0] ?? "").toLowerCase();
}

/** Returns an address without the parameters that surely don't choose the file. */
function unsigned(url: string): string {
  const at = url.indexOf("?");
  if (at < 0) {
    return url;
  }
  const pairs = url.slice(at + 1).split("&");
  const found = SIGNATURES.filter(({ marks }) =>
    marks.every((mark) => pairs.some((pair) => mark.test(parameterName(pair)))),
  );
  const kept = pairs.filter(
    (pair) =>
      pair !== "" &&
      !DOWNLOAD.test(pair) &&
      !found.some(({ signing }) => signing.test(parameterName(pair))),
  );
  return kept.length === 0 ? url.slice(0, at) : `${url.slice(0, at)}?${kept.join("&")}`;
}

function named(parts: readonly RemotePart[] | readonly LocalPart[]): Model {
  return { name: parts[0]?.name ?? UNNAMED, parts };
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
  // Addresses of `blob:` and `data:` have no path.
  const name = isLasting(url.href) ? decodeName(url.pathname) : UNNAMED;
  return { name, url: url.href };
}

/** Address of a file on the hub, or with `raw` that of its pointer. */
export function hubAddress(
  { repo, file, revision = "main" }: HubFile,
  action: "resolve" | "raw" = "resolve",
): string {
  return `${HUB}/${escapePath(repo)}/${action}/${encodeURIComponent(revision)}/${escapePath(file)}`;
}

function hubPart(file: HubFile): RemotePart {
  return { ...remotePart(hubAddress(file)), pointerUrl: hubAddress(file, "raw") };
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

/** Escapes each name of a path. */
export function escapePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function decodeName(path: string): string {
  const name = path.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(name) || UNNAMED;
  } catch {
    return name;
  }
}
