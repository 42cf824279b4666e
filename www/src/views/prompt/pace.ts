import type { RunUsage } from "../../engine.ts";
import type { Setting } from "../../settings/setting.ts";
import type { Run } from "./run.ts";

/** Speed at which this device ran the loaded model. */
export interface Pace {
  readonly tokensPerCharacter: number;
  readonly prefillMsPerToken: number;
  readonly decodeMsPerToken: number;
}

/** The pace of the last of `runs` over `prompt` that came to its end, if one did. */
export function paceOf(runs: readonly Run[], prompt: string): Pace | undefined {
  const usage = runs.reduce<RunUsage | undefined>(
    (last, run) => usable(run.usage) ?? last,
    undefined,
  );
  return usage === undefined
    ? undefined
    : {
        tokensPerCharacter: usage.promptTokens / Math.max(1, prompt.length),
        prefillMsPerToken: usage.prefillMs / usage.promptTokens,
        decodeMsPerToken: 1000 / usage.decodeTokensPerSecond,
      };
}

/** Most time that `runs` runs of `setting` take at this pace: a text may end before. */
export function estimateMs(pace: Pace, { prompt, tokens }: Setting, runs: number): number {
  const promptTokens = prompt.length * pace.tokensPerCharacter;
  return runs * (promptTokens * pace.prefillMsPerToken + tokens * pace.decodeMsPerToken);
}

/** A run of one token has no speed of decoding. */
function usable(usage: RunUsage | undefined): RunUsage | undefined {
  return usage !== undefined && usage.decodeTokensPerSecond > 0 && usage.promptTokens > 0
    ? usage
    : undefined;
}
