import type { Figure } from "../charts/figure-svg.ts";
import { FigureView, markerIcon } from "../charts/figure.ts";
import type { EvaluationSetting } from "../settings/evaluation-setting.ts";
import { shareName, type MeasuredPolicy } from "../settings/policy-family.ts";
import { create, element } from "../ui/dom.ts";
import { bytes, count, duration, percent, roughly } from "../ui/format.ts";
import { oncePerFrame } from "../ui/frame-loop.ts";
import type { PageState } from "../ui/page-state.ts";
import { ResultExports } from "../ui/result-exports.ts";
import { RunControls } from "../ui/run-controls.ts";
import { toAccuracyCsv, toAccuracyRecord, type Ran } from "./accuracy-export.ts";
import { fillPanel, type PanelTexts } from "./accuracy-panel.ts";
import { Measured, measureAll } from "./accuracy-run.ts";
import type { EvaluationForm } from "./evaluation-form.ts";

/** Parts that differ between the views that measure accuracy. */
export interface AccuracyKind {
  /** Prefix of its elements' ids and its files' names. */
  readonly prefix: "compare" | "tight";
  readonly texts: PanelTexts;
  readonly policies: (setting: EvaluationSetting) => MeasuredPolicy[];
  readonly figure: (measured: readonly Measured[]) => Figure;
  /** Result in a sentence or two. */
  readonly finding: (measured: readonly Measured[]) => string;
}

/** Accuracy under several policies: measured, drawn, listed, and to be taken away. */
export class AccuracyView {
  readonly #kind: AccuracyKind;
  readonly #page: PageState;
  readonly #form: EvaluationForm;
  readonly #controls: RunControls;
  readonly #figure: FigureView;
  readonly #exports: ResultExports;
  #measured: readonly Measured[] = [];
  #rows: readonly Row[] = [];
  #ran: Ran | undefined;
  #msPerRun: number | undefined;
  readonly #update = oncePerFrame(() => this.#draw());

  constructor(kind: AccuracyKind, page: PageState, form: EvaluationForm) {
    this.#kind = kind;
    this.#page = page;
    this.#form = form;
    fillPanel(kind.prefix, kind.texts);
    this.#controls = new RunControls(
      kind.prefix,
      () => this.#run(),
      () => page.stop(),
    );
    this.#figure = new FigureView(this.#element("chart", HTMLElement));
    this.#exports = new ResultExports(kind.prefix, {
      json: () => this.#ran && toAccuracyRecord(kind.prefix, this.#ran, this.#measured),
      csv: () => toAccuracyCsv(this.#measured),
      svg: () => this.#figure.toSvg(),
    });
  }

  /** Follows the page and its setting: what was not begun is planned anew. */
  follow(free: boolean, setting: EvaluationSetting): void {
    const loaded = this.#page.model !== undefined;
    this.#controls.follow(free, loaded);
    if (!loaded) {
      this.#msPerRun = undefined;
    }
    if (this.#ran === undefined) {
      this.#plan(setting);
    }
    this.#sayPlan(setting);
  }

  focus(): void {
    this.#controls.focus();
  }

  #plan(setting: EvaluationSetting): void {
    const policies = this.#kind.policies(setting);
    if (
      policies.length !== this.#measured.length ||
      policies.some(({ family, budget }, index) => {
        const planned = this.#measured[index]?.policy;
        return planned?.family !== family || planned.budget !== budget;
      })
    ) {
      this.#begin(policies);
    }
  }

  #begin(policies: readonly MeasuredPolicy[]): void {
    this.#measured = policies.map((policy) => new Measured(policy));
    this.#rows = this.#measured.map((measured) => new Row(measured));
    this.#element("rows", HTMLElement).replaceChildren(...this.#rows.map(({ root }) => root));
    this.#draw();
  }

  async #run(): Promise<void> {
    if (!this.#form.report()) {
      return;
    }
    const { setting } = this.#form;
    this.#begin(this.#kind.policies(setting));
    const runs = this.#measured.length * setting.programs;
    const began = performance.now();
    let done = 0;
    await this.#page.occupy(async (model, signal) => {
      this.#ran = { setting, model: this.#page.modelName, device: model.device };
      await measureAll(model, setting, this.#measured, signal, (now, program) => {
        done = now;
        this.#controls.progress(
          done / runs,
          `Program ${Math.min(program + 1, setting.programs)} of ${setting.programs}.`,
        );
        this.#update();
      });
    });
    done = this.#measured.reduce((sum, { answers }) => sum + answers, 0);
    const took = performance.now() - began;
    this.#msPerRun = done > 0 ? took / done : this.#msPerRun;
    this.#controls.end(
      done === runs
        ? `Done: ${count(runs)} runs in ${duration(took)}.`
        : `Stopped after ${count(done)} of ${count(runs)} runs.`,
    );
    this.#draw();
    this.#sayPlan(setting);
  }

  #sayPlan(setting: EvaluationSetting): void {
    const policies = this.#kind.policies(setting).length;
    const runs = policies * setting.programs;
    const { lines } = setting;
    const programs = `${count(setting.programs)} program${setting.programs === 1 ? "" : "s"}`;
    const time =
      this.#msPerRun === undefined ? "" : `, about ${roughly(runs * this.#msPerRun)} here`;
    this.#element("plan", HTMLElement).textContent =
      `${policies} policies, ${programs} of ${lines} lines each: ${count(runs)} runs${time}.`;
  }

  #draw(): void {
    const [full] = this.#measured;
    for (const row of this.#rows) {
      row.draw(full);
    }
    const finding = this.#kind.finding(this.#measured);
    this.#element("finding", HTMLElement).textContent = finding.replaceAll(" %", "\u00A0%");
    const any = this.#measured.some(({ answers }) => answers > 0);
    const figure = this.#kind.figure(this.#measured);
    this.#figure.show(
      figure,
      any
        ? `Chart: ${figure.title}. ${finding} The table has every number.`
        : "Chart: nothing has run yet",
    );
    this.#exports.enable(any);
  }

  #element<T extends Element>(name: string, kind: abstract new () => T): T {
    return element(`${this.#kind.prefix}-${name}`, kind);
  }
}

/** A policy's row of the table. */
class Row {
  readonly root = create("tr");
  readonly #measured: Measured;
  readonly #exact = create("td", "", "–");
  readonly #held = create("td", "", "–");
  #drawn = "";

  constructor(measured: Measured) {
    this.#measured = measured;
    const { family, budget } = measured.policy;
    const name = create("th");
    name.scope = "row";
    name.append(markerIcon(family), family.name);
    this.root.append(
      name,
      create("td", "", budget === undefined ? "all" : shareName(budget)),
      this.#exact,
      this.#held,
    );
  }

  draw(full: Measured | undefined): void {
    const { answers, exact, right, graded, heldBytes } = this.#measured;
    const version = `${answers} ${full?.answers}`;
    if (version === this.#drawn || exact === undefined || full === undefined) {
      return;
    }
    this.#drawn = version;
    this.#exact.replaceChildren(
      `${percent(exact)} `,
      create("span", "of", `${count(right)} of ${count(graded)}`),
    );
    this.#held.replaceChildren(
      `${percent(this.#measured.shareOf(full))} `,
      create("span", "of", bytes(heldBytes)),
    );
  }
}
