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
  /** Texts that end the answer. One that is a control token ends it at that token. */
  stop?: string | readonly string[] | null;
  /** Tokens that end the answer, beside the model's own ends of a turn. */
  stop_token_ids?: readonly number[] | null;
  /**
   * Additions to logits by token, from -100 to 100. The ends all but forbid a token, or leave no
   * other.
   */
  logit_bias?: Readonly<Record<string, number>> | null;
  /** Number of likeliest tokens with their logprobs at each token, at most 20. */
  top_logprobs?: number | null;
  /**
   * Number of answers, at most 128; 1 by default. They come one after the other, with seeds one
   * apart.
   */
  n?: number | null;
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

/** Values for the model's chat template. */
export interface TemplateParams {
  /** Values by the names under which the template reads them: vLLM's and llama.cpp's field. */
  chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  /** WebLLM's field: `enable_thinking` is the template's value of that name. */
  extra_body?: {
    enable_thinking?: boolean | null;
    chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
    /** Ignored: `usage` has the times anyway. */
    enable_latency_breakdown?: boolean | null;
  } | null;
  /** Value for templates that read it. `"none"` also switches `enable_thinking` off. */
  reasoning_effort?: string | null;
}

/** Parameters of `engine.chat.completions.create`. */
export interface ChatParams extends SamplingParams, TemplateParams {
  messages: readonly ChatMessage[];
  /** Tells the model's own logprob of each token. */
  logprobs?: boolean | null;
  stream?: boolean | null;
}

/** Parameters of `engine.completions.create`. */
export interface CompletionParams extends SamplingParams {
  /** Text to continue as it is, without a chat template; or several, each continued by itself. */
  prompt: string | readonly string[];
  /**
   * Tells the model's own logprob of each token. A number, OpenAI's older form, is that of
   * `top_logprobs`, and its answer has the older shape.
   */
  logprobs?: boolean | number | null;
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

/** A token and its natural logarithm of probability: the model's own, before penalties and bias. */
export interface TokenLogprob {
  /** Text; bytes that are only part of a character are U+FFFD. */
  token: string;
  /** Logarithm, at least -9999. */
  logprob: number;
  /** Bytes of the text; null for a mark, which adds nothing to the answer. */
  bytes: number[] | null;
  /** Likeliest tokens at its place, the likeliest first. */
  top_logprobs: Omit<TokenLogprob, "top_logprobs">[];
}

/** Logprobs of an answer's tokens, with that of the token that ended it. */
export interface ChatLogprobs {
  content: TokenLogprob[];
  refusal: null;
}

/** Logprobs in the shape of OpenAI's older interface. */
export interface TextLogprobs {
  tokens: string[];
  token_logprobs: number[];
  /** Likeliest tokens at each place, by their texts. */
  top_logprobs: Record<string, number>[];
  /** Places of the tokens' texts in the answer. */
  text_offset: number[];
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
    logprobs: ChatLogprobs | null;
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
    logprobs: ChatLogprobs | null;
  }[];
}

/** A whole text. */
export interface Completion extends Identity<"text_completion"> {
  choices: {
    index: number;
    text: string;
    finish_reason: ChatFinishReason;
    logprobs: ChatLogprobs | TextLogprobs | null;
  }[];
  usage: CompletionUsage;
  kv: KvReport;
}

/** A piece of a text. */
export interface CompletionChunk extends Identity<"text_completion">, ChunkExtras {
  choices: {
    index: number;
    text: string;
    finish_reason: ChatFinishReason | null;
    logprobs: ChatLogprobs | TextLogprobs | null;
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
