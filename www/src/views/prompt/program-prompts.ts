import type { LoadedModel, TraceProgram } from "../../engine.ts";
import { LENGTHS } from "../../settings/program-setting.ts";
import { element } from "../../ui/dom.ts";

/** Seeds under which a prompt is looked for; "Another program" seldom gets further. */
const LOOKED_THROUGH = 16;

const another = element("another", HTMLButtonElement);

/** Programs as prompts, for models that read nothing else. */
export class ProgramPrompts {
  #program: TraceProgram | undefined;

  constructor(onAnother: (lines: number) => void) {
    another.addEventListener("click", () => onAnother(this.#program?.lines ?? LENGTHS[0]));
  }

  /** Offers programs, or not. */
  offer(offered: boolean): void {
    another.hidden = !offered;
    this.#program = offered ? this.#program : undefined;
  }

  /** The latest program. */
  get current(): TraceProgram | undefined {
    return this.#program;
  }

  /** The program that `prompt` is, if that is known. */
  matching(prompt: string): TraceProgram | undefined {
    return this.#program?.prompt === prompt ? this.#program : undefined;
  }

  /** Makes the next program of this length. */
  async next(model: LoadedModel, lines: number): Promise<TraceProgram> {
    const seed = this.#program?.lines === lines ? this.#program.seed + 1 : 0;
    this.#program = await model.program(lines, seed);
    return this.#program;
  }

  /** Finds out which program `prompt` is, where a link has brought it. */
  async recognise(model: LoadedModel, prompt: string): Promise<void> {
    const length = prompt.split(";").length - 1;
    const lines = LENGTHS.find((known) => known === length);
    if (lines === undefined || this.matching(prompt) !== undefined) {
      return;
    }
    const seeds = Array.from({ length: LOOKED_THROUGH }, (_, seed) => seed);
    const programs = await Promise.all(seeds.map((seed) => model.program(lines, seed)));
    this.#program = programs.find((program) => program.prompt === prompt);
  }
}
