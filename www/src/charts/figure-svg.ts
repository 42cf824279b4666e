import type { Marker } from "../settings/policy-family.ts";
import { escaped, round, svgOpening } from "./svg.ts";

/** Figure, in the units of its axes. */
export interface Figure {
  readonly title: string;
  readonly x: FigureAxis;
  readonly y: FigureAxis;
  readonly series: readonly Series[];
}

export interface FigureAxis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
}

/** A line with a mark at each point, or the area between a line and another. */
export interface Series {
  readonly name: string;
  /** One of the page's colours. */
  readonly colour: string;
  /** Marker of its points; none without it. */
  readonly marker?: Marker;
  /** Another look for lines of another kind, such as `6 4`. */
  readonly dash?: string;
  /** In the order in which they are joined. `base` is the other edge of an area. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly base?: number }[];
}

export interface FigureSize {
  readonly width: number;
  readonly height: number;
  /** True if the names of the series stand below. */
  readonly legend: boolean;
}

const LEFT = 56;
const TOP = 12;
const ROW = 20;
const LEGEND_COLUMN = 190;

/** Figure as SVG text. `colour` gives the page's colour for lines, text and ground. */
export function figureSvg(
  { title, x, y, series }: Figure,
  { width, height: plotHeight, legend }: FigureSize,
  colour: (name: string) => string,
): string {
  const columns = Math.max(1, Math.floor((width - LEFT) / LEGEND_COLUMN));
  const rows = legend ? Math.ceil(series.length / columns) : 0;
  const height = plotHeight + rows * ROW;
  const [right, bottom] = [width - 20, plotHeight - 46];
  const across = (value: number): number =>
    LEFT + ((right - LEFT) * (value - x.from)) / (x.to - x.from || 1);
  const up = (value: number): number =>
    bottom - ((bottom - TOP) * (value - y.from)) / (y.to - y.from || 1);
  const text = (at: number, down: number, anchor: string, words: string, more = ""): string =>
    `<text x="${round(at)}" y="${round(down)}" text-anchor="${anchor}" ` +
    `fill="${colour("quiet")}"${more}>${escaped(words)}</text>`;
  const rule = (x1: number, y1: number, x2: number, y2: number): string =>
    `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ` +
    `stroke="${colour("line")}"/>`;
  const middle = (TOP + bottom) / 2;
  const frame = [
    ...x.ticks.map(({ at }) => rule(across(at), TOP, across(at), bottom)),
    ...y.ticks.map(({ at }) => rule(LEFT, up(at), right, up(at))),
    ...x.ticks.map(({ at, text: words }) => text(across(at), bottom + 17, "middle", words)),
    ...y.ticks.map(({ at, text: words }) => text(LEFT - 7, up(at) + 4, "end", words)),
    text((LEFT + right) / 2, bottom + 38, "middle", x.label),
    text(13, middle, "middle", y.label, ` transform="rotate(-90 13 ${round(middle)})"`),
  ];
  const lines = series.flatMap(({ colour: name, dash, points, marker }) => {
    const line = points.map((point) => `${round(across(point.x))},${round(up(point.y))}`);
    const dashes = dash === undefined ? "" : ` stroke-dasharray="${dash}"`;
    const stroke = `stroke="${colour(name)}"${dashes}`;
    if (points.some(({ base }) => base !== undefined)) {
      const back = points.map(
        (point) => `${round(across(point.x))},${round(up(point.base ?? y.from))}`,
      );
      back.reverse();
      return [
        `<polygon points="${[...line, ...back].join(" ")}" fill="${colour(name)}" stroke="none"/>`,
      ];
    }
    const thickness = marker === undefined ? 2.5 : 1.5;
    return line.length < 2
      ? []
      : [
          `<polyline points="${line.join(" ")}" fill="none" ${stroke} ` +
            `stroke-width="${thickness}" stroke-opacity="0.7"/>`,
        ];
  });
  const marks = series.flatMap(({ colour: name, marker, points }) =>
    marker === undefined
      ? []
      : points.map((point) =>
          mark(marker, across(point.x), up(point.y), colour(name), colour("card")),
        ),
  );
  const names = legend
    ? series.flatMap(({ name, colour: of, marker }, index) => {
        const left = LEFT + (index % columns) * LEGEND_COLUMN;
        const down = plotHeight + Math.floor(index / columns) * ROW + 4;
        return [
          mark(marker ?? "square", left + 6, down, colour(of), colour("card")),
          text(left + 18, down + 4, "start", name),
        ];
      })
    : [];
  return [
    svgOpening(width, height, 12),
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${colour("card")}"/>`,
    ...frame,
    ...lines,
    ...marks,
    ...names,
    "</svg>",
  ].join("\n");
}

/** A point's mark, around its place. */
export function mark(marker: Marker, x: number, y: number, fill: string, edge: string): string {
  const style = `fill="${fill}" stroke="${edge}" stroke-width="1.25"`;
  const shape = (points: readonly (readonly [number, number])[]): string => {
    const corners = points.map(([across, down]) => `${round(x + across)},${round(y + down)}`);
    return `<polygon points="${corners.join(" ")}" ${style}/>`;
  };
  switch (marker) {
    case "circle":
      return `<circle cx="${round(x)}" cy="${round(y)}" r="5" ${style}/>`;
    case "square":
      return `<rect x="${round(x - 4.5)}" y="${round(y - 4.5)}" width="9" height="9" ${style}/>`;
    case "triangle":
      return shape([
        [0, -6],
        [5.5, 4.5],
        [-5.5, 4.5],
      ]);
    default:
      return shape([
        [0, -6.5],
        [6.5, 0],
        [0, 6.5],
        [-6.5, 0],
      ]);
  }
}

/** Ticks of an axis of shares, at every fifth or quarter. */
export const shareTicks = (parts: number): FigureAxis["ticks"] =>
  Array.from({ length: parts + 1 }, (_, index) => {
    const percent = (100 * index) / parts;
    return { at: index / parts, text: `${percent} %` };
  });
