import type { TraceProgram } from "../wasm/kvscope.js";
import type { AbortOptions } from "./abortable.js";
import { invalidArgument } from "./error.js";
import type { Calls } from "./protocol.js";

/** Call of the worker, which has the module. */
type Ask = <Name extends "traceProgram" | "gradeTrace">(
  call: Name,
  argument: Calls[Name]["argument"],
  options: AbortOptions,
) => Promise<Calls[Name]["result"]>;

const LARGEST = 2 ** 32 - 1;

/**
 * The trace task: programs whose execution, written out line by line, is a long output that can be
 * checked. Programs and grades are those of `kvscope eval trace`.
 */
export class TraceTask {
  readonly #ask: Ask;

  /** @internal */
  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /**
   * Generates the program of a seed, of 1 to 52 lines. All programs of one length have prompts of
   * one length, and answers too.
   *
   * @throws {KvscopeError} `"invalid-argument"` for an invalid number of lines or seed
   */
  async program(lines: number, seed: number, options: AbortOptions = {}): Promise<TraceProgram> {
    return this.#ask(
      "traceProgram",
      { lines: whole("lines", lines), seed: whole("seed", seed) },
      options,
    );
  }

  /**
   * Grades each of the program's lines in `answer`: right if equal to the character. Nothing after
   * the last line counts.
   *
   * @throws {KvscopeError} `"invalid-argument"` for an invalid program
   */
  async grade(
    { lines, seed }: Pick<TraceProgram, "lines" | "seed">,
    answer: string,
    options: AbortOptions = {},
  ): Promise<boolean[]> {
    if (typeof answer !== "string") {
      throw invalidArgument("answer", "must be a text");
    }
    const asked = { lines: whole("lines", lines), seed: whole("seed", seed), answer };
    return (await this.#ask("gradeTrace", asked, options)).right;
  }
}

/** Checks a number for the module, which would truncate one that is too large. */
function whole(argument: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > LARGEST) {
    throw invalidArgument(argument, `must be a whole number from 0 to ${LARGEST}`);
  }
  return value;
}
