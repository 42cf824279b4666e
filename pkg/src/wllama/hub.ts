import { fetchPointer } from "../download.js";
import { invalidArgument } from "../error.js";
import { escapePath, HUB, hubAddress } from "../source.js";
import { fetched } from "./fetched.js";

/** Quantisations to choose if none is asked for, the first first: wllama's. */
const DEFAULT_QUANTS = ["Q4_K_M", "Q8_0"];

/** wllama's names of a model on the Hugging Face hub. */
export interface HuggingFaceParams {
  /** Repository as `"owner/name"`. */
  repo: string;
  /** Path of the file; or give `quant`. */
  file?: string;
  /** Quantisation of the file, such as `"Q4_K_M"`. By default that, or `"Q8_0"`, or the first. */
  quant?: string;
  /** Refused: models of images are not run. */
  mmprojFile?: string;
  /** Refused: models of images are not run. */
  mmprojQuant?: string;
  /** Token with which the hub is asked. */
  hfToken?: string;
}

/** wllama's address of a model. */
export interface WllamaModelSource {
  /** Address of the GGUF file, of a split one that of its first part. */
  url: string;
  /** Refused: models of images are not run. */
  mmprojUrl?: string;
}

/** Headers by which the hub knows the owner of a token. */
export function authorization(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` };
}

/**
 * Path of the GGUF file that `params` name in their repository. Without one, the hub is asked for
 * its files.
 *
 * @throws {KvscopeError} `"download-failed"` or `"invalid-argument"`
 */
export async function hubFile(params: HuggingFaceParams, signal?: AbortSignal): Promise<string> {
  const { repo, file, quant, mmprojFile, mmprojQuant, hfToken } = params;
  if (mmprojFile !== undefined || mmprojQuant !== undefined) {
    throw invalidArgument("mmprojFile", "is not supported: models of images are not run");
  }
  if (file !== undefined) {
    return file;
  }
  const files = await ggufFiles(repo, hfToken, signal);
  const wanted = quant === undefined || quant === "" ? DEFAULT_QUANTS : [quant];
  const found = wanted.flatMap((one) => ofQuant(files, one));
  const [chosen] = quant === undefined || quant === "" ? [...found, ...files] : found;
  if (chosen === undefined) {
    const which = quant === undefined ? "" : ` of quantisation ${JSON.stringify(quant)}`;
    throw invalidArgument("quant", `finds no GGUF file${which} in ${repo}`);
  }
  return firstPart(files, chosen);
}

/** Paths of the repository's GGUF files, less those of images' models. */
async function ggufFiles(
  repo: string,
  token: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const url = `${HUB}/api/models/${escapePath(repo)}/tree/main?recursive=true`;
  const answer = await fetched(url, authorization(token), signal);
  const listed: unknown = await answer.json().catch(() => undefined);
  const entries: readonly unknown[] = Array.isArray(listed) ? listed : [];
  return entries
    .map((entry) =>
      typeof entry === "object" && entry !== null ? Reflect.get(entry, "path") : undefined,
    )
    .filter((entry: unknown) => typeof entry === "string")
    .filter((entry) => /\.gguf$/i.test(entry) && !/mmproj/i.test(entry));
}

/** Files of a quantisation: those with it as a word, then those that have it within one. */
function ofQuant(files: readonly string[], quant: string): string[] {
  const name = quant.replaceAll(/[^\w.]/g, String.raw`\$&`);
  const word = new RegExp(`(?<![A-Za-z0-9_])${name}(?![A-Za-z0-9_])`, "i");
  const within = files.filter((file) => file.toUpperCase().includes(quant.toUpperCase()));
  return [...within.filter((file) => word.test(file)), ...within];
}

function firstPart(files: readonly string[], file: string): string {
  const first = file.replace(/-\d{5}(?=-of-\d{5}\.gguf$)/i, "-00001");
  return files.includes(first) ? first : file;
}

/**
 * Address of the GGUF file that `params` name, as wllama's function gives it, without the token.
 *
 * @throws {KvscopeError} `"download-failed"` or `"invalid-argument"`
 */
export async function getHFModelSource(params: HuggingFaceParams): Promise<WllamaModelSource> {
  return { url: hubAddress({ repo: params.repo, file: await hubFile(params) }) };
}

/** SHA-256 of a file on the hub, if it is kept there as large files are. */
export async function getHFFileSHA256(
  url: string,
  headers: Record<string, string>,
): Promise<string | undefined> {
  return url.includes("/resolve/")
    ? (await fetchPointer(url.replace("/resolve/", "/raw/"), { headers })).sha256
    : undefined;
}
