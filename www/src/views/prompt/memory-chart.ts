import type uPlot from "uplot";
import { pageColour } from "../../charts/page-colour.ts";
import type { Policy, PolicyId } from "../../settings/policy.ts";
import { DEFAULT_STORAGE, bitsOf } from "../../settings/storage-types.ts";
import { create } from "../../ui/dom.ts";
import { bytes, count, separated } from "../../ui/format.ts";
import { chartSvg } from "./memory-chart-svg.ts";
import type { MemoryPoint } from "./run.ts";

/** Run that the chart draws a line of. */
export interface Charted {
  readonly policy: Policy;
  readonly memory: readonly MemoryPoint[];
  /** Tokens that its axis has room for from the start. */
  readonly wanted: number;
}

const MIB = 2 ** 20;
const FONT = "12px system-ui, sans-serif";

/** Chart of the cache's bytes over tokens: a line per run, dashed for a full f16 cache. */
export class MemoryChart {
  readonly #host: HTMLElement;
  readonly #legend: HTMLElement;
  #plot: uPlot | undefined;
  #runs: readonly Charted[] = [];
  /** Policies that the plot's series are for; the plot is made anew when they change. */
  #shape = "";

  constructor(host: HTMLElement, legend: HTMLElement) {
    this.#host = host;
    this.#legend = legend;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#shape = "";
      this.show(this.#runs);
    });
  }

  /** Shows `runs` as far as they have come. */
  show(runs: readonly Charted[]): void {
    this.#runs = runs;
    const shape = runs
      .map(({ policy }) => `${policy.id} ${policy.name} ${bitsOf(policy.cache.cacheType)}`)
      .join("|");
    if (shape === this.#shape) {
      this.#plot?.setData(series(runs));
    } else {
      this.#shape = shape;
      // Apart from the rest: fetching and making a plot takes as long as all else at a start.
      void import("uplot").then(({ default: Plot }) => {
        if (shape === this.#shape) {
          this.#rebuild(Plot, this.#runs);
        }
      });
    }
    this.#host.setAttribute("aria-label", describe(runs));
  }

  /** The chart as a drawing, to be scaled and edited. */
  toSvg(): Blob {
    const [tokens = [], full = [], ...held] = series(this.#runs);
    const points = (values: ArrayLike<number | null | undefined>): [number, number][] =>
      Array.from(values).flatMap((value, index) =>
        typeof value === "number" ? [[tokens[index] ?? 0, value]] : [],
      );
    const lines = labels(this.#runs).map(({ id, name, run }, index) => ({
      id,
      name,
      dashed: run === undefined,
      points: points((run === undefined ? full : held[index]) ?? []),
    }));
    return new Blob([chartSvg(lines, pageColour)], { type: "image/svg+xml" });
  }

  /** The chart with its legend, as it is on the page now. */
  toPng(): Promise<Blob | null> {
    const source = this.#host.querySelector("canvas");
    const image = document.createElement("canvas");
    const scale = devicePixelRatio;
    image.width = source?.width ?? 1;
    image.height = (source?.height ?? 1) + 34 * scale;
    const context = image.getContext("2d");
    if (source !== null && context !== null) {
      context.fillStyle = pageColour("card");
      context.fillRect(0, 0, image.width, image.height);
      context.drawImage(source, 0, 0);
      context.scale(scale, scale);
      context.font = FONT;
      let left = 16;
      for (const { id, name } of labels(this.#runs)) {
        context.fillStyle = pageColour(id);
        context.fillRect(left, image.height / scale - 24, 10, 10);
        context.fillStyle = pageColour("ink");
        context.fillText(name, left + 16, image.height / scale - 15);
        left += context.measureText(name).width + 36;
      }
    }
    return new Promise((resolve) => {
      image.toBlob(resolve, "image/png");
    });
  }

  #rebuild(Plot: typeof uPlot, runs: readonly Charted[]): void {
    this.#plot?.destroy();
    const axis = {
      stroke: pageColour("quiet"),
      font: FONT,
      grid: { stroke: pageColour("line"), width: 1 },
      ticks: { show: false },
    };
    const options: uPlot.Options = {
      ...this.#size(),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: false, range: (_, __, most) => [0, Math.max(most, wanted(runs), 16)] },
        y: { range: (_, __, most) => [0, Math.max(0.1, most * 1.08)] },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(count) },
        {
          ...axis,
          size: 64,
          values: (_, ticks) => ticks.map((tick) => `${separated(String(tick))} MiB`),
        },
      ],
      series: [
        {},
        { stroke: pageColour("full"), width: 1.5, dash: [5, 5], points: { show: false } },
        ...limited(runs).map(({ policy }) => ({
          stroke: pageColour(policy.id),
          width: policy.id === "scope" ? 2.5 : 1.75,
          points: { show: false },
        })),
      ],
    };
    this.#plot = new Plot(options, series(runs), this.#host);
    this.#legend.replaceChildren(
      ...labels(runs).map(({ id, name }) => {
        const item = create("li");
        item.append(create("i", `line ${id}`), name);
        return item;
      }),
    );
  }

  #size(): { width: number; height: number } {
    return { width: this.#host.clientWidth, height: this.#host.clientHeight };
  }
}

/** The runs with a line of their own. The dashed one is of a full cache in f16, run or not. */
const limited = (runs: readonly Charted[]): Charted[] =>
  runs.filter(({ policy: { id, cache } }) => id !== "full" || cache.cacheType !== DEFAULT_STORAGE);

/** Names of the lines; only the dashed one is of no run. */
const labels = (
  runs: readonly Charted[],
): { id: PolicyId; name: string; run: Charted | undefined }[] => [
  ...limited(runs).map((run) => ({ id: run.policy.id, name: run.policy.name, run })),
  { id: "full", name: "Full f16 cache", run: undefined },
];

const wanted = (runs: readonly Charted[]): number => Math.max(0, ...runs.map((run) => run.wanted));

/** Tokens, what a full cache would hold by then, and what each run held, in MiB. */
function series(runs: readonly Charted[]): uPlot.AlignedData {
  const longest = runs.reduce<Charted | undefined>(
    (best, run) => (best === undefined || run.memory.length > best.memory.length ? run : best),
    undefined,
  );
  const points = longest?.memory ?? [];
  return [
    points.map(({ tokens }) => tokens),
    points.map(({ full }) => full / MIB),
    ...limited(runs).map(({ memory }) =>
      points.map((_, index) => (memory[index]?.held ?? Number.NaN) / MIB || null),
    ),
  ];
}

function describe(runs: readonly Charted[]): string {
  const lines = runs.flatMap(({ policy, memory }) => {
    const last = memory.at(-1);
    return last === undefined
      ? []
      : [`${policy.name}: ${bytes(last.held)} after ${count(last.tokens)} tokens`];
  });
  return lines.length === 0
    ? "Chart: nothing has run yet"
    : `Chart of cache size. ${lines.join("; ")}`;
}
