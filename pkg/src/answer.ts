import type {
  FinishReason,
  GenerateResult,
  MemoryReport,
  CacheSlots,
  Summary,
} from "../wasm/kvscope.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatFinishReason,
  ChunkExtras,
  Completion,
  CompletionChunk,
  CompletionUsage,
  KvReport,
} from "./openai.js";

/** Wording of answers to a kind of request. */
export interface Wording<Whole, Chunk> {
  /** The answer as a whole. */
  whole(text: string, finish: ChatFinishReason, usage: CompletionUsage, kv: KvReport): Whole;
  /** A piece; `text` and `finish` are absent if it has no choice. */
  chunk(extras: ChunkExtras, text?: string, finish?: ChatFinishReason | null): Chunk;
}

const now = (): number => Math.floor(Date.now() / 1000);

/** Wording of chats. */
export function chatWording(model: string): Wording<ChatCompletion, ChatCompletionChunk> {
  const identity = { id: `chatcmpl-${crypto.randomUUID()}`, created: now(), model };
  return {
    whole: (content, finish_reason, took, kv) => ({
      ...identity,
      object: "chat.completion",
      choices: [
        { index: 0, message: { role: "assistant", content }, finish_reason, logprobs: null },
      ],
      usage: took,
      kv,
    }),
    chunk: (extras, content, finish_reason = null) => ({
      ...identity,
      object: "chat.completion.chunk",
      choices:
        content === undefined
          ? []
          : [{ index: 0, delta: { role: "assistant", content }, finish_reason, logprobs: null }],
      ...extras,
    }),
  };
}

/** Wording of plain texts. */
export function textWording(model: string): Wording<Completion, CompletionChunk> {
  const identity = {
    id: `cmpl-${crypto.randomUUID()}`,
    object: "text_completion" as const,
    created: now(),
    model,
  };
  return {
    whole: (text, finish_reason, took, kv) => ({
      ...identity,
      choices: [{ index: 0, text, finish_reason, logprobs: null }],
      usage: took,
      kv,
    }),
    chunk: (extras, text, finish_reason = null) => ({
      ...identity,
      choices: text === undefined ? [] : [{ index: 0, text, finish_reason, logprobs: null }],
      ...extras,
    }),
  };
}

/** Memory of a cache, with the bytes that it saves. */
export function withSaved<Memory extends Pick<MemoryReport, "heldBytes" | "fullBytes">>(
  memory: Memory,
): Memory & { savedBytes: number } {
  return { ...memory, savedBytes: memory.fullBytes - memory.heldBytes };
}

/** The cache's figures for chunks and answers. */
export function kvReport({ heldBytes, fullBytes }: MemoryReport, slots: CacheSlots): KvReport {
  return { ...withSaved({ heldBytes, fullBytes }), slots };
}

/** The reason in OpenAI's words, and WebLLM's for an end by the caller. */
export function finishReason(finish: FinishReason | undefined): ChatFinishReason {
  switch (finish) {
    case "length":
      return "length";
    case "cancelled":
      return "abort";
    default:
      return "stop";
  }
}

/** Usage of a generation. */
export function usage(
  { summary }: GenerateResult,
  startedAt: number,
  firstTokenAt: number | undefined,
): CompletionUsage {
  const {
    promptTokens,
    cachedTokens,
    newTokens,
    prefillTokensPerSecond,
    decodeTokensPerSecond,
    decodeMs,
  }: Summary = summary;
  const ended = performance.now();
  return {
    prompt_tokens: promptTokens,
    completion_tokens: newTokens,
    total_tokens: promptTokens + newTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    extra: {
      e2e_latency_s: (ended - startedAt) / 1000,
      prefill_tokens_per_s: prefillTokensPerSecond,
      decode_tokens_per_s: decodeTokensPerSecond,
      time_to_first_token_s: ((firstTokenAt ?? ended) - startedAt) / 1000,
      time_per_output_token_s: newTokens > 1 ? decodeMs / 1000 / (newTokens - 1) : 0,
    },
  };
}
