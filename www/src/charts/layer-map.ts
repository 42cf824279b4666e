/** A map of shares: a row a layer, a column a step, the fuller the stronger. */
export class LayerMap {
  readonly #canvas: HTMLCanvasElement;
  #columns: readonly (readonly number[])[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      this.show(this.#columns),
    );
  }

  /** Shows shares from 0 to 1, by step and layer. */
  show(columns: readonly (readonly number[])[]): void {
    this.#columns = columns;
    // A pixel a cell: the page scales it, with hard edges.
    this.#canvas.width = Math.max(1, columns.length);
    this.#canvas.height = Math.max(1, columns[0]?.length ?? 0);
    const context = this.#canvas.getContext("2d");
    if (context === null) {
      return;
    }
    context.fillStyle = getComputedStyle(this.#canvas).color;
    columns.forEach((layers, step) =>
      layers.forEach((share, layer) => {
        context.globalAlpha = share;
        context.fillRect(step, layer, 1, 1);
      }),
    );
  }
}
