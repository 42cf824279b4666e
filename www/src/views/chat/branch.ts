import type {
  Beginning,
  CacheOptions,
  Chat,
  ChatMessage,
  ChatWish,
  Ended,
  GenerateHandlers,
  LoadedModel,
  OpeningMessage,
} from "../../engine.ts";
import { ChatDocument } from "./chat-document.ts";
import { Turn } from "./turn.ts";

/** Way of a branch to its cache: by a fork of another's, or from a save. */
type Origin = (model: LoadedModel) => Promise<Chat>;

interface Held {
  readonly model: LoadedModel;
  readonly chat: Chat;
}

/** One line of a conversation, with a cache of its own on the model. */
export class Branch {
  /** Its turns; those before it parted from another are that one's too. */
  readonly turns: Turn[];
  readonly beginning: Beginning;
  /** The document that each of its questions is about, if any. All branches share it. */
  readonly document: ChatDocument | undefined;
  #origin: Origin | undefined;
  #held: Held | undefined;
  /**
   * Its cache before the newest turn, so that another answer need not compute all anew. What was
   * evicted since can't be brought back otherwise.
   */
  #before: (Held & { readonly turns: number }) | undefined;

  constructor(
    beginning: Beginning,
    turns: readonly Turn[],
    { document, origin }: { document?: ChatDocument | undefined; origin?: Origin } = {},
  ) {
    this.beginning = beginning;
    this.turns = [...turns];
    this.document = document;
    this.#origin = origin;
  }

  /** The branch of what was saved: `chat` has it on `model`, of this name. */
  static async ofSaved(
    model: LoadedModel,
    name: string,
    chat: Chat,
    dropReasoning: boolean,
  ): Promise<Branch> {
    const first = chat.messages.findIndex(({ role }) => role === "user");
    const asked = first < 0 ? [] : chat.messages.slice(first);
    const opening = first < 0 ? chat.messages : chat.messages.slice(0, first);
    const beginning = { cache: chat.cache, messages: opening.flatMap(spoken), dropReasoning };
    if (chat.document !== undefined && asked.length === 0) {
      const document = await ChatDocument.ofSaved(model, chat, chat.document, beginning);
      return new Branch(beginning, [], { document });
    }
    const turns: Turn[] = [];
    for (const { role, content } of asked) {
      const last = turns.at(-1);
      if (role === "user") {
        const turn = new Turn(content, name);
        turn.state = "saved";
        turns.push(turn);
      } else if (role === "assistant" && last !== undefined) {
        last.answer += content;
      }
    }
    const branch = new Branch(beginning, turns);
    branch.#held = { model, chat };
    return branch;
  }

  /** All its messages, but for a question that has no answer yet. */
  get messages(): readonly ChatMessage[] {
    const answered = this.turns.filter(({ state }) => state !== "reading");
    return [
      ...this.beginning.messages,
      ...answered.flatMap(({ question, answer }): ChatMessage[] => [
        { role: "user", content: question },
        { role: "assistant", content: answer },
      ]),
    ];
  }

  /**
   * Its cache on `model`. On another model than before it is opened anew, by its messages: that one
   * computes all of them.
   */
  async chat(model: LoadedModel, signal?: AbortSignal): Promise<Chat> {
    if (this.document !== undefined) {
      return this.document.chat(model, signal && { signal });
    }
    if (this.#held?.model !== model) {
      const opened = await (this.#origin === undefined
        ? model.openChat(this.beginning, this.messages)
        : this.#origin(model));
      this.#origin = undefined;
      this.#held = { model, chat: opened };
    }
    return this.#held.chat;
  }

  /** Answers the newest question. `undefined` if the conversation is without it afterwards. */
  async answer(
    model: LoadedModel,
    wish: ChatWish,
    handlers: GenerateHandlers,
  ): Promise<Ended | undefined> {
    const chat = await this.chat(model, handlers.signal);
    if (this.document !== undefined) {
      const ended = await chat.ask(wish, handlers);
      return ended.finish === "abort" && this.turns.at(-1)?.written === 0 ? undefined : ended;
    }
    await this.#keepBefore(model);
    const before = chat.messages.length;
    const ended = await chat.send(wish, handlers);
    return chat.messages.length === before ? undefined : ended;
  }

  /** Keeps its cache as it is before the newest turn, where a rewind could not bring it back. */
  async #keepBefore(model: LoadedModel): Promise<void> {
    this.rest();
    if (evicts(this.beginning.cache)) {
      const chat = await (await this.chat(model)).branch(0);
      this.#before = { model, chat, turns: this.turns.length - 1 };
    }
  }

  /** A new branch that has the first `length` turns. It shares their memory at first. */
  part(length: number): Branch {
    const back = this.turns.length - length;
    const turns = this.turns.slice(0, length);
    const { document } = this;
    if (document !== undefined) {
      return new Branch(this.beginning, turns, { document });
    }
    const origin: Origin = async (model) => {
      const before = this.#before;
      return before?.model === model && before.turns === length
        ? before.chat.branch(0)
        : (await this.chat(model)).branch(back);
    };
    return new Branch(this.beginning, turns, { origin });
  }

  /** Frees what is only for another answer to the newest question. */
  rest(): void {
    this.#before?.chat.close();
    this.#before = undefined;
  }

  /** Frees its memory, but for the document's. */
  close(): void {
    this.#held?.chat.close();
    this.#held = undefined;
    this.rest();
  }
}

const evicts = ({ prefill, decode }: CacheOptions): boolean =>
  (prefill?.method ?? "full") !== "full" || (decode?.strategy ?? "full") !== "full";

/** A message in one of the roles that a conversation can be opened with. */
function spoken({ role, content }: { role: string; content: string }): OpeningMessage[] {
  return role === "system" || role === "developer" ? [{ role, content }] : [];
}
