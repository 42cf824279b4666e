/** A table of numbers, tinted by sign and size, whose cells stay in place while their values come and go. */
export class MatrixView {
  readonly #cells: readonly HTMLTableCellElement[];

  /** Fills the empty `table` with `rows × width` cells. */
  constructor(table: HTMLTableElement, rows: number, width: number) {
    this.#cells = Array.from({ length: rows }, () => table.insertRow()).flatMap((row) =>
      Array.from({ length: width }, () => row.insertCell()),
    );
    this.clear();
  }

  /** Shows `values`, `[rows, width]`; `scale` is the size at which the tint is full. */
  show(values: ArrayLike<number>, scale: number): void {
    this.#cells.forEach((cell, index) => {
      const value = values[index] ?? Number.NaN;
      cell.textContent = value.toFixed(2).replace("-", "−");
      cell.dataset["sign"] = value < 0 ? "negative" : "positive";
      cell.style.setProperty("--size", String(Math.min(1, Math.abs(value) / scale)));
    });
  }

  /** Back to no values, at the same size. */
  clear(): void {
    for (const cell of this.#cells) {
      cell.textContent = "–";
      delete cell.dataset["sign"];
      cell.style.removeProperty("--size");
    }
  }
}
