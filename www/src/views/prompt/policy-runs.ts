import type { LoadedModel, TraceProgram } from "../../engine.ts";
import { policiesOf } from "../../settings/policy.ts";
import type { Setting } from "../../settings/setting.ts";
import { describeError } from "../../ui/problem.ts";
import { observeEvery, snapshotOf } from "./retained-history.ts";
import { Run } from "./run.ts";

/** The runs that `setting` asks for, none begun. */
export const plan = (setting: Setting): Run[] =>
  policiesOf(setting).map((policy) => new Run(policy, setting.tokens));

/**
 * Runs `runs` over the setting's prompt, one after the other on the model's one device. If the
 * prompt is `program`'s, each run that was not stopped is graded. `onChange` is called whenever
 * there is something new to show. What was generated before `signal` or an error ended a run stays
 * in it.
 */
export async function runInTurn(
  model: LoadedModel,
  setting: Setting,
  runs: readonly Run[],
  program: TraceProgram | undefined,
  signal: AbortSignal,
  onChange: () => void,
): Promise<void> {
  const texts = await model.promptTokens(setting.prompt);
  for (const run of runs) {
    run.promptTokens = texts;
    run.windows = model.windows;
    if (signal.aborted) {
      run.state = "stopped";
      continue;
    }
    run.state = "prefill";
    onChange();
    // One GPU: a run waits for the one before it.
    // oxlint-disable-next-line no-await-in-loop
    const failed = await runOne(model, setting, run, signal, onChange).then(
      () => false,
      (error: unknown) => {
        run.state = "failed";
        run.problem = describeError(error);
        return true;
      },
    );
    if (program !== undefined && run.finish !== undefined && run.finish !== "abort") {
      // oxlint-disable-next-line no-await-in-loop
      run.grades = await model.grade(program, run.text);
    }
    onChange();
    if (failed) {
      break;
    }
  }
}

async function runOne(
  model: LoadedModel,
  { prompt, tokens, temperature, topP, seed }: Setting,
  run: Run,
  signal: AbortSignal,
  onChange: () => void,
): Promise<void> {
  const { id, cache } = run.policy;
  // What a full cache holds is no question.
  const every = id === "full" ? undefined : observeEvery(tokens);
  const wish = { prompt, tokens, temperature, topP, seed, cache, observeEvery: every };
  const ended = await model.generate(wish, {
    signal,
    onPrefill: (done, of) => {
      run.prefilled = [done, of];
      onChange();
    },
    onToken: ({ text, kv, retained }) => {
      if (retained !== undefined) {
        run.snapshots.push(snapshotOf(run.pieces.length, retained));
      }
      run.push(text, kv, performance.now());
      onChange();
    },
  });
  run.append(ended.rest);
  run.finish = ended.finish;
  run.usage = ended.usage;
  run.state = ended.finish === "abort" ? "stopped" : "done";
}
