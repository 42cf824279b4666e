import { escaped, round, svgOpening } from "../../charts/svg.ts";
import type { PolicyId } from "../../settings/policy.ts";

/** A line of the chart, in the units of its axes. */
export interface ChartLine {
  readonly id: PolicyId;
  readonly name: string;
  readonly dashed: boolean;
  readonly points: readonly (readonly [tokens: number, mebibytes: number])[];
}

const WIDTH = 800;
const HEIGHT = 400;
const LEFT = 70;
const TOP = 20;
const RIGHT = WIDTH - 20;
const BOTTOM = HEIGHT - 80;

/** Chart as SVG text. `colour` gives the page's colour for lines, text and ground. */
export function chartSvg(lines: readonly ChartLine[], colour: (name: string) => string): string {
  const all = lines.flatMap(({ points }) => points);
  const x = axis(Math.max(1, ...all.map(([tokens]) => tokens)), LEFT, RIGHT);
  const y = axis(Math.max(1e-3, ...all.map(([, mebibytes]) => mebibytes)), BOTTOM, TOP);
  const text = (at: number, down: number, anchor: string, words: string): string =>
    `<text x="${at}" y="${down}" text-anchor="${anchor}" fill="${colour("quiet")}">` +
    `${escaped(words)}</text>`;
  const grid = [
    ...x.ticks.map((tick) => rule(x.at(tick), TOP, x.at(tick), BOTTOM, colour("line"))),
    ...y.ticks.map((tick) => rule(LEFT, y.at(tick), RIGHT, y.at(tick), colour("line"))),
  ];
  const labels = [
    ...x.ticks.map((tick) => text(x.at(tick), BOTTOM + 18, "middle", String(tick))),
    ...y.ticks.map((tick) => text(LEFT - 8, y.at(tick) + 4, "end", `${tick} MiB`)),
    text((LEFT + RIGHT) / 2, BOTTOM + 38, "middle", "new tokens"),
  ];
  const drawn = lines.map(({ id, dashed, points }) => {
    const path = points
      .map(([tokens, mebibytes]) => `${round(x.at(tokens))},${round(y.at(mebibytes))}`)
      .join(" ");
    const dash = dashed ? ' stroke-dasharray="6 6"' : "";
    const stroke = `stroke="${colour(id)}" stroke-width="2"${dash}`;
    return `<polyline points="${path}" fill="none" ${stroke}/>`;
  });
  const step = (RIGHT - LEFT) / Math.max(1, lines.length);
  const legend = lines.flatMap(({ id, name, dashed }, index) => {
    const left = LEFT + index * step;
    const dash = dashed ? ' stroke-dasharray="6 6"' : "";
    const stroke = `stroke="${colour(id)}" stroke-width="2"${dash}`;
    return [
      `<line x1="${left}" y1="${HEIGHT - 20}" x2="${left + 24}" y2="${HEIGHT - 20}" ${stroke}/>`,
      text(left + 32, HEIGHT - 16, "start", name),
    ];
  });
  return [
    svgOpening(WIDTH, HEIGHT, 13),
    "<title>Cache size against new tokens</title>",
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="${colour("card")}"/>`,
    ...grid,
    ...labels,
    ...drawn,
    ...legend,
    "</svg>",
  ].join("\n");
}

interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Axis from 0 to a little over `most`, drawn from `start` to `end`. Ticks are round numbers. */
function axis(most: number, start: number, end: number): Axis {
  const rough = most / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const top = most * 1.04;
  return {
    at: (value) => start + ((end - start) * value) / top,
    ticks: Array.from({ length: Math.floor(top / step) + 1 }, (_, index) =>
      Number((index * step).toPrecision(6)),
    ),
  };
}

function rule(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  const ends = `x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"`;
  return `<line ${ends} stroke="${colour}"/>`;
}
