import { within, type Reader } from "./fragment.ts";
import { rangeOf } from "./options.ts";

/** Smallest and largest value of a number, in its form's field and in links. */
export interface Limits {
  readonly least: number;
  readonly most: number;
  /** Distance between values that the field steps through; whole numbers only if it is 1. */
  readonly step: number;
}

/** The range that the library declares, as far as it lies between `least` and `most`. */
function declared(path: Parameters<typeof rangeOf>[0], least: number, most: number): Limits {
  const range = rangeOf(path);
  return {
    least: Math.max(range.least, least),
    most: Math.min(range.most, most),
    step: range.step,
  };
}

/** Limits of the setting's numbers, by field. */
export const LIMITS = {
  observationWindow: declared("prefill.observationWindow", 1, 4096),
  recent: declared("decode.recent", 1, 65_536),
  tokens: { least: 1, most: 65_536, step: 1 },
  temperature: { least: 0, most: 5, step: 0.05 },
  topP: { least: 0.01, most: 1, step: 0.01 },
  seed: { least: 0, most: 2 ** 32 - 1, step: 1 },
} as const satisfies Record<string, Limits>;

/** Reads a number within `limits` from a link. */
export const limited = ({ least, most, step }: Limits): Reader<number> =>
  within(least, most, step === 1);

/** Puts `limits` on a number's field. */
export function limit(field: HTMLInputElement, { least, most, step }: Limits): void {
  field.min = String(least);
  field.max = String(most);
  if (step !== 1) {
    field.step = String(step);
  }
}
