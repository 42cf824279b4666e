import { Engine, type LoadOptions } from "./engine.js";
import { KvscopeError } from "./error.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatParams,
  Completion,
  CompletionChunk,
  CompletionParams,
} from "./openai.js";
import type { HubFile, ModelSource } from "./source.js";

/**
 * wllama's options, as far as they make sense here, and all of {@link LoadOptions}. Its other
 * fields (`n_ctx`, ..) are ignored.
 */
export interface WllamaLoadConfig extends LoadOptions {
  progressCallback?: (progress: { loaded: number; total: number }) => void;
  /** Keeps the model for the next load; true by default. */
  useCache?: boolean;
  [ignored: string]: unknown;
}

/** wllama's fields beside OpenAI's. */
export interface WllamaRequest {
  abortSignal?: AbortSignal;
  /** Goes on from what the latest request left in the cache; true by default. */
  cache_prompt?: boolean;
}

interface Create<Params, Whole, Chunk> {
  /** Resolves once the answer has ended. */
  (
    params: Params & WllamaRequest & { stream: true; onData: (chunk: Chunk) => void },
  ): Promise<void>;
  (params: Params & WllamaRequest & { stream: true }): Promise<AsyncIterable<Chunk>>;
  (params: Params & WllamaRequest & { stream?: false | null }): Promise<Whole>;
}

/**
 * {@link Engine} under the names and with the options of wllama's release 3, for programs written
 * for it. The addresses of wllama's own WebAssembly files are ignored.
 */
export class Wllama {
  /** wllama's call, in OpenAI's shapes. */
  readonly createChatCompletion: Create<ChatParams, ChatCompletion, ChatCompletionChunk>;
  /** wllama's call, in OpenAI's shapes. */
  readonly createCompletion: Create<CompletionParams, Completion, CompletionChunk>;
  #engine: Engine | undefined;

  /** Creates an engine without a model. Both arguments are wllama's, and ignored. */
  // oxlint-disable-next-line no-unused-vars -- so that calls with them are right
  constructor(_pathConfig?: Readonly<Record<string, string>>, _config?: object) {
    /* oxlint-disable typescript/no-unsafe-type-assertion -- `stream`, `onData` select the type */
    this.createChatCompletion = ((request: Request<ChatParams, ChatCompletionChunk>) =>
      answer(request, (params, options) =>
        this.engine.chat.completions.create(params, options),
      )) as Create<ChatParams, ChatCompletion, ChatCompletionChunk>;
    this.createCompletion = ((request: Request<CompletionParams, CompletionChunk>) =>
      answer(request, (params, options) =>
        this.engine.completions.create(params, options),
      )) as Create<CompletionParams, Completion, CompletionChunk>;
    /* oxlint-enable typescript/no-unsafe-type-assertion */
  }

  /** Engine behind it. */
  get engine(): Engine {
    if (this.#engine === undefined) {
      throw new KvscopeError(
        "invalid-argument",
        "No model is loaded: call one of the loadModel methods first.",
      );
    }
    return this.#engine;
  }

  /** Loads a model from the Hugging Face hub. */
  loadModelFromHF(model: HubFile, config: WllamaLoadConfig = {}): Promise<void> {
    return this.#load(model, config);
  }

  /** Loads a model from an address; of a split model, from its first part's. */
  loadModelFromUrl(
    source: string | { readonly url: string },
    config: WllamaLoadConfig = {},
  ): Promise<void> {
    return this.#load(typeof source === "string" ? source : source.url, config);
  }

  /** Loads a model from local files. */
  loadModel(blobs: readonly Blob[], config: WllamaLoadConfig = {}): Promise<void> {
    return this.#load(blobs, config);
  }

  /** Returns whether a model is loaded. */
  isModelLoaded(): boolean {
    return this.#engine !== undefined;
  }

  /** Disposes of the engine. Another model may be loaded then. */
  exit(): Promise<void> {
    this.#engine?.dispose();
    this.#engine = undefined;
    return Promise.resolve();
  }

  async #load(source: ModelSource, config: WllamaLoadConfig): Promise<void> {
    const {
      progressCallback,
      useCache,
      onProgress,
      onWarning,
      signal,
      cache,
      gpu,
      store,
      wasmUrl,
      createWorker,
    } = config;
    if (this.#engine !== undefined) {
      throw new KvscopeError("invalid-argument", "A model is loaded already: call exit() first.");
    }
    const given = {
      onWarning,
      signal,
      cache,
      gpu,
      wasmUrl,
      createWorker,
      store: store ?? useCache,
    };
    const options = Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== undefined),
    );
    this.#engine = await Engine.load(source, {
      ...options,
      onProgress(progress) {
        onProgress?.(progress);
        if (progress.totalBytes !== undefined) {
          progressCallback?.({ loaded: progress.loadedBytes, total: progress.totalBytes });
        }
      },
    });
  }
}

type Request<Params, Chunk> = Params & WllamaRequest & { onData?: (chunk: Chunk) => void };

/** Lets `create` answer `request`, without wllama's own fields. */
async function answer<Params extends ChatParams | CompletionParams, Whole, Chunk>(
  request: Request<Params, Chunk>,
  create: (
    params: Params,
    options: { signal?: AbortSignal },
  ) => Promise<Whole | AsyncIterable<Chunk>>,
): Promise<Whole | AsyncIterable<Chunk> | undefined> {
  const { abortSignal, onData, cache_prompt, ...own } = request;
  const afresh = { ...own, cache: { ...own.cache, reuse: false } };
  const params = cache_prompt === false ? afresh : own;
  const options = abortSignal === undefined ? {} : { signal: abortSignal };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a type less some fields
  const answered = await create(params as unknown as Params, options);
  if (onData === undefined || params.stream !== true) {
    return answered;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a stream was asked for
  for await (const chunk of answered as AsyncIterable<Chunk>) {
    onData(chunk);
  }
  return undefined;
}
