import { OPTIONS } from "../../generated/catalogue.js";

type Option = (typeof OPTIONS)[number];
type Path<Kind> = Extract<Option, { kind: Kind }>["path"];

/** Range that the library declares for a whole number. */
export function rangeOf(path: Path<"count">): { least: number; most: number; step: number } {
  const option = OPTIONS.find((one) => one.path === path);
  return option?.kind === "count" ? option : { least: 1, most: 1, step: 1 };
}

/** Number that the library declares as a default. */
export function defaultOf(path: Path<"count" | "budget">): number {
  const option = OPTIONS.find((one) => one.path === path);
  return option?.kind === "count" || option?.kind === "budget" ? option.default : 0;
}
