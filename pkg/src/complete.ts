import type { GenerateRequest, GenerateResult } from "../wasm/kvscope.js";
import { finishReason, kvReport, usage, type Wording } from "./answer.js";
import { toKvscopeError } from "./error.js";
import { EventStream } from "./event-stream.js";
import type { ChatParams, RequestOptions } from "./openai.js";
import type { GenerateEvent } from "./protocol.js";

/** Runs a request when its turn comes. */
export type Generate = (
  request: GenerateRequest,
  onEvent: (event: GenerateEvent) => void,
  signal: AbortSignal | undefined,
) => Promise<GenerateResult>;

/**
 * Creates the answer, as a whole or as a stream. A stream resolves at its first event. A refused
 * request thus rejects here and not in the middle of a loop.
 */
export function complete<Whole, Chunk>(
  generate: Generate,
  request: GenerateRequest,
  wording: Wording<Whole, Chunk>,
  { stream, stream_options: more }: Pick<ChatParams, "stream" | "stream_options">,
  options: RequestOptions,
): Promise<Whole | AsyncIterable<Chunk>> {
  return stream === true
    ? completeStream(generate, request, wording, options, more?.include_usage === true)
    : completeWhole(generate, request, wording, options);
}

async function completeWhole<Whole, Chunk>(
  generate: Generate,
  request: GenerateRequest,
  wording: Wording<Whole, Chunk>,
  { signal, onPrefill }: RequestOptions,
): Promise<Whole> {
  const clock = new Clock();
  const onEvent = (event: GenerateEvent): void => {
    clock.hear(event);
    if ("prefill" in event) {
      onPrefill?.(event.prefill.done, event.prefill.of);
    }
  };
  const result = await generate(request, onEvent, signal);
  const { memory, slots, finish } = result.summary;
  return wording.whole(
    result.text,
    finishReason(finish),
    clock.usage(result),
    kvReport(memory, slots),
  );
}

function completeStream<Whole, Chunk>(
  generate: Generate,
  request: GenerateRequest,
  wording: Wording<Whole, Chunk>,
  { signal, onPrefill }: RequestOptions,
  includeUsage: boolean,
): Promise<AsyncIterable<Chunk>> {
  const clock = new Clock();
  const leaving = new AbortController();
  const stream = new EventStream<Chunk>(() => leaving.abort());
  const either = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
  let written = 0;
  return new Promise((resolve, reject) => {
    const onEvent = (event: GenerateEvent): void => {
      clock.hear(event);
      resolve(stream);
      if ("prefill" in event) {
        onPrefill?.(event.prefill.done, event.prefill.of);
        return;
      }
      const { text, memory, slots, ...step } = event.step;
      const retained = event.retained === undefined ? {} : { retained: event.retained };
      written += text.length;
      stream.push(wording.chunk({ kv: kvReport(memory, slots), step, ...retained }, text));
    };
    generate(request, onEvent, either).then(
      (result) => {
        const { memory, slots, finish } = result.summary;
        const kv = kvReport(memory, slots);
        // Text that no step could be sure of before the caller ended the request.
        stream.push(wording.chunk({ kv }, result.text.slice(written), finishReason(finish)));
        if (includeUsage) {
          stream.push(wording.chunk({ kv, usage: clock.usage(result) }));
        }
        stream.end();
        resolve(stream);
      },
      (thrown: unknown) => {
        stream.end({ thrown });
        reject(toKvscopeError(thrown));
      },
    );
  });
}

/** Times of a request and of its first token. */
class Clock {
  readonly #startedAt = performance.now();
  #firstTokenAt: number | undefined;

  hear(event: GenerateEvent): void {
    if ("step" in event) {
      this.#firstTokenAt ??= performance.now();
    }
  }

  usage(result: GenerateResult): ReturnType<typeof usage> {
    return usage(result, this.#startedAt, this.#firstTokenAt);
  }
}
