import type { RequestOptions } from "../openai.js";
import { isNone, passedFields, withMessages, type Fields } from "../peers/fields.js";

/** Request and options as {@link Engine} takes them. */
export interface EngineRequest {
  readonly fields: Fields;
  readonly options: RequestOptions & { readonly signal: AbortSignal };
}

/**
 * Converts a request of WebLLM's. Its own fields have precedence over `defaults`, and
 * `interruption` ends it too.
 */
export function engineRequest(
  { signal: own, ...request }: Fields,
  { signal: given, ...options }: RequestOptions,
  defaults: Fields,
  interruption: AbortSignal,
): EngineRequest {
  const { extra_body: body, ...passed } = passedFields(request);
  const signals = [own, given, interruption].filter((one) => one instanceof AbortSignal);
  return {
    fields: withMessages({ ...defaults, ...passed, ...thinking(body) }),
    options: { ...options, signal: AbortSignal.any(signals) },
  };
}

/** The one field of WebLLM's `extra_body` that changes an answer, if it asks for something. */
function thinking(body: unknown): Fields {
  if (typeof body !== "object" || body === null) {
    return isNone(body) ? {} : { extra_body: body };
  }
  const { enable_thinking: enabled }: Fields = { ...body };
  return isNone(enabled) ? {} : { extra_body: { enable_thinking: enabled } };
}
