import type { LoadedModel } from "../engine.ts";
import { cacheOf, type MeasuredPolicy, type Rules } from "../settings/policy-family.ts";
import { answerTokens, type Programs } from "../settings/program-setting.ts";

/** Accuracy and bytes of one policy over the programs so far, as `kvscope eval trace` counts. */
export class Measured {
  /** Programs that were answered. */
  answers = 0;
  /** Programs that had each line right, from the first line on. */
  readonly rightByLine: number[] = [];
  /** The rules of the latest one. */
  rules: Rules | undefined;
  #held = 0;
  #full = 0;

  constructor(readonly policy: MeasuredPolicy) {}

  add(rules: Rules, grades: readonly boolean[], held: number, full: number): void {
    this.answers += 1;
    this.rules = rules;
    this.#held += held;
    this.#full += full;
    grades.forEach((right, line) => {
      this.rightByLine[line] = (this.rightByLine[line] ?? 0) + (right ? 1 : 0);
    });
  }

  /** Lines that were right. */
  get right(): number {
    return this.rightByLine.reduce((sum, right) => sum + right, 0);
  }

  /** Lines that were graded. */
  get graded(): number {
    return this.answers * this.rightByLine.length;
  }

  /** The share of lines that were right, 0 to 1; nothing before there are any. */
  get exact(): number | undefined {
    return this.graded === 0 ? undefined : this.right / this.graded;
  }

  /** The most bytes that the cache held, the mean over programs. */
  get heldBytes(): number {
    return Math.floor(this.#held / Math.max(1, this.answers));
  }

  /** The same of a full cache. */
  get fullBytes(): number {
    return Math.floor(this.#full / Math.max(1, this.answers));
  }

  /**
   * Bytes held, as a share of those of `full`, the full cache's own run of the same programs.
   * What a full cache would have held of this run's text is another measure: some texts end early.
   */
  shareOf(full: Measured): number {
    return this.heldBytes / Math.max(1, full.heldBytes);
  }
}

/**
 * Runs every program under every policy, on the model's one device. All policies get a program
 * before any gets the next, so that every point of a chart is there soon. `onChange` is called
 * before each run, and after the last. What was measured before `signal` or an error ended it
 * stays.
 */
export async function measureAll(
  model: LoadedModel,
  { lines, programs, firstSeed }: Programs,
  measured: readonly Measured[],
  signal: AbortSignal,
  onChange: (done: number, program: number, next: Measured | undefined) => void,
): Promise<void> {
  let done = 0;
  /* oxlint-disable no-await-in-loop -- one GPU: a run waits for the one before it */
  for (let number = 0; number < programs; number += 1) {
    const program = await model.program(lines, firstSeed + number);
    const expected = answerTokens(program);
    for (const one of measured) {
      if (signal.aborted) {
        return;
      }
      onChange(done, number, one);
      const rules = one.policy.rules(program.prompt.length, expected);
      const { text, finish, held, full } = await model.complete(
        program.prompt,
        expected,
        cacheOf(rules),
        signal,
      );
      if (finish === "abort") {
        return;
      }
      one.add(rules, await model.grade(program, text), held, full);
      done += 1;
    }
  }
  /* oxlint-enable no-await-in-loop */
  onChange(done, programs, undefined);
}
