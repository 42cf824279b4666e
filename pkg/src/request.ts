import type {
  GenerateRequest,
  Message,
  Prompt,
  SamplingConfig,
  SamplingField,
} from "../wasm/kvscope.js";
import { invalidArgument } from "./error.js";
import type { ChatParams, CompletionParams, RequestCache } from "./openai.js";

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
/** Fields that the engine uses, beside the sampling options. */
const USED = words(
  "messages prompt stream stream_options max_tokens max_completion_tokens stop ignore_eos cache observe",
);
/** Fields that are allowed and change nothing here: who asks, and where answers are kept. */
const IGNORED = words(
  "model user metadata store service_tier safety_identifier prompt_cache_key parallel_tool_calls logprobs",
);
/** Unsupported fields, allowed with a value that asks for nothing. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  best_of: (value) => value === 1,
  echo: (value) => value === false,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: isEmpty,
  tools: isEmpty,
  functions: isEmpty,
  tool_choice: (value) => value === "none" || value === "auto",
  response_format: (value) => isRecord(value) && value["type"] === "text",
};
const ROLES = ["system", "developer", "user", "assistant"];

/**
 * Converts a request in OpenAI's words to the module's. `options` are the sampling options among
 * its fields.
 *
 * @throws {KvscopeError} `"invalid-argument"`, naming the field
 */
export function toGenerateRequest(
  params: ChatParams | CompletionParams,
  prompt: Prompt,
  defaults: RequestCache,
  options: readonly SamplingField[],
): GenerateRequest {
  checkFields(params, options);
  const maxNewTokens = integer("max_tokens", params.max_completion_tokens ?? params.max_tokens, 1);
  const stop = stopStrings(params.stop);
  const { reuse, ...cache } = cacheRules(defaults, params.cache);
  if (reuse !== undefined && typeof reuse !== "boolean") {
    throw invalidArgument("cache.reuse", "must be true or false");
  }
  return {
    prompt,
    cache,
    ...defined({ reuse }),
    config: {
      sampling: sampling(params, options),
      ...defined({ maxNewTokens, stop, ignoreEos: params.ignore_eos }),
    },
    ...defined({ observe: params.observe }),
  };
}

/** Rules of a request's cache: its own, and the engine's where it has none. */
export const cacheRules = (
  defaults: RequestCache,
  own: RequestCache | undefined,
): RequestCache => ({
  ...defaults,
  ...defined(own ?? {}),
});

/** Converts the conversation of a chat request. */
export function chatPrompt(messages: unknown): Message[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidArgument("messages", "must be a list of at least one message");
  }
  return messages.map((message: unknown, index) => {
    const field = `messages[${index}]`;
    if (
      !isRecord(message) ||
      typeof message["role"] !== "string" ||
      !ROLES.includes(message["role"])
    ) {
      throw invalidArgument(`${field}.role`, `must be one of ${ROLES.join(", ")}`);
    }
    // OpenAI's newer name; chat templates know the older.
    const role = message["role"] === "developer" ? "system" : message["role"];
    return { role, content: contentText(field, message["content"]) };
  });
}

/** Checks the text of a completion request, or that of another `field`. */
export function textPrompt(text: unknown, field = "prompt"): string {
  if (typeof text !== "string") {
    throw invalidArgument(field, "must be one text");
  }
  return text;
}

function checkFields(params: object, options: readonly SamplingField[]): void {
  const used = new Set([...USED, ...options.map(({ name }) => name)]);
  for (const [field, value] of Object.entries(params)) {
    if (value === undefined || value === null || used.has(field)) {
      continue;
    }
    if (field === "logprobs" && value !== false) {
      throw invalidArgument(field, "are not given; a chunk's step has the token's probability");
    }
    const neutral = NEUTRAL[field];
    if (neutral?.(value) === false) {
      throw invalidArgument(field, `is not supported with the value ${shown(value)}`);
    }
    if (neutral === undefined && !IGNORED.has(field)) {
      throw invalidArgument(field, "is not supported");
    }
  }
}

function sampling(params: object, options: readonly SamplingField[]): SamplingConfig {
  const given = new Map<string, unknown>(Object.entries(params));
  const values = options.map(({ name, whole }): [string, number | undefined] => {
    const value = given.get(name);
    return [camelCase(name), whole ? integer(name, value, 0) : number(name, value)];
  });
  const config: SamplingConfig = defined(Object.fromEntries(values));
  if ((config.temperature ?? 0) > 0) {
    config.seed ??= crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  }
  return config;
}

const camelCase = (name: string): string =>
  name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function number(field: string, value: unknown): number | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw invalidArgument(field, "must be a number");
  }
  return value;
}

function integer(field: string, value: unknown, least: number): number | undefined {
  const found = number(field, value);
  if (found !== undefined && !(Number.isSafeInteger(found) && found >= least)) {
    throw invalidArgument(field, `must be a whole number of at least ${least}`);
  }
  return found;
}

function stopStrings(stop: unknown): string[] | undefined {
  if (stop === undefined || stop === null) {
    return undefined;
  }
  const list: unknown[] = Array.isArray(stop) ? stop : [stop];
  if (!list.every((text) => typeof text === "string")) {
    throw invalidArgument("stop", "must be a text or a list of texts");
  }
  return list;
}

function contentText(field: string, content: unknown): string {
  if (typeof content === "string") {
    return content;
  }
  if (!Array.isArray(content)) {
    throw invalidArgument(`${field}.content`, "must be a text");
  }
  const texts = content.map((part: unknown, index) => {
    if (!isRecord(part) || part["type"] !== "text" || typeof part["text"] !== "string") {
      throw invalidArgument(
        `${field}.content[${index}]`,
        "must be of type text: the models that run here read nothing else",
      );
    }
    return part["text"];
  });
  return texts.join("");
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Drops the undefined fields, which the module would refuse. */
function defined<T extends object>(fields: T): Partial<Defined<T>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- entries lose their keys' types
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<Defined<T>>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isEmpty(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
