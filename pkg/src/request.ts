import type {
  GenerateRequest,
  LogitBias,
  Message,
  Prompt,
  SamplingConfig,
  SamplingField,
} from "../wasm/kvscope.js";
import { invalidArgument } from "./error.js";
import type { ChatParams, CompletionParams, RequestCache, TemplateParams } from "./openai.js";

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
/** Fields that the engine uses, beside the sampling options. */
const USED = words(
  "messages prompt stream stream_options max_tokens max_completion_tokens stop stop_token_ids ignore_eos logit_bias logprobs top_logprobs n chat_template_kwargs extra_body reasoning_effort cache observe",
);
/** Fields that are allowed and change nothing here: who asks, and where answers are kept. */
const IGNORED = words(
  "model user metadata store service_tier safety_identifier prompt_cache_key parallel_tool_calls",
);
/** Unsupported fields, allowed with a value that asks for nothing. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  best_of: (value) => value === 1,
  echo: (value) => value === false,
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
  if ((params.n ?? 1) !== 1) {
    throw invalidArgument("n", "must be 1 in a session, which has one answer to each message");
  }
  const maxNewTokens = integer("max_tokens", params.max_completion_tokens ?? params.max_tokens, 1);
  const stop = stopStrings(params.stop);
  const stopTokens = tokenIds("stop_token_ids", params.stop_token_ids);
  const logitBias = biases(params.logit_bias);
  const [logprobs, topLogprobs] = wantedLogprobs(params);
  const { reuse, ...cache } = cacheRules(defaults, params.cache);
  if (reuse !== undefined && typeof reuse !== "boolean") {
    throw invalidArgument("cache.reuse", "must be true or false");
  }
  return {
    prompt,
    cache,
    ...defined({ reuse }),
    ...(logprobs && { logprobs }),
    config: {
      sampling: sampling(params, options),
      ...defined({
        maxNewTokens,
        stop,
        stopTokens,
        logitBias,
        topLogprobs,
        ignoreEos: params.ignore_eos ?? undefined,
      }),
    },
    ...defined({ observe: params.observe }),
  };
}

/**
 * Converts a request in OpenAI's words to one for each of its choices: `n` per prompt. Later ones
 * of a prompt go on from what the first left of it, where the cache can go back.
 *
 * @throws {KvscopeError} `"invalid-argument"`, naming the field
 */
export function toGenerateRequests(
  params: ChatParams | CompletionParams,
  prompts: readonly Prompt[],
  defaults: RequestCache,
  options: readonly SamplingField[],
): Choice[] {
  const { n, ...rest } = params;
  const count = integer("n", n, 1) ?? 1;
  if (count > MOST_CHOICES) {
    throw invalidArgument("n", `must be at most ${MOST_CHOICES}`);
  }
  return prompts.flatMap((prompt) => {
    const first = toGenerateRequest(rest, prompt, defaults, options);
    const { sampling: drawn = {} } = first.config ?? {};
    return Array.from({ length: count }, (_, index) => {
      if (index === 0) {
        return { request: first, again: false };
      }
      const seed = ((drawn.seed ?? 0) + index) % Number.MAX_SAFE_INTEGER;
      const config = { ...first.config, sampling: { ...drawn, seed } };
      return { request: { ...first, config, reuse: true }, again: true };
    });
  });
}

/** Request of one choice. */
export interface Choice {
  request: GenerateRequest;
  /** True if an earlier choice had the same prompt. */
  again: boolean;
}

/** Most choices per prompt: OpenAI's. */
const MOST_CHOICES = 128;

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

/** Values that every template has, which a request can't replace. */
const OF_EVERY_TEMPLATE = words(
  "messages tools documents add_generation_prompt bos_token eos_token strftime_now raise_exception",
);

/** Converts a conversation, with the values that the request gives its template. */
export function templated(messages: Message[], params: TemplateParams): Prompt {
  const { chat_template_kwargs: own, extra_body: body, reasoning_effort: effort } = params;
  const field = "extra_body";
  const {
    enable_thinking,
    chat_template_kwargs,
    enable_latency_breakdown: _,
    ...others
  } = fieldsOf(field, body);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw invalidArgument(`${field}.${unknown}`, "is not supported");
  }
  if (effort !== undefined && effort !== null && typeof effort !== "string") {
    throw invalidArgument("reasoning_effort", "must be a text");
  }
  const templateValues = {
    ...(effort && { reasoning_effort: effort }),
    ...(effort === "none" && { enable_thinking: false }),
    ...(typeof enable_thinking === "boolean" && { enable_thinking }),
    ...templateFields(`${field}.chat_template_kwargs`, chat_template_kwargs),
    ...templateFields("chat_template_kwargs", own),
  };
  return Object.keys(templateValues).length === 0 ? messages : { messages, templateValues };
}

/** Fields of a request's object; none without one. */
function fieldsOf(field: string, value: unknown): Record<string, unknown> {
  if (value === undefined || value === null) {
    return {};
  }
  if (!isRecord(value) || Array.isArray(value)) {
    throw invalidArgument(field, "must be an object");
  }
  return value;
}

function templateFields(field: string, value: unknown): Record<string, unknown> {
  const fields = fieldsOf(field, value);
  const taken = Object.keys(fields).find((name) => OF_EVERY_TEMPLATE.has(name));
  if (taken !== undefined) {
    throw invalidArgument(`${field}.${taken}`, "is the request's own");
  }
  return fields;
}

/** Puts `messages` in the place of a prompt's, whose values for the template stay. */
export const withMessages = (prompt: Prompt, messages: Message[]): Prompt =>
  typeof prompt === "object" && "templateValues" in prompt ? { ...prompt, messages } : messages;

/** Converts the prompt of a completion request, one text or several. */
export function textPrompts(prompt: unknown): string[] {
  if (!Array.isArray(prompt)) {
    return [textPrompt(prompt)];
  }
  if (prompt.length === 0) {
    throw invalidArgument("prompt", "must be a text, or a list of at least one");
  }
  return prompt.map((text: unknown, index) => textPrompt(text, `prompt[${index}]`));
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

function tokenIds(field: string, value: unknown): number[] | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!Array.isArray(value) || !value.every(isToken)) {
    throw invalidArgument(field, "must be a list of tokens' numbers");
  }
  return value;
}

function isToken(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;
}

function biases(value: unknown): LogitBias[] | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  return Object.entries(fieldsOf("logit_bias", value)).map(([token, bias]) => {
    if (!/^\d+$/.test(token) || !isToken(Number(token))) {
      throw invalidArgument("logit_bias", `has ${shown(token)}, which is no token's number`);
    }
    return { token: Number(token), bias: number(`logit_bias[${token}]`, bias) ?? 0 };
  });
}

/** Wish for logprobs, and the number of likeliest tokens to tell them for. */
function wantedLogprobs({
  logprobs,
  top_logprobs: top,
}: ChatParams | CompletionParams): [boolean, number | undefined] {
  const count = integer("top_logprobs", top, 0);
  if (typeof logprobs === "number") {
    return [true, integer("logprobs", logprobs, 0)];
  }
  if (typeof logprobs !== "boolean" && logprobs !== undefined && logprobs !== null) {
    throw invalidArgument("logprobs", "must be true or false");
  }
  if (logprobs !== true && (count ?? 0) > 0) {
    throw invalidArgument("top_logprobs", "needs logprobs: true");
  }
  return [logprobs === true, logprobs === true ? count : undefined];
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
