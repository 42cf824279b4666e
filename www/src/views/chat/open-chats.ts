import { create, element } from "../../ui/dom.ts";
import type { Conversation } from "./conversation.ts";

const choice = element("chat-open", HTMLSelectElement);

/** The conversations of this visit, of which one is shown. None is closed before the page is. */
export class OpenChats {
  #all: readonly Conversation[];
  /** The conversation that is shown. */
  #shown: Conversation;
  #labels = "";

  /** `onChoose` is called with the conversation that the reader chooses from the list. */
  constructor(first: Conversation, onChoose: (conversation: Conversation) => void) {
    this.#all = [first];
    this.#shown = first;
    choice.addEventListener("change", () => {
      const chosen = this.#all[choice.selectedIndex];
      if (chosen !== undefined) {
        onChoose(chosen);
      }
    });
  }

  get shown(): Conversation {
    return this.#shown;
  }

  /** Shows a conversation, and adds it if it is new. An empty one that was shown is let go. */
  show(conversation: Conversation): void {
    const before = this.#shown;
    if (before === conversation) {
      return;
    }
    if (!this.#all.includes(conversation)) {
      this.#all = [...this.#all, conversation];
    }
    if (before.isEmpty) {
      before.close();
      this.#all = this.#all.filter((one) => one !== before);
    }
    this.#shown = conversation;
    for (const other of this.#all) {
      if (other !== conversation && other !== before) {
        other.rest();
      }
    }
  }

  /** Adds conversations that are not shown. */
  add(conversations: readonly Conversation[]): void {
    this.#all = [...this.#all, ...conversations];
  }

  /** Notes that nothing is saved under a name any more, or what is there is not theirs. */
  noteUnsaved(name: string): void {
    for (const conversation of this.#all) {
      if (conversation.savedName === name) {
        conversation.noteUnsaved();
      }
    }
  }

  /** Lists them. `titleOf` is a conversation's title; `free` tells whether one can be chosen. */
  list(titleOf: (conversation: Conversation) => string, free: boolean): void {
    const labels = this.#all.map((one, index) => {
      const unsaved = one.isEmpty || one.isSaved ? "" : " · not saved";
      return `${index + 1}. ${titleOf(one)}${unsaved}`;
    });
    if (labels.join("\n") !== this.#labels) {
      this.#labels = labels.join("\n");
      choice.replaceChildren(...labels.map((label) => create("option", "", label)));
    }
    choice.selectedIndex = this.#all.indexOf(this.#shown);
    choice.disabled = !free || this.#all.length < 2;
  }
}
