import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatMessage,
  ChatParams,
  Completion,
  CompletionChunk,
  CompletionParams,
  RequestOptions,
} from "../openai.js";
import type {
  ChatCompletionAssistantMessage,
  ChatCompletionMessageText,
  ChatCompletionSystemMessage,
  ChatCompletionTool,
  ChatCompletionToolCall,
  ChatCompletionToolMessage,
  CreateEmbeddingResponse,
  EmbeddingCreateParams,
} from "../peers/openai-shapes.js";

/** WebLLM's names of roles; messages of tools are refused. */
export type ChatCompletionRole = "system" | "user" | "assistant" | "tool" | "function";
/** WebLLM's type of a text among a message's parts. */
export type ChatCompletionContentPartText = ChatCompletionMessageText;

/** WebLLM's image among a message's parts. Refused. */
export interface ChatCompletionContentPartImage {
  type: "image_url";
  image_url: { url: string; detail?: "auto" | "low" | "high" };
}

/** WebLLM's sound in a file's format. Refused. */
export interface ChatCompletionAudioInputWav {
  format: "wav";
  data: string;
}

/** WebLLM's sound as samples. Refused. */
export interface ChatCompletionAudioInputPCM {
  format: "pcm_f32";
  data: Float32Array;
  sample_rate: number;
}

/** WebLLM's sound. Refused. */
export type ChatCompletionAudioInput = ChatCompletionAudioInputWav | ChatCompletionAudioInputPCM;

/** WebLLM's sound among a message's parts. Refused. */
export interface ChatCompletionContentPartInputAudio {
  type: "input_audio";
  input_audio: ChatCompletionAudioInput;
}

/** WebLLM's part of a message: texts are used, images and sounds refused. */
export type ChatCompletionContentPart =
  | ChatCompletionContentPartText
  | ChatCompletionContentPartImage
  | ChatCompletionContentPartInputAudio;

/** WebLLM's type of the system's message. */
export type ChatCompletionSystemMessageParam = ChatCompletionSystemMessage;

/** WebLLM's type of the user's message. */
export interface ChatCompletionUserMessageParam {
  role: "user";
  content: string | ChatCompletionContentPart[];
  /** Ignored. */
  name?: string;
}

/** WebLLM's type of the model's message. */
export type ChatCompletionAssistantMessageParam = ChatCompletionAssistantMessage;
/** WebLLM's type of a function's result. Refused. */
export type ChatCompletionToolMessageParam = ChatCompletionToolMessage;
/** WebLLM's type of a model's call of a function. */
export type ChatCompletionMessageToolCall = ChatCompletionToolCall;

/** WebLLM's type of a message. */
export type ChatCompletionMessageParam =
  | ChatCompletionSystemMessageParam
  | ChatCompletionUserMessageParam
  | ChatCompletionAssistantMessageParam
  | ChatCompletionToolMessageParam;

/** WebLLM's type of a function's parameters. */
export type FunctionParameters = Record<string, unknown>;

/** WebLLM's type of a function. */
export interface FunctionDefinition {
  name: string;
  description?: string;
  parameters?: FunctionParameters;
}

/** WebLLM's choice of one function. Refused. */
export interface ChatCompletionNamedToolChoice {
  type: "function";
  function: { name: string };
}

/** WebLLM's choice of functions; the names are allowed, one function is refused. */
export type ChatCompletionToolChoiceOption = "none" | "auto" | ChatCompletionNamedToolChoice;

/** WebLLM's form of an answer; any but a text is refused. */
export interface ResponseFormat {
  type?: "text" | "json_object" | "grammar" | "structural_tag";
  schema?: string;
  grammar?: string;
  structural_tag?: unknown;
}

/** WebLLM's reasons that an answer ended; here none ends with calls of tools. */
export type ChatCompletionFinishReason = "stop" | "length" | "tool_calls" | "abort";

/** WebLLM's likeliest token. */
export interface TopLogprob {
  token: string;
  bytes: number[] | null;
  logprob: number;
}

/** WebLLM's logarithm of a token's probability. */
export interface ChatCompletionTokenLogprob extends TopLogprob {
  top_logprobs: TopLogprob[];
}

/** WebLLM's fields of both kinds of requests, which kvscope's own may lack. */
export interface RequestFields {
  max_tokens?: number | null;
  temperature?: number | null;
  top_p?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  repetition_penalty?: number | null;
  logit_bias?: Record<string, number> | null;
  top_logprobs?: number | null;
  n?: number | null;
  /** Model that answers, if several are loaded. */
  model?: string | null;
  ignore_eos?: boolean;
  /** Aborts the request, as some clients give it. */
  signal?: AbortSignal | undefined;
  stream?: boolean | null;
}

/** WebLLM's request of a chat. */
export interface ChatCompletionRequestBase
  extends RequestFields, Omit<ChatParams, keyof RequestFields | keyof ChatFields>, ChatFields {}

interface ChatFields {
  messages: readonly (ChatCompletionMessageParam | ChatMessage)[];
  logprobs?: boolean | null;
  /** Refused, unless it is empty. */
  tools?: ChatCompletionTool[];
  tool_choice?: ChatCompletionToolChoiceOption;
  /** Refused, unless it asks for a text. */
  response_format?: ResponseFormat;
  extra_body?: {
    enable_thinking?: boolean | null;
    /** Ignored. */
    enable_latency_breakdown?: boolean | null;
    /** Ignored. */
    resumable?: ResumableGenerationConfig | null;
  };
}

/** WebLLM's request of a whole answer. */
export interface ChatCompletionRequestNonStreaming extends ChatCompletionRequestBase {
  stream?: false | null;
}

/** WebLLM's request of an answer in pieces. */
export interface ChatCompletionRequestStreaming extends ChatCompletionRequestBase {
  stream: true;
}

/** WebLLM's request of a chat. */
export type ChatCompletionRequest =
  ChatCompletionRequestNonStreaming | ChatCompletionRequestStreaming;

/** WebLLM's request of a text. */
export interface CompletionCreateParamsBase
  extends
    RequestFields,
    Omit<CompletionParams, keyof RequestFields | keyof TextFields>,
    TextFields {}

interface TextFields {
  prompt: string;
  echo?: boolean | null;
  logprobs?: boolean | null;
  /** Refused. */
  suffix?: string | null;
  best_of?: number | null;
  extra_body?: { enable_latency_breakdown?: boolean | null };
}

/** WebLLM's request of a whole text. */
export interface CompletionCreateParamsNonStreaming extends CompletionCreateParamsBase {
  stream?: false | null;
}

/** WebLLM's request of a text in pieces. */
export interface CompletionCreateParamsStreaming extends CompletionCreateParamsBase {
  stream: true;
}

/** WebLLM's request of a text. */
export type CompletionCreateParams =
  CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming;

/** WebLLM's choice of a text. */
export type CompletionChoice = Completion["choices"][number];

/** A call that answers as a whole or, with `stream: true`, in pieces. */
export interface Create<Params, Whole, Chunk> {
  (request: Params & { stream: true }, options?: RequestOptions): Promise<AsyncIterable<Chunk>>;
  (request: Params & { stream?: false | null }, options?: RequestOptions): Promise<Whole>;
  (request: Params, options?: RequestOptions): Promise<Whole | AsyncIterable<Chunk>>;
}

/** WebLLM's calls of chats. */
export interface Chat {
  readonly completions: {
    readonly create: Create<ChatCompletionRequestBase, ChatCompletion, ChatCompletionChunk>;
  };
}

/** WebLLM's calls of texts. */
export interface TextCompletions {
  readonly create: Create<CompletionCreateParamsBase, Completion, CompletionChunk>;
}

/** WebLLM's calls of embeddings. */
export interface Embeddings {
  /** Rejects with `"invalid-argument"`: no embeddings are made here. */
  create(request: EmbeddingCreateParams): Promise<CreateEmbeddingResponse>;
}

/** WebLLM's wish to keep an answer's state. Ignored. */
export interface ResumableGenerationConfig {
  enabled: boolean;
  sessionId?: string;
  checkpointIntervalTokens?: number;
  checkpointPrompt?: boolean;
  durabilityMode?: "exact" | "relaxed";
  strictPersistence?: boolean;
  storeCheckpointLogits?: boolean;
}

/** WebLLM's answer about a kept state. There is none here. */
export interface ResumeProbeResult {
  sessionId: string;
  resumable: boolean;
  reason?: string;
  modelId: string;
  emittedTokens: number;
  processedSeqLen: number;
  recoveryMode: "kv" | "token_replay" | "text_only" | "none";
}

/** WebLLM's answer that went on. There is none here. */
export interface ResumeResult {
  sessionId: string;
  recoveredText: string;
  emittedTokens: number;
  processedSeqLen: number;
  replayedTokens: number;
  recoveryMode: "kv" | "token_replay" | "text_only";
}

/** WebLLM's way to go on. */
export interface ResumeChatCompletionOptions {
  continueGeneration?: boolean;
  stream?: boolean;
}

/** WebLLM's settings of one generation. */
export interface GenerationConfig extends Omit<RequestFields, "model" | "signal" | "stream"> {
  stop?: string | null | string[];
  logprobs?: boolean | null;
  response_format?: ResponseFormat | null;
  enable_thinking?: boolean | null;
  enable_latency_breakdown?: boolean | null;
}

/** WebLLM's processor of logits. Refused. */
export interface LogitProcessor {
  processLogits: (logits: Float32Array) => Float32Array;
  processSampledToken: (token: number) => void;
  resetState: () => void;
}
