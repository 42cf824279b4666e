import { isDeviceLost, type LoadedModel } from "../../engine.ts";
import { programSetting, withProgram } from "../../settings/program-setting.ts";
import { SettingForm } from "../../settings/setting-form.ts";
import { toFragment } from "../../settings/setting-link.ts";
import { DEFAULT_SETTING, QUICK_SETTING, type Setting } from "../../settings/setting.ts";
import { wireCopy } from "../../ui/copy-button.ts";
import { element } from "../../ui/dom.ts";
import type { PageState } from "../../ui/page-state.ts";
import { hideProblem, showProblem } from "../../ui/problem-card.ts";
import { describeError } from "../../ui/problem.ts";
import { codeFor } from "./code-panel.ts";
import { paceOf, type Pace } from "./pace.ts";
import { plan, runInTurn } from "./policy-runs.ts";
import { ProgramPrompts } from "./program-prompts.ts";
import { Results } from "./results.ts";
import { showPlan, wireShorten } from "./run-plan.ts";
import { showRunStatus } from "./run-status.ts";
import type { Run } from "./run.ts";

const generate = element("generate", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const promptField = element("prompt", HTMLTextAreaElement);
const code = element("code", HTMLElement);

/** The view One prompt: one prompt, run under each policy that its setting asks for. */
export class PromptView {
  readonly #page: PageState;
  readonly #onChange: () => void;
  readonly #results = new Results();
  readonly #programs = new ProgramPrompts((lines) => void this.#showProgram(lines));
  readonly #form: SettingForm;
  #runs: readonly Run[] = [];
  /** Pace of the loaded model, once it has run. */
  #pace: Pace | undefined;
  /** The setting that the page itself made, to suit the model, as an address has it. */
  #fitted = "";

  /** `onChange` is called when what a link carries has changed. */
  constructor(page: PageState, setting: Setting, onChange: () => void) {
    this.#page = page;
    this.#onChange = onChange;
    this.#form = new SettingForm(
      setting,
      (changed) => this.show(changed),
      (lines) => void this.#showProgram(lines),
    );
    page.onChange((line) => {
      generate.disabled = !page.free;
      stop.disabled = page.phase !== "generating";
      if (line !== undefined) {
        this.#sayStatus();
      }
    });
    this.#wire();
  }

  get setting(): Setting {
    return this.#form.setting;
  }

  /** Shows a setting, and plans what was not begun anew. */
  show(setting: Setting): void {
    if (setting !== this.setting) {
      this.#form.show(setting);
    }
    this.#onChange();
    code.textContent = codeFor(setting, this.#page.source, true);
    showPlan(setting, this.#slow, this.#pace);
    if (!this.#page.running && this.#runs.every(({ state }) => state === "waiting")) {
      this.#prepare();
    }
  }

  /** Takes the model that begins to load, as its field has it. */
  awaitModel(written: string): void {
    this.#pace = undefined;
    this.show({ ...this.setting, model: written });
  }

  /** Makes a setting that nobody has touched suit the model, and short enough for this device. */
  async fit(model: LoadedModel): Promise<void> {
    const { readsPrograms } = model;
    const untouched = ["", this.#fitted].includes(fragmentOf(this.setting));
    this.#programs.offer(readsPrograms);
    if (readsPrograms) {
      await (untouched
        ? this.#programs.next(model, 16)
        : this.#programs.recognise(model, this.setting.prompt));
    }
    if (this.#page.model !== model) {
      return;
    }
    this.#form.offerPrograms(
      readsPrograms ? (prompt) => this.#programs.matching(prompt)?.lines : undefined,
    );
    if (untouched) {
      const fitted = this.#suiting(model);
      this.#fitted = fragmentOf(fitted);
      this.show(fitted);
    } else {
      this.show(this.setting);
    }
  }

  /** Checks the setting's form, and points the reader to what can't be run. */
  report(): boolean {
    return this.#form.report();
  }

  /** Puts the keyboard's place at what the view is for. */
  focus(): void {
    promptField.focus();
  }

  get #slow(): boolean {
    return this.#page.model?.slow ?? false;
  }

  #suiting(model: LoadedModel): Setting {
    const base = { ...DEFAULT_SETTING, model: this.setting.model };
    const program = this.#programs.current;
    if (program !== undefined) {
      return programSetting(base, program);
    }
    return model.slow ? { ...base, ...QUICK_SETTING } : base;
  }

  #wire(): void {
    wireShorten(() => {
      this.show({ ...this.setting, ...QUICK_SETTING });
      generate.focus();
    });
    wireCopy("copy-code", () => codeFor(this.setting, this.#page.source));
    generate.addEventListener("click", () => void this.#run());
    stop.addEventListener("click", () => this.#page.stop());
    promptField.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
      if (key === "Enter" && (ctrlKey || metaKey) && !generate.disabled) {
        void this.#run();
      }
    });
  }

  async #run(): Promise<void> {
    const { model } = this.#page;
    if (model === undefined || !this.#form.report()) {
      return;
    }
    hideProblem();
    const { setting } = this;
    const program = this.#programs.matching(setting.prompt);
    this.#prepare();
    const signal = this.#page.begin();
    stop.focus();
    try {
      await runInTurn(model, setting, this.#runs, program, signal, () => {
        this.#sayStatus();
        this.#results.update();
      });
    } catch (error) {
      if (!isDeviceLost(error)) {
        showProblem(describeError(error), () => void this.#run());
      }
    } finally {
      this.#finish(setting);
    }
    const failed = this.#runs.find(({ problem }) => problem !== undefined);
    if (failed?.problem !== undefined && this.#page.model !== undefined) {
      showProblem(failed.problem, () => void this.#run());
    }
  }

  #finish({ prompt }: Setting): void {
    this.#page.end();
    this.#pace = paceOf(this.#runs, prompt) ?? this.#pace;
    showPlan(this.setting, this.#slow, this.#pace);
    this.#results.update();
    this.#sayStatus();
    if (document.activeElement === stop || document.activeElement === document.body) {
      generate.focus({ preventScroll: true });
    }
  }

  /** Puts up empty columns, chart and picture for the runs that the setting asks for. */
  #prepare(): void {
    const { modelName, model } = this.#page;
    this.#runs = plan(this.setting);
    const ranOn = { model: modelName, device: model?.device };
    this.#results.show(this.#runs, this.setting, ranOn, model);
  }

  #sayStatus(): void {
    showRunStatus(this.#runs, this.#page.model !== undefined);
  }

  /** Makes another program of this length the prompt. */
  async #showProgram(lines: number): Promise<void> {
    const { model } = this.#page;
    if (model !== undefined) {
      const program = await this.#programs.next(model, lines);
      this.show(withProgram(this.setting, program));
    }
  }
}

/** A setting as an address has it, whatever the model. */
const fragmentOf = (setting: Setting): string => toFragment({ ...setting, model: "" });
