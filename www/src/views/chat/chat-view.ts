import { isDeviceLost, type GeneratedToken, type LoadedModel } from "../../engine.ts";
import { policiesOf, sameRules, type Policy } from "../../settings/policy.ts";
import { element } from "../../ui/dom.ts";
import { count, percent, rate } from "../../ui/format.ts";
import { oncePerFrame } from "../../ui/frame-loop.ts";
import type { PageState } from "../../ui/page-state.ts";
import type { PromptView } from "../prompt/prompt-view.ts";
import { snapshotOf } from "../prompt/retained-history.ts";
import { RetainedPicture } from "../prompt/retained-picture.ts";
import { Branch } from "./branch.ts";
import { ChatMemory } from "./chat-memory.ts";
import { Conversation } from "./conversation.ts";
import { picturedOf } from "./retained-turns.ts";
import { SavedChats } from "./saved-chats.ts";
import { Transcript } from "./transcript.ts";
import { sends } from "./turn-view.ts";
import { Turn } from "./turn.ts";

const message = element("chat-message", HTMLTextAreaElement);
const send = element("chat-send", HTMLButtonElement);
const stop = element("chat-stop", HTMLButtonElement);
const status = element("chat-status", HTMLElement);
const begin = element("chat-new", HTMLButtonElement);
const back = element("chat-back", HTMLButtonElement);

/** Words of a name that is made of the first question, at most. */
const NAME_WORDS = 6;
const LONGEST_NAME = 48;

/** The view Chat: a conversation that goes on from what its cache holds. */
export class ChatView {
  readonly #page: PageState;
  readonly #prompt: Pick<PromptView, "setting" | "report">;
  readonly #transcript: Transcript;
  readonly #memory = new ChatMemory();
  readonly #picture = new RetainedPicture("chat-picture", {
    read: "asked",
    written: "answered",
    step: (step) => `after turn ${step}`,
  });
  readonly #saved: SavedChats;
  #conversation: Conversation;
  /** The conversation that was shown before this one. */
  #before: Conversation | undefined;
  /** The turn that is being answered. */
  #running: Turn | undefined;
  /** Words about the latest answer, which stay until the next one. */
  #ended = "";
  #pictured = "";
  #isShown = false;
  readonly #drawSoon = oncePerFrame(() => this.#draw());

  /** `prompt` has the setting that conversations begin with. */
  constructor(page: PageState, prompt: Pick<PromptView, "setting" | "report">) {
    this.#page = page;
    this.#prompt = prompt;
    this.#conversation = Conversation.begin(this.#policy);
    this.#transcript = new Transcript({
      edit: (turn, text) => void this.#ask(text, turn),
      regenerate: (turn) => void this.#ask(turn.question, turn),
      show: (turn) => this.#show(turn),
    });
    this.#saved = new SavedChats({
      save: (name) => this.#save(name),
      open: (from, name) => this.#open(from, name),
    });
    this.#wire();
  }

  /** Follows the page and the setting; `isShown` tells whether this is the view that is shown. */
  follow(isShown: boolean): void {
    if (isShown && !this.#isShown) {
      void this.#saved.list();
    }
    this.#isShown = isShown;
    const { turns } = this.#conversation;
    if (turns.length === 0 && !sameRules(this.#conversation.policy.cache, this.#policy.cache)) {
      this.#conversation.close();
      this.#conversation = Conversation.begin(this.#policy);
    }
    if (isShown) {
      this.#draw();
    }
  }

  /** Puts the keyboard's place at what the view is for. */
  focus(): void {
    message.focus();
  }

  /** The policy of a new conversation. */
  get #policy(): Policy {
    const [policy] = policiesOf(this.#prompt.setting);
    if (policy === undefined) {
      throw new TypeError("a setting without a policy");
    }
    return policy;
  }

  get #free(): boolean {
    return this.#page.free && this.#page.model?.knowsTurns === true;
  }

  #wire(): void {
    element("chat-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = message.value;
      if (text.trim() !== "" && this.#free) {
        void this.#ask(text, undefined);
      }
    });
    message.addEventListener("keydown", (event) => {
      if (sends(event)) {
        event.preventDefault();
        message.form?.requestSubmit();
      }
    });
    message.addEventListener("input", () => this.#showControls());
    stop.addEventListener("click", () => this.#page.stop());
    begin.addEventListener("click", () => {
      this.#change(Conversation.begin(this.#policy));
      this.#say("A new conversation.");
      message.focus({ preventScroll: true });
    });
    back.addEventListener("click", () => {
      if (this.#before !== undefined) {
        this.#change(this.#before);
        this.#say("The conversation before.");
        message.focus({ preventScroll: true });
      }
    });
    element("chat-choose", HTMLButtonElement).addEventListener("click", () => {
      const choice = element("model-choice", HTMLDetailsElement);
      choice.open = true;
      choice.querySelector("summary")?.focus();
    });
  }

  /**
   * Has a message answered: the next one, or in place of `instead` in a branch of its own. A
   * message without an answer is given back to the reader.
   */
  async #ask(text: string, instead: Turn | undefined): Promise<void> {
    if (!this.#free || !this.#prompt.report()) {
      return;
    }
    const conversation = this.#conversation;
    const index = instead === undefined ? -1 : conversation.turns.indexOf(instead);
    const branch = index < 0 ? conversation.current : conversation.part(index);
    const turn = new Turn(text, this.#page.modelName);
    branch.turns.push(turn);
    this.#running = turn;
    this.#ended = "";
    if (instead === undefined) {
      message.value = "";
    }
    let answered = false;
    const occupied = this.#page.occupy(async (model, signal) => {
      answered = await this.#answer(model, branch, turn, signal);
    });
    stop.focus({ preventScroll: true });
    await occupied;
    this.#running = undefined;
    const { activeElement } = document;
    const wasHere = activeElement === stop || activeElement === document.body;
    if (!answered) {
      conversation.takeBack(branch);
    }
    this.#say(answered ? endOf(turn) : "Nothing was answered; the message was taken back.");
    this.#draw();
    if (!answered && instead !== undefined && text !== instead.question) {
      this.#transcript.viewOf(instead).openEditor(text);
      return;
    }
    if (!answered && instead === undefined && message.value === "") {
      message.value = text;
      this.#showControls();
    }
    if (wasHere) {
      message.focus({ preventScroll: true });
    }
  }

  /** Answers `turn`, the last of `branch`. False if the conversation is without it afterwards. */
  async #answer(
    model: LoadedModel,
    branch: Branch,
    turn: Turn,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { tokens, temperature, topP, seed } = this.#prompt.setting;
    const chat = await branch.chat(model);
    await branch.keepBefore(model);
    const before = chat.messages.length;
    // Another answer to the same question is drawn by another seed.
    const own = (seed + this.#conversation.size - 1) % 2 ** 32;
    const wish = { text: turn.question, tokens, temperature, topP, seed: own };
    const handlers = {
      signal,
      onPrefill: (done: number, of: number) => {
        turn.read = [done, of];
        this.#drawSoon();
      },
      onToken: ({ text, position, kv }: GeneratedToken) => {
        turn.push(text, position, kv);
        this.#drawSoon();
      },
    };
    const ended = await chat.send(wish, handlers).catch((error: unknown) => {
      // With the model gone, what was written is all that there will be.
      if (turn.written > 0 && (isDeviceLost(error) || signal.aborted)) {
        return undefined;
      }
      throw error;
    });
    if (ended === undefined) {
      turn.state = "stopped";
      return true;
    }
    if (chat.messages.length === before) {
      return false;
    }
    turn.answer += ended.rest;
    turn.finish = ended.finish;
    turn.usage = ended.usage;
    turn.kv = ended.kv ?? turn.kv;
    turn.state = ended.finish === "abort" ? "stopped" : "done";
    this.#drawSoon();
    // The answer is there, with its picture or without.
    await this.#look(model, branch).catch(() => undefined);
    return true;
  }

  /** Reads what the cache retains at the end of the branch's newest turn. */
  async #look(model: LoadedModel, branch: Branch): Promise<void> {
    const turn = branch.turns.at(-1);
    if (turn !== undefined) {
      const chat = await branch.chat(model);
      turn.tokens = await model.chatTokens(branch.messages);
      turn.snapshot = snapshotOf(branch.turns.length, await chat.retained());
    }
  }

  #show(turn: Turn): void {
    this.#conversation.show(turn);
    const { turns } = this.#conversation;
    this.#say(`Shows a branch of ${count(turns.length)} turn${turns.length === 1 ? "" : "s"}.`);
    this.#draw();
    this.#transcript.viewOf(turn).focusBranches();
  }

  /** Shows another conversation; the one before it can be gone back to. */
  #change(conversation: Conversation): void {
    const shown = this.#conversation;
    if (conversation !== this.#before) {
      this.#before?.close();
    }
    this.#before = shown.turns.length === 0 ? undefined : shown;
    if (this.#before === undefined) {
      shown.close();
    }
    this.#conversation = conversation;
    this.#draw();
  }

  async #save(name: string): Promise<boolean> {
    let isSaved = false;
    const conversation = this.#conversation;
    await this.#page.occupy(async (model) => {
      const chat = await conversation.current.chat(model);
      await chat.save(name);
      conversation.noteSaved(name);
      isSaved = true;
    });
    this.#draw();
    return isSaved;
  }

  async #open(from: string | File, name: string): Promise<boolean> {
    let isOpen = false;
    await this.#page.occupy(async (model) => {
      const chat = await model.openSavedChat(from);
      const branch = Branch.ofSaved(model, this.#page.modelName, chat);
      const conversation = Conversation.ofSaved(branch);
      if (typeof from === "string") {
        conversation.noteSaved(name);
      } else {
        conversation.name = name;
      }
      this.#ended = "";
      this.#change(conversation);
      isOpen = true;
      const last = branch.turns.at(-1);
      if (last !== undefined) {
        await this.#look(model, branch);
        const { heldBytes, fullBytes } = await chat.memory();
        last.kv = { heldBytes, fullBytes };
        last.memory.push({ tokens: last.tokens.length, held: heldBytes, full: fullBytes });
      }
    });
    this.#draw();
    return isOpen;
  }

  #draw(): void {
    const conversation = this.#conversation;
    const { turns } = conversation;
    const knowsTurns = this.#page.model?.knowsTurns !== false;
    this.#transcript.show(conversation, this.#free, knowsTurns);
    this.#memory.show(conversation);
    const pictured = turns.map(({ number, snapshot }) => `${number} ${snapshot?.length}`).join();
    if (pictured !== this.#pictured) {
      this.#pictured = pictured;
      this.#picture.show(picturedOf(turns, this.#page.model?.windows ?? []));
    }
    this.#saved.show({
      name: conversation.name === "" ? nameOf(turns[0]?.question ?? "") : conversation.name,
      free: this.#page.free,
      any: turns.length > 0,
      isSaved: conversation.isSaved,
      fingerprint: this.#page.model?.fingerprint,
    });
    this.#showControls();
    this.#sayRules();
    this.#sayStatus();
  }

  #showControls(): void {
    send.disabled = !this.#free || message.value.trim() === "";
    stop.disabled = this.#running === undefined;
    begin.disabled = this.#page.running || this.#conversation.turns.length === 0;
    back.disabled = this.#page.running || this.#before === undefined;
  }

  #sayRules(): void {
    const { policy, turns } = this.#conversation;
    const rules = `${policy.name}: ${policy.rule}.`;
    const others = sameRules(policy.cache, this.#policy.cache)
      ? ""
      : " The settings have others by now: they are for a new conversation.";
    element("chat-rules", HTMLElement).textContent =
      turns.length === 0
        ? `Rules of a new conversation, by the settings: ${rules}`
        : `Rules of this conversation: ${rules}${others}`;
    const { temperature, tokens } = this.#prompt.setting;
    element("chat-hint", HTMLElement).textContent = [
      "Enter sends, Shift+Enter begins a new line.",
      `An answer has up to ${count(tokens)} tokens.`,
      temperature === 0 ? "At temperature 0 Regenerate takes the likeliest tokens again." : "",
      this.#page.model?.slow === true
        ? "There is no real GPU: the processor stands in for it, so keep messages short."
        : "",
    ]
      .filter((sentence) => sentence !== "")
      .join(" ");
  }

  #sayStatus(): void {
    const turn = this.#running;
    if (turn !== undefined) {
      this.#tell(turn.state === "reading" ? "Reading the message." : "Writing.");
    } else if (this.#ended !== "") {
      this.#tell(this.#ended);
    } else if (this.#page.model === undefined) {
      this.#tell("Answers once the model is there.");
    } else {
      this.#tell(this.#page.model.knowsTurns ? "Ready." : "This model knows no turns.");
    }
  }

  /** Says something that stays until the next answer. */
  #say(text: string): void {
    this.#ended = text;
    this.#sayStatus();
  }

  /** Says something, aloud for those who listen, if it is new. */
  #tell(text: string): void {
    if (status.textContent !== text) {
      status.textContent = text;
    }
  }
}

/** Says how a turn ended. */
function endOf({ state, usage, kv, written }: Turn): string {
  const speed = usage === undefined ? "" : ` at ${rate(usage.decodeTokensPerSecond)} a second`;
  const saved =
    kv === undefined || kv.fullBytes === 0
      ? ""
      : `, ${percent(Math.max(0, 1 - kv.heldBytes / kv.fullBytes))} of a full f16 cache saved`;
  const how = state === "stopped" ? "Stopped" : "Answered";
  return `${how}: ${count(usage?.newTokens ?? written)} tokens${speed}${saved}.`;
}

/** Name of a conversation: the first words of its first question. */
function nameOf(question: string): string {
  const words = question.trim().split(/\s+/).slice(0, NAME_WORDS).join(" ");
  return words.slice(0, LONGEST_NAME).trim();
}
