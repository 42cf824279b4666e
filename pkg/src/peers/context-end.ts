import type { Engine } from "../engine.js";
import { KvscopeError } from "../error.js";
import type { ChatMessage, TemplateParams } from "../openai.js";
import { isNone, type Fields } from "./fields.js";

/**
 * Returns a request whose answer ends at the end of the context, as WebLLM's and llama.cpp's do.
 * Its `max_tokens` are those that the prompt leaves of `window` positions, or fewer if it asks so.
 *
 * @throws {KvscopeError} `"prompt-too-long"`, or what the engine says about the prompt
 */
export async function endingWithContext(
  engine: Engine,
  fields: Fields,
  window: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Fields> {
  const { max_completion_tokens: newer, max_tokens: older, ...rest } = fields;
  const asked = newer ?? older;
  const context = Math.min(engine.model.context, window ?? Infinity);
  const tokens = await promptTokens(engine, fields, signal);
  if (tokens > context) {
    throw new KvscopeError(
      "prompt-too-long",
      `the prompt has ${tokens} tokens, and the context ${context} positions`,
      { tokens, context },
    );
  }
  // Of a full context the first token can still be told.
  const left = Math.max(1, context - tokens);
  const fewer = typeof asked === "number" ? Math.min(asked, left) : asked;
  return { ...rest, max_tokens: isNone(asked) ? left : fewer };
}

/** Tokens of the prompt, of the longest one if there are several. The engine refuses others. */
async function promptTokens(
  engine: Engine,
  { messages, prompt, chat_template_kwargs, extra_body, reasoning_effort }: Fields,
  signal: AbortSignal | undefined,
): Promise<number> {
  const texts = [prompt].flat().filter((text) => typeof text === "string");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the engine checks it
  const prompts = Array.isArray(messages) ? [messages as readonly ChatMessage[]] : texts;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- these too
  const values = { chat_template_kwargs, extra_body, reasoning_effort } as TemplateParams;
  const counts = prompts.map(
    async (one) => (await engine.tokens(one, { signal, ...values })).tokens.length,
  );
  return Math.max(0, ...(await Promise.all(counts)));
}
