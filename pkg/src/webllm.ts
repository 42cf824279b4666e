import { Engine, type LoadOptions } from "./engine.js";
import { KvscopeError } from "./error.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  ChatMessage,
  ChatParams,
  Completion,
  CompletionChunk,
  CompletionParams,
  Completions,
  RequestOptions,
} from "./openai.js";
import type { LoadProgress } from "./protocol.js";
import type { ModelSource } from "./source.js";

/** WebLLM's type of a message. */
export type ChatCompletionMessageParam = ChatMessage;

/** WebLLM's report of a load. */
export interface InitProgressReport {
  /** Progress from 0 to 1. */
  progress: number;
  /** Seconds since the load began. */
  timeElapsed: number;
  /** Text for people. */
  text: string;
}

/** WebLLM's `MLCEngineConfig`, as far as it makes sense here, and all of {@link LoadOptions}. */
export interface MLCEngineConfig extends LoadOptions {
  initProgressCallback?: (report: InitProgressReport) => void;
  /** Models by their id: `model` is the address of a GGUF file, the other fields are ignored. */
  appConfig?: {
    model_list: readonly { model_id: string; model: string; [ignored: string]: unknown }[];
  };
  /** Ignored. */
  logLevel?: string;
}

/** WebLLM's interface, for programs written for it. */
export interface MLCEngineInterface {
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: Completions;
  /** Engine behind it. */
  readonly engine: Engine;
  /** Loads another model in place of the loaded one. */
  reload(source: ModelSource): Promise<void>;
  setInitProgressCallback(initProgressCallback: (report: InitProgressReport) => void): void;
  /** Ends the running request; its answer has the text so far, with finish reason `"abort"`. */
  interruptGenerate(): void;
  /** Returns the latest answer, as far as it has come. */
  getMessage(): Promise<string>;
  /** Frees the cache. */
  resetChat(): Promise<void>;
  /** Describes the latest request's speed. */
  runtimeStatsText(): Promise<string>;
  /** Disposes of the engine. */
  unload(): Promise<void>;
}

/** {@link Engine} under WebLLM's name and with its calls, for programs written for it. */
export class MLCEngine implements MLCEngineInterface {
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: Completions;
  #config: MLCEngineConfig;
  #engine: Engine | undefined;
  #interruption = new AbortController();
  #message = "";

  /** Creates an engine without a model; {@link reload} loads one. */
  constructor(config: MLCEngineConfig = {}) {
    this.#config = config;
    /* oxlint-disable typescript/no-unsafe-type-assertion -- the same overloads, passed through */
    this.chat = {
      completions: {
        create: ((params: ChatParams, options?: RequestOptions) =>
          this.#answer(options, (given) =>
            this.engine.chat.completions.create(params, given),
          )) as ChatCompletions["create"],
      },
    };
    this.completions = {
      create: ((params: CompletionParams, options?: RequestOptions) =>
        this.#answer(options, (given) =>
          this.engine.completions.create(params, given),
        )) as Completions["create"],
    };
    /* oxlint-enable typescript/no-unsafe-type-assertion */
  }

  /** @inheritdoc */
  get engine(): Engine {
    if (this.#engine === undefined) {
      throw new KvscopeError("invalid-argument", "No model is loaded: call reload() first.");
    }
    return this.#engine;
  }

  /** @inheritdoc */
  setInitProgressCallback(initProgressCallback: (report: InitProgressReport) => void): void {
    this.#config = { ...this.#config, initProgressCallback };
  }

  /** @inheritdoc */
  async reload(source: ModelSource): Promise<void> {
    await this.unload();
    const { initProgressCallback, appConfig, onProgress, logLevel: _, ...options } = this.#config;
    const started = performance.now();
    const listed = appConfig?.model_list.find(({ model_id }) => model_id === source);
    this.#engine = await Engine.load(listed?.model ?? source, {
      ...options,
      onProgress(progress) {
        onProgress?.(progress);
        initProgressCallback?.(initReport(progress, started));
      },
    });
  }

  /** @inheritdoc */
  interruptGenerate(): void {
    this.#interruption.abort();
    this.#interruption = new AbortController();
  }

  /** @inheritdoc */
  getMessage(): Promise<string> {
    return Promise.resolve(this.#message);
  }

  /** @inheritdoc */
  resetChat(): Promise<void> {
    return this.engine.forget();
  }

  /** @inheritdoc */
  async runtimeStatsText(): Promise<string> {
    const { last } = await this.engine.stats();
    return `prefill: ${rate(last?.prefillTokensPerSecond)}, decoding: ${rate(last?.decodeTokensPerSecond)}`;
  }

  /** @inheritdoc */
  unload(): Promise<void> {
    this.#engine?.dispose();
    this.#engine = undefined;
    return Promise.resolve();
  }

  /** Runs `create` such that its answer can be interrupted, and is the latest message. */
  async #answer(
    { signal, ...rest }: RequestOptions = {},
    create: (options: RequestOptions) => Promise<Answer | AsyncIterable<Answer>>,
  ): Promise<unknown> {
    const either =
      signal === undefined
        ? this.#interruption.signal
        : AbortSignal.any([signal, this.#interruption.signal]);
    this.#message = "";
    const answer = await create({ ...rest, signal: either });
    if (Symbol.asyncIterator in answer) {
      return this.#heard(answer);
    }
    this.#message = textOf(answer);
    return answer;
  }

  async *#heard<Chunk extends Answer>(
    stream: AsyncIterable<Chunk>,
  ): AsyncGenerator<Chunk, void, void> {
    for await (const chunk of stream) {
      this.#message += textOf(chunk);
      yield chunk;
    }
  }
}

/**
 * {@link Engine.load} under WebLLM's name and with its options, for programs written for it;
 * `_chatOptions` is ignored.
 */
export async function CreateMLCEngine(
  source: ModelSource,
  config: MLCEngineConfig = {},
  // oxlint-disable-next-line no-unused-vars -- so that calls with it are right
  _chatOptions?: object,
): Promise<MLCEngineInterface> {
  const engine = new MLCEngine(config);
  await engine.reload(source);
  return engine;
}

/** Common type of answers and chunks of both kinds. */
type Answer = ChatCompletion | ChatCompletionChunk | Completion | CompletionChunk;

function textOf({ choices: [choice] }: Answer): string {
  if (choice === undefined) {
    return "";
  }
  return "text" in choice
    ? choice.text
    : "message" in choice
      ? choice.message.content
      : (choice.delta.content ?? "");
}

function rate(tokensPerSecond = 0): string {
  return `${tokensPerSecond.toFixed(4)} tokens/sec`;
}

const PHASES: Readonly<Record<LoadProgress["phase"], string>> = {
  module: "Fetching the WebAssembly module",
  gpu: "Opening the GPU",
  wait: "Waiting for another tab that downloads the same model",
  download: "Downloading the model",
  load: "Loading the model",
  finish: "Finishing",
  ready: "Ready",
};

function initReport(
  { phase, loadedBytes, totalBytes }: LoadProgress,
  started: number,
): InitProgressReport {
  const share = totalBytes === undefined || totalBytes === 0 ? 0 : loadedBytes / totalBytes;
  const megabytes = loadedBytes === 0 ? "" : `: ${Math.round(loadedBytes / 1e6)} MB`;
  return {
    progress: phase === "ready" ? 1 : share,
    timeElapsed: (performance.now() - started) / 1000,
    text: `${PHASES[phase]}${megabytes}`,
  };
}
