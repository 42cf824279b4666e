import { invalidArgument } from "../error.js";
import { hubAddress, type ModelSource } from "../source.js";
import type { ChatOptions } from "./chat-options.js";
import type { ModelIntegrity } from "./integrity.js";

/** WebLLM's kinds of models. All that run here are of the first. */
export const ModelType = { LLM: 0, embedding: 1, VLM: 2 } as const;
/** WebLLM's kind of a model. */
export type ModelType = (typeof ModelType)[keyof typeof ModelType];

/** WebLLM's entry of a model. Fields without a text here are ignored. */
export interface ModelRecord {
  /**
   * Address of a GGUF file, or of one of WebLLM's own repositories on the hub. Such a repository
   * stands for the GGUF file that {@link prebuiltAppConfig} has for its model.
   */
  model: string;
  /** Name that loads it. */
  model_id: string;
  model_lib?: string;
  /** Defaults of requests to it. */
  overrides?: ChatOptions;
  vram_required_MB?: number;
  low_resource_required?: boolean;
  buffer_size_required_bytes?: number;
  required_features?: string[];
  model_type?: ModelType;
  integrity?: ModelIntegrity;
  model_manifest?: string;
}

/** WebLLM's places to keep models in. Ignored: it is always the origin's file system. */
export type CacheBackend = "cache" | "indexeddb" | "cross-origin" | "opfs";
/** WebLLM's ways to that file system. Ignored. */
export type OPFSAccessMode = "async" | "sync" | "auto";

/** WebLLM's list of models. */
export interface AppConfig {
  model_list: ModelRecord[];
  /** Ignored. */
  cacheBackend?: CacheBackend;
  /** Ignored. */
  opfsAccessMode?: OPFSAccessMode;
}

/** WebLLM's version of compiled models, for programs that put addresses together. Ignored. */
export const modelVersion = "v0_2_86/base";
/** WebLLM's place of compiled models, for programs that put addresses together. Ignored. */
export const modelLibURLPrefix =
  "https://raw.githubusercontent.com/mlc-ai/binary-mlc-llm-libs/main/web-llm-models/";
/** WebLLM's list of models that call functions: none here. */
export const functionCallingModelIds: string[] = [];

/** Quantisations that WebLLM names, all with about four bits per weight. */
const FOUR_BITS = ["q4f16_1", "q4f32_1"] as const;
/** A model as WebLLM names it, its file on the hub, and about its megabytes. */
type Prebuilt = readonly [name: string, file: string, megabytes: number];

const PREBUILT: readonly Prebuilt[] = [
  [
    "Llama-3.2-1B-Instruct",
    "bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf",
    810,
  ],
  [
    "Llama-3.2-3B-Instruct",
    "bartowski/Llama-3.2-3B-Instruct-GGUF/Llama-3.2-3B-Instruct-Q4_K_M.gguf",
    2020,
  ],
  [
    "SmolLM2-135M-Instruct",
    "bartowski/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct-Q4_K_M.gguf",
    105,
  ],
  [
    "SmolLM2-360M-Instruct",
    "bartowski/SmolLM2-360M-Instruct-GGUF/SmolLM2-360M-Instruct-Q4_K_M.gguf",
    270,
  ],
  [
    "SmolLM2-1.7B-Instruct",
    "bartowski/SmolLM2-1.7B-Instruct-GGUF/SmolLM2-1.7B-Instruct-Q4_K_M.gguf",
    1060,
  ],
  [
    "Qwen2.5-0.5B-Instruct",
    "Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf",
    490,
  ],
  [
    "Qwen2.5-1.5B-Instruct",
    "Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf",
    1120,
  ],
  ["Qwen2.5-3B-Instruct", "Qwen/Qwen2.5-3B-Instruct-GGUF/qwen2.5-3b-instruct-q4_k_m.gguf", 2100],
  [
    "Qwen2.5-Coder-0.5B-Instruct",
    "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    490,
  ],
  [
    "Qwen2.5-Coder-1.5B-Instruct",
    "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    1120,
  ],
  ["Qwen3-0.6B", "Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf", 640],
  ["Qwen3-1.7B", "Qwen/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q8_0.gguf", 1830],
  ["Qwen3-4B", "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf", 2500],
  ["gemma3-1b-it", "ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf", 810],
  [
    "Phi-3.5-mini-instruct",
    "bartowski/Phi-3.5-mini-instruct-GGUF/Phi-3.5-mini-instruct-Q4_K_M.gguf",
    2390,
  ],
  [
    "TinyLlama-1.1B-Chat-v1.0",
    "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF/tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf",
    670,
  ],
];
/** Names of models whose WebLLM files are not of four bits only. */
const HALVES = new Set(["SmolLM2-135M-Instruct", "SmolLM2-360M-Instruct"]);
/** Positions of a context in WebLLM's own list. */
const PREBUILT_WINDOW = 4096;
/** A repository of WebLLM's own format, its name in the group. */
const OWN_REPOSITORY =
  /^https:\/\/huggingface\.co\/[^/]+\/([^/?#]+-MLC(?:-[^/?#]+)?)(?:\/(?:resolve\/[^/]+\/?)?)?$/;

/** WebLLM's own list, of models that run here: under its names, GGUF files of about four bits. */
export const prebuiltAppConfig: AppConfig = { model_list: PREBUILT.flatMap(records) };

function records([name, file, megabytes]: Prebuilt): ModelRecord[] {
  const kinds = HALVES.has(name) ? [...FOUR_BITS, "q0f16", "q0f32"] : FOUR_BITS;
  const [owner, repository, ...path] = file.split("/");
  const model = hubAddress({ repo: `${owner}/${repository}`, file: path.join("/") });
  return kinds.map((kind) => ({
    model,
    model_id: `${name}-${kind}-MLC`,
    model_lib: "",
    model_type: ModelType.LLM,
    vram_required_MB: megabytes,
    low_resource_required: megabytes < 1000,
    overrides: { context_window_size: PREBUILT_WINDOW },
  }));
}

/** Finds a model by its name. */
export function findRecord(
  id: ModelSource,
  { model_list: list }: AppConfig,
): ModelRecord | undefined {
  return typeof id === "string" ? list.find(({ model_id }) => model_id === id) : undefined;
}

/**
 * Finds a model by its name.
 *
 * @throws {KvscopeError} `"invalid-argument"` if the list has none of that name
 */
export function getRecord(id: string, appConfig: AppConfig): ModelRecord {
  const record = findRecord(id, appConfig);
  if (record === undefined) {
    throw invalidArgument("modelId", `${JSON.stringify(id)} is not in the appConfig's model_list`);
  }
  return record;
}

/**
 * Source of a listed model.
 *
 * @throws {KvscopeError} `"invalid-argument"` for a repository of WebLLM's that has no GGUF here
 */
export function sourceOf({ model, model_id: id }: ModelRecord): ModelSource {
  const [, repository] = OWN_REPOSITORY.exec(model) ?? [];
  if (repository === undefined) {
    return model;
  }
  const known = findRecord(id, prebuiltAppConfig) ?? findRecord(repository, prebuiltAppConfig);
  if (known === undefined) {
    throw invalidArgument(
      "model",
      `of ${JSON.stringify(id)} is a repository of WebLLM's own format: give a GGUF file's address`,
    );
  }
  return known.model;
}
