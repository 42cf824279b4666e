import { Engine } from "../engine.js";
import { aborted, invalidArgument, KvscopeError } from "../error.js";
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
import type { CreateEmbeddingResponse } from "../peers/openai-shapes.js";
import {
  areLocal,
  resolveSource,
  type HubFile,
  type Model as ResolvedModel,
  type ModelSource,
} from "../source.js";
import { isStored, ModelStore } from "../store.js";
import { authorizedFiles } from "./authorized-files.js";
import { CacheManager } from "./cache-manager.js";
import {
  contextInfo,
  modelMetadata,
  type LoadedContextInfo,
  type ModelMetadata,
} from "./context-info.js";
import { progressReports } from "./download.js";
import { engineRequest } from "./engine-request.js";
import { toWllamaError, WllamaAbortError, WllamaError, type WllamaErrorType } from "./error.js";
import { ggufMetadata, type GgufValue } from "./gguf-metadata.js";
import { authorization, hubFile, type HuggingFaceParams, type WllamaModelSource } from "./hub.js";
import {
  checkLoadParams,
  engineOptions,
  requestDefaults,
  templateVariables,
  type WllamaLoadConfig,
} from "./load-params.js";
import type { WllamaLogger } from "./logger.js";
import { Model, ModelManager } from "./model-manager.js";
import type { ChatCompletionParams, Create, RawCompletionParams } from "./openai-types.js";

/** wllama's options of an engine. Those without a text are ignored. */
export interface WllamaConfig {
  suppressNativeLog?: boolean;
  logger?: WllamaLogger;
  parallelDownloads?: number;
  allowOffline?: boolean;
  /** Manager of kept files. */
  cacheManager?: CacheManager;
  /** Manager of kept models. */
  modelManager?: ModelManager;
  skipVersionCheck?: boolean;
}

/** wllama's addresses of its own WebAssembly files. Ignored. */
export type AssetsPathConfig = Readonly<Record<string, string>>;

/** wllama's files for browsers without some features. Ignored. */
export interface WllamaCompat {
  worker: string | { code: string };
  wasm: string;
}

/** A loaded model. */
interface Loaded {
  readonly engine: Engine;
  readonly config: WllamaLoadConfig;
  /** Keys of the file, if it is at hand. */
  readonly values: ReadonlyMap<string, GgufValue> | undefined;
}

/**
 * {@link Engine} under the names and with the options of wllama's release 3, for programs written
 * for it. Its methods reject with {@link WllamaError}, or {@link WllamaAbortError} after an abort.
 */
export class Wllama {
  /** wllama's call, in OpenAI's shapes. */
  readonly createChatCompletion: Create<ChatCompletionParams, ChatCompletion, ChatCompletionChunk>;
  /** wllama's call, in OpenAI's shapes. */
  readonly createCompletion: Create<RawCompletionParams, Completion, CompletionChunk>;
  /** Manager of kept files. */
  cacheManager: CacheManager;
  /** Manager of kept models. */
  modelManager: ModelManager;
  readonly #load = new LatestLoad();
  #loaded: Loaded | undefined;

  /** Creates an engine without a model. The addresses are wllama's own, and ignored. */
  constructor(_pathConfig?: AssetsPathConfig, config: WllamaConfig = {}) {
    this.cacheManager = config.cacheManager ?? new CacheManager();
    this.modelManager =
      config.modelManager ?? new ModelManager({ cacheManager: this.cacheManager });
    /* oxlint-disable typescript/no-unsafe-type-assertion -- `stream`, `onData` select the type */
    this.createChatCompletion = ((request: ChatCompletionParams) =>
      this.#answer({ ...request }, (engine, params, options) =>
        engine.chat.completions.create(params as unknown as ChatParams, options),
      )) as Create<ChatCompletionParams, ChatCompletion, ChatCompletionChunk>;
    this.createCompletion = ((request: RawCompletionParams) =>
      this.#answer({ ...request }, (engine, params, options) =>
        engine.completions.create(params as unknown as CompletionParams, options),
      )) as Create<RawCompletionParams, Completion, CompletionChunk>;
    /* oxlint-enable typescript/no-unsafe-type-assertion */
  }

  /** Engine behind it. */
  get engine(): Engine {
    return this.#model().engine;
  }

  /** Names what stands in for llama.cpp here. */
  static getLibllamaVersion(this: void): string {
    return "none: kvscope";
  }

  /** Does nothing: there are no such files. */
  setCompat(compat: WllamaCompat | null | "default", mode?: "safari" | "firefox_safari"): void;
  setCompat(): void {
    // kvscope's own worker has one form for all browsers.
  }

  /** Loads a model from the Hugging Face hub, by its file or its quantisation. */
  loadModelFromHF(
    model: HuggingFaceParams & Pick<HubFile, "revision">,
    config: WllamaLoadConfig = {},
  ): Promise<void> {
    const { repo, revision, hfToken } = model;
    const headers = { ...authorization(hfToken), ...config.headers };
    return this.#start({ ...config, headers }, async (signal) => {
      const file = await hubFile(model, signal);
      return { repo, file, ...(revision !== undefined && { revision }) };
    });
  }

  /** Loads a model from an address; of a split model, from its first part's. */
  loadModelFromUrl(
    source: string | WllamaModelSource,
    config: WllamaLoadConfig = {},
  ): Promise<void> {
    return this.#start(config, () => {
      const { url, mmprojUrl } = typeof source === "string" ? { url: source } : source;
      if (mmprojUrl !== undefined) {
        throw invalidArgument("mmprojUrl", "is not supported: models of images are not run");
      }
      return url;
    });
  }

  /** Loads a model from local files, or a kept one. */
  loadModel(blobs: readonly Blob[] | Model, config: WllamaLoadConfig = {}): Promise<void> {
    return this.#start(config, () => (blobs instanceof Model ? blobs.url : blobs));
  }

  /** Returns whether a model is loaded. */
  isModelLoaded(): boolean {
    return this.#loaded !== undefined;
  }

  /** Disposes of the engine, and ends a load that runs. Another model may be loaded then. */
  exit(): Promise<void> {
    this.#load.end();
    this.#loaded?.engine.dispose();
    this.#loaded = undefined;
    return Promise.resolve();
  }

  /** Facts about the loaded model. Numbers of tokens are -1 if its file is not kept. */
  getLoadedContextInfo(): LoadedContextInfo {
    const { engine, config, values = new Map() } = this.#model();
    return contextInfo(engine, values, config.n_ctx);
  }

  /** Facts about the loaded model. Without its file kept, `meta` is empty. */
  getModelMetadata(): ModelMetadata {
    return modelMetadata(this.getLoadedContextInfo());
  }

  /** Number of the token that begins a text; -1 if none is known. */
  getBOS(): number {
    return this.#known()?.token_bos ?? -1;
  }

  /** Number of the token that ends a text; -1 if none is known. */
  getEOS(): number {
    return this.#known()?.token_eos ?? -1;
  }

  /** Number of the token that ends a turn; -1 if none is known. */
  getEOT(): number {
    return this.#known()?.token_eot ?? -1;
  }

  /** Returns whether the file names a token as an end. */
  isTokenEOG(token: number): boolean {
    return this.#known()?.list_tokens_eog.includes(token) ?? false;
  }

  /** Gives -1: no models with an encoder are run. */
  getDecoderStartToken(): number {
    return -1;
  }

  /** Returns whether the file wants prompts to begin with the token of {@link getBOS}. */
  mustAddBosToken(): boolean {
    return this.getLoadedContextInfo().add_bos_token;
  }

  /** Returns whether the file wants texts to end with the token of {@link getEOS}. */
  mustAddEosToken(): boolean {
    return this.getLoadedContextInfo().add_eos_token;
  }

  /** The chat template in the file; null if there is none. */
  getChatTemplate(): string | null {
    const template = this.#values("getChatTemplate").get("tokenizer.chat_template");
    return typeof template === "string" ? template : null;
  }

  /** Returns false: the GPU does the work. */
  isMultithread(): boolean {
    return false;
  }

  /** Gives 1, the worker's own thread. */
  getNumThreads(): number {
    return 1;
  }

  /** Returns false: no models with an encoder are run. */
  isEncoderDecoderArchitecture(): boolean {
    return false;
  }

  /** Returns whether the browser has WebGPU. */
  isSupportWebGPU(): boolean {
    return "gpu" in navigator;
  }

  /** Returns false: models take texts only. */
  supportInputModality(modality: "image" | "audio"): boolean;
  supportInputModality(): boolean {
    return false;
  }

  /** Tokenizes a text, as wllama's release 2 does. */
  async tokenize(text: string): Promise<number[]> {
    try {
      return (await this.engine.tokens(text)).tokens;
    } catch (error) {
      throw toWllamaError(error, "inference_error");
    }
  }

  /** Rejects: the engine has no text for a token's number alone. */
  detokenize(tokens: readonly number[]): Promise<Uint8Array>;
  detokenize(): Promise<never> {
    return refused("detokenize", "is not supported: `engine.tokens` gives a text's own tokens");
  }

  /** Rejects: no embeddings are made here. */
  createEmbedding(options: unknown): Promise<CreateEmbeddingResponse>;
  createEmbedding(): Promise<never> {
    return refused("createEmbedding", "is not supported: no embeddings are made");
  }

  /** Rejects: models that rank are not run. */
  createRerank(options: unknown): Promise<never>;
  createRerank(): Promise<never> {
    return refused("createRerank", "is not supported: models that rank are not run");
  }

  /** Rejects: models that decide are not run. */
  createSystemOne(options: unknown): Promise<never>;
  createSystemOne(): Promise<never> {
    return refused("createSystemOne", "is not supported: models that decide are not run");
  }

  /** Rejects: models that speak are not run. */
  createSpeech(options: unknown): Promise<never>;
  createSpeech(): Promise<never> {
    return refused("createSpeech", "is not supported: models that speak are not run");
  }

  /** Rejects: models that listen are not run. */
  createTranscription(options: unknown): Promise<never>;
  createTranscription(): Promise<never> {
    return refused("createTranscription", "is not supported: models that listen are not run");
  }

  /** Rejects: models that listen are not run. */
  createRealtimeSession(options?: unknown): Promise<never>;
  createRealtimeSession(): Promise<never> {
    return refused("createRealtimeSession", "is not supported: models that listen are not run");
  }

  #model(): Loaded {
    if (this.#loaded === undefined) {
      throw new WllamaError(
        "No model is loaded: call one of the loadModel methods first.",
        "model_not_loaded",
      );
    }
    return this.#loaded;
  }

  #known(): LoadedContextInfo | undefined {
    return this.#loaded === undefined ? undefined : this.getLoadedContextInfo();
  }

  #values(method: string): ReadonlyMap<string, GgufValue> {
    const { values } = this.#model();
    if (values === undefined) {
      const error = invalidArgument(method, "needs the model's file, which was not kept");
      throw toWllamaError(error, "unknown_error");
    }
    return values;
  }

  async #start(
    config: WllamaLoadConfig,
    sourceFor: (signal: AbortSignal) => ModelSource | Promise<ModelSource>,
  ): Promise<void> {
    try {
      checkLoadParams(config);
      if (this.#loaded !== undefined) {
        throw new KvscopeError("invalid-argument", "A model is loaded already: call exit() first.");
      }
      await this.#load.run(
        async (signal) => this.#loadOne(await sourceFor(signal), config, signal),
        (loaded) => (this.#loaded = loaded),
        ({ engine }) => engine.dispose(),
        config.signal,
      );
    } catch (error) {
      throw toWllamaError(error, "load_error");
    }
  }

  async #loadOne(
    source: ModelSource,
    config: WllamaLoadConfig,
    signal: AbortSignal,
  ): Promise<Loaded> {
    const report = progressReports(config.progressCallback);
    const onProgress: NonNullable<WllamaLoadConfig["onProgress"]> = (progress) => {
      config.onProgress?.(progress);
      report(progress);
    };
    const model = resolveSource(source, config.defaultModel);
    const { headers = {} } = config;
    const fetched =
      areLocal(model.parts) || Object.keys(headers).length === 0 || (await isStored(model.parts))
        ? undefined
        : await authorizedFiles(model.parts, headers, signal, onProgress);
    const options = { ...engineOptions(config), onProgress, signal };
    const engine = await Engine.load(fetched ?? source, options);
    const file = fetched?.[0] ?? (await firstFile(model).catch(() => undefined));
    // The model is loaded: that its file can't be read once more does not end it.
    const values = file && (await ggufMetadata(file).catch(() => undefined));
    return { engine, config, values };
  }

  /** Lets `create` answer `request`, without wllama's own fields. */
  async #answer<Whole, Chunk>(
    { abortSignal, onData, ...request }: Fields,
    create: (
      engine: Engine,
      params: Fields,
      options: RequestOptions,
    ) => Promise<Whole | AsyncIterable<Chunk>>,
  ): Promise<Whole | AsyncIterable<Chunk> | undefined> {
    const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
    try {
      const { engine, config } = this.#model();
      const variables = templateVariables(config);
      const fields = engineRequest(request, requestDefaults(config), variables);
      const params = await endingWithContext(engine, fields, config.n_ctx, signal);
      const answered = await create(engine, params, signal === undefined ? {} : { signal });
      if (params["stream"] !== true) {
        throwIfAborted(signal);
        return answered;
      }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a stream was asked for
      const chunks = untilAborted(answered as AsyncIterable<Chunk>, signal);
      if (typeof onData !== "function") {
        return chunks;
      }
      for await (const chunk of chunks) {
        onData(chunk);
      }
      return undefined;
    } catch (error) {
      throw toWllamaError(error, "inference_error");
    }
  }
}

/** Goes on with `chunks` until they end or an abort does; then it throws, as wllama does. */
async function* untilAborted<Chunk>(
  chunks: AsyncIterable<Chunk>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Chunk, void, void> {
  try {
    for await (const chunk of chunks) {
      throwIfAborted(signal);
      yield chunk;
    }
    throwIfAborted(signal);
  } catch (error) {
    throw toWllamaError(error, "inference_error");
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new WllamaAbortError(aborted("The answer", signal.reason));
  }
}

function refused(method: string, problem: string): Promise<never> {
  const type: WllamaErrorType = "inference_error";
  return Promise.reject(toWllamaError(invalidArgument(method, problem), type));
}

/** The first file of a model, if it is local or kept. */
async function firstFile(model: ResolvedModel): Promise<Blob | undefined> {
  const { parts, name } = model;
  if (areLocal(parts)) {
    return parts[0]?.blob;
  }
  return (await isStored(parts)) ? (await ModelStore.find(name, parts)).file(0) : undefined;
}
