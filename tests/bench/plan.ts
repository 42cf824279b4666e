import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The folder by which `cargo xtask bench` and this tell each other what is to be measured and what
 * was.
 */
export function benchFolder(): string {
  const folder = process.env["KVSCOPE_BENCH"];
  if (folder === undefined) {
    throw new Error("KVSCOPE_BENCH names no folder: run this by `cargo xtask bench --browser`");
  }
  return folder;
}

type CacheOptions = import("../../pkg/wasm/kvscope.js").CacheOptions;

/** A prompt to take in. */
export interface Prefill {
  readonly context: number;
  readonly method: string;
  readonly cache: CacheOptions;
  readonly repeats: number;
}

/** The plan of `xtask/src/bench/plan.rs`, as far as the browser needs it. */
export interface Plan {
  readonly model: string;
  readonly prefill: readonly Prefill[];
  readonly decode: readonly { readonly context: number }[];
  readonly steps: number;
  readonly rounds: number;
  readonly wllama: boolean;
}

/**
 * Spot at which steps are measured, written by `benches/generation/spots.rs`. Its cache is
 * `caches/{id}.bin`.
 */
export interface Spot {
  readonly id: number;
  readonly kind: "decode" | "selection" | "curve" | "storage";
  readonly policy: string;
  readonly context: number;
  readonly warm: number;
  readonly steps: number;
  readonly rounds: number;
}

const read = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(join(benchFolder(), name), "utf8")) as T;

export const readPlan = (): Promise<Plan> => read("plan.json");

/** The spots in groups whose turns alternate, as in `benches/generation`. */
export async function readGroups(): Promise<readonly (readonly Spot[])[]> {
  const groups: Spot[][] = [];
  for (const spot of await read<Spot[]>("spots.json")) {
    const group = groups.at(-1);
    const first = group?.[0];
    if (first?.kind === spot.kind && (first.context === spot.context || spot.kind === "curve")) {
      group?.push(spot);
    } else {
      groups.push([spot]);
    }
  }
  return groups;
}
