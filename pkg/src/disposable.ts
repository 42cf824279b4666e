/** Makes `using` end an object of this class by `end`, in browsers that know `Symbol.dispose`. */
export function disposable<T extends object>(prototype: T, end: (object: T) => void): void {
  if (Symbol.dispose !== undefined) {
    Object.defineProperty(prototype, Symbol.dispose, {
      value(this: T): void {
        end(this);
      },
    });
  }
}
