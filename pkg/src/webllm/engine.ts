import { Engine, type LoadOptions } from "../engine.js";
import { invalidArgument, KvscopeError } from "../error.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatParams,
  Completion,
  CompletionChunk,
  CompletionParams,
  RequestOptions,
} from "../openai.js";
import { endingWithContext } from "../peers/context-end.js";
import type { Fields } from "../peers/fields.js";
import { LatestLoad } from "../peers/latest-load.js";
import type { LogLevel } from "../peers/log-level.js";
import type { CreateEmbeddingResponse, EmbeddingCreateParams } from "../peers/openai-shapes.js";
import type { ModelSource } from "../source.js";
import {
  findRecord,
  getRecord,
  prebuiltAppConfig,
  sourceOf,
  type AppConfig,
} from "./app-config.js";
import { requestDefaults, windowOf, type ChatOptions } from "./chat-options.js";
import { engineRequest } from "./engine-request.js";
import { initReports, type InitProgressCallback, type InitProgressReport } from "./init-report.js";
import type {
  Chat,
  ChatCompletionRequestBase,
  CompletionCreateParamsBase,
  Create,
  Embeddings,
  LogitProcessor,
  ResumeChatCompletionOptions,
  ResumeProbeResult,
  ResumeResult,
  TextCompletions,
} from "./openai-types.js";

/** WebLLM's `MLCEngineConfig`, and all of {@link LoadOptions}. */
export interface MLCEngineConfig extends LoadOptions {
  initProgressCallback?: InitProgressCallback;
  /** Models by their names; {@link prebuiltAppConfig} by default. */
  appConfig?: AppConfig;
  /** Ignored. */
  logLevel?: LogLevel;
  /** Refused, unless it is empty. */
  logitProcessorRegistry?: Map<string, LogitProcessor>;
}

/** WebLLM's interface, for programs written for it. */
export interface MLCEngineInterface {
  readonly chat: Chat;
  readonly completions: TextCompletions;
  readonly embeddings: Embeddings;
  /** Engine behind it; of several models that of the first. */
  readonly engine: Engine;
  /**
   * Loads a model, or several, in place of those loaded. It ends a load that runs, which rejects
   * with `"aborted"`. Texts of a list are names of models if the `appConfig` has all of them.
   * Otherwise they are parts of one model.
   */
  reload(source: ModelSource, chatOpts?: ChatOptions | ChatOptions[]): Promise<void>;
  setInitProgressCallback(initProgressCallback?: InitProgressCallback): void;
  getInitProgressCallback(): InitProgressCallback | undefined;
  /** Replaces the list of models, for later loads. */
  setAppConfig(appConfig: AppConfig): void;
  /** Does nothing: no messages are written. */
  setLogLevel(logLevel: LogLevel): void;
  /** Calls `chat.completions.create`. */
  readonly chatCompletion: Chat["completions"]["create"];
  /** Calls `completions.create`. */
  readonly completion: TextCompletions["create"];
  /** Rejects with `"invalid-argument"`: no embeddings are made here. */
  embedding(request: EmbeddingCreateParams): Promise<CreateEmbeddingResponse>;
  /** Ends the running requests; an answer has the text so far, with finish reason `"abort"`. */
  interruptGenerate(): void;
  /** Returns a model's latest answer, as far as it has come. */
  getMessage(modelId?: string): Promise<string>;
  /** Frees a model's cache. The statistics stay. */
  resetChat(keepStats?: boolean, modelId?: string): Promise<void>;
  /** Describes the speed of a model's latest request. */
  runtimeStatsText(modelId?: string): Promise<string>;
  /** Bytes that one buffer of the GPU can have in a kernel. */
  getMaxStorageBufferBindingSize(): Promise<number>;
  /** Name of the GPU, as far as the browser tells it. */
  getGPUVendor(): Promise<string>;
  /** Rejects with `"invalid-argument"`: tokens are not taken one by one. */
  forwardTokensAndSample(inputIds: number[], isPrefill: boolean, modelId?: string): Promise<number>;
  /** Lists kept states of answers: none here. */
  listResumableSessions(): Promise<ResumeProbeResult[]>;
  /** Rejects with `"session-not-found"`. */
  resumeChatCompletion(
    sessionId: string,
    options?: ResumeChatCompletionOptions,
  ): Promise<ResumeResult | AsyncIterable<ChatCompletionChunk>>;
  /** Does nothing: there is none. */
  deleteResumableSession(sessionId: string): Promise<void>;
  /** Disposes of the models, and ends a load that runs. */
  unload(): Promise<void>;
}

/** A loaded model. */
interface Loaded {
  /** Name that requests give; none for a source that is not in a list. */
  readonly id: string | undefined;
  readonly engine: Engine;
  readonly defaults: Fields;
  readonly window: number | undefined;
  /** The latest answer. */
  message: string;
}

/** Model to be loaded. */
type ToLoad = Omit<Loaded, "engine" | "message"> & { readonly source: ModelSource };

/** {@link Engine} under WebLLM's name and with its calls, for programs written for it. */
export class MLCEngine implements MLCEngineInterface {
  readonly chat: Chat;
  readonly completions: TextCompletions;
  readonly embeddings: Embeddings;
  /** @inheritdoc */
  readonly chatCompletion: Chat["completions"]["create"];
  /** @inheritdoc */
  readonly completion: TextCompletions["create"];
  readonly #load = new LatestLoad();
  #config: MLCEngineConfig;
  #loaded: readonly Loaded[] = [];
  #interruption = new AbortController();

  /** Creates an engine without a model; {@link reload} loads one. */
  constructor(config: MLCEngineConfig = {}) {
    this.#config = config;
    /* oxlint-disable typescript/no-unsafe-type-assertion -- `stream` selects the overload */
    this.chatCompletion = ((request: ChatCompletionRequestBase, options?: RequestOptions) =>
      this.#answer(request, options, (engine, params, given) =>
        engine.chat.completions.create(params as unknown as ChatParams, given),
      )) as Create<ChatCompletionRequestBase, ChatCompletion, ChatCompletionChunk>;
    this.completion = ((request: CompletionCreateParamsBase, options?: RequestOptions) =>
      this.#answer(request, options, (engine, params, given) =>
        engine.completions.create(params as unknown as CompletionParams, given),
      )) as Create<CompletionCreateParamsBase, Completion, CompletionChunk>;
    /* oxlint-enable typescript/no-unsafe-type-assertion */
    this.chat = { completions: { create: this.chatCompletion } };
    this.completions = { create: this.completion };
    this.embeddings = { create: (request) => this.embedding(request) };
  }

  /** @inheritdoc */
  get engine(): Engine {
    return (this.#loaded[0] ?? this.#none()).engine;
  }

  /** @inheritdoc */
  setInitProgressCallback(initProgressCallback?: InitProgressCallback): void {
    const { initProgressCallback: _, ...rest } = this.#config;
    this.#config = initProgressCallback === undefined ? rest : { ...rest, initProgressCallback };
  }

  /** @inheritdoc */
  getInitProgressCallback(): InitProgressCallback | undefined {
    return this.#config.initProgressCallback;
  }

  /** @inheritdoc */
  setAppConfig(appConfig: AppConfig): void {
    this.#config = { ...this.#config, appConfig };
  }

  /**
   * Keeps processors of logits.
   *
   * @throws {KvscopeError} `"invalid-argument"`, unless there are none: they can't be run
   */
  setLogitProcessorRegistry(logitProcessorRegistry?: Map<string, LogitProcessor>): void {
    refuseProcessors(logitProcessorRegistry);
  }

  // oxlint-disable-next-line no-unused-vars -- so that calls with it are right
  setLogLevel(_logLevel: LogLevel): void {
    // Nothing is logged.
  }

  /** @inheritdoc */
  async reload(source: ModelSource, chatOpts?: ChatOptions | ChatOptions[]): Promise<void> {
    this.#unload();
    const { appConfig = prebuiltAppConfig, logitProcessorRegistry, signal } = this.#config;
    refuseProcessors(logitProcessorRegistry);
    const models = modelsToLoad(source, chatOpts, appConfig);
    await this.#load.run(
      (ended) => this.#loadAll(models, ended),
      (loaded) => (this.#loaded = loaded),
      dispose,
      signal,
    );
  }

  /** @inheritdoc */
  embedding(request: EmbeddingCreateParams): Promise<CreateEmbeddingResponse>;
  embedding(): Promise<CreateEmbeddingResponse> {
    return Promise.reject(invalidArgument("embedding", "is not supported: no embeddings are made"));
  }

  /** @inheritdoc */
  interruptGenerate(): void {
    this.#interruption.abort();
    this.#interruption = new AbortController();
  }

  /** @inheritdoc */
  async getMessage(modelId?: string): Promise<string> {
    return this.#model(modelId).message;
  }

  /** @inheritdoc */
  async resetChat(_keepStats?: boolean, modelId?: string): Promise<void> {
    await this.#model(modelId).engine.forget();
  }

  /** @inheritdoc */
  async runtimeStatsText(modelId?: string): Promise<string> {
    const { last } = await this.#model(modelId).engine.stats();
    return `prefill: ${rate(last?.prefillTokensPerSecond)}, decoding: ${rate(last?.decodeTokensPerSecond)}`;
  }

  /** @inheritdoc */
  async getMaxStorageBufferBindingSize(): Promise<number> {
    return this.engine.gpu.limits.maxStorageBufferBindingSize;
  }

  /** @inheritdoc */
  async getGPUVendor(): Promise<string> {
    return this.engine.gpu.name;
  }

  /** @inheritdoc */
  forwardTokensAndSample(inputIds: number[], isPrefill: boolean, modelId?: string): Promise<number>;
  forwardTokensAndSample(): Promise<number> {
    const problem = "is not supported: a request takes a whole prompt and gives tokens' numbers";
    return Promise.reject(invalidArgument("forwardTokensAndSample", problem));
  }

  /** @inheritdoc */
  listResumableSessions(): Promise<ResumeProbeResult[]> {
    return Promise.resolve([]);
  }

  /** @inheritdoc */
  resumeChatCompletion(
    sessionId: string,
    options?: ResumeChatCompletionOptions,
  ): Promise<ResumeResult | AsyncIterable<ChatCompletionChunk>>;
  resumeChatCompletion(sessionId: string): Promise<never> {
    return Promise.reject(
      new KvscopeError("session-not-found", `No answer is kept as ${JSON.stringify(sessionId)}.`),
    );
  }

  /** @inheritdoc */
  deleteResumableSession(sessionId: string): Promise<void>;
  deleteResumableSession(): Promise<void> {
    return Promise.resolve();
  }

  /** @inheritdoc */
  unload(): Promise<void> {
    this.#unload();
    return Promise.resolve();
  }

  #unload(): void {
    this.#load.end();
    dispose(this.#loaded);
    this.#loaded = [];
  }

  async #loadAll(models: readonly ToLoad[], signal: AbortSignal): Promise<Loaded[]> {
    const { initProgressCallback: _, appConfig: __, logLevel: ___, ...options } = this.#config;
    const loaded: Loaded[] = [];
    try {
      for (const [index, { source, ...model }] of models.entries()) {
        const report = initReports();
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as their callbacks say
        const engine = await Engine.load(source, {
          ...options,
          signal,
          onProgress: (progress) => {
            options.onProgress?.(progress);
            this.#report(report(progress), index, models.length);
          },
        });
        loaded.push({ ...model, engine, message: "" });
      }
      return loaded;
    } catch (error) {
      dispose(loaded);
      throw error;
    }
  }

  /** Tells of a model's load as a part of the load of all. */
  #report({ progress, ...rest }: InitProgressReport, index: number, models: number): void {
    this.#config.initProgressCallback?.({ ...rest, progress: (index + progress) / models });
  }

  /**
   * Finds the model that a request names. With one loaded it is that, whatever the name.
   *
   * @throws {KvscopeError} `"invalid-argument"`
   */
  #model(id: string | null | undefined): Loaded {
    const [first, ...others] = this.#loaded;
    if (first === undefined || others.length === 0) {
      return first ?? this.#none();
    }
    const named = this.#loaded.find((model) => model.id === id);
    if (named === undefined) {
      const names = this.#loaded.map((model) => model.id).join(", ");
      throw invalidArgument("model", `must be one of those loaded: ${names}`);
    }
    return named;
  }

  #none(): never {
    throw new KvscopeError("invalid-argument", "No model is loaded: call reload() first.");
  }

  /** Runs `create` such that its answer can be interrupted, and is the latest message. */
  async #answer(
    request: ChatCompletionRequestBase | CompletionCreateParamsBase,
    given: RequestOptions = {},
    create: (
      engine: Engine,
      params: Fields,
      options: RequestOptions,
    ) => Promise<Answer | AsyncIterable<Answer>>,
  ): Promise<unknown> {
    const model = this.#model(request.model);
    const { engine, defaults, window } = model;
    const { fields, options } = engineRequest(
      { ...request },
      given,
      defaults,
      this.#interruption.signal,
    );
    model.message = "";
    const params = await endingWithContext(engine, fields, window, options.signal);
    const answer = await create(engine, params, options);
    if (Symbol.asyncIterator in answer) {
      return heard(model, answer);
    }
    model.message = textOf(answer);
    return answer;
  }
}

/**
 * {@link Engine.load} under WebLLM's name and with its options, for programs written for it.
 * `chatOptions` are defaults of requests.
 */
export async function CreateMLCEngine(
  source: ModelSource,
  config: MLCEngineConfig = {},
  chatOptions?: ChatOptions | ChatOptions[],
): Promise<MLCEngine> {
  const engine = new MLCEngine(config);
  await engine.reload(source, chatOptions);
  return engine;
}

/** Reads `source` as one model, or as the names of several. */
function modelsToLoad(
  source: ModelSource,
  chatOpts: ChatOptions | ChatOptions[] | undefined,
  appConfig: AppConfig,
): ToLoad[] {
  const list: readonly unknown[] = Array.isArray(source) ? source : [];
  const names = list.filter((name) => typeof name === "string" && isListed(name, appConfig));
  if (names.length > 0 && names.length < list.length) {
    throw invalidArgument("modelId", "has names of the appConfig's model_list, and others");
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each is a listed name
  const sources = names.length > 0 ? (names as readonly string[]) : [source];
  if (new Set(sources).size < sources.length) {
    throw invalidArgument("modelId", "has a name twice");
  }
  const options: readonly (ChatOptions | undefined)[] = Array.isArray(chatOpts)
    ? chatOpts
    : [chatOpts];
  if (chatOpts !== undefined && options.length !== sources.length) {
    throw invalidArgument("chatOpts", `must be ${sources.length} of them, as there are models`);
  }
  return sources.map((one, index) => toLoad(one, options[index], appConfig));
}

function isListed(name: unknown, appConfig: AppConfig): boolean {
  return typeof name === "string" && findRecord(name, appConfig) !== undefined;
}

/** Ending of WebLLM's own names, which are no addresses. */
const NAME = /^[^/]+-MLC(?:-\w+)?$/;

function toLoad(
  source: ModelSource,
  chatOptions: ChatOptions | undefined,
  appConfig: AppConfig,
): ToLoad {
  const isName = typeof source === "string" && NAME.test(source);
  const record = isName ? getRecord(source, appConfig) : findRecord(source, appConfig);
  const options = { ...record?.overrides, ...chatOptions };
  return {
    id: record?.model_id,
    source: record === undefined ? source : sourceOf(record),
    defaults: requestDefaults(options),
    window: windowOf(options),
  };
}

function refuseProcessors(registry: Map<string, LogitProcessor> | undefined): void {
  if (registry !== undefined && registry.size > 0) {
    throw invalidArgument("logitProcessorRegistry", "is not supported: logits stay on the GPU");
  }
}

function dispose(loaded: readonly Loaded[]): void {
  for (const { engine } of loaded) {
    engine.dispose();
  }
}

/** Common type of answers and chunks of both kinds. */
type Answer = ChatCompletion | ChatCompletionChunk | Completion | CompletionChunk;

async function* heard<Chunk extends Answer>(
  model: Loaded,
  stream: AsyncIterable<Chunk>,
): AsyncGenerator<Chunk, void, void> {
  for await (const chunk of stream) {
    model.message += textOf(chunk);
    yield chunk;
  }
}

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
