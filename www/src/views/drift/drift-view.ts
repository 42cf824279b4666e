import { shareTicks, type Figure } from "../../charts/figure-svg.ts";
import { FigureView } from "../../charts/figure.ts";
import { LayerMap } from "../../charts/layer-map.ts";
import type { EvaluationSetting } from "../../settings/evaluation-setting.ts";
import { withProgram } from "../../settings/program-setting.ts";
import type { Setting } from "../../settings/setting.ts";
import { create, element } from "../../ui/dom.ts";
import { count, percent } from "../../ui/format.ts";
import { oncePerFrame } from "../../ui/frame-loop.ts";
import type { PageState } from "../../ui/page-state.ts";
import { ResultExports } from "../../ui/result-exports.ts";
import { RunControls } from "../../ui/run-controls.ts";
import type { EvaluationForm } from "../evaluation-form.ts";
import { measureDrift, type DriftStep, type DriftWish } from "./drift-run.ts";

/** Layers that are read back, at most, over all steps: each takes the GPU's time. */
const MOST_READINGS = 2048;
/** Rows of the table. */
const ROWS = 8;

/** The view Heavy-hitter drift: the most attended positions leave those chosen at prefill. */
export class DriftView {
  readonly #page: PageState;
  readonly #form: EvaluationForm;
  readonly #setting: () => Setting;
  readonly #controls: RunControls;
  readonly #figure = new FigureView(element("drift-chart", HTMLElement));
  readonly #map = new LayerMap(element("drift-map", HTMLCanvasElement));
  readonly #exports: ResultExports;
  #steps: DriftStep[] = [];
  #tokens = 0;
  #ran:
    | {
        readonly wish: DriftWish;
        readonly model: string;
        promptTokens: number;
        chosen: number;
        readonly setting: EvaluationSetting;
      }
    | undefined;
  readonly #update = oncePerFrame(() => this.#draw());

  constructor(page: PageState, form: EvaluationForm, setting: () => Setting) {
    this.#page = page;
    this.#form = form;
    this.#setting = setting;
    this.#controls = new RunControls(
      "drift",
      () => this.#run(),
      () => page.stop(),
    );
    this.#exports = new ResultExports("drift", {
      json: () => this.#record(),
      csv: () => toCsv(this.#steps),
      svg: () => this.#figure.toSvg(),
    });
    this.#draw();
  }

  follow(free: boolean): void {
    this.#controls.follow(free, this.#page.model !== undefined);
  }

  focus(): void {
    this.#controls.focus();
  }

  async #run(): Promise<void> {
    if (!this.#form.report()) {
      return;
    }
    const { setting } = this.#form;
    this.#steps = [];
    this.#ran = undefined;
    this.#draw();
    await this.#page.occupy(async (model, signal) => {
      const { prompt, tokens } = model.readsPrograms
        ? withProgram(this.#setting(), await model.program(setting.lines, setting.firstSeed))
        : this.#setting();
      const wish = {
        prompt,
        tokens,
        share: setting.chosen,
        every: Math.ceil((tokens * model.layers) / MOST_READINGS),
      };
      const ran = { wish, setting, model: this.#page.modelName, promptTokens: 0, chosen: 0 };
      this.#tokens = tokens;
      this.#controls.progress(0, "Reading the prompt.");
      await measureDrift(
        model,
        wish,
        signal,
        (promptTokens, chosen) => {
          ran.promptTokens = promptTokens;
          ran.chosen = chosen;
          this.#ran = ran;
        },
        (step) => {
          this.#steps.push(step);
          this.#controls.progress(
            (step.step + wish.every) / tokens,
            "Writing, and looking at every layer.",
          );
          this.#update();
        },
      );
    });
    const last = this.#steps.at(-1);
    this.#controls.end(
      last === undefined ? "Stopped." : `Looked at ${count(this.#steps.length)} steps.`,
    );
    this.#draw();
  }

  #draw(): void {
    const finding = findingOf(this.#steps);
    element("drift-finding", HTMLElement).textContent = finding.replaceAll(" %", "\u00A0%");
    const any = this.#steps.length > 0;
    const depth = this.#steps[0]?.layers.length ?? 1;
    this.#figure.show(
      figureOf(this.#steps, this.#tokens),
      any ? `Chart: what is attended to most. ${finding}` : "Chart: nothing has run yet",
    );
    this.#map.show(this.#steps.map(({ layers }) => layers.map(({ chosen }) => chosen)));
    element("drift-map", HTMLElement).setAttribute("aria-label", describeMap(this.#steps));
    element("drift-map-layers", HTMLElement).textContent = any
      ? `Layer 0 at the top, layer ${depth - 1} at the bottom; a column a step.`
      : "It fills as the model writes.";
    element("drift-rows", HTMLElement).replaceChildren(...rowsOf(this.#steps));
    this.#exports.enable(any);
  }

  #record(): string {
    const createdAt = new Date().toISOString();
    return JSON.stringify({
      program: "kvscope",
      format: 1,
      createdAt,
      view: "drift",
      ...this.#ran,
      steps: this.#steps,
    });
  }
}

function figureOf(steps: readonly DriftStep[], tokens: number): Figure {
  const to = Math.max(16, tokens);
  const area = (
    name: string,
    colour: string,
    edges: (step: DriftStep) => [number, number],
  ): Figure["series"][number] => ({
    name,
    colour,
    points: steps.map((step) => {
      const [base, y] = edges(step);
      return { x: step.step, y, base };
    }),
  });
  return {
    title: "Where the most attended positions lie",
    x: { label: "new tokens", from: 0, to, ticks: countTicks(to) },
    y: { label: "of the most attended", from: 0, to: 1, ticks: shareTicks(4) },
    series: [
      area("chosen at prefill", "prefill", ({ mean }) => [0, mean.chosen]),
      area("prompt, not chosen", "full", ({ mean }) => [mean.chosen, mean.chosen + mean.missed]),
      area("output", "decode", ({ mean }) => [mean.chosen + mean.missed, 1]),
    ],
  };
}

/** Ticks of an axis of counts, at round numbers. */
function countTicks(to: number): Figure["x"]["ticks"] {
  const step = [5, 10, 20, 50, 100, 200, 500, 1000].find((width) => to / width <= 6) ?? to;
  return Array.from({ length: Math.floor(to / step) + 1 }, (_, index) => ({
    at: index * step,
    text: count(index * step),
  }));
}

/** The share of the most attended that was chosen at prefill, over some steps. */
const chosenOf = (steps: readonly DriftStep[]): string =>
  percent(steps.reduce((sum, { mean }) => sum + mean.chosen, 0) / steps.length);

function findingOf(steps: readonly DriftStep[]): string {
  const [first] = steps;
  const last = steps.at(-1);
  if (first === undefined || last === undefined || steps.length < 2) {
    return "";
  }
  // Single steps jump: a tenth of them at each end tells more.
  const some = Math.max(1, Math.floor(steps.length / 10));
  const atFirst = chosenOf(steps.slice(0, some));
  const atEnd = chosenOf(steps.slice(-some));
  return (
    `Of the most attended positions ${atFirst} were chosen at prefill at first, ` +
    `${atEnd} at the end; ${percent(last.mean.output)} lie in the output by then.`
  );
}

function describeMap(steps: readonly DriftStep[]): string {
  const last = steps.at(-1);
  if (last === undefined) {
    return "Map: nothing has run yet";
  }
  const shares = last.layers.map(({ chosen }, layer) => `layer ${layer} ${percent(chosen)}`);
  return `Map of layers and steps. At the last step, chosen at prefill: ${shares.join(", ")}`;
}

function rowsOf(steps: readonly DriftStep[]): HTMLElement[] {
  const shown = steps.filter(
    (_, index) => index % Math.ceil(steps.length / ROWS) === 0 || index === steps.length - 1,
  );
  return shown.map(({ step, mean }) => {
    const row = create("tr");
    const name = create("th", "", count(step));
    name.scope = "row";
    row.append(
      name,
      ...[mean.chosen, mean.missed, mean.output].map((share) => create("td", "", percent(share))),
    );
    return row;
  });
}

function toCsv(steps: readonly DriftStep[]): string {
  const layers = steps[0]?.layers.map((_, layer) => `layer ${layer} chosen`) ?? [];
  const rows = steps.map(({ step, mean, layers: ofLayers }) =>
    [step, mean.chosen, mean.missed, mean.output, ...ofLayers.map(({ chosen }) => chosen)].join(
      ",",
    ),
  );
  return [["step", "chosen", "prompt not chosen", "output", ...layers].join(","), ...rows, ""].join(
    "\n",
  );
}
