/** A number's digits, thousands separated. Intl's own way takes 20 ms to set up at the start. */
export const separated = (digits: string): string =>
  digits.replace(/\B(?<!\.\d*)(?=(?:\d{3})+(?!\d))/g, ",");

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes in the largest binary unit that leaves at least one, as `1.5 GiB`. */
export function bytes(amount: number): string {
  let unit = 0;
  let value = amount;
  while (value >= 1024 && unit + 1 < BINARY_UNITS.length) {
    value /= 1024;
    unit += 1;
  }
  return `${separated(String(Number(value.toFixed(digitsOf(value)))))} ${BINARY_UNITS[unit]}`;
}

/** Digits after the point, for three in all. */
function digitsOf(value: number): number {
  if (value >= 100) {
    return 0;
  }
  return value >= 10 ? 1 : 2;
}

/** A count with thousands separated, as `65,535`. */
export function count(value: number): string {
  return separated(String(Math.round(value)));
}

/** A share as a whole percentage: 0 and 100 only where nothing or all of it is meant. */
export function percent(share: number): string {
  const whole = Math.round(share * 100);
  const inside = share > 0 && share < 1 ? Math.min(99, Math.max(1, whole)) : whole;
  return `${inside} %`;
}

/** Tokens per second, with a digit more where they are few. */
export function rate(value: number): string {
  return value >= 10 ? count(value) : value.toFixed(1);
}

/** Milliseconds as a guess is told: `20 seconds`, `3 minutes`. */
export function roughly(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 55) {
    return `${Math.max(5, 5 * Math.ceil(seconds / 5))} seconds`;
  }
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 90
    ? `${minutes} minute${minutes === 1 ? "" : "s"}`
    : `${Math.round(minutes / 60)} hours`;
}

/** Milliseconds as seconds or minutes. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
