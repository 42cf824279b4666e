/** A coordinate, to the hundredth: more digits make a drawing larger and no finer. */
export const round = (value: number): number => Math.round(value * 100) / 100;

/** Text as SVG has it. */
export const escaped = (words: string): string =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** Opening tag of a drawing of its own. */
export const svgOpening = (width: number, height: number, fontSize: number): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
  `height="${height}" font-family="system-ui, sans-serif" font-size="${fontSize}">`;
