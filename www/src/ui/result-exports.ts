import { element } from "./dom.ts";
import { download } from "./download.ts";

const TYPES = { json: "application/json", csv: "text/csv", svg: "image/svg+xml" } as const;

/** Files that a view's result can be saved as. */
export interface Takeaways {
  /** Nothing where there is no result yet. */
  readonly json: () => string | undefined;
  readonly csv: () => string;
  readonly svg: () => Blob;
}

/** Buttons that download a view's result. Their ids and the files' names have the view's prefix. */
export class ResultExports {
  readonly #buttons: readonly HTMLButtonElement[];

  constructor(prefix: string, takeaways: Takeaways) {
    this.#buttons = (["json", "csv", "svg"] as const).map((type) => {
      const button = element(`${prefix}-${type}`, HTMLButtonElement);
      button.addEventListener("click", () => {
        const taken = takeaways[type]();
        if (taken !== undefined) {
          const blob = taken instanceof Blob ? taken : new Blob([taken], { type: TYPES[type] });
          download(`kvscope-${prefix}.${type}`, blob);
        }
      });
      return button;
    });
  }

  /** Enables the buttons, if there is `any` result to save. */
  enable(any: boolean): void {
    for (const button of this.#buttons) {
      button.disabled = !any;
    }
  }
}
