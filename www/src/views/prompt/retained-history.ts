import type { RetainedHead } from "../../engine.ts";

/** Positions that one layer held at one step: how many of its KV heads, and with which score. */
export interface LayerSnapshot {
  readonly heads: number;
  /** Heads that hold each position. */
  readonly held: Uint8Array;
  /** The largest score that a head holding it gives each position. */
  readonly scores: Float32Array;
}

/** Positions that every layer held at one step. */
export interface Snapshot {
  /** New tokens so far. */
  readonly step: number;
  /** Positions so far, the prompt's and the new. */
  readonly length: number;
  readonly layers: readonly LayerSnapshot[];
}

/** Snapshots of one run, at most. */
const MOST_SNAPSHOTS = 32;
const LEAST_INTERVAL = 4;

/** Steps between snapshots of a run of `tokens`: reading every layer back takes the GPU's time. */
export const observeEvery = (tokens: number): number =>
  Math.max(LEAST_INTERVAL, Math.ceil(tokens / MOST_SNAPSHOTS));

/** The snapshot of what every layer's heads hold after `step` new tokens. */
export function snapshotOf(step: number, layers: readonly (readonly RetainedHead[])[]): Snapshot {
  const length = Math.max(0, ...layers.flat().map(({ positions }) => (positions.at(-1) ?? -1) + 1));
  return { step, length, layers: layers.map((heads) => summarise(heads, length)) };
}

function summarise(heads: readonly RetainedHead[], length: number): LayerSnapshot {
  const held = new Uint8Array(length);
  const scores = new Float32Array(length);
  for (const { positions, scores: ofHead } of heads) {
    positions.forEach((position, index) => {
      held[position] = (held[position] ?? 0) + 1;
      scores[position] = Math.max(scores[position] ?? 0, ofHead[index] ?? 0);
    });
  }
  return { heads: heads.length, held, scores };
}

/** Snapshots for which an evicted position can still be seen. */
export const FADE = 6;

/**
 * Presence of a position in a layer at snapshot `index`: the share of heads that hold it. Below 0
 * it is the part of that share still to be seen since the last head let it go. At 0 nothing is
 * seen.
 */
export function presence(
  snapshots: readonly Snapshot[],
  index: number,
  layer: number,
  position: number,
): number {
  for (let age = 0; age <= FADE && age <= index; age += 1) {
    const snapshot = snapshots[index - age]?.layers[layer];
    const held = snapshot?.held[position] ?? 0;
    if (snapshot !== undefined && held > 0) {
      const share = held / snapshot.heads;
      return age === 0 ? share : -share * (1 - age / (FADE + 1));
    }
  }
  return 0;
}
