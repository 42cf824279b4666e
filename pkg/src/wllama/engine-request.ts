import { invalidArgument } from "../error.js";
import { isNone, passedFields, withMessages, type Fields } from "../peers/fields.js";

/** wllama's names of fields, and OpenAI's. */
const NAMES: Readonly<Record<string, string>> = {
  temp: "temperature",
  penalty_repeat: "repetition_penalty",
  penalty_freq: "frequency_penalty",
  penalty_present: "presence_penalty",
  n_predict: "max_tokens",
};

/** Fields that change the draws in ways that are not known here, with the values that do not. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  grammar: (value) => value === "",
  json_schema: () => false,
  mirostat: (value) => value === 0,
  dynatemp_range: (value) => value === 0,
  typ_p: (value) => value === 1,
  typical_p: (value) => value === 1,
};

/**
 * Converts a request of wllama's to the engine's fields. Its own have precedence over `defaults`.
 *
 * @throws {KvscopeError} `"invalid-argument"`
 */
export function engineRequest(request: Fields, defaults: Fields, template: Fields): Fields {
  for (const [name, isNeutral] of Object.entries(REFUSED)) {
    const value = request[name];
    if (!isNone(value) && !isNeutral(value)) {
      throw invalidArgument(name, "is not supported");
    }
  }
  const renamed = Object.entries(NAMES)
    .filter(([name]) => !isNone(request[name]))
    .map(([name, ours]) => [ours, request[name]] as const);
  const { cache_prompt: holds, ...fields }: Fields = {
    ...defaults,
    ...Object.fromEntries(renamed),
    ...definedFields(request),
  };
  const kwargs: Fields = { ...template, ...record(fields["chat_template_kwargs"]) };
  const { max_tokens: tokens, ...passed } = passedFields(fields);
  return withMessages({
    ...passed,
    // llama.cpp's -1 has no end.
    ...(typeof tokens === "number" && tokens < 0 ? {} : { max_tokens: tokens }),
    ...(isNone(fields["logit_bias"]) ? {} : { logit_bias: biases(fields["logit_bias"]) }),
    ...(Object.keys(kwargs).length === 0 ? {} : { chat_template_kwargs: kwargs }),
    ...(holds === false ? { cache: { ...record(fields["cache"]), reuse: false } } : {}),
  });
}

function definedFields(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isNone(value)));
}

function record(value: unknown): Fields {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** wllama also writes biases as a list. */
function biases(value: unknown): unknown {
  if (!Array.isArray(value)) {
    return value;
  }
  const pairs = value.map((entry: unknown) => {
    const { token, bias } = record(entry);
    return [String(token), bias] as const;
  });
  return Object.fromEntries(pairs);
}
