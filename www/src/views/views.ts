import {
  QUICK_EVALUATION,
  toEvaluationFragment,
  type EvaluationSetting,
  type View,
} from "../settings/evaluation-setting.ts";
import type { PageState } from "../ui/page-state.ts";
import { AccuracyView } from "./accuracy-view.ts";
import { ChatView } from "./chat/chat-view.ts";
import { COMPARE } from "./compare/compare-view.ts";
import { DriftView } from "./drift/drift-view.ts";
import { EvaluationForm, showModelNote } from "./evaluation-form.ts";
import type { PromptView } from "./prompt/prompt-view.ts";
import { showView, wireTabs } from "./tabs.ts";
import { TIGHT } from "./tight/tight-view.ts";

/** The views beside One prompt, their common setting, and the tabs between all views. */
export class Views {
  readonly #page: PageState;
  readonly #form: EvaluationForm;
  readonly #chat: ChatView;
  readonly #compare: AccuracyView;
  readonly #tight: AccuracyView;
  readonly #drift: DriftView;
  readonly #onChange: () => void;

  /** `prompt` has the setting; `onChange` is called when what a link carries has changed. */
  constructor(
    page: PageState,
    setting: EvaluationSetting,
    prompt: PromptView,
    onChange: () => void,
  ) {
    this.#page = page;
    this.#onChange = onChange;
    this.#form = new EvaluationForm(setting, () => this.#changed());
    this.#chat = new ChatView(page, prompt);
    this.#compare = new AccuracyView(COMPARE, page, this.#form);
    this.#tight = new AccuracyView(TIGHT, page, this.#form);
    this.#drift = new DriftView(page, this.#form, () => prompt.setting);
    wireTabs((view) => {
      this.#form.show({ ...this.#form.setting, view });
      this.#changed();
    });
    page.onChange(() => this.#follow());
    this.#follow();
  }

  get view(): View {
    return this.#form.setting.view;
  }

  /** Setting of these views, as a part of an address's fragment. */
  get fragment(): string {
    return toEvaluationFragment(this.#form.setting);
  }

  /** Shows the setting that a link has brought. */
  show(setting: EvaluationSetting): void {
    this.#form.show(setting);
    this.#follow();
  }

  /** Follows what was set in One prompt. */
  followSetting(): void {
    this.#chat.follow(this.view === "chat");
  }

  /** Opens saved conversations, and offers texts as a document, in the chat. */
  takeIntoChat(conversations: readonly File[], texts: readonly File[]): void {
    if (conversations.length === 0 && texts.length === 0) {
      return;
    }
    this.#form.show({ ...this.#form.setting, view: "chat" });
    this.#changed();
    this.#chat.openFiles(conversations);
    this.#chat.offerDocument(texts);
  }

  /** Makes a setting that nobody has touched short enough for a device without a GPU. */
  fitToDevice(slow: boolean): void {
    const { setting } = this.#form;
    if (slow && toEvaluationFragment({ ...setting, view: "prompt" }) === "") {
      this.#form.show({ ...setting, ...QUICK_EVALUATION });
      this.#changed();
    }
  }

  /** Puts the keyboard's place at what the view is for. */
  focus(): void {
    const views = {
      chat: this.#chat,
      compare: this.#compare,
      tight: this.#tight,
      drift: this.#drift,
      prompt: undefined,
    };
    views[this.view]?.focus();
  }

  #changed(): void {
    this.#follow();
    this.#onChange();
  }

  #follow(): void {
    const { free, model } = this.#page;
    const { setting } = this.#form;
    showView(setting.view);
    showModelNote(model?.readsPrograms, setting.view);
    this.#chat.follow(setting.view === "chat");
    this.#compare.follow(free, setting);
    this.#tight.follow(free, setting);
    this.#drift.follow(free);
  }
}
