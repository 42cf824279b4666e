/** The keys of an object that has no others than its type says, which TypeScript can't know. */
export const keysOf = <T extends object>(whole: T): (keyof T)[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  Object.keys(whole) as (keyof T)[];
