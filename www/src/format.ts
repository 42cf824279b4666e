const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes in the largest binary unit that leaves at least one, as `1.5 GiB`. */
export function bytes(amount: number): string {
  let unit = 0;
  let value = amount;
  while (value >= 1024 && unit + 1 < BINARY_UNITS.length) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(2)).toLocaleString("en")} ${BINARY_UNITS[unit]}`;
}

/** A count with thousands separated, as `65,535`. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** A small number as people write it, as `1.2 × 10⁻⁷`. */
export function scientific(value: number): string {
  if (value === 0 || !Number.isFinite(value)) {
    return String(value);
  }
  const [mantissa = "", exponent = ""] = value.toExponential(1).split("e");
  const raised = exponent
    .replace("+", "")
    .replace("-", "⁻")
    .replace(/\d/g, (digit) => SUPERSCRIPTS.charAt(Number(digit)));
  return `${mantissa} × 10${raised}`;
}
