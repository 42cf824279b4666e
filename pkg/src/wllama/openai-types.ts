import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatMessage,
  ChatParams,
  Completion,
  CompletionChunk,
  CompletionParams,
  CompletionUsage,
} from "../openai.js";
import type {
  ChatCompletionAssistantMessage,
  ChatCompletionMessageText,
  ChatCompletionSystemMessage,
  ChatCompletionTool,
  ChatCompletionToolMessage,
} from "../peers/openai-shapes.js";

/** wllama's image among a message's parts. Refused. */
export interface ChatCompletionMessageImage {
  type: "image";
  data: ArrayBuffer;
}

/** wllama's sound among a message's parts. Refused. */
export interface ChatCompletionMessageAudio {
  type: "audio";
  data: ArrayBuffer;
}

/** wllama's part of a message: texts are used, images and sounds refused. */
export type ChatCompletionMessageContent =
  ChatCompletionMessageText | ChatCompletionMessageImage | ChatCompletionMessageAudio;

/** wllama's type of the user's message. */
export interface ChatCompletionUserMessage {
  role: "user";
  content: string | ChatCompletionMessageContent[];
  /** Ignored. */
  name?: string;
}

/** wllama's type of a message. */
export type ChatCompletionMessage =
  | ChatCompletionSystemMessage
  | ChatCompletionUserMessage
  | ChatCompletionAssistantMessage
  | ChatCompletionToolMessage;

/** wllama's older type of a message. */
export interface WllamaChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

/** wllama's choice of tools; the names `none` and `auto` are allowed. */
export type ChatCompletionToolChoice =
  "none" | "auto" | "required" | { type: "function"; function: { name: string } };

/** wllama's fields of both kinds of requests. */
export interface WllamaRequest {
  /** Ends the answer: the call, or its stream, ends with {@link WllamaAbortError}. */
  abortSignal?: AbortSignal | undefined;
  /** Goes on from what the latest request left in the cache; true by default. */
  cache_prompt?: boolean;
  /** wllama's name of `temperature`. */
  temp?: number | undefined;
  /** wllama's name of `repetition_penalty`. */
  penalty_repeat?: number | undefined;
  /** wllama's name of `frequency_penalty`. */
  penalty_freq?: number | undefined;
  /** wllama's name of `presence_penalty`. */
  penalty_present?: number | undefined;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  /** Additions to logits, by token. */
  logit_bias?: Readonly<Record<string, number>> | readonly { token: number; bias: number }[] | null;
  top_logprobs?: number | null;
  n?: number | null;
  ignore_eos?: boolean | undefined;
  /** Refused, unless it is empty. */
  grammar?: string;
  /** Refused, unless it is 0. */
  mirostat?: number | undefined;
  /** Refused, unless it is 0. */
  dynatemp_range?: number | undefined;
  /** Refused, unless it is 1. */
  typ_p?: number | undefined;
  /** Refused, unless it is 1. */
  typical_p?: number | undefined;
  mirostat_eta?: number | undefined;
  mirostat_tau?: number | undefined;
  samplers_sequence?: string[] | undefined;
  penalty_last_n?: number | undefined;
  dynatemp_exponent?: number | undefined;
  n_prev?: number | undefined;
  n_probs?: number | undefined;
  return_progress?: boolean;
}

/** wllama's request of a chat. Fields without a text are ignored, or OpenAI's. */
export interface ChatCompletionParams
  extends WllamaRequest, Omit<ChatParams, keyof WllamaRequest | keyof ChatFields>, ChatFields {}

interface ChatFields {
  messages: readonly (ChatCompletionMessage | ChatMessage)[];
  logprobs?: boolean | null;
  /** Refused, unless it is empty. */
  tools?: ChatCompletionTool[];
  tool_choice?: ChatCompletionToolChoice;
  /** Refused, unless it asks for a text. */
  response_format?: {
    type: "text" | "json_object" | "json_schema";
    json_schema?: { name: string; schema: unknown; strict?: boolean };
  };
  chat_template_kwargs?: Record<string, unknown>;
  return_tokens?: boolean;
  timings_per_token?: boolean;
}

/** wllama's request of a text. Fields without a text are ignored, or OpenAI's. */
export interface RawCompletionParams
  extends
    WllamaRequest,
    Omit<CompletionParams, keyof WllamaRequest | keyof TextFields>,
    TextFields {}

interface TextFields {
  prompt: string | readonly string[];
  logprobs?: number | boolean | null;
  /** Refused. */
  suffix?: string;
  echo?: boolean;
  best_of?: number;
}

/** A call of wllama's that answers as a whole or in pieces. */
export interface Create<Params, Whole, Chunk> {
  /** Resolves once the answer has ended. */
  (params: Params & { stream: true; onData: (chunk: Chunk) => void }): Promise<void>;
  (params: Params & { stream: true }): Promise<AsyncIterable<Chunk>>;
  (params: Params & { stream?: false | null }): Promise<Whole>;
}

/** wllama's fields of a call whose answer is handed over in pieces. */
export interface StreamParams<Chunk> {
  stream: true;
  onData: (chunk: Chunk) => void;
}

/** wllama's type of a function that a model may call. */
export type ChatCompletionToolFunction = ChatCompletionTool["function"];
/** wllama's type of such a function's parameters. */
export type ChatCompletionToolFunctionParameters = Record<string, unknown>;
/** wllama's type of a whole answer. */
export type ChatCompletionResponse = ChatCompletion;
/** wllama's type of its choice. */
export type ChatCompletionChoice = ChatCompletion["choices"][number];
/** wllama's type of a piece's choice. */
export type ChatCompletionChunkChoice = ChatCompletionChunk["choices"][number];
/** wllama's type of a piece's part of the message. */
export type ChatCompletionChunkDelta = ChatCompletionChunkChoice["delta"];
/** wllama's type of a request's usage. */
export type ChatCompletionUsage = CompletionUsage;
/** wllama's type of a whole text. */
export type RawCompletionResponse = Completion;
/** wllama's type of a piece of a text. */
export type RawCompletionChunk = CompletionChunk;
/** wllama's type of a text's choice. */
export type RawCompletionChoice = Completion["choices"][number];

/** wllama's logarithm of a token's probability. */
export interface ChatCompletionLogprob {
  token: string;
  logprob: number;
  bytes: number[] | null;
}

/** wllama's logarithm of a token's probability, with those of the likeliest. */
export interface ChatCompletionLogprobsContent extends ChatCompletionLogprob {
  top_logprobs: ChatCompletionLogprob[];
}

/** wllama's logarithms of an answer's tokens. */
export interface ChatCompletionChoiceLogprobs {
  content: ChatCompletionLogprobsContent[] | null;
  refusal: ChatCompletionLogprobsContent[] | null;
}
