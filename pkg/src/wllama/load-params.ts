import type { LoadOptions } from "../engine.js";
import { invalidArgument } from "../error.js";
import { isNone, type Fields } from "../peers/fields.js";

/** wllama's progress of a download. */
export type DownloadProgressCallback = (progress: { loaded: number; total: number }) => void;

/** wllama's options of a download. */
export interface DownloadOptions {
  /** Called with the bytes so far. Neither they nor their share of `total` fall. */
  progressCallback?: DownloadProgressCallback;
  /** Headers of a load's requests, whose model is then not kept. Managers send none. */
  headers?: Record<string, string>;
  /** Ends the download, which rejects with {@link WllamaAbortError}. */
  signal?: AbortSignal;
  /** Ignored. */
  metadataAdditional?: Record<string, unknown>;
}

/** wllama's options of a load. Any others of its own are ignored. */
export interface LoadModelParams {
  /** Positions after which an answer ends, at most the model's own. */
  n_ctx?: number;
  /** Seed of requests without one. */
  seed?: number;
  /** With `false`, models do not think that can do without; by default, their template decides. */
  reasoning?: boolean;
  /** Variables of the chat template. */
  default_template_kwargs?: Record<string, unknown>;
  /** Refused: the model's own is used. */
  chat_template?: string;
  /** Refused, unless it is empty. */
  lora_adapters?: readonly { path: string; scale?: number }[];
  /** Refused, unless it is empty. */
  kv_overrides?: Record<string, string>;
  [ignored: string]: unknown;
}

/** wllama's options, and all of {@link LoadOptions}. */
export interface WllamaLoadConfig
  extends LoadModelParams, Omit<LoadOptions, "signal">, DownloadOptions {
  /** Keeps the model for the next load; true by default. */
  useCache?: boolean;
}

/** Options that would make another model of it, with the values that do not. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  chat_template: (value) => value === "",
  lora_adapters: (value) => Array.isArray(value) && value.length === 0,
  kv_overrides: (value) => Object.keys(value ?? {}).length === 0,
  rope_scaling_type: (value) => value === "LLAMA_ROPE_SCALING_TYPE_UNSPECIFIED",
  rope_freq_base: (value) => value === 0,
  rope_freq_scale: (value) => value === 0 || value === 1,
};

/**
 * Checks the options of a load.
 *
 * @throws {KvscopeError} `"invalid-argument"` for one that would make another model of it
 */
export function checkLoadParams(params: Fields): void {
  for (const [name, isNeutral] of Object.entries(REFUSED)) {
    const value = params[name];
    if (!isNone(value) && !isNeutral(value)) {
      throw invalidArgument(name, "is not supported: the model is run as its file says");
    }
  }
}

const OWN = [
  "onWarning",
  "cache",
  "sessionBytes",
  "onGivenUp",
  "gpu",
  "defaultModel",
  "wasmUrl",
  "createWorker",
] as const;

/** Options of the engine among those of a load. */
export function engineOptions(config: WllamaLoadConfig): LoadOptions {
  const given = OWN.map((name) => [name, config[name]] as const);
  const store = config.store ?? config.useCache;
  return Object.fromEntries(
    [...given, ["store", store] as const].filter(([, value]) => value !== undefined),
  );
}

/** Variables of the chat template that the options of a load set. */
export function templateVariables({
  reasoning,
  default_template_kwargs: variables,
}: LoadModelParams): Fields {
  return { ...(reasoning === false && { enable_thinking: false }), ...variables };
}

/** Fields of requests that the options of a load give defaults of. */
export function requestDefaults({ seed }: LoadModelParams): Fields {
  return seed !== undefined && seed >= 0 ? { seed } : {};
}
