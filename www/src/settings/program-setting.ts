import type { TraceProgram } from "../engine.ts";
import type { Setting } from "./setting.ts";

/** Lengths of programs, in lines. */
export const LENGTHS = [16, 32, 48] as const;

/** Programs to run: of one length, of consecutive seeds. */
export interface Programs {
  readonly lines: number;
  readonly programs: number;
  readonly firstSeed: number;
}

/** Settings for programs: all of the prompt, a quarter of the output. */
const PROGRAM_CACHE = {
  prefill: "full",
  prefillBudget: "256",
  observationWindow: 8,
  decode: "slide",
  decodeBudget: "25%",
  recent: 16,
} as const;

/** Tokens of the answer to `program`: one per character, and the end. Later ones can't be right. */
export const answerTokens = ({ answer }: TraceProgram): number => answer.length + 1;

/** `setting` with a program as its prompt, and as many tokens as its answer takes. */
export const withProgram = (setting: Setting, program: TraceProgram): Setting => ({
  ...setting,
  prompt: program.prompt,
  tokens: answerTokens(program),
});

/** The setting that a model of programs begins with. */
export const programSetting = (setting: Setting, program: TraceProgram): Setting =>
  withProgram({ ...setting, ...PROGRAM_CACHE }, program);
