/** The keys of an object that is known to have no others than its type says. */
export const keysOf = <T extends object>(whole: T): (keyof T)[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript can't know that there are no others
  Object.keys(whole) as (keyof T)[];
