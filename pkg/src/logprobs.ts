import type { StepLogprobs, TokenReport } from "../wasm/kvscope.js";
import type { ChatLogprobs, TextLogprobs, TokenLogprob } from "./openai.js";

/** OpenAI's logprob of what has no probability to speak of: JSON has no infinity. */
const LEAST = -9999;

/** Logprobs of a chat's tokens. */
export const chatLogprobs = (steps: readonly StepLogprobs[] | undefined): ChatLogprobs | null =>
  steps === undefined
    ? null
    : {
        content: steps.map(({ chosen, likeliest }) => ({
          ...tokenLogprob(chosen),
          top_logprobs: likeliest.map(tokenLogprob),
        })),
        refusal: null,
      };

/**
 * Logprobs of a text's tokens, in the shape of OpenAI's older interface. The offsets are those of
 * the tokens in the text, which begins at `offset`.
 */
export function textLogprobs(
  steps: readonly StepLogprobs[] | undefined,
  offset = 0,
): TextLogprobs | null {
  if (steps === undefined) {
    return null;
  }
  let end = offset;
  return {
    tokens: steps.map(({ chosen }) => nameOf(chosen)),
    token_logprobs: steps.map(({ chosen }) => finite(chosen.logprob)),
    top_logprobs: steps.map(({ likeliest }) =>
      Object.fromEntries(likeliest.map((it) => [nameOf(it), finite(it.logprob)])),
    ),
    text_offset: steps.map(({ chosen }) => {
      const begin = end;
      end += writtenLength(chosen);
      return begin;
    }),
  };
}

const tokenLogprob = ({
  text,
  bytes,
  logprob,
}: TokenReport): Omit<TokenLogprob, "top_logprobs"> => ({
  token: text,
  logprob: finite(logprob),
  bytes: bytes ?? null,
});

/** Text of a token, or its bytes if they are only part of a character: OpenAI's way. */
function nameOf({ text, bytes }: TokenReport): string {
  const whole = new TextEncoder().encode(text);
  if (bytes === undefined) {
    return text;
  }
  if (whole.length === bytes.length && bytes.every((byte, at) => byte === whole[at])) {
    return text;
  }
  return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
}

/** Length of what a token adds to the answer. */
export const writtenLength = ({ text, bytes }: TokenReport): number =>
  bytes === undefined ? 0 : text.length;

const finite = (logprob: number): number => Math.max(logprob, LEAST);
