import type { GenerateRequest, GenerateResult, StepLogprobs } from "../wasm/kvscope.js";
import { finishReason, kvReport, usage, type Part, type Wording } from "./answer.js";
import { toKvscopeError } from "./error.js";
import { EventStream } from "./event-stream.js";
import type { ChatParams, CompletionUsage, RequestOptions } from "./openai.js";
import type { GenerateEvent } from "./protocol.js";
import type { Choice } from "./request.js";

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
  choices: readonly Choice[],
  wording: Wording<Whole, Chunk>,
  { stream, stream_options: more }: Pick<ChatParams, "stream" | "stream_options">,
  options: RequestOptions,
): Promise<Whole | AsyncIterable<Chunk>> {
  return stream === true
    ? completeStream(generate, choices, wording, options, more?.include_usage === true)
    : completeWhole(generate, choices, wording, options);
}

async function completeWhole<Whole, Chunk>(
  generate: Generate,
  choices: readonly Choice[],
  wording: Wording<Whole, Chunk>,
  { signal, onPrefill }: RequestOptions,
): Promise<Whole> {
  const done = new Generations(generate, choices);
  const logprobs = choices.map((): StepLogprobs[] => []);
  const hear = (event: GenerateEvent, index: number): void => {
    if ("prefill" in event) {
      onPrefill?.(event.prefill.done, event.prefill.of);
    } else if (event.logprobs !== undefined) {
      logprobs[index]?.push(event.logprobs);
    }
  };
  const answered: Required<Part>[] = [];
  for await (const [index, { text, summary }] of done.run(hear, signal)) {
    const told = choices[index]?.request.logprobs === true ? logprobs[index] : undefined;
    answered.push({ index, text, finish: finishReason(summary.finish), logprobs: told });
  }
  const { memory, slots } = done.last.summary;
  return wording.whole(answered, done.usage(), kvReport(memory, slots));
}

function completeStream<Whole, Chunk>(
  generate: Generate,
  choices: readonly Choice[],
  wording: Wording<Whole, Chunk>,
  { signal, onPrefill }: RequestOptions,
  includeUsage: boolean,
): Promise<AsyncIterable<Chunk>> {
  const done = new Generations(generate, choices);
  const leaving = new AbortController();
  const stream = new EventStream<Chunk>(() => leaving.abort());
  const either = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
  const written = choices.map(() => 0);
  return new Promise((resolve, reject) => {
    const hear = (event: GenerateEvent, index: number): void => {
      resolve(stream);
      if ("prefill" in event) {
        onPrefill?.(event.prefill.done, event.prefill.of);
        return;
      }
      const { text, memory, slots, likeliest: _, ...step } = event.step;
      const retained = event.retained === undefined ? {} : { retained: event.retained };
      const logprobs = event.logprobs === undefined ? {} : { logprobs: [event.logprobs] };
      written[index] = (written[index] ?? 0) + text.length;
      const extras = { kv: kvReport(memory, slots), step, ...retained };
      stream.push(wording.chunk(extras, { index, text, ...logprobs }));
    };
    const run = async (): Promise<void> => {
      for await (const [index, { text, summary }] of done.run(hear, either)) {
        const kv = kvReport(summary.memory, summary.slots);
        // Text that no step could be sure of before the caller ended the request.
        const rest = text.slice(written[index]);
        const finish = finishReason(summary.finish);
        stream.push(wording.chunk({ kv }, { index, text: rest, finish }));
      }
      if (includeUsage) {
        const { memory, slots } = done.last.summary;
        stream.push(wording.chunk({ kv: kvReport(memory, slots), usage: done.usage() }));
      }
    };
    run().then(
      () => {
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

/** Generations of a request's choices, one after the other. */
class Generations {
  readonly #startedAt = performance.now();
  readonly #generate: Generate;
  readonly #choices: readonly Choice[];
  readonly #ended: { result: GenerateResult; again: boolean }[] = [];
  #firstTokenAt: number | undefined;

  constructor(generate: Generate, choices: readonly Choice[]) {
    this.#generate = generate;
    this.#choices = choices;
  }

  /** Runs all; one that the caller ends is the last. */
  async *run(
    hear: (event: GenerateEvent, index: number) => void,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<[number, GenerateResult], void, void> {
    for (const [index, { request, again }] of this.#choices.entries()) {
      const onEvent = (event: GenerateEvent): void => {
        if ("step" in event) {
          this.#firstTokenAt ??= performance.now();
        }
        hear(event, index);
      };
      // oxlint-disable-next-line no-await-in-loop -- the engine computes one at a time
      const result = await this.#generate(request, onEvent, signal);
      this.#ended.push({ result, again });
      yield [index, result];
      if (signal?.aborted === true) {
        return;
      }
    }
  }

  /** The latest that has ended. */
  get last(): GenerateResult {
    const last = this.#ended.at(-1);
    if (last === undefined) {
      throw new Error("a request has at least one choice");
    }
    return last.result;
  }

  usage(): CompletionUsage {
    return usage(this.#ended, this.#startedAt, this.#firstTokenAt);
  }
}
