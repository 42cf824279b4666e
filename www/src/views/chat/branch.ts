import type { CacheOptions, Chat, ChatMessage, LoadedModel } from "../../engine.ts";
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
  /** Rules of its cache. */
  readonly cache: CacheOptions;
  /** Messages before the first question, such as the system's. */
  readonly #opening: readonly ChatMessage[];
  #origin: Origin | undefined;
  #held: Held | undefined;
  /**
   * Its cache before the newest turn, so that another answer need not compute all anew. What was
   * evicted since can't be brought back otherwise.
   */
  #before: (Held & { readonly turns: number }) | undefined;

  constructor(
    cache: CacheOptions,
    opening: readonly ChatMessage[],
    turns: readonly Turn[],
    origin?: Origin,
  ) {
    this.cache = cache;
    this.#opening = opening;
    this.turns = [...turns];
    this.#origin = origin;
  }

  /** The branch of what was saved: `chat` has it on `model`, of this name. */
  static ofSaved(model: LoadedModel, name: string, chat: Chat): Branch {
    const first = chat.messages.findIndex(({ role }) => role === "user");
    const asked = first < 0 ? [] : chat.messages.slice(first);
    const opening = first < 0 ? chat.messages : chat.messages.slice(0, first);
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
    const branch = new Branch(chat.cache, opening.flatMap(spoken), turns);
    branch.#held = { model, chat };
    return branch;
  }

  /** All its messages, but for a question that has no answer yet. */
  get messages(): readonly ChatMessage[] {
    const answered = this.turns.filter(({ state }) => state !== "reading");
    return [
      ...this.#opening,
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
  async chat(model: LoadedModel): Promise<Chat> {
    if (this.#held?.model !== model) {
      const opened = await (this.#origin === undefined
        ? model.openChat(this.cache, this.messages)
        : this.#origin(model));
      this.#origin = undefined;
      this.#held = { model, chat: opened };
    }
    return this.#held.chat;
  }

  /** Keeps its cache as it is before the newest turn, where a rewind could not bring it back. */
  async keepBefore(model: LoadedModel): Promise<void> {
    this.#before?.chat.close();
    this.#before = undefined;
    if (evicts(this.cache)) {
      const chat = await (await this.chat(model)).branch(0);
      this.#before = { model, chat, turns: this.turns.length - 1 };
    }
  }

  /** A new branch that has the first `length` turns. It shares their memory at first. */
  part(length: number): Branch {
    const back = this.turns.length - length;
    const turns = this.turns.slice(0, length);
    return new Branch(this.cache, this.#opening, turns, async (model) => {
      const before = this.#before;
      return before?.model === model && before.turns === length
        ? before.chat.branch(0)
        : (await this.chat(model)).branch(back);
    });
  }

  /** Frees its memory. */
  close(): void {
    this.#held?.chat.close();
    this.#held = undefined;
    this.#before?.chat.close();
    this.#before = undefined;
  }
}

const evicts = ({ prefill, decode }: CacheOptions): boolean =>
  (prefill?.method ?? "full") !== "full" || (decode?.strategy ?? "full") !== "full";

/** A message in one of the roles that a conversation can be opened with. */
function spoken({ role, content }: { role: string; content: string }): ChatMessage[] {
  return role === "system" || role === "developer" ? [{ role, content }] : [];
}
