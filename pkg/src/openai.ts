import type {
  CacheOptions,
  CacheSlots,
  Observe,
  RetainedLayer,
  SamplingNumbers,
  Step,
} from "../wasm/kvscope.js";

/** One message of a conversation. */
export interface ChatMessage {
  role: "system" | "developer" | "user" | "assistant";
  content: string | readonly { type: "text"; text: string }[];
}

/** Rules of a request's cache. */
export interface RequestCache extends CacheOptions {
  /**
   * Goes on from the tokens that the latest request left in the cache, if the rules are the same.
   * True by default; with `false` everything is computed afresh.
   */
  reuse?: boolean;
}

/**
 * Common fields of chats and completions. OpenAI's other fields are refused or, if harmless,
 * ignored.
 */
export interface SamplingParams extends SamplingNumbers {
  /** Most new tokens, 256 by default; adaptive strategies pace their budget by it. */
  max_tokens?: number | null;
  /** OpenAI's newer name of `max_tokens`. */
  max_completion_tokens?: number | null;
  /**
   * Seed of the draws: the same seed gives the same text. Without one, each request above
   * temperature 0 draws its own.
   */
  seed?: number | null;
  stop?: string | readonly string[] | null;
  /** WebLLM's: goes on past the tokens by which the model ends a turn. */
  ignore_eos?: boolean;
  stream_options?: { include_usage?: boolean } | null;
  /**
   * Rules of the cache. `prefill`, `decode`, `cacheType` and `reuse` each replace the engine's own.
   */
  cache?: RequestCache;
  /** Layers and steps whose retained slots are read: they come on the chunks as `retained`. */
  observe?: Observe;
  /** Ignored. */
  model?: string;
  /** Ignored. */
  user?: string;
}

/** Parameters of `engine.chat.completions.create`. */
export interface ChatParams extends SamplingParams {
  messages: readonly ChatMessage[];
  stream?: boolean | null;
}

/** Parameters of `engine.completions.create`. */
export interface CompletionParams extends SamplingParams {
  /** Text to continue as it is, without a chat template. */
  prompt: string;
  stream?: boolean | null;
}

/** Options beside a request. */
export interface RequestOptions {
  /**
   * Aborts the request. A waiting one rejects with `"aborted"`; a running one ends with finish
   * reason `"abort"` and keeps its text.
   */
  signal?: AbortSignal;
  /** Called with the number of prompt tokens done, and of all. */
  onPrefill?: (done: number, of: number) => void;
}

/** Memory of the key-value cache. */
export interface KvReport {
  /** Bytes held. */
  heldBytes: number;
  /** Bytes that a full cache in f16 would hold, whatever the cache's type. */
  fullBytes: number;
  /**
   * Difference of the two; below 0 for a full cache in f32, or if bookkeeping costs more than is
   * saved.
   */
  savedBytes: number;
  /** Slots by phase. */
  slots: CacheSlots;
}

/**
 * Reason that a generation ended: the model's end of turn or a stop string, `max_tokens`, or the
 * caller.
 */
export type ChatFinishReason = "stop" | "length" | "abort";

/** Usage of a request; `extra` is WebLLM's. */
export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: {
    /** Tokens of the prompt that were held from the latest request, and not computed again. */
    cached_tokens: number;
  };
  extra: {
    e2e_latency_s: number;
    prefill_tokens_per_s: number;
    decode_tokens_per_s: number;
    time_to_first_token_s: number;
    time_per_output_token_s: number;
  };
}

interface Identity<Kind extends string> {
  id: string;
  object: Kind;
  /** Time in seconds since 1970. */
  created: number;
  model: string;
}

/** A whole answer. */
export interface ChatCompletion extends Identity<"chat.completion"> {
  choices: {
    index: number;
    message: { role: "assistant"; content: string };
    finish_reason: ChatFinishReason;
    logprobs: null;
  }[];
  usage: CompletionUsage;
  kv: KvReport;
}

/** Fields of every chunk beside OpenAI's. */
export interface ChunkExtras {
  /** Memory of the cache, on every chunk. */
  kv: KvReport;
  /** The token, its position and probability, if the chunk is of a step. */
  step?: Omit<Step, "text" | "memory" | "slots">;
  /** Slots that layers retain, at the requested steps. */
  retained?: readonly RetainedLayer[];
  /** Usage, on the last chunk, if `stream_options.include_usage` asks for it. */
  usage?: CompletionUsage;
}

/**
 * A piece of an answer. The last one before usage has a finish reason; the one with usage has no
 * choice.
 */
export interface ChatCompletionChunk extends Identity<"chat.completion.chunk">, ChunkExtras {
  choices: {
    index: number;
    delta: { role?: "assistant"; content?: string };
    finish_reason: ChatFinishReason | null;
    logprobs: null;
  }[];
}

/** A whole text. */
export interface Completion extends Identity<"text_completion"> {
  choices: { index: number; text: string; finish_reason: ChatFinishReason; logprobs: null }[];
  usage: CompletionUsage;
  kv: KvReport;
}

/** A piece of a text. */
export interface CompletionChunk extends Identity<"text_completion">, ChunkExtras {
  choices: {
    index: number;
    text: string;
    finish_reason: ChatFinishReason | null;
    logprobs: null;
  }[];
}

/**
 * `engine.chat.completions`. With `stream: true`, `create` resolves as soon as the generation has
 * begun.
 */
export interface ChatCompletions {
  readonly create: {
    (
      params: ChatParams & { stream: true },
      options?: RequestOptions,
    ): Promise<AsyncIterable<ChatCompletionChunk>>;
    (
      params: ChatParams & { stream?: false | null },
      options?: RequestOptions,
    ): Promise<ChatCompletion>;
    (
      params: ChatParams,
      options?: RequestOptions,
    ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
  };
}

/**
 * `engine.completions`. With `stream: true`, `create` resolves as soon as the generation has begun.
 */
export interface Completions {
  readonly create: {
    (
      params: CompletionParams & { stream: true },
      options?: RequestOptions,
    ): Promise<AsyncIterable<CompletionChunk>>;
    (
      params: CompletionParams & { stream?: false | null },
      options?: RequestOptions,
    ): Promise<Completion>;
    (
      params: CompletionParams,
      options?: RequestOptions,
    ): Promise<Completion | AsyncIterable<CompletionChunk>>;
  };
}
