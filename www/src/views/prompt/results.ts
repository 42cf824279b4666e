import type { LoadedModel } from "../../engine.ts";
import type { Setting } from "../../settings/setting.ts";
import { element } from "../../ui/dom.ts";
import { download } from "../../ui/download.ts";
import { bytes, count, percent } from "../../ui/format.ts";
import { oncePerFrame } from "../../ui/frame-loop.ts";
import { BudgetBars } from "./budget-bars.ts";
import { MemoryChart } from "./memory-chart.ts";
import { OutputView } from "./output-view.ts";
import { RetainedPicture } from "./retained-picture.ts";
import type { Run } from "./run.ts";
import { toRunsRecord, type RanOn } from "./runs-record.ts";

const outputs = element("outputs", HTMLElement);
const pictureRun = element("picture-run", HTMLSelectElement);
const exportJson = element("export-json", HTMLButtonElement);
const exportPng = element("export-png", HTMLButtonElement);
const exportSvg = element("export-svg", HTMLButtonElement);

/** Results of the runs: the saved figure, the chart, the texts, the picture, and their exports. */
export class Results {
  readonly #chart = new MemoryChart(
    element("chart", HTMLElement),
    element("chart-legend", HTMLElement),
  );
  readonly #bars = new BudgetBars(() => this.update());
  readonly #picture = new RetainedPicture("picture", {
    read: "prompt",
    written: "output",
    step: (step) => `${step} new tokens`,
  });
  #runs: readonly Run[] = [];
  #views: readonly OutputView[] = [];
  #setting: Setting | undefined;
  #ranOn: RanOn = { model: "", device: undefined };

  /** Draws again what has changed, in the next frame. */
  readonly update = oncePerFrame(() => this.#draw());

  constructor() {
    pictureRun.addEventListener("change", () =>
      this.#picture.show(this.#runs.find(({ policy }) => policy.id === pictureRun.value)),
    );
    exportJson.addEventListener("click", () => {
      download("kvscope-runs.json", new Blob([this.#record()], { type: "application/json" }));
    });
    exportSvg.addEventListener("click", () => download("kvscope-cache.svg", this.#chart.toSvg()));
    exportPng.addEventListener("click", () => void this.#exportChart());
  }

  /** Puts up these runs, in place of those before. */
  show(runs: readonly Run[], setting: Setting, ranOn: RanOn, model: LoadedModel | undefined): void {
    this.#runs = runs;
    this.#setting = setting;
    this.#ranOn = ranOn;
    this.#views = runs.map((run) => new OutputView(run));
    outputs.replaceChildren(...this.#views.map(({ root }) => root));
    const pictured = runs.filter(({ policy }) => policy.id !== "full");
    pictureRun.replaceChildren(...pictured.map(({ policy }) => new Option(policy.name, policy.id)));
    this.#picture.show(runs[0]);
    this.#bars.show(runs, setting, model);
    this.#draw();
  }

  #record(): string {
    return this.#setting === undefined ? "" : toRunsRecord(this.#setting, this.#ranOn, this.#runs);
  }

  #draw(): void {
    const [first] = this.#runs;
    const reference = this.#runs.find(({ policy }) => policy.id === "full") ?? first;
    const begun = this.#runs.some(({ state }) => state !== "waiting");
    this.#views.forEach((view) => view.update(reference, first, begun));
    if (this.#setting !== undefined) {
      this.#bars.update(this.#setting);
    }
    this.#chart.show(this.#runs);
    this.#picture.update();
    showSaved(first);
    const any = this.#runs.some(({ pieces }) => pieces.length > 0);
    exportJson.disabled = !any;
    exportPng.disabled = !any;
    exportSvg.disabled = !any;
  }

  async #exportChart(): Promise<void> {
    const image = await this.#chart.toPng();
    if (image !== null) {
      download("kvscope-cache.png", image);
    }
  }
}

function showSaved(run: Run | undefined): void {
  const kv = run?.kv;
  const saved = element("saved", HTMLOutputElement);
  saved.value = run?.saved === undefined ? "–" : percent(run.saved);
  saved.classList.toggle("nothing", run?.saved === undefined);
  const facts = {
    "saved-bytes": kv && bytes(kv.savedBytes),
    "saved-held": kv && bytes(kv.heldBytes),
    "saved-full": kv && bytes(kv.fullBytes),
    "saved-prefill": kv && count(kv.slots.prefill),
    "saved-decode": kv && count(kv.slots.decode),
  };
  for (const [id, text] of Object.entries(facts)) {
    element(id, HTMLElement).textContent = text ?? "–";
  }
  element("saved-bytes", HTMLDataElement).value = kv === undefined ? "" : String(kv.savedBytes);
}
