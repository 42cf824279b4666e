/**
 * Stream of items written on one side and read on the other. Leaving the loop over it early cancels
 * the writer.
 */
export class EventStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items: T[] = [];
  readonly #onLeave: () => void;
  #ended = false;
  #error: { readonly thrown: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** Creates a stream. `onLeave` is called when the reader leaves before the end. */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** Writes an item. */
  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** Ends the stream; an error reaches the reader after everything written. */
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
