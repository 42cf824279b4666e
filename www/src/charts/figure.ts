import type { Family } from "../settings/policy-family.ts";
import { figureSvg, mark, type Figure } from "./figure-svg.ts";
import { pageColour } from "./page-colour.ts";

/** The size of a figure that is taken away, whatever the page's is. */
const TAKEN = { width: 860, height: 440, legend: true };

/** A figure in its place on the page, drawn again where that or the colours change. */
export class FigureView {
  readonly #host: HTMLElement;
  #figure: Figure | undefined;
  #drawn = "";

  constructor(host: HTMLElement) {
    this.#host = host;
    new ResizeObserver(() => this.#draw()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Draws `figure`, which `description` tells those who do not see it. */
  show(figure: Figure, description: string): void {
    this.#figure = figure;
    this.#host.setAttribute("aria-label", description);
    this.#draw();
  }

  /** The figure as a drawing, to be scaled and edited. */
  toSvg(): Blob {
    const text = this.#figure === undefined ? "" : figureSvg(this.#figure, TAKEN, pageColour);
    return new Blob([text], { type: "image/svg+xml" });
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (this.#figure === undefined || width === 0) {
      return;
    }
    const text = figureSvg(this.#figure, { width, height, legend: false }, pageColour);
    if (text !== this.#drawn) {
      this.#drawn = text;
      this.#host.replaceChildren(drawing(text));
    }
  }
}

/** A family's mark, to stand beside its name; its colour is the page's, whichever that is. */
export function markerIcon({ marker, kind }: Family): Element {
  const shape = mark(marker, 8, 8, "currentColor", "none");
  const icon = drawing(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${shape}</svg>`,
  );
  icon.setAttribute("class", `marker ${kind}`);
  return icon;
}

function drawing(text: string): Element {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  root.setAttribute("aria-hidden", "true"); // the element that it stands in says what it shows
  root.setAttribute("focusable", "false");
  return document.importNode(root, true);
}
