import type { Setting } from "../../settings/setting.ts";
import type { Run } from "./run.ts";

/** Model and adapter that the runs ran on. */
export interface RanOn {
  readonly model: string;
  /** The adapter; absent before a model is loaded. */
  readonly device: string | undefined;
}

/** Record of runs, to be read without this page: the setting, and each run token by token. */
export function toRunsRecord(setting: Setting, ranOn: RanOn, runs: readonly Run[]): string {
  const record = {
    program: "kvscope",
    format: 1,
    createdAt: new Date().toISOString(),
    ...ranOn,
    setting,
    runs: runs.map((run) => ({
      policy: run.policy.name,
      cache: run.policy.cache,
      state: run.state,
      finish: run.finish,
      usage: run.usage,
      text: run.text,
      pieces: run.pieces,
      memory: run.memory,
      retained: run.snapshots.map(({ step, layers }) => ({
        step,
        layers: layers.map(({ heads, held }) => ({ heads, held: [...held] })),
      })),
    })),
  };
  return JSON.stringify(record);
}
