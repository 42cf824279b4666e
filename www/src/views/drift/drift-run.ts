import type { CacheOptions, LoadedModel, RetainedHead } from "../../engine.ts";
import { cacheOf, keepOutput, ofPrompt, type Share } from "../../settings/policy-family.ts";

/** Shares of one step's most attended positions, by where they lie; the three sum to 1. */
export interface Drift {
  /** The share that was chosen at prefill. */
  readonly chosen: number;
  /** The share in the prompt that was not chosen. */
  readonly missed: number;
  /** The share in the output. */
  readonly output: number;
}

/** One step of a run. */
export interface DriftStep {
  /** New tokens before it. */
  readonly step: number;
  readonly mean: Drift;
  readonly layers: readonly Drift[];
}

/** Run to make: a prompt, and how much of it is chosen. */
export interface DriftWish {
  readonly prompt: string;
  /** New tokens, at most. */
  readonly tokens: number;
  readonly share: Share;
  /** Steps from one look to the next. */
  readonly every: number;
}

/** A head's positions that were chosen at prefill. */
type Chosen = readonly (readonly ReadonlySet<number>[])[];

/**
 * Runs a prompt under a full cache. Each step compares the positions that a head attends to most
 * with those of the prompt's end, equally many. SnapKV chooses there. `onStep` gets each
 * comparison; `onPrompt` gets the prompt's tokens and how many of them are chosen.
 */
export async function measureDrift(
  model: LoadedModel,
  { prompt, tokens, share, every }: DriftWish,
  signal: AbortSignal,
  onPrompt: (promptTokens: number, chosen: number) => void,
  onStep: (step: DriftStep) => void,
): Promise<void> {
  const { length } = await model.promptTokens(prompt);
  const rules = { ...ofPrompt("snapkv", share, length), ...keepOutput(tokens) };
  const keeping = cacheOf(rules);
  // Without its pooling, which would choose neighbours that nothing attends to.
  const cache = { ...keeping, prefill: { ...keeping.prefill, kernel: 1 } };
  const chosen = (await observed(model, prompt, cache, signal)).map((heads) =>
    heads.map(({ positions }) => new Set(positions)),
  );
  if (signal.aborted) {
    return;
  }
  onPrompt(length, chosen[0]?.[0]?.size ?? 0);
  const greedy = { temperature: 0, topP: 1, seed: 0 };
  let step = 0;
  await model.generate(
    { prompt, tokens, cache: {}, observeEvery: every, ...greedy },
    {
      signal,
      onPrefill: () => undefined,
      onToken: ({ retained }) => {
        // The first token comes of the prompt alone: no step has attended to anything yet.
        if (retained !== undefined && step > 0) {
          onStep(compareStep(step, retained, chosen, length));
        }
        step += 1;
      },
    },
  );
}

/** Positions that every layer's heads hold once the prompt is in. */
async function observed(
  model: LoadedModel,
  prompt: string,
  cache: CacheOptions,
  signal: AbortSignal,
): Promise<readonly (readonly RetainedHead[])[]> {
  let held: readonly (readonly RetainedHead[])[] = [];
  await model.generate(
    { prompt, tokens: 1, cache, observeEvery: 1, temperature: 0, topP: 1, seed: 0 },
    {
      signal,
      onPrefill: () => undefined,
      onToken: ({ retained = [] }) => {
        held = retained;
      },
    },
  );
  return held;
}

/** Compares what a step attended to, by layer and head, with what was chosen of the prompt. */
export function compareStep(
  step: number,
  layers: readonly (readonly RetainedHead[])[],
  chosen: Chosen,
  promptTokens: number,
): DriftStep {
  const ofLayers = layers.map((heads, layer) =>
    mean(
      heads.map((head, index) =>
        compareHead(head, chosen[layer]?.[index] ?? new Set(), promptTokens),
      ),
    ),
  );
  return { step, mean: mean(ofLayers), layers: ofLayers };
}

function compareHead(
  { positions, scores }: RetainedHead,
  chosen: ReadonlySet<number>,
  promptTokens: number,
): Drift {
  const ranked = positions.map((position, index) => ({ position, score: scores[index] ?? 0 }));
  ranked.sort((a, b) => b.score - a.score || a.position - b.position);
  const most = ranked.slice(0, chosen.size);
  const count = Math.max(1, most.length);
  const kept = most.filter(({ position }) => chosen.has(position)).length;
  const output = most.filter(({ position }) => position >= promptTokens).length;
  return {
    chosen: kept / count,
    missed: (most.length - kept - output) / count,
    output: output / count,
  };
}

function mean(drifts: readonly Drift[]): Drift {
  const count = Math.max(1, drifts.length);
  const of = (field: keyof Drift): number =>
    drifts.reduce((sum, drift) => sum + drift[field], 0) / count;
  return { chosen: of("chosen"), missed: of("missed"), output: of("output") };
}
