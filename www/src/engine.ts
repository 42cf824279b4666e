import {
  Engine,
  KvscopeError,
  requireWebGpu,
  type CacheOptions,
  type ChatCompletionChunk,
  type ChatFinishReason,
  type ChatMessage,
  type CompletionChunk,
  type DeviceLoss,
  type KvReport,
  type HubFile,
  type LoadProgress,
  type RequestCache,
  type Session,
  type StoredModel,
  type StoredSession,
  type TraceProgram,
} from "kvscope";
import { bytes, count } from "./ui/format.ts";

// What the page knows of the package: all of it comes through this file.
export type {
  BudgetOption,
  CacheOptions,
  CacheType,
  ChatMessage,
  DecodeStrategy,
  KvReport,
  LoadProgress,
  PrefillMethod,
  StoredModel,
  StoredSession,
  TraceProgram,
} from "kvscope";
export { requireWebGpu };
/** Source of a model: an address, a file on the hub, or files at hand. */
export type ModelSource = string | HubFile | readonly File[];
export type FinishReason = ChatFinishReason;

/** Positions that one KV head holds. */
export interface RetainedHead {
  readonly positions: readonly number[];
  readonly scores: readonly number[];
}

/** Text to generate: its prompt, its cache and its sampling. */
export interface GenerateWish {
  readonly prompt: string;
  readonly cache: CacheOptions;
  readonly tokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /** Steps from one report of what is retained to the next; `undefined` for none. */
  readonly observeEvery: number | undefined;
}

/** One generated token. */
export interface GeneratedToken {
  readonly text: string;
  /** Its position in the whole sequence. */
  readonly position: number;
  /** The cache before this token is in it. */
  readonly kv: KvReport;
  /** Positions that each layer's heads hold, at the steps that report them. */
  readonly retained?: readonly (readonly RetainedHead[])[];
}

export interface GenerateHandlers {
  readonly signal: AbortSignal;
  readonly onPrefill: (done: number, of: number) => void;
  readonly onToken: (token: GeneratedToken) => void;
}

/** Speed of a run. */
export interface RunUsage {
  readonly promptTokens: number;
  readonly prefillMs: number;
  readonly decodeTokensPerSecond: number;
}

/** Speed and tokens of a turn. */
export interface TurnUsage extends RunUsage {
  /** Tokens of the prompt that were held from before, and not computed again. */
  readonly cachedTokens: number;
  readonly newTokens: number;
}

/** End of a run. */
export interface Ended {
  readonly finish: FinishReason;
  /** Text that no token could be sure of before the end. */
  readonly rest: string;
  /** The cache at the end. */
  readonly kv: KvReport | undefined;
  readonly usage: TurnUsage | undefined;
}

/** One message to be answered, and the sampling of the answer. */
export type ChatWish = Pick<GenerateWish, "tokens" | "temperature" | "topP" | "seed"> & {
  readonly text: string;
};

/** A message before the first question. */
export interface OpeningMessage {
  readonly role: "system" | "developer";
  readonly content: string;
}

/** Beginning of a conversation. */
export interface Beginning {
  readonly cache: CacheOptions;
  readonly messages: readonly OpeningMessage[];
  /** True if the thinking of answers leaves the cache once they are there. */
  readonly dropReasoning: boolean;
}

const hasCode = (error: unknown, code: KvscopeError["code"]): boolean =>
  error instanceof KvscopeError && error.code === code;
export const isAborted = (error: unknown): boolean => hasCode(error, "aborted");
export const isTooLong = (error: unknown): boolean => hasCode(error, "prompt-too-long");
export const isDeviceLost = (error: unknown): boolean => hasCode(error, "device-lost");

/** The models that this browser keeps; none where it keeps nothing for pages. */
export const storedModels = (): Promise<readonly StoredModel[]> => Engine.models().catch(() => []);
export const deleteModel = (model: StoredModel): Promise<void> => Engine.deleteModel(model);

/** The conversations that this browser keeps, of every model, the newest first. */
export const savedChats = (): Promise<readonly StoredSession[]> => Engine.savedSessions();
/** The file of a saved conversation. @throws {KvscopeError} as `Engine.savedSession` does */
export const savedChat = (name: string): Promise<File> => Engine.savedSession(name);
export const deleteChat = (name: string): Promise<void> => Engine.deleteSession(name);

export interface LoadHandlers {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly onWarning: (warning: KvscopeError) => void;
}

/** A whole answer, and the most that its cache held. */
export interface Answer {
  readonly text: string;
  readonly finish: FinishReason;
  /** Bytes. */
  readonly held: number;
  /** Bytes that a full cache in f16 would have held. */
  readonly full: number;
}

/** Least size of a vocabulary for prose: a smaller one spells single characters. */
const LEAST_FOR_PROSE = 128;

/** Adapters that compute on the processor, by what they call themselves. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/** Says whether this browser kept the model, or will. */
function keptBy(fromStore: boolean, stored: boolean): string {
  if (fromStore) {
    return "; it was kept here, nothing was fetched";
  }
  return stored ? "; kept for your next visit" : "";
}

/** A word of thinking that no chat template has in it. */
const THOUGHT = "pondered";

/** Rules of a run that is compared with others: it computes all of its prompt. */
const afresh = (cache: CacheOptions): RequestCache => ({ ...cache, reuse: false });

/** Text on the layers that have a window, if any has one. */
function windowed(windows: readonly (number | undefined)[]): string {
  const sizes = windows.filter((window) => window !== undefined);
  const all = [...new Set(sizes)].map((window) => count(window)).join(" or ");
  return sizes.length === 0 ? "" : ` (${sizes.length} see the newest ${all} positions only)`;
}

/** Slots of the KV heads with the most. */
export interface Slots {
  /** For the prompt. */
  readonly prefill: number;
  /** For the output. */
  readonly decode: number;
}

/** Bytes that the caches of a page's conversations may hold together: as much as a small model. */
const CHAT_BYTES = 2 ** 30;

/** Hands on a stream's tokens, and returns how it ended. */
async function follow(
  stream: AsyncIterable<ChatCompletionChunk | CompletionChunk>,
  onToken: (token: GeneratedToken) => void,
): Promise<Ended> {
  let finish: FinishReason = "abort";
  let rest = "";
  let last: KvReport | undefined;
  let usage: TurnUsage | undefined;
  for await (const { choices, step, kv, retained, usage: told } of stream) {
    const [choice] = choices;
    const text =
      (choice === undefined || "text" in choice ? choice?.text : choice.delta.content) ?? "";
    finish = choice?.finish_reason ?? finish;
    last = kv;
    if (step === undefined) {
      rest += text;
    } else {
      const layers = retained?.map(({ heads }) => heads);
      const { position } = step;
      onToken({ text, position, kv, ...(layers !== undefined && { retained: layers }) });
    }
    if (told !== undefined) {
      usage = {
        promptTokens: told.prompt_tokens,
        cachedTokens: told.prompt_tokens_details.cached_tokens,
        newTokens: told.completion_tokens,
        prefillMs: (1000 * told.prompt_tokens) / told.extra.prefill_tokens_per_s,
        decodeTokensPerSecond: told.extra.decode_tokens_per_s,
      };
    }
  }
  return { finish, rest, kv: last, usage };
}

/** Fields of a request whose answer is a stream with usage. */
const streamed = ({
  tokens,
  temperature,
  topP,
  seed,
}: Pick<GenerateWish, "tokens" | "temperature" | "topP" | "seed">) =>
  ({
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: tokens,
    temperature,
    top_p: topP,
    seed,
  }) as const;

/** A conversation in a cache of its own. */
export class Chat {
  readonly #engine: Engine;
  readonly #session: Session;

  /** @internal A model opens it. */
  constructor(engine: Engine, session: Session) {
    this.#engine = engine;
    this.#session = session;
  }

  /** Rules of its cache. */
  get cache(): CacheOptions {
    return this.#session.cache;
  }

  /** The document that it is about, if any. */
  get document(): string | undefined {
    return this.#session.document;
  }

  get messages(): readonly { readonly role: string; readonly content: string }[] {
    return this.#session.messages;
  }

  /** Answers a message. @throws {KvscopeError} as `session.send` does */
  async send(wish: ChatWish, { signal, onPrefill, onToken }: GenerateHandlers): Promise<Ended> {
    const stream = await this.#session.send(wish.text, streamed(wish), { signal, onPrefill });
    return follow(stream, onToken);
  }

  /**
   * Answers a question about the document, which stays as it is.
   *
   * @throws {KvscopeError} as `send`
   */
  async ask(wish: ChatWish, { signal, onPrefill, onToken }: GenerateHandlers): Promise<Ended> {
    const stream = await this.#session.ask(wish.text, streamed(wish), { signal, onPrefill });
    return follow(stream, onToken);
  }

  /** Opens a branch without the last `turns` questions and their answers. */
  async branch(turns: number): Promise<Chat> {
    const branch = await this.#session.fork();
    await branch.rewind(turns);
    return new Chat(this.#engine, branch);
  }

  /** Bytes that it holds, and that a full f16 cache would. */
  memory(): Promise<{ readonly heldBytes: number; readonly fullBytes: number }> {
    return this.#session.memory();
  }

  /** Positions that each layer's heads hold. */
  async retained(): Promise<readonly (readonly RetainedHead[])[]> {
    const layers = Array.from({ length: this.#engine.model.layers }, (_, layer) => layer);
    const read = await Promise.all(layers.map((layer) => this.#session.retained(layer)));
    return read.map(({ heads }) => heads);
  }

  /** Saves it in this browser. @throws {KvscopeError} as `session.save` does */
  save(name: string): Promise<void> {
    return this.#session.save(name);
  }

  /** Frees its memory. That a lost device can't is no matter. */
  close(): void {
    this.#session.close().catch(() => undefined);
  }
}

/** A model, ready to run. */
export class LoadedModel {
  /** Resolves once the GPU is gone. */
  readonly lost: Promise<DeviceLoss>;
  /** Shape of the model and where it runs, in a line. */
  readonly summary: string;
  /** Size of the model, and where it came from. */
  readonly origin: string;
  /** The adapter, as it calls itself. */
  readonly device: string;
  /** True if a CPU stands in for the GPU. */
  readonly slow: boolean;
  /** Its layers. */
  readonly layers: number;
  /** Per layer, the newest positions that it sees and holds; none if it sees all. */
  readonly windows: readonly (number | undefined)[];
  /** Tokens of its context. */
  readonly context: number;
  /** True if it was made for programs of the trace task, and for nothing else. */
  readonly readsPrograms: boolean;
  /** True if it has a chat template, and so knows turns. */
  readonly knowsTurns: boolean;
  /** Digest of its weights, as saved conversations name it. */
  readonly fingerprint: string;
  readonly #engine: Engine;

  private constructor(engine: Engine) {
    const { layers, windows, kvHeads, headDim, context } = engine.model;
    const { vocabulary, fromStore, stored } = engine.model;
    this.#engine = engine;
    this.lost = engine.lost;
    this.device = `${engine.gpu.name} ${engine.gpu.driver}`.trim();
    this.slow = engine.gpu.deviceType === "cpu" || SOFTWARE.test(this.device);
    this.layers = layers;
    this.windows = windows;
    this.context = context;
    this.readsPrograms = vocabulary < LEAST_FOR_PROSE;
    this.knowsTurns = engine.model.chatTemplate;
    this.fingerprint = engine.model.fingerprint;
    const heads = `${kvHeads} KV heads of ${headDim}, context ${count(context)}`;
    const shape = `${layers} layers${windowed(windows)}, ${heads}`;
    this.summary = `${shape}${this.slow ? "; no real GPU, so slow" : ""}`;
    this.origin = `${bytes(engine.model.bytes)}${keptBy(fromStore, stored)}`;
  }

  /** @throws {KvscopeError} as `Engine.load` does */
  static async load(source: ModelSource, handlers: LoadHandlers): Promise<LoadedModel> {
    return new LoadedModel(await Engine.load(source, { ...handlers, sessionBytes: CHAT_BYTES }));
  }

  /** Opens a conversation that has these messages. */
  async openChat(
    { cache, dropReasoning }: Beginning,
    messages: readonly ChatMessage[],
  ): Promise<Chat> {
    const session = await this.#engine.session({ cache, dropReasoning, messages });
    return new Chat(this.#engine, session);
  }

  /**
   * Reads a document, for questions about it.
   *
   * @throws {KvscopeError} as `engine.document` does
   */
  async openDocument(
    text: string,
    beginning: Beginning,
    handlers: Partial<Pick<GenerateHandlers, "signal" | "onPrefill">>,
  ): Promise<Chat> {
    return new Chat(this.#engine, await this.#engine.document(text, { ...beginning, ...handlers }));
  }

  /**
   * Opens a conversation that was saved, by its name or its file.
   *
   * @throws {KvscopeError} as `loadSession` does
   */
  async openSavedChat(from: string | File, dropReasoning: boolean): Promise<Chat> {
    return new Chat(this.#engine, await this.#engine.loadSession(from, { dropReasoning }));
  }

  /** True if its chat template leaves thinking out of earlier answers. */
  async leavesThinkingOut(): Promise<boolean> {
    if (!this.knowsTurns) {
      return false;
    }
    const messages = [
      { role: "user", content: "Really?" },
      { role: "assistant", content: `<think>\n${THOUGHT}\n</think>\n\nYes.` },
      { role: "user", content: "Sure?" },
    ] as const;
    const written = await this.chatTokens(messages).catch(() => [THOUGHT]);
    return !written.join("").includes(THOUGHT);
  }

  /** Tokens of a text as it is. */
  async textTokens(text: string): Promise<number> {
    return (await this.#engine.tokens(text)).tokens.length;
  }

  /** Text of each token of a conversation, with those of the chat template. */
  async chatTokens(messages: readonly ChatMessage[]): Promise<readonly string[]> {
    return (await this.#engine.tokens(messages)).texts;
  }

  /** Text of each of the prompt's tokens, with those of the chat template, if there is one. */
  async promptTokens(prompt: string): Promise<readonly string[]> {
    const chat = this.#engine.model.chatTemplate;
    return (await this.#engine.tokens(chat ? [{ role: "user", content: prompt }] : prompt)).texts;
  }

  /**
   * Slots that `cache` will hold when the last of `tokens` new ones is drawn, after a prompt of so
   * many. That token itself never enters the cache.
   *
   * @throws {KvscopeError} as `plannedSlots` does
   */
  async plannedSlots(cache: CacheOptions, promptTokens: number, tokens: number): Promise<Slots> {
    const steps = Math.max(0, tokens - 1);
    const numbers = { promptTokens, maxNewTokens: tokens, steps };
    const { layers } = await this.#engine.plannedSlots({ cache, ...numbers });
    // Layers with a window hold that, whatever the policy.
    const chosen = layers.filter((_, layer) => this.windows[layer] === undefined);
    const heads = (chosen.length === 0 ? layers : chosen).flatMap((layer) => layer.heads);
    return {
      prefill: Math.max(0, ...heads.map(({ prefill }) => prefill)),
      decode: Math.max(0, ...heads.map(({ decode }) => decode)),
    };
  }

  /** The program of a seed. @throws {KvscopeError} as `trace.program` does */
  program(lines: number, seed: number): Promise<TraceProgram> {
    return this.#engine.trace.program(lines, seed);
  }

  /** Grades each line of an answer to `program`. */
  grade(program: TraceProgram, answer: string): Promise<readonly boolean[]> {
    return this.#engine.trace.grade(program, answer);
  }

  /**
   * Goes on from a text as it is, by the likeliest tokens.
   *
   * @throws {KvscopeError} as `completions.create` does
   */
  async complete(
    prompt: string,
    tokens: number,
    cache: CacheOptions,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { choices } = await this.#engine.completions.create(
      { prompt, max_tokens: tokens, temperature: 0, cache: afresh(cache) },
      { signal },
    );
    const { heldHighWater, fullHighWater } = await this.#engine.memory();
    const [choice] = choices;
    return {
      text: choice?.text ?? "",
      finish: choice?.finish_reason ?? "abort",
      held: heldHighWater,
      full: fullHighWater,
    };
  }

  /** @throws {KvscopeError} as `chat.completions.create` does */
  async generate(
    wish: GenerateWish,
    { signal, onPrefill, onToken }: GenerateHandlers,
  ): Promise<Ended> {
    const { prompt, cache, observeEvery } = wish;
    const wanted = {
      ...streamed(wish),
      cache: afresh(cache),
      ...(observeEvery !== undefined && { observe: { every: observeEvery } }),
    } as const;
    const { chat, completions, model } = this.#engine;
    const stream = model.chatTemplate
      ? await chat.completions.create(
          { ...wanted, messages: [{ role: "user", content: prompt }] },
          { signal, onPrefill },
        )
      : await completions.create({ ...wanted, prompt }, { signal, onPrefill });
    return follow(stream, onToken);
  }

  dispose(): void {
    this.#engine.dispose();
  }
}
