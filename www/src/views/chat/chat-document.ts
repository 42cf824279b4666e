import type { Beginning, Chat, GenerateHandlers, KvReport, LoadedModel } from "../../engine.ts";
import { snapshotOf, type Snapshot } from "../prompt/retained-history.ts";

/** Memory of a document that was read. */
export interface DocumentHeld {
  /** Tokens of the document by itself. */
  readonly tokens: number;
  /** Positions that were read: the document's, and what the chat template puts before it. */
  readonly positions: number;
  /** Of these, the fewest and the most that one head holds. */
  readonly slots: readonly [fewest: number, most: number];
  readonly kv: Pick<KvReport, "heldBytes" | "fullBytes">;
  readonly snapshot: Snapshot;
  /** Text of each position's token. */
  readonly texts: readonly string[];
}

/** A document that questions are asked about, in a cache that they leave as it is. */
export class ChatDocument {
  readonly text: string;
  readonly beginning: Beginning;
  /** Memory of the document, once it is read. */
  held: DocumentHeld | undefined;
  #on: { readonly model: LoadedModel; readonly chat: Chat } | undefined;

  constructor(text: string, beginning: Beginning) {
    this.text = text;
    this.beginning = beginning;
  }

  /** The document of what was saved: `chat` has it on `model`. */
  static async ofSaved(
    model: LoadedModel,
    chat: Chat,
    text: string,
    beginning: Beginning,
  ): Promise<ChatDocument> {
    const document = new ChatDocument(text, beginning);
    await document.#take(model, chat);
    return document;
  }

  /** Its cache on `model`, which reads it unless it has. */
  async chat(
    model: LoadedModel,
    handlers: Partial<Pick<GenerateHandlers, "signal" | "onPrefill">> = {},
  ): Promise<Chat> {
    if (this.#on?.model !== model) {
      const chat = await model.openDocument(this.text, this.beginning, handlers);
      try {
        await this.#take(model, chat);
      } catch (error) {
        chat.close();
        throw error;
      }
      return chat;
    }
    return this.#on.chat;
  }

  /** Frees its memory. */
  close(): void {
    this.#on?.chat.close();
    this.#on = undefined;
  }

  async #take(model: LoadedModel, chat: Chat): Promise<void> {
    const heads = await chat.retained();
    const { heldBytes, fullBytes } = await chat.memory();
    const slots = heads.flat().map(({ positions }) => positions.length);
    const snapshot = snapshotOf(0, heads);
    // Whatever is asked, the tokens before it are the same.
    const question = { role: "user", content: `${this.text.trimEnd()}\n\n?` } as const;
    this.held = {
      tokens: await model.textTokens(this.text),
      positions: snapshot.length,
      slots: [Math.min(...slots), Math.max(...slots)],
      kv: { heldBytes, fullBytes },
      snapshot,
      texts: await model.chatTokens([...this.beginning.messages, question]),
    };
    this.#on = { model, chat };
  }
}
