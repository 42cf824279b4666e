import type {
  CacheOptions,
  Conversation,
  GenerateRequest,
  GenerateResult,
  MemoryReport,
  RetainedLayer,
} from "../wasm/kvscope.js";
import type { AbortOptions } from "./abortable.js";
import { chatWording, withSaved } from "./answer.js";
import { complete, type Generate } from "./complete.js";
import type { KvscopeErrorCode } from "./codes.js";
import { aborted, invalidArgument, KvscopeError, toKvscopeError } from "./error.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatMessage,
  ChatParams,
  RequestOptions,
} from "./openai.js";
import type { CallName, Calls, GenerateEvent } from "./protocol.js";
import { textPrompt, withMessages } from "./request.js";

/** Options of {@link Engine.session}. Every field has a default. */
export interface SessionOptions {
  /** Rules of the session's cache; those of the engine's that it does not name stay. */
  cache?: CacheOptions;
  /** Messages that it begins with, such as the system's. */
  messages?: readonly ChatMessage[];
  /**
   * Takes an answer's thinking out of the cache once the answer is there. That is for models whose
   * chat template leaves it out of earlier answers. The answer's other tokens are computed again.
   */
  dropReasoning?: boolean;
  /**
   * Saves the session under this name after each answer. A failure goes to `onWarning`, and the
   * session goes on.
   */
  saveAs?: string;
  /** Called with failures to save. */
  onWarning?: (warning: KvscopeError) => void;
}

/** Options of {@link Engine.document}. */
export interface DocumentOptions extends SessionOptions, RequestOptions {
  /** Slots that the document may hold, or their share such as `"25%"`; by default all. */
  budget?: number | `${number}%`;
}

/** Parameters of {@link Session.send}: those of a chat without its messages. */
export type SendParams = Omit<ChatParams, "messages" | "cache" | "stream">;

/** Codes of failures after which the engine has no memory left to free. */
const GONE = new Set<KvscopeErrorCode>(["engine-disposed", "device-lost", "worker-failed"]);

/** A message of a session. */
export interface SessionMessage {
  readonly role: ChatMessage["role"];
  readonly content: string;
}

/** An engine as its sessions see it. @internal */
export interface SessionHost {
  readonly modelName: string;
  /** The request of a message, but for what only its turn knows. */
  request(params: ChatParams): GenerateRequest;
  /** Runs `work` when its turn comes. */
  turn<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T>;
  generate(
    request: GenerateRequest,
    onEvent: (event: GenerateEvent) => void,
    signal: AbortSignal | undefined,
  ): Promise<GenerateResult>;
  call<Name extends CallName>(
    call: Name,
    argument: Calls[Name]["argument"],
    onEvent?: (event: Calls[Name]["event"]) => void,
    signal?: AbortSignal,
  ): Promise<Calls[Name]["result"]>;
  /** The number of a new session. */
  number(): number;
  /** Notes that a session holds so many bytes, and frees others that are too much. */
  account(session: Session, bytes: number): Promise<void>;
  /** Notes that a session is of use. False if it holds nothing. */
  touch(session: Session): boolean;
  opened(session: Session): void;
  closed(session: Session): void;
}

type Settings = Pick<SessionOptions, "dropReasoning" | "saveAs" | "onWarning"> & {
  readonly cache: CacheOptions;
  /** A branch for one answer, which counts towards no budget. */
  readonly passing?: boolean;
};

/**
 * A conversation that an engine holds in a cache of its own. Each answer computes the new tokens
 * alone. {@link Engine.session} opens one.
 */
export class Session {
  readonly #host: SessionHost;
  readonly #number: number;
  readonly #settings: Settings;
  #conversation: Conversation;
  #closed = false;

  /** Sessions are opened by an engine. @internal */
  constructor(host: SessionHost, number: number, settings: Settings, conversation: Conversation) {
    this.#host = host;
    this.#number = number;
    this.#settings = settings;
    this.#conversation = conversation;
    host.opened(this);
  }

  /** Its number on the engine. @internal */
  get number(): number {
    return this.#number;
  }

  /** The messages so far. */
  get messages(): readonly SessionMessage[] {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- other roles are refused
    return this.#conversation.messages as unknown as readonly SessionMessage[];
  }

  /** The document that it is about, if any. */
  get document(): string | undefined {
    return this.#conversation.document;
  }

  /** Rules of its cache. */
  get cache(): CacheOptions {
    return this.#settings.cache;
  }

  /**
   * Answers a message, after all before it. An aborted answer stays in the conversation as far as
   * it came.
   *
   * @throws {KvscopeError} as `engine.chat.completions.create`
   */
  send(
    content: string,
    params: SendParams & { stream: true },
    options?: RequestOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>>;
  send(
    content: string,
    params?: SendParams & { stream?: false },
    options?: RequestOptions,
  ): Promise<ChatCompletion>;
  async send(
    content: string,
    { stream, ...params }: SendParams & { stream?: boolean } = {},
    options: RequestOptions = {},
  ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    const text = textPrompt(content, "content");
    if ("cache" in params || "messages" in params) {
      throw invalidArgument("params", "has no cache and no messages: those are the session's");
    }
    const request = this.#host.request({
      ...params,
      messages: [{ role: "user", content: text }],
    });
    const wording = chatWording(this.#host.modelName);
    return complete(
      this.#answer(text),
      [{ request, again: false }],
      wording,
      { ...params, stream: stream ?? false },
      options,
    );
  }

  /**
   * Answers a question in a branch that is given up afterwards: this session stays as it is. For
   * questions about a document.
   */
  ask(
    question: string,
    params: SendParams & { stream: true },
    options?: RequestOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>>;
  ask(
    question: string,
    params?: SendParams & { stream?: false },
    options?: RequestOptions,
  ): Promise<ChatCompletion>;
  async ask(
    question: string,
    params: SendParams & { stream?: boolean } = {},
    options: RequestOptions = {},
  ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    const branch = await this.#branch(
      { cache: this.#settings.cache, passing: true },
      options.signal,
    );
    const { stream, ...rest } = params;
    const answer =
      stream === true
        ? branch.send(question, { ...rest, stream }, options)
        : branch.send(question, rest, options);
    // Its turn comes after the answer's.
    branch.close().catch(() => undefined);
    return answer;
  }

  /**
   * Opens a branch: a session with the same messages, which shares this one's memory until either
   * goes on. It has no `saveAs`.
   */
  fork({ signal }: AbortOptions = {}): Promise<Session> {
    const { saveAs: _, ...settings } = this.#settings;
    return this.#branch(settings, signal);
  }

  /**
   * Takes back the last `turns` questions, with their answers. The cache goes back at the next
   * message: at once where nothing has been evicted since, else by computing anew.
   */
  async rewind(turns = 1, { signal }: AbortOptions = {}): Promise<void> {
    if (!(Number.isSafeInteger(turns) && turns >= 0)) {
      throw invalidArgument("turns", "must be a whole number of at least 0");
    }
    await this.#host.turn(async () => {
      this.#check();
      let { messages } = this.#conversation;
      for (let turn = 0; turn < turns; turn += 1) {
        const asked = messages.findLastIndex(({ role }) => role === "user");
        messages = asked === -1 ? messages : messages.slice(0, asked);
      }
      this.#conversation = { ...this.#conversation, messages };
      await Promise.resolve();
    }, signal);
  }

  /** Memory of its cache. Zeros while it answers or is saved. */
  async memory(): Promise<MemoryReport & { savedBytes: number }> {
    this.#check();
    return withSaved(await this.#host.call("memory", this.#number));
  }

  /** Slots of a layer of its cache: positions, scores and phases. */
  retained(layer: number, { signal }: AbortOptions = {}): Promise<RetainedLayer> {
    const session = this.#number;
    return this.#host.turn(async () => {
      this.#check();
      return this.#host.call("retained", { session, layer });
    }, signal);
  }

  /**
   * Saves it in the origin's file system, in place of what had that name. Whatever happens in
   * between, there is the old save or the new one.
   *
   * @throws {KvscopeError} `"storage-full"` or `"storage-failed"`; the session goes on
   */
  async save(name: string, { signal }: AbortOptions = {}): Promise<void> {
    await this.#host.turn(() => this.#save(textPrompt(name, "name")), signal);
  }

  /** Saves it to bytes, for {@link Engine.loadSession}. */
  async toBytes({ signal }: AbortOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#host.turn(() => this.#save(undefined), signal);
    return bytes ?? new Uint8Array();
  }

  /** Frees its memory, after its requests. Later ones reject with `"session-closed"`. */
  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#host.closed(this);
    await this.#host.turn(async () => {
      this.#closed = true;
      // Requests before this turn have held something again.
      this.#host.closed(this);
      await this.#host.call("forget", [this.#number]).catch((error: unknown) => {
        // With its engine or its device, its memory is gone already.
        const { code } = toKvscopeError(error);
        if (!GONE.has(code)) {
          throw error;
        }
      });
    }, undefined);
  }

  /** Reads the document in, or what it holds in place of an answer's thinking. @internal */
  read({ signal, onPrefill }: RequestOptions): Promise<void> {
    return this.#host.turn(() => this.#hold(signal, onPrefill), signal);
  }

  /** Loads what was saved. @internal */
  static async load(
    host: SessionHost,
    settings: Omit<Settings, "cache">,
    from: Calls["loadSession"]["argument"]["from"],
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    return host.turn(async () => {
      const session = host.number();
      const saved = await host.call("loadSession", { session, from });
      const { cache, conversation } = saved;
      const loaded = new Session(host, session, { ...settings, cache }, conversation);
      await host.account(loaded, saved.heldBytes);
      return loaded;
    }, signal);
  }

  #branch(settings: Settings, signal: AbortSignal | undefined): Promise<Session> {
    return this.#host.turn(async () => {
      this.#check();
      const { document, messages } = this.#conversation;
      const unasked = messages.every(({ role }) => role !== "user");
      const isDocument = document !== undefined && unasked;
      if (!this.#host.touch(this) && settings.passing === true && isDocument) {
        // The budget took what had been read. Other questions will want it too.
        await this.#hold(signal, undefined);
      }
      const branch = new Session(this.#host, this.#host.number(), settings, this.#conversation);
      await this.#host.call("fork", { session: this.#number, branch: branch.#number });
      return branch;
    }, signal);
  }

  /** Answers `text`, once that is its turn, and takes both into the conversation. */
  #answer(text: string): Generate {
    return (request, onEvent, signal) =>
      this.#host.turn(async () => {
        this.#check();
        const conversation = this.#conversation;
        const asked = await this.#host.call("asked", { conversation, question: text });
        const result = await this.#host.generate(
          {
            ...request,
            prompt: withMessages(request.prompt, asked.messages),
            cache: this.#settings.cache,
            session: this.#number,
          },
          onEvent,
          signal,
        );
        const { finish, newTokens, memory } = result.summary;
        // A prompt that was cancelled has no answer.
        const isAnswered = finish !== "cancelled" || newTokens > 0;
        if (isAnswered) {
          const answer = { role: "assistant", content: result.text };
          this.#conversation = { ...asked, messages: [...asked.messages, answer] };
        }
        await this.#account(memory.heldBytes);
        if (isAnswered) {
          await this.#afterAnswer();
        }
        return result;
      }, signal);
  }

  /** Drops the answer's thinking and saves, as the options say. Neither takes the answer back. */
  async #afterAnswer(): Promise<void> {
    const { dropReasoning, saveAs, onWarning } = this.#settings;
    const warn = (thrown: unknown): void => {
      const error = toKvscopeError(thrown);
      queueMicrotask(() => onWarning?.(error));
    };
    if (dropReasoning === true) {
      await this.#hold(undefined, undefined).catch(warn);
    }
    if (saveAs !== undefined) {
      await this.#save(saveAs).catch(warn);
    }
  }

  async #account(bytes: number): Promise<void> {
    if (this.#settings.passing !== true) {
      await this.#host.account(this, bytes);
    }
  }

  /** Makes the cache hold what every next turn begins with. */
  async #hold(
    signal: AbortSignal | undefined,
    onPrefill: RequestOptions["onPrefill"],
  ): Promise<void> {
    this.#check();
    const held = await this.#host.call(
      "hold",
      {
        session: this.#number,
        cache: this.#settings.cache,
        conversation: this.#conversation,
      },
      (event) => "prefill" in event && onPrefill?.(event.prefill.done, event.prefill.of),
      signal,
    );
    await this.#account(held.summary.memory.heldBytes);
    if (held.summary.finish === "cancelled") {
      throw aborted("The reading", signal?.reason);
    }
  }

  #save(name: string | undefined): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#check();
    return this.#host.call("saveSession", {
      name,
      saved: {
        session: this.#number,
        cache: this.#settings.cache,
        conversation: this.#conversation,
      },
    });
  }

  #check(): void {
    if (this.#closed) {
      throw new KvscopeError("session-closed", "The session was closed. Open another.");
    }
  }
}
