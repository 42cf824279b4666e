import {
  isDeviceLost,
  isTooLong,
  type Beginning,
  type GeneratedToken,
  type LoadedModel,
} from "../../engine.ts";
import { policiesOf, sameRules, type Policy } from "../../settings/policy.ts";
import { element } from "../../ui/dom.ts";
import { count, percent, rate } from "../../ui/format.ts";
import { oncePerFrame } from "../../ui/frame-loop.ts";
import type { PageState } from "../../ui/page-state.ts";
import { showProblem } from "../../ui/problem-card.ts";
import { describeError } from "../../ui/problem.ts";
import type { PromptView } from "../prompt/prompt-view.ts";
import { snapshotOf } from "../prompt/retained-history.ts";
import { RetainedPicture } from "../prompt/retained-picture.ts";
import { Branch } from "./branch.ts";
import { ChatDocument, type DocumentHeld } from "./chat-document.ts";
import { ChatMemory } from "./chat-memory.ts";
import { showOpening } from "./chat-opening.ts";
import { ChatSetup } from "./chat-setup.ts";
import { Conversation } from "./conversation.ts";
import { OpenChats } from "./open-chats.ts";
import { picturedOf } from "./retained-turns.ts";
import { SavedChats, type Opened } from "./saved-chats.ts";
import { Transcript } from "./transcript.ts";
import { sends } from "./turn-view.ts";
import { Turn } from "./turn.ts";

const message = element("chat-message", HTMLTextAreaElement);
const send = element("chat-send", HTMLButtonElement);
const stop = element("chat-stop", HTMLButtonElement);
const status = element("chat-status", HTMLElement);
const begin = element("chat-new", HTMLButtonElement);

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
  readonly #setup: ChatSetup;
  readonly #chats: OpenChats;
  /** The turn that is being answered. */
  #running: Turn | undefined;
  /** True from a question until all that follows its answer is done. */
  #asking = false;
  #reading = false;
  /** Words about the latest answer, which stay until the next one. */
  #ended = "";
  #pictured = "";
  #picturedHeld: DocumentHeld | undefined;
  #isShown = false;
  readonly #drawSoon = oncePerFrame(() => this.#draw());

  /** `prompt` has the setting that conversations begin with. */
  constructor(page: PageState, prompt: Pick<PromptView, "setting" | "report">) {
    this.#page = page;
    this.#prompt = prompt;
    this.#setup = new ChatSetup({
      changed: () => this.#renew(),
      read: (text) => this.#read(text),
    });
    this.#chats = new OpenChats(Conversation.begin(this.#policy, this.#beginning), (chosen) => {
      this.#change(chosen, `Shows “${titleOf(chosen)}”.`);
    });
    this.#transcript = new Transcript({
      edit: (turn, text) => void this.#ask(text, turn),
      regenerate: (turn) => void this.#ask(turn.question, turn),
      show: (turn) => this.#show(turn),
    });
    this.#saved = new SavedChats({
      save: (name) => this.#save(name),
      open: (chosen) => this.#openSaved(chosen),
      deleted: (name) => {
        this.#chats.noteUnsaved(name);
        this.#draw();
      },
    });
    this.#wire();
  }

  /** Follows the page and the setting; `isShown` tells whether this is the view that is shown. */
  follow(isShown: boolean): void {
    if (isShown && !this.#isShown) {
      void this.#saved.list();
    }
    this.#isShown = isShown;
    this.#renew();
  }

  /** Opens files of saved conversations: now, or once the model is there and free. */
  openFiles(files: readonly File[]): void {
    this.#saved.openFiles(files);
    this.#sayStatus();
  }

  /** Takes texts as the document to ask about. */
  offerDocument(texts: readonly File[]): void {
    void this.#setup.take(texts);
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

  /** Beginning of a new conversation. */
  get #beginning(): Beginning {
    const { messages, dropReasoning } = this.#setup;
    return { cache: this.#policy.cache, messages, dropReasoning };
  }

  get #conversation(): Conversation {
    return this.#chats.shown;
  }

  get #free(): boolean {
    return !this.#busy && this.#page.free && this.#page.model?.knowsTurns === true;
  }

  /** True while the conversation that is shown has to stay. */
  get #busy(): boolean {
    return this.#page.running || this.#asking;
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
      this.#change(this.#new(), "A new conversation.");
      message.focus({ preventScroll: true });
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
    this.#asking = true;
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
    if (!answered) {
      conversation.takeBack(branch);
    }
    this.#say(answered ? endOf(turn) : "Nothing was answered; the message was taken back.");
    if (answered) {
      this.#draw();
      await this.#saved.saveAnswered();
    }
    this.#asking = false;
    const { activeElement } = document;
    const wasHere = activeElement === stop || activeElement === document.body;
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
    const ended = await branch.answer(model, wish, handlers).catch((error: unknown) => {
      // With the model gone, what was written is all that there will be.
      if (turn.written > 0 && (isDeviceLost(error) || signal.aborted)) {
        return "gone" as const;
      }
      throw error;
    });
    if (ended === "gone") {
      turn.state = "stopped";
      return true;
    }
    if (ended === undefined) {
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
    // Questions leave a document as it is.
    if (turn === undefined || branch.document !== undefined) {
      return;
    }
    const chat = await branch.chat(model);
    turn.tokens = await model.chatTokens(branch.messages);
    turn.snapshot = snapshotOf(branch.turns.length, await chat.retained());
    if (branch.beginning.dropReasoning || turn.kv === undefined) {
      const { heldBytes, fullBytes } = await chat.memory();
      turn.kv = { heldBytes, fullBytes };
    }
  }

  #new(): Conversation {
    return Conversation.begin(this.#policy, this.#beginning);
  }

  /** Begins an empty conversation anew if what it would begin with is other by now. */
  #renew(): void {
    const { isEmpty, policy, current } = this.#conversation;
    if (isEmpty && (!sameRules(policy.cache, this.#policy.cache) || this.#differs(current))) {
      this.#chats.show(this.#new());
    }
    if (this.#isShown) {
      this.#draw();
    }
  }

  /** True if a new conversation would begin with other messages. */
  #differs({ beginning }: Branch): boolean {
    const { messages, dropReasoning } = this.#beginning;
    const written = JSON.stringify(messages) !== JSON.stringify(beginning.messages);
    return written || dropReasoning !== beginning.dropReasoning;
  }

  /** Reads a document into a new conversation. */
  async #read(text: string): Promise<boolean> {
    if (!this.#free || !this.#prompt.report()) {
      return false;
    }
    const policy = this.#policy;
    const document = new ChatDocument(text, this.#beginning);
    this.#ended = "";
    this.#reading = true;
    const occupied = this.#page.occupy(async (model, signal) => {
      const onPrefill = (done: number, of: number): void => {
        this.#setup.showRead(done, of);
      };
      await document.chat(model, { signal, onPrefill }).catch((error: unknown) => {
        if (!isTooLong(error)) {
          throw error;
        }
        showProblem({
          ...describeError(error),
          title: "The document is too long for this model",
          advice: ["Take a part of it, or load a model with a longer context."],
        });
      });
    });
    stop.focus({ preventScroll: true });
    await occupied;
    this.#reading = false;
    if (document.held === undefined) {
      this.#say("The document was not read.");
      this.#draw();
      return false;
    }
    this.#change(Conversation.about(policy, document), "The document is read: ask about it.");
    message.focus();
    return true;
  }

  #show(turn: Turn): void {
    this.#conversation.show(turn);
    const { turns } = this.#conversation;
    this.#say(`Shows a branch of ${count(turns.length)} turn${turns.length === 1 ? "" : "s"}.`);
    this.#draw();
    this.#transcript.viewOf(turn).focusBranches();
  }

  /** Shows another conversation, and says so. */
  #change(conversation: Conversation, said: string): void {
    this.#chats.show(conversation);
    this.#say(said);
    this.#draw();
  }

  async #save(name: string): Promise<boolean> {
    let isSaved = false;
    const conversation = this.#conversation;
    await this.#page.occupy(async (model) => {
      const chat = await conversation.current.chat(model);
      await chat.save(name);
      this.#chats.noteUnsaved(name);
      conversation.noteSaved(name);
      isSaved = true;
    });
    this.#draw();
    return isSaved;
  }

  /** Opens saved conversations, and shows the last. Returns those that were opened. */
  async #openSaved(chosen: readonly Opened[]): Promise<readonly Opened[]> {
    const opened: Opened[] = [];
    await this.#page.occupy(async (model) => {
      const results = await Promise.allSettled(chosen.map((one) => this.#fromSave(model, one)));
      const found = results.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
      const failed = results.flatMap((result, index) => {
        const name = chosen[index]?.name ?? "";
        const error: unknown = result.status === "rejected" ? result.reason : undefined;
        // The loader tells of a lost device.
        return error === undefined || isDeviceLost(error) ? [] : [{ name, error }];
      });
      opened.push(...chosen.filter((_, index) => results[index]?.status === "fulfilled"));
      const last = found.at(-1);
      if (last !== undefined) {
        this.#chats.add(found.slice(0, -1));
        this.#change(last, "");
      }
      const [first] = failed;
      if (first !== undefined) {
        const texts = failed.map(({ name, error }) => `${name}: ${describeError(error).message}`);
        showProblem({ ...describeError(first.error), message: texts.join(" ") });
      }
    });
    this.#draw();
    return opened;
  }

  async #fromSave(model: LoadedModel, { from, name }: Opened): Promise<Conversation> {
    const { dropReasoning } = this.#beginning;
    const chat = await model.openSavedChat(from, dropReasoning);
    const branch = await Branch.ofSaved(model, this.#page.modelName, chat, dropReasoning);
    const conversation = Conversation.ofSaved(branch);
    if (typeof from === "string") {
      conversation.noteSaved(name);
    } else {
      conversation.name = name;
    }
    const last = branch.turns.at(-1);
    if (last !== undefined) {
      await this.#look(model, branch).catch(() => undefined);
      const { heldBytes = 0, fullBytes = 0 } = last.kv ?? {};
      last.memory.push({ tokens: last.tokens.length, held: heldBytes, full: fullBytes });
    }
    return conversation;
  }

  #draw(): void {
    const conversation = this.#conversation;
    const { turns } = conversation;
    const knowsTurns = this.#page.model?.knowsTurns !== false;
    this.#transcript.show(conversation, this.#free, knowsTurns);
    this.#memory.show(conversation);
    showOpening(conversation);
    const { document } = conversation;
    const pictured = turns.map(({ number, snapshot }) => `${number} ${snapshot?.length}`).join();
    if (pictured !== this.#pictured || document?.held !== this.#picturedHeld) {
      this.#pictured = pictured;
      this.#picturedHeld = document?.held;
      // A document is held as it was read, whatever the turn.
      element("chat-picture-scrub", HTMLElement).hidden = document !== undefined;
      this.#picture.show(picturedOf(conversation, this.#page.model?.windows ?? []));
    }
    this.#saved.show({
      name: conversation.isEmpty ? "" : titleOf(conversation),
      free: this.#page.free && !this.#busy,
      any: !conversation.isEmpty,
      isSaved: conversation.isSaved,
      savedName: conversation.savedName,
      isDocument: document !== undefined,
      fingerprint: this.#page.model?.fingerprint,
    });
    this.#showControls();
    this.#sayRules();
    this.#sayStatus();
  }

  #showControls(): void {
    send.disabled = !this.#free || message.value.trim() === "";
    stop.disabled = this.#running === undefined && !this.#reading;
    begin.disabled = this.#busy || this.#conversation.isEmpty;
    this.#chats.list(titleOf, !this.#busy);
    this.#setup.follow(this.#page.model, this.#free);
  }

  #sayRules(): void {
    const { policy, isEmpty } = this.#conversation;
    const rules = `${policy.name}: ${policy.rule}.`;
    const rulesDiffer = !sameRules(policy.cache, this.#policy.cache);
    const others = rulesDiffer
      ? " The settings have others by now: they are for a new conversation."
      : "";
    element("chat-rules", HTMLElement).textContent = isEmpty
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
    const waiting = this.#saved.waiting.join(", ");
    if (turn !== undefined) {
      this.#tell(turn.state === "reading" ? "Reading the message." : "Writing.");
    } else if (this.#reading) {
      this.#tell("Reading the document.");
    } else if (waiting !== "") {
      const { phase } = this.#page;
      const isComing = this.#page.model !== undefined || phase === "opening" || phase === "loading";
      this.#tell(
        isComing
          ? `${waiting} will be opened once the model is ready.`
          : `Load the model of ${waiting} first: then it is opened.`,
      );
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

/** Title of a conversation: its name, else the first words of its document or first question. */
function titleOf({ name, document, turns }: Conversation): string {
  if (name !== "") {
    return name;
  }
  const text = document?.text ?? turns[0]?.question ?? "New conversation";
  const words = text.slice(0, 1000).trim().split(/\s+/).slice(0, NAME_WORDS).join(" ");
  return words.slice(0, LONGEST_NAME).trim();
}
