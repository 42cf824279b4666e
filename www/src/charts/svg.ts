/** A coordinate, to the hundredth: more digits make a drawing larger and no finer. */
export const round = (value: number): number => Math.round(value * 100) / 100;

/** Text as SVG has it. */
export const escaped = (words: string): string =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
