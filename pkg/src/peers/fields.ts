import { invalidArgument } from "../error.js";

/**
 * Fields of a request that reach the engine, which uses or refuses each. They are those that change
 * an answer. Any other is dropped, as by the libraries that the requests are written for.
 */
const PASSED: ReadonlySet<string> = new Set(
  [
    "messages prompt suffix echo stream stream_options max_tokens max_completion_tokens",
    "temperature top_k top_p min_p repetition_penalty frequency_penalty presence_penalty seed",
    "stop stop_token_ids ignore_eos logit_bias logprobs top_logprobs n best_of",
    "tools functions tool_choice response_format extra_body chat_template_kwargs reasoning_effort cache observe",
  ].flatMap((line) => line.split(" ")),
);

/** A request, its fields not yet checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** Keeps the fields that change an answer. */
export function passedFields(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => PASSED.has(name) && !isNone(value)),
  );
}

/** Returns `fields` with the messages as the engine takes them; it checks the rest of them. */
export function withMessages(fields: Fields): Fields {
  const { messages } = fields;
  return Array.isArray(messages) ? { ...fields, messages: messages.map(plainMessage) } : fields;
}

/** Returns whether a field asks for nothing. */
export function isNone(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** An answer's message may come back with no text, and with an empty list of calls. */
function plainMessage(message: unknown, index: number): unknown {
  if (typeof message !== "object" || message === null) {
    return message;
  }
  const { tool_calls: calls, ...rest }: Fields = { ...message };
  if (Array.isArray(calls) && calls.length > 0) {
    throw invalidArgument(`messages[${index}].tool_calls`, "are not supported: calls of tools");
  }
  return rest["role"] === "assistant" && isNone(rest["content"]) ? { ...rest, content: "" } : rest;
}
