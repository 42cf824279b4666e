import type {
  CacheOptions,
  DeviceLoss,
  GpuMemory,
  GpuOptions,
  GpuReport,
  MemoryReport,
  ModelReport,
  PlannedSlots,
  PlanRequest,
  Prompt,
  PromptTokens,
  RetainedLayer,
  SamplingField,
  Summary,
} from "../wasm/kvscope.js";
import { abortable, type AbortOptions } from "./abortable.js";
import { chatWording, textWording, withSaved } from "./answer.js";
import { startWorker, WorkerClient } from "./client.js";
import { complete, type Generate } from "./complete.js";
import { disposable } from "./disposable.js";
import {
  aborted,
  fromErrorRecord,
  invalidArgument,
  KvscopeError,
  toKvscopeError,
} from "./error.js";
import { HeldSessions } from "./held-sessions.js";
import { ifUnlocked } from "./lock.js";
import type {
  ChatCompletions,
  ChatMessage,
  ChatParams,
  CompletionParams,
  Completions,
  RequestCache,
  RequestOptions,
  TemplateParams,
} from "./openai.js";
import type { CallName, Calls, LoadProgress, LoadResult, WorkerStats } from "./protocol.js";
import { Queue } from "./queue.js";
import {
  cacheRules,
  chatPrompt,
  templated,
  textPrompt,
  textPrompts,
  toGenerateRequest,
  toGenerateRequests,
  type Choice,
} from "./request.js";
import { Session, type DocumentOptions, type SessionHost, type SessionOptions } from "./session.js";
import { readSession, removeSession, storedSessions, type StoredSession } from "./session-store.js";
import { areLocal, modelId, resolveSource, type ModelSource } from "./source.js";
import { removeStored, storedModels, type StoredModel } from "./store.js";
import { requireWebGpu } from "./support.js";
import { TraceTask } from "./trace.js";

/** Number of the session of requests without one. */
const NO_SESSION = 0;

/** Options of {@link Engine.load}. Every field has a default. */
export interface LoadOptions {
  /** Called with the load's progress, some twenty times per second. */
  onProgress?: (progress: LoadProgress) => void;
  /** Called with failures that do not stop the load: `"storage-full"` and `"storage-failed"`. */
  onWarning?: (warning: KvscopeError) => void;
  /** Ends the load, which rejects with `"aborted"`. Downloaded bytes stay for the next one. */
  signal?: AbortSignal;
  /** Rules of the cache, for requests without their own; by default everything in f16. */
  cache?: RequestCache;
  /**
   * Bytes that the caches of all sessions may hold together, without a limit by default. Beyond it
   * the least recently used give up theirs, and compute their conversation anew when they go on. A
   * branch counts from its first answer on.
   */
  sessionBytes?: number;
  /** Called with each session that gave up its cache for others. */
  onGivenUp?: (session: Session) => void;
  /** Wishes about the GPU. */
  gpu?: GpuOptions;
  /** Model of the source `"default"`. */
  defaultModel?: ModelSource;
  /** Keeps a model from an address in the origin's file system; true by default. */
  store?: boolean;
  /** Address of `kvscope/wasm`, for pages that serve it from elsewhere. */
  wasmUrl?: string | URL;
  /** Starts the package's `dist/worker.js`, for pages that start workers in a way of their own. */
  createWorker?: () => Worker;
}

/** A loaded model. */
export interface LoadedModel extends ModelReport {
  /** Name of its (first) file. */
  readonly name: string;
  /** Bytes of its files. */
  readonly bytes: number;
  /** The files came from the origin's file system, without a request. */
  readonly fromStore: boolean;
  /** The files are there now. */
  readonly stored: boolean;
}

/** Request of {@link Engine.plannedSlots}; its cache has the engine's rules where it has none. */
export type SlotPlan = Omit<PlanRequest, "layers" | "kvHeads" | "windows">;

/** Result of {@link Engine.memory}. */
export interface EngineMemory extends MemoryReport {
  /** Bytes that a full cache in f16 would hold beyond those held. */
  savedBytes: number;
}

/** Result of {@link Engine.stats}. */
export interface EngineStats extends WorkerStats {
  /** Adapter and device. */
  gpu: GpuReport;
  /** Memory of everything on the device, which is this engine's own. */
  gpuMemory: GpuMemory;
  /** Requests run, whatever their result. */
  requests: number;
  /** Tokens generated. */
  newTokens: number;
  /** The latest request that was not refused. */
  last: Summary | undefined;
}

/**
 * A language model in a worker of its own, with a key-value cache inside a fixed budget.
 *
 * Requests run one after the other, in the order of their calls. Two at once would each take twice
 * as long. Every method rejects with a {@link KvscopeError}.
 */
export class Engine implements Disposable {
  /** The model. */
  readonly model: LoadedModel;
  /** The adapter, and the features and limits that the device was opened with. */
  readonly gpu: GpuReport;
  /**
   * Resolves, never rejects, once the device is gone: by {@link dispose} or by itself. The engine
   * is then of no use.
   */
  readonly lost: Promise<DeviceLoss>;
  /** OpenAI's `client.chat`. */
  readonly chat: { readonly completions: ChatCompletions };
  /** OpenAI's `client.completions`. */
  readonly completions: Completions;
  /** Programs of the trace task, and their grading. */
  readonly trace: TraceTask;
  /** Calls {@link dispose}, for `using`, in browsers that know `Symbol.dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  static {
    disposable(Engine.prototype, (engine) => engine.dispose());
  }

  readonly #client: WorkerClient;
  readonly #cache: RequestCache;
  readonly #sampling: readonly SamplingField[];
  readonly #queue = new Queue();
  readonly #held: HeldSessions;
  readonly #host: SessionHost;
  #numbers = 0;
  #requests = 0;
  #newTokens = 0;
  #last: Summary | undefined;

  private constructor(
    client: WorkerClient,
    name: string,
    { gpu, model, sampling, ...rest }: LoadResult,
    { cache = {}, sessionBytes, onGivenUp }: LoadOptions,
  ) {
    this.#client = client;
    this.#cache = cache;
    this.#held = new HeldSessions(sessionBytes, onGivenUp);
    this.#host = this.#asHost(name);
    this.#sampling = sampling;
    this.model = { name, ...model, ...rest };
    this.gpu = gpu;
    this.lost = client.lost;
    /* oxlint-disable typescript/no-unsafe-type-assertion -- `stream` selects the overload */
    const chat = this.#createChat.bind(this) as ChatCompletions["create"];
    this.chat = { completions: { create: chat } };
    this.completions = { create: this.#createText.bind(this) as Completions["create"] };
    /* oxlint-enable typescript/no-unsafe-type-assertion */
    this.trace = new TraceTask((call, argument, options) => this.#ask(call, argument, options));
  }

  /**
   * Opens a GPU and loads a model onto it, in a worker of its own. A model from an address is kept
   * in the origin's file system. Its next load makes no request, and an interrupted one resumes.
   *
   * @throws {KvscopeError} above all `"webgpu-unavailable"`, `"download-failed"`,
   *   `"model-malformed"`, `"model-truncated"`, `"model-unsupported"`, `"limit-too-small"` and
   *   `"aborted"`
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<Engine> {
    const {
      onProgress,
      onWarning,
      signal,
      gpu = {},
      defaultModel,
      store = true,
      wasmUrl,
    } = options;
    requireWebGpu();
    const { sessionBytes } = options;
    if (sessionBytes !== undefined && !(sessionBytes >= 0)) {
      throw invalidArgument("sessionBytes", "must be a number of at least 0");
    }
    const model = resolveSource(source, defaultModel);
    if (signal?.aborted === true) {
      throw aborted("The load", signal.reason);
    }
    const client = new WorkerClient((options.createWorker ?? startWorker)());
    const wasm =
      wasmUrl === undefined ? undefined : new URL(wasmUrl, globalThis.location.href).href;
    try {
      const result = await client.call(
        "load",
        { model, gpu, wasmUrl: wasm, store },
        {
          signal,
          onEvent: (event) =>
            "progress" in event
              ? onProgress?.(event.progress)
              : onWarning?.(fromErrorRecord(event.warning)),
        },
      );
      return new Engine(client, model.name, result, options);
    } catch (thrown) {
      const error = toKvscopeError(thrown);
      client.terminate(error);
      throw error;
    }
  }

  /**
   * Lists the models in the origin's file system, complete ones and those whose download broke off.
   */
  static models({ signal }: AbortOptions = {}): Promise<StoredModel[]> {
    return abortable("The list", storedModels, signal);
  }

  /**
   * Deletes a stored model, if it is there: one of {@link models}, or the model of a source.
   *
   * @throws {KvscopeError} `"storage-busy"` during its load, `"storage-failed"` or
   *   `"invalid-argument"`
   */
  static async deleteModel(
    model: StoredModel | ModelSource,
    { signal }: AbortOptions = {},
  ): Promise<void> {
    const id = storedId(model);
    if (!(await abortable("The deletion", () => ifUnlocked(id, () => removeStored(id)), signal))) {
      throw new KvscopeError(
        "storage-busy",
        "The model is being loaded, here or in another tab. Delete it after that.",
      );
    }
  }

  /**
   * Lists the sessions in the origin's file system, the newest first. Every model's are among them.
   */
  static savedSessions({ signal }: AbortOptions = {}): Promise<StoredSession[]> {
    return abortable("The list", storedSessions, signal);
  }

  /**
   * The file of a saved session, to take it elsewhere.
   *
   * @throws {KvscopeError} `"session-not-found"`
   */
  static savedSession(name: string, { signal }: AbortOptions = {}): Promise<File> {
    return abortable("The file", () => readSession(name), signal);
  }

  /**
   * Deletes a saved session, if it is there.
   *
   * @throws {KvscopeError} `"storage-failed"`
   */
  static deleteSession(name: string, { signal }: AbortOptions = {}): Promise<void> {
    return abortable("The deletion", () => removeSession(name), signal);
  }

  /** The open sessions, the oldest first. */
  get sessions(): readonly Session[] {
    return this.#held.open;
  }

  /**
   * Opens a conversation with a cache of its own.
   *
   * @throws {KvscopeError} `"invalid-argument"` or `"invalid-config"`
   */
  async session(options: SessionOptions = {}): Promise<Session> {
    const { messages = [], cache, ...settings } = options;
    const rules = await this.#sessionRules(cache);
    const begun = messages.length === 0 ? [] : chatPrompt(messages);
    const conversation = { messages: begun };
    const number = this.#host.number();
    return new Session(this.#host, number, { ...settings, cache: rules }, conversation);
  }

  /**
   * Reads a document into a session, for questions about it: `session.ask` answers each in the time
   * of its own tokens.
   *
   * @throws {KvscopeError} as a request, and `"aborted"`
   */
  async document(text: string, options: DocumentOptions = {}): Promise<Session> {
    const { budget, messages = [], cache, signal, onPrefill, ...settings } = options;
    const document = textPrompt(text, "text");
    if (budget !== undefined && cache?.prefill !== undefined) {
      throw invalidArgument("budget", "is that of cache.prefill: give either");
    }
    const begun = messages.length === 0 ? [] : chatPrompt(messages);
    if (begun.some(({ role }) => role !== "system")) {
      throw invalidArgument("messages", "of a document can only be the system's");
    }
    const compressed: CacheOptions =
      budget === undefined ? {} : { prefill: { method: "snapkv", budget } };
    const rules = await this.#sessionRules({ ...cache, ...compressed });
    const conversation = { document, messages: begun };
    const number = this.#host.number();
    const session = new Session(this.#host, number, { ...settings, cache: rules }, conversation);
    try {
      await session.read({ ...(signal && { signal }), ...(onPrefill && { onPrefill }) });
    } catch (error) {
      session.close().catch(() => undefined);
      throw error;
    }
    return session;
  }

  /**
   * Loads a session: one saved under a name, or the bytes or file of one. Nothing is computed. Its
   * rules are those that it was saved with. `saveAs` and `dropReasoning` are not in the save.
   *
   * @throws {KvscopeError} `"session-not-found"`, `"session-model"`, `"session-version"` or
   *   `"session-corrupt"`; the engine goes on
   */
  loadSession(
    from: string | Uint8Array<ArrayBuffer> | ArrayBuffer | Blob,
    { signal, ...settings }: Omit<SessionOptions, "messages" | "cache"> & AbortOptions = {},
  ): Promise<Session> {
    const isBytes = from instanceof Uint8Array || from instanceof ArrayBuffer;
    if (!(typeof from === "string" || isBytes || from instanceof Blob)) {
      return Promise.reject(invalidArgument("from", "must be a name, bytes or a Blob"));
    }
    return Session.load(this.#host, settings, from, signal);
  }

  /**
   * Tokenizes a text, or a conversation with its template: just as a request sends either. The
   * template's values are those of a request's fields.
   *
   * @throws {KvscopeError} `"invalid-argument"`, naming the field of a message
   */
  async tokens(
    prompt: string | readonly ChatMessage[],
    options: AbortOptions & TemplateParams = {},
  ): Promise<PromptTokens> {
    const sent = typeof prompt === "string" ? prompt : templated(chatPrompt(prompt), options);
    return this.#ask("tokens", sent, options);
  }

  /**
   * Slots that a request's cache will hold in each layer and KV head, by the cache's own rules.
   *
   * @throws {KvscopeError} `"invalid-config"` or `"invalid-argument"`
   */
  plannedSlots(
    { cache, promptTokens, maxNewTokens, steps }: SlotPlan,
    options: AbortOptions = {},
  ): Promise<PlannedSlots> {
    const { layers, kvHeads, windows } = this.model;
    const numbers = { layers, kvHeads, windows, promptTokens, maxNewTokens, steps };
    const { reuse: _, ...rules } = cacheRules(this.#cache, cache);
    return this.#ask("plannedSlots", { cache: rules, ...numbers }, options);
  }

  /**
   * Memory of the cache of the latest request without a session. Zeros before the first one and
   * while one runs: its chunks report it then.
   */
  async memory(options: AbortOptions = {}): Promise<EngineMemory> {
    return withSaved(await this.#ask("memory", NO_SESSION, options));
  }

  /**
   * Slots of a layer of the cache of the latest request without a session: positions, scores and
   * phases. Waits for running requests.
   */
  retained(layer: number, options: AbortOptions = {}): Promise<RetainedLayer> {
    return this.#queue.run(
      () => this.#ask("retained", { session: NO_SESSION, layer }, options),
      options.signal,
    );
  }

  /** Memory of GPU and module, and counts of what was generated. */
  async stats(options: AbortOptions = {}): Promise<EngineStats> {
    const measured = await this.#ask("stats", undefined, options);
    return {
      gpu: this.gpu,
      ...measured,
      requests: this.#requests,
      newTokens: this.#newTokens,
      last: this.#last,
    };
  }

  /** Frees the cache of requests without a session. Waits for running requests. */
  forget(options: AbortOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      this.#held.forget();
      return this.#ask("forget", [NO_SESSION], options);
    }, options.signal);
  }

  /**
   * Ends the worker and frees its memory. Running and later calls reject with `"engine-disposed"`.
   */
  dispose(): void {
    const reason = new KvscopeError("engine-disposed", "The engine was disposed of. Load another.");
    this.#client.dispose(reason, { reason: "destroyed", message: "dispose() was called" });
  }

  // `async`, so that a refused request always rejects and never throws.
  async #createChat(params: ChatParams, options: RequestOptions = {}): Promise<unknown> {
    const choices = this.#choices(params, [templated(chatPrompt(params.messages), params)]);
    const wording = chatWording(this.model.name);
    return complete(this.#generate, choices, wording, params, options);
  }

  async #createText(params: CompletionParams, options: RequestOptions = {}): Promise<unknown> {
    const choices = this.#choices(params, textPrompts(params.prompt));
    const wording = textWording(this.model.name, typeof params.logprobs === "number");
    return complete(this.#generate, choices, wording, params, options);
  }

  #choices(params: ChatParams | CompletionParams, prompts: readonly Prompt[]): Choice[] {
    return toGenerateRequests(params, prompts, this.#cache, this.#sampling);
  }

  #ask<Name extends CallName>(
    call: Name,
    argument: Calls[Name]["argument"],
    { signal }: AbortOptions,
  ): Promise<Calls[Name]["result"]> {
    return abortable("The call", () => this.#client.call(call, argument), signal);
  }

  readonly #generate: Generate = (request, onEvent, signal) =>
    this.#queue.run(async () => {
      const result = await this.#run(request, onEvent, signal);
      await this.#account(undefined, result.summary.memory.heldBytes);
      return result;
    }, signal);

  readonly #run: Generate = async (request, onEvent, signal) => {
    this.#requests += 1;
    const result = await this.#client.call("generate", request, { onEvent, signal });
    this.#newTokens += result.summary.newTokens;
    this.#last = result.summary;
    return result;
  };

  /** Rules of a session, refused as those of a request would be. */
  async #sessionRules(own: CacheOptions | undefined): Promise<CacheOptions> {
    if (own !== undefined && (typeof own !== "object" || own === null)) {
      throw invalidArgument("cache", "must be an object");
    }
    const { reuse: _, ...rules } = cacheRules(this.#cache, own);
    await this.plannedSlots({ cache: rules, promptTokens: 1, maxNewTokens: 1, steps: 0 });
    return rules;
  }

  /** Notes what a session holds, and frees what is too much together. */
  async #account(session: Session | undefined, bytes: number): Promise<void> {
    const freed = this.#held.account(session, bytes);
    if (freed.length > 0) {
      await this.#client.call("forget", freed);
    }
  }

  #asHost(modelName: string): SessionHost {
    return {
      modelName,
      request: (params) => toGenerateRequest(params, templated([], params), {}, this.#sampling),
      turn: (work, signal) => this.#queue.run(work, signal),
      generate: this.#run,
      call: (call, argument, onEvent, signal) =>
        this.#client.call(call, argument, { ...(onEvent && { onEvent }), signal }),
      number: () => {
        this.#numbers += 1;
        return this.#numbers;
      },
      account: (session, bytes) => this.#account(session, bytes),
      touch: (session) => this.#held.touch(session),
      opened: (session) => this.#held.add(session),
      closed: (session) => this.#held.remove(session),
    };
  }
}

function storedId(model: StoredModel | ModelSource): string {
  if (typeof model === "object" && "id" in model) {
    return model.id;
  }
  const { parts } = resolveSource(model);
  if (areLocal(parts)) {
    throw new KvscopeError("invalid-argument", "model is a file, and files are not stored", {
      argument: "model",
    });
  }
  return modelId(parts);
}
