import type { CacheOptions, CacheSlots, Observe, RetainedLayer, Step } from "../wasm/kvscope.js";

/** One message of a conversation. */
export interface ChatMessage {
  role: "system" | "developer" | "user" | "assistant";
  content: string | readonly { type: "text"; text: string }[];
}

/** What chats and completions have in common. Fields of OpenAI's that are not here are refused or, if harmless, ignored. */
export interface SamplingParams {
  /** At most so many new tokens, 256 if nothing is said; adaptive strategies pace their budget by it. */
  max_tokens?: number | null;
  /** OpenAI's newer name of `max_tokens`. */
  max_completion_tokens?: number | null;
  /** 0, the default, always takes the likeliest token. */
  temperature?: number | null;
  top_p?: number | null;
  /** Beyond OpenAI's: only so many of the likeliest tokens. */
  top_k?: number | null;
  /** Beyond OpenAI's: only tokens at least this times as likely as the likeliest. */
  min_p?: number | null;
  /** As WebLLM's: what has occurred becomes less likely; 1 changes nothing. */
  repetition_penalty?: number | null;
  /** The same seed gives the same text. Without one, each request above temperature 0 draws its own. */
  seed?: number | null;
  stop?: string | readonly string[] | null;
  /** As WebLLM's: goes on past the tokens by which the model ends a turn. */
  ignore_eos?: boolean;
  stream_options?: { include_usage?: boolean } | null;
  /** The cache's rules. `prefill`, `decode` and `cacheType` each take the place of the engine's own. */
  cache?: CacheOptions;
  /** Reads what layers retain at every so many steps: it comes on the chunks as `retained`. */
  observe?: Observe;
  /** Ignored. */
  model?: string;
  /** Ignored. */
  user?: string;
}

/** What `engine.chat.completions.create` takes. */
export interface ChatParams extends SamplingParams {
  messages: readonly ChatMessage[];
  stream?: boolean | null;
}

/** What `engine.completions.create` takes. */
export interface CompletionParams extends SamplingParams {
  /** Goes on from this text as it is, without a chat template. */
  prompt: string;
  stream?: boolean | null;
}

/** Beside a request. */
export interface RequestOptions {
  /** A request that waits is rejected with `"aborted"`; one that runs ends with finish reason `"abort"` and keeps its text. */
  signal?: AbortSignal;
  /** Told how many of the prompt's tokens are done, and how many there are. */
  onPrefill?: (done: number, of: number) => void;
}

/** What the key-value cache holds. */
export interface KvReport {
  /** Bytes held. */
  heldBytes: number;
  /** Bytes that a full cache would hold. */
  fullBytes: number;
  /** Their difference; a little below 0 where the cache's bookkeeping costs more than it saves. */
  savedBytes: number;
  /** The slots by phase. */
  slots: CacheSlots;
}

/** Why a generation ended: at the model's end of turn or a stop string, at `max_tokens`, or by the caller. */
export type ChatFinishReason = "stop" | "length" | "abort";

/** What a request took; `extra` is WebLLM's. */
export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
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
  /** Seconds since 1970. */
  created: number;
  model: string;
}

/** An answer as a whole. */
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

/** What is on every chunk beside OpenAI's fields. */
export interface ChunkExtras {
  /** There on every chunk. */
  kv: KvReport;
  /** The token, its position and probability, where the chunk is of a step. */
  step?: Omit<Step, "text" | "memory" | "slots">;
  /** What layers retain, at the steps that the request asks for. */
  retained?: readonly RetainedLayer[];
  /** On the last chunk, if `stream_options.include_usage` asks for it. */
  usage?: CompletionUsage;
}

/** A piece of an answer. The last but for usage has a finish reason; that of usage has no choice. */
export interface ChatCompletionChunk extends Identity<"chat.completion.chunk">, ChunkExtras {
  choices: {
    index: number;
    delta: { role?: "assistant"; content?: string };
    finish_reason: ChatFinishReason | null;
    logprobs: null;
  }[];
}

/** A text as a whole. */
export interface Completion extends Identity<"text_completion"> {
  choices: { index: number; text: string; finish_reason: ChatFinishReason; logprobs: null }[];
  usage: CompletionUsage;
  kv: KvReport;
}

/** A piece of a text. */
export interface CompletionChunk extends Identity<"text_completion">, ChunkExtras {
  choices: { index: number; text: string; finish_reason: ChatFinishReason | null; logprobs: null }[];
}

/** `engine.chat.completions`. With `stream: true`, `create` resolves as soon as the generation has begun. */
export interface ChatCompletions {
  readonly create: {
    (params: ChatParams & { stream: true }, options?: RequestOptions): Promise<AsyncIterable<ChatCompletionChunk>>;
    (params: ChatParams & { stream?: false | null }, options?: RequestOptions): Promise<ChatCompletion>;
    (params: ChatParams, options?: RequestOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
  };
}

/** `engine.completions`. With `stream: true`, `create` resolves as soon as the generation has begun. */
export interface Completions {
  readonly create: {
    (params: CompletionParams & { stream: true }, options?: RequestOptions): Promise<AsyncIterable<CompletionChunk>>;
    (params: CompletionParams & { stream?: false | null }, options?: RequestOptions): Promise<Completion>;
    (params: CompletionParams, options?: RequestOptions): Promise<Completion | AsyncIterable<CompletionChunk>>;
  };
}
