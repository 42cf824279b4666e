import type {
  FinishReason,
  GenerateResult,
  MemoryReport,
  CacheSlots,
  StepLogprobs,
  Summary,
} from "../wasm/kvscope.js";
import { chatLogprobs, textLogprobs, writtenLength } from "./logprobs.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatFinishReason,
  ChatLogprobs,
  ChunkExtras,
  Completion,
  CompletionChunk,
  CompletionUsage,
  KvReport,
  TextLogprobs,
} from "./openai.js";

/** Part of a choice: its number, text, and reason of the end if it is the last part. */
export interface Part {
  index: number;
  text: string;
  finish?: ChatFinishReason;
  /** Logprobs of its tokens, if they are asked for. */
  logprobs?: readonly StepLogprobs[] | undefined;
}

/** Wording of answers to a kind of request. */
export interface Wording<Whole, Chunk> {
  /** The answer as a whole. */
  whole(choices: readonly Required<Part>[], usage: CompletionUsage, kv: KvReport): Whole;
  /** A piece, of one choice or of none. */
  chunk(extras: ChunkExtras, part?: Part): Chunk;
}

const now = (): number => Math.floor(Date.now() / 1000);

/** Wording of chats. */
export function chatWording(model: string): Wording<ChatCompletion, ChatCompletionChunk> {
  const identity = { id: `chatcmpl-${crypto.randomUUID()}`, created: now(), model };
  return {
    whole: (choices, took, kv) => ({
      ...identity,
      object: "chat.completion",
      choices: choices.map(({ index, text, finish, logprobs }) => ({
        index,
        message: { role: "assistant", content: text },
        finish_reason: finish,
        logprobs: chatLogprobs(logprobs),
      })),
      usage: took,
      kv,
    }),
    chunk: (extras, part) => ({
      ...identity,
      object: "chat.completion.chunk",
      choices: listed(part).map(({ index, text, finish, logprobs }) => ({
        index,
        delta: { role: "assistant", content: text },
        finish_reason: finish ?? null,
        logprobs: chatLogprobs(logprobs),
      })),
      ...extras,
    }),
  };
}

/** Wording of plain texts. With `older` logprobs are in the shape of OpenAI's older interface. */
export function textWording(model: string, older: boolean): Wording<Completion, CompletionChunk> {
  const written = new Map<number, number>();
  const told = ({ index, logprobs }: Part): ChatLogprobs | TextLogprobs | null => {
    if (!older) {
      return chatLogprobs(logprobs);
    }
    const found = textLogprobs(logprobs, written.get(index));
    const length = (logprobs ?? []).reduce((sum, { chosen }) => sum + writtenLength(chosen), 0);
    written.set(index, (written.get(index) ?? 0) + length);
    return found;
  };
  const identity = {
    id: `cmpl-${crypto.randomUUID()}`,
    object: "text_completion" as const,
    created: now(),
    model,
  };
  return {
    whole: (choices, took, kv) => ({
      ...identity,
      choices: choices.map((choice) => ({
        index: choice.index,
        text: choice.text,
        finish_reason: choice.finish,
        logprobs: told(choice),
      })),
      usage: took,
      kv,
    }),
    chunk: (extras, part) => ({
      ...identity,
      choices: listed(part).map((choice) => ({
        index: choice.index,
        text: choice.text,
        finish_reason: choice.finish ?? null,
        logprobs: told(choice),
      })),
      ...extras,
    }),
  };
}

const listed = (part: Part | undefined): readonly Part[] => (part === undefined ? [] : [part]);

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

/** Usage of a request's generations. A prompt counts once, not `again`. */
export function usage(
  generations: readonly { result: GenerateResult; again: boolean }[],
  startedAt: number,
  firstTokenAt: number | undefined,
): CompletionUsage {
  const ended = performance.now();
  const first = generations[0]?.result.summary;
  const sum = (of: (it: Summary) => number, all = generations): number =>
    all.reduce((total, { result }) => total + of(result.summary), 0);
  const prompts = generations.filter(({ again }) => !again);
  const promptTokens = sum((it) => it.promptTokens, prompts);
  const newTokens = sum((it) => it.newTokens);
  // The first of each answer comes with the prompt.
  const later = sum((it) => Math.max(it.newTokens - 1, 0));
  const decodeMs = sum((it) => it.decodeMs);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: newTokens,
    total_tokens: promptTokens + newTokens,
    prompt_tokens_details: { cached_tokens: sum((it) => it.cachedTokens, prompts) },
    extra: {
      e2e_latency_s: (ended - startedAt) / 1000,
      prefill_tokens_per_s: first?.prefillTokensPerSecond ?? 0,
      decode_tokens_per_s: decodeMs > 0 ? (later * 1000) / decodeMs : 0,
      time_to_first_token_s: ((firstTokenAt ?? ended) - startedAt) / 1000,
      time_per_output_token_s: later > 0 ? decodeMs / 1000 / later : 0,
    },
  };
}
