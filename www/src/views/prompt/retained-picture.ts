import { pageColour } from "../../charts/page-colour.ts";
import { element } from "../../ui/dom.ts";
import { count } from "../../ui/format.ts";
import { presence, type Snapshot } from "./retained-history.ts";

/** Content of a picture: positions that were retained, and whose they are. */
export interface Pictured {
  readonly snapshots: readonly Snapshot[];
  /** Per layer, the newest positions that it sees and holds; none if it sees all. */
  readonly windows: readonly (number | undefined)[];
  /** The text of the token at a position, where it is known. */
  readonly tokenAt: (position: number) => string | undefined;
  /** True if the reader wrote what is at a position, false if the model did. */
  readonly isRead: (position: number) => boolean;
}

/** Words of a picture. */
export interface PictureWords {
  /** Names of what the reader and the model wrote. */
  readonly read: string;
  readonly written: string;
  /** Value of the slider at a snapshot, in full. */
  readonly step: (step: number) => string;
}

/** Cell of the picture that the cursor is at. */
interface Cell {
  readonly layer: number;
  readonly position: number;
}

/** The picture of what was retained: layers by positions, at any step so far. */
export class RetainedPicture {
  readonly #canvas: HTMLCanvasElement;
  readonly #step: HTMLInputElement;
  readonly #stepValue: HTMLOutputElement;
  readonly #readout: HTMLElement;
  readonly #empty: HTMLElement;
  readonly #words: PictureWords;
  readonly #map = document.createElement("canvas");
  #run: Pictured | undefined;
  /** The snapshot shown; past the last one while the newest is followed. */
  #index = Number.POSITIVE_INFINITY;
  #cursor: Cell | undefined;
  #drawn = "";
  #painted = "";

  /** `prefix` is that of the picture's ids. */
  constructor(prefix: string, words: PictureWords) {
    this.#words = words;
    this.#canvas = element(prefix, HTMLCanvasElement);
    this.#step = element(`${prefix}-step`, HTMLInputElement);
    this.#stepValue = element(`${prefix}-step-value`, HTMLOutputElement);
    this.#readout = element(`${prefix}-readout`, HTMLElement);
    this.#empty = element(`${prefix}-empty`, HTMLElement);
    this.#step.addEventListener("input", () => {
      const index = this.#step.valueAsNumber;
      this.#index = index === Number(this.#step.max) ? Number.POSITIVE_INFINITY : index;
      this.update();
    });
    this.#canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.#canvas.addEventListener("pointerdown", (event) => this.#point(event));
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    const redraw = (): void => {
      this.#drawn = "";
      this.#painted = "";
      this.update();
    };
    new ResizeObserver(redraw).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  /** Shows this, at its newest step. */
  show(run: Pictured | undefined): void {
    this.#run = run;
    this.#index = Number.POSITIVE_INFINITY;
    this.#cursor = undefined;
    this.#drawn = "";
    this.#painted = "";
    this.update();
  }

  /** Draws again if something has changed. */
  update(): void {
    const snapshots = this.#run?.snapshots ?? [];
    const last = snapshots.length - 1;
    const index = Math.min(this.#index, last);
    const snapshot = snapshots[index];
    this.#empty.hidden = snapshot !== undefined;
    this.#step.max = String(Math.max(0, last));
    this.#step.value = String(Math.max(0, index));
    this.#step.disabled = last < 1;
    this.#stepValue.value = snapshot === undefined ? "–" : count(snapshot.step);
    this.#step.setAttribute(
      "aria-valuetext",
      snapshot === undefined ? "none" : this.#words.step(snapshot.step),
    );
    const cursor = JSON.stringify(this.#cursor);
    const version = `${index} ${snapshots[0]?.length} ${snapshot?.step} ${cursor}`;
    if (version !== this.#drawn) {
      this.#drawn = version;
      this.#draw(snapshots, index);
      this.#read(snapshot, index);
    }
  }

  #draw(snapshots: readonly Snapshot[], index: number): void {
    const context = this.#canvas.getContext("2d");
    const width = this.#width();
    const layers = snapshots[index]?.layers.length ?? 0;
    if (context === null || width === 0 || layers === 0) {
      this.#canvas.width = 1; // which empties it
      return;
    }
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.#canvas.height = Math.round(clientHeight * devicePixelRatio);
    const painted = `${index} ${width}`;
    if (painted !== this.#painted) {
      this.#painted = painted; // pointing at it only moves the frame around what is pointed at
      this.#paintMap(snapshots, index, width, layers);
    }
    // Positions narrower than a pixel are averaged with their neighbours; wider ones keep edges.
    context.imageSmoothingEnabled = width > this.#canvas.width;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#map, 0, 0, this.#canvas.width, this.#canvas.height);
    if (this.#cursor !== undefined) {
      const column = this.#canvas.width / width;
      const row = this.#canvas.height / layers;
      context.strokeStyle = getComputedStyle(this.#canvas).color;
      context.lineWidth = devicePixelRatio;
      const size = Math.max(column, 4 * devicePixelRatio);
      context.strokeRect(
        (this.#cursor.position + 0.5) * column - size / 2,
        this.#cursor.layer * row,
        size,
        row,
      );
    }
  }

  /** A pixel for each layer and position. */
  #paintMap(snapshots: readonly Snapshot[], index: number, width: number, layers: number): void {
    this.#map.width = width;
    this.#map.height = layers;
    const context = this.#map.getContext("2d");
    if (context === null) {
      return;
    }
    const image = context.createImageData(width, layers);
    const prefill = colourOf("prefill");
    const decode = colourOf("decode");
    const evicted = colourOf("edge");
    for (let layer = 0; layer < layers; layer += 1) {
      for (let position = 0; position < width; position += 1) {
        const share = presence(snapshots, index, layer, position);
        if (share !== 0) {
          const held = this.#run?.isRead(position) === true ? prefill : decode;
          const [red, green, blue] = share < 0 ? evicted : held;
          const at = 4 * (layer * width + position);
          image.data[at] = red;
          image.data[at + 1] = green;
          image.data[at + 2] = blue;
          image.data[at + 3] = 255 * (share < 0 ? -0.6 * share : 0.25 + 0.75 * share);
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** Positions from edge to edge: those of the newest step, so that scrubbing moves nothing. */
  #width(): number {
    return this.#run?.snapshots.at(-1)?.length ?? 0;
  }

  #point(event: PointerEvent): void {
    const snapshots = this.#run?.snapshots ?? [];
    const layers = snapshots.at(-1)?.layers.length ?? 0;
    if (layers > 0) {
      const { left, top, width, height } = this.#canvas.getBoundingClientRect();
      this.#moveTo(
        Math.floor(((event.clientY - top) / height) * layers),
        Math.floor(((event.clientX - left) / width) * this.#width()),
      );
    }
  }

  #key(event: KeyboardEvent): void {
    const far = event.shiftKey ? 16 : 1;
    const moves: Record<string, readonly [layer: number, position: number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -far],
      ArrowRight: [0, far],
    };
    const move = moves[event.key];
    if (move !== undefined) {
      event.preventDefault();
      const { layer, position } = this.#cursor ?? { layer: 0, position: 0 };
      this.#moveTo(layer + move[0], position + move[1]);
    }
  }

  #moveTo(layer: number, position: number): void {
    const layers = this.#run?.snapshots.at(-1)?.layers.length ?? 0;
    if (layers > 0) {
      this.#cursor = { layer: within(layer, layers), position: within(position, this.#width()) };
      this.update();
    }
  }

  /** Says what is under the cursor. */
  #read(snapshot: Snapshot | undefined, index: number): void {
    const run = this.#run;
    const cell = this.#cursor;
    const layer = cell === undefined ? undefined : snapshot?.layers[cell.layer];
    if (run === undefined || cell === undefined || layer === undefined) {
      return;
    }
    const { position } = cell;
    const token = run.tokenAt(position);
    const window = run.windows[cell.layer];
    const sight = window === undefined ? "" : ` (sees the newest ${count(window)} only)`;
    this.#readout.textContent = [
      `Layer ${cell.layer}${sight}, position ${count(position)}`,
      ...(token === undefined ? [] : [`“${token.replaceAll("\n", "↵")}”`]),
      run.isRead(position) ? this.#words.read : this.#words.written,
      holdingOf(run, index, cell),
    ].join(" · ");
  }
}

/** Text on how the heads of a layer hold a position, at snapshot `index`. */
function holdingOf({ snapshots }: Pictured, index: number, { layer, position }: Cell): string {
  const snapshot = snapshots[index];
  const { heads = 0, held, scores } = snapshot?.layers[layer] ?? {};
  const holding = held?.[position] ?? 0;
  if (holding > 0) {
    const score = (scores?.[position] ?? 0).toPrecision(3);
    return `held by ${holding} of ${heads} heads, score ${score}`;
  }
  if (presence(snapshots, index, layer, position) < 0) {
    return "evicted not long ago";
  }
  return position < (snapshot?.length ?? 0) ? "not held" : "not there yet";
}

const within = (value: number, length: number): number => Math.max(0, Math.min(length - 1, value));

/** One of the page's colours, as red, green and blue. */
function colourOf(name: string): readonly [number, number, number] {
  const value = pageColour(name);
  const part = (start: number): number => Number.parseInt(value.slice(start, start + 2), 16);
  return [part(1), part(3), part(5)];
}
