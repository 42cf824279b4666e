/** What is written on one side, read on the other as it comes. Leaving the loop over it early cancels what writes it. */
export class EventStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items: T[] = [];
  readonly #onLeave: () => void;
  #ended = false;
  #error: { readonly thrown: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** `onLeave` is called when nobody reads on before the end. */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** Writes. */
  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** Ends it, with an error for the reader to meet after everything written if there is one. */
  end(error?: { readonly thrown: unknown }): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#error = error;
      this.#wake?.();
    }
  }

  /** @inheritdoc */
  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      return this.next();
    }
    const item = this.#items.shift();
    if (item !== undefined) {
      return { done: false, value: item };
    }
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) {
      throw error.thrown;
    }
    return { done: true, value: undefined };
  }

  /** Stops reading. */
  return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#ended) {
      this.#onLeave();
    }
    this.#items.length = 0;
    this.#error = undefined;
    this.#ended = true;
    this.#wake?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** @inheritdoc */
  [Symbol.asyncIterator](): this {
    return this;
  }
}
