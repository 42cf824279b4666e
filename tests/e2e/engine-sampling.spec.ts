import { expect, test, type Page } from "./engine-test.ts";

test.beforeEach(async ({ page }) => {
  await page.evaluate(async () => {
    globalThis.tiny = await kvscope.Engine.load("/tiny.gguf");
  });
});

declare global {
  var tiny: import("kvscope").Engine;
}

const MESSAGES = [{ role: "user", content: "Tell me of the sea." }] as const;

/** The answer to a request of the chat, with `params`. */
const answer = (page: Page, params: Partial<import("kvscope").ChatParams>) =>
  page.evaluate(
    ([messages, given]) =>
      tiny.chat.completions.create({ messages, ignore_eos: true, ...given, stream: false }),
    [MESSAGES, params] as const,
  );

const distinct = (it: string) => new Set(it).size;

/** Text that a token of this name adds to an answer; the tiny model's marks add nothing. */
const written = (name: string) =>
  name.startsWith("bytes:") ? "\ufffd" : name.startsWith("<|") ? "" : name;

test("logprobs are those of the likeliest tokens, streamed or not, whatever the sampling", async ({
  page,
}) => {
  const params = { logprobs: true, top_logprobs: 20, max_tokens: 6, temperature: 1, seed: 5 };
  const whole = await answer(page, { ...params, frequency_penalty: 1, logit_bias: { 65: 3 } });
  const tokens = whole.choices[0]?.logprobs?.content ?? [];
  expect(tokens).toHaveLength(6);
  const texts = tokens.map(({ token, bytes }) => (bytes === null ? "" : token));
  expect(texts.join("")).toBe(whole.choices[0]?.message.content);
  for (const { token, bytes, logprob, top_logprobs: top } of tokens) {
    expect(new TextDecoder().decode(Uint8Array.from(bytes ?? []))).toBe(
      bytes === null ? "" : token,
    );
    expect(top).toHaveLength(20);
    const logprobs = top.map((it) => it.logprob);
    expect(logprobs).toEqual(logprobs.toSorted((a, b) => b - a));
    const sum = logprobs.reduce((total, it) => total + Math.exp(it), 0);
    expect(sum).toBeLessThanOrEqual(1.0001);
    // The model's own: a token among the likeliest has the same one there.
    const listed = top.find((it) => it.token === token && String(it.bytes) === String(bytes));
    expect(listed?.logprob ?? Math.min(logprob, logprobs.at(-1) ?? 0)).toBeCloseTo(logprob, 4);
  }
  const streamed = await page.evaluate(
    async ([messages, given]) => {
      const found: import("kvscope").TokenLogprob[] = [];
      const options = { frequency_penalty: 1, logit_bias: { 65: 3 }, ignore_eos: true };
      // Afresh: sums of what is held round otherwise.
      const cache = { reuse: false };
      const request = { messages, ...given, ...options, cache, stream: true } as const;
      for await (const { choices } of await tiny.chat.completions.create(request)) {
        found.push(...(choices[0]?.logprobs?.content ?? []));
      }
      return found;
    },
    [MESSAGES, params] as const,
  );
  expect(streamed).toEqual(tokens);
});

test("logprobs don't depend on how a token is chosen", async ({ page }) => {
  // All that is chosen is the one token of the bias, which the model thinks little of.
  const forced = await answer(page, {
    logprobs: true,
    top_logprobs: 1,
    max_tokens: 1,
    logit_bias: { 90: 100 },
  });
  const free = await answer(page, { logprobs: true, top_logprobs: 1, max_tokens: 1 });
  const [first] = forced.choices[0]?.logprobs?.content ?? [];
  const [second] = free.choices[0]?.logprobs?.content ?? [];
  expect(first?.token).toBe("Z");
  expect(second?.token).toBe(second?.top_logprobs[0]?.token);
  expect(first?.top_logprobs).toEqual(second?.top_logprobs);
  expect(first?.logprob).toBeLessThan(second?.logprob ?? 0);
});

test("a bias forbids a token, penalties forbid repetition, and stop tokens end the answer", async ({
  page,
}) => {
  const plain = await answer(page, { max_tokens: 12 });
  const text = plain.choices[0]?.message.content ?? "";
  const most = text.charCodeAt(0);
  const forbidden = await answer(page, { max_tokens: 12, logit_bias: { [most]: -100 } });
  expect(text).toContain(String.fromCharCode(most));
  expect(forbidden.choices[0]?.message.content).not.toContain(String.fromCharCode(most));

  const varied = await answer(page, {
    max_tokens: 12,
    frequency_penalty: 2,
    presence_penalty: 2,
    logprobs: true,
  });
  expect(distinct(varied.choices[0]?.message.content ?? "")).toBeGreaterThan(distinct(text));

  const ended = await answer(page, {
    max_tokens: 12,
    logit_bias: { 90: 100 },
    stop_token_ids: [90],
  });
  expect(ended.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "" } });
  expect(ended.usage.completion_tokens).toBe(1);
});

test("a stop string that is a control token ends the answer at that token", async ({ page }) => {
  const mark = "<|im_end|>";
  const [token, ...others] = await page.evaluate(async (it) => {
    const { tokens } = await tiny.tokens(it);
    return [...tokens];
  }, mark);
  expect(others).toEqual([]);
  const params = { max_tokens: 4, logit_bias: { [String(token)]: 100 } };
  const without = await answer(page, params);
  expect(without.usage.completion_tokens).toBe(4);
  for (const stop of [mark, ["zz", mark]]) {
    const ended = await answer(page, { ...params, stop });
    expect(ended.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "" } });
    expect(ended.usage.completion_tokens).toBe(1);
  }
});

test("several answers have seeds one apart, and the prompt counts once", async ({ page }) => {
  const params = { max_tokens: 8, temperature: 1.5, seed: 11 };
  const several = await answer(page, { ...params, n: 3 });
  const alone = [];
  for (const seed of [11, 12, 13]) {
    alone.push((await answer(page, { ...params, seed })).choices[0]?.message.content);
  }
  expect(several.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(several.choices.map(({ message }) => message.content)).toEqual(alone);
  const [once] = [await answer(page, params)];
  expect(several.usage).toMatchObject({
    prompt_tokens: once?.usage.prompt_tokens,
    completion_tokens: 24,
  });
  const streamed = await page.evaluate(
    async ([messages, given]) => {
      const texts = ["", "", ""];
      const request = { messages, ...given, n: 3, ignore_eos: true, stream: true } as const;
      for await (const { choices } of await tiny.chat.completions.create(request)) {
        for (const { index, delta } of choices) {
          texts[index] += delta.content ?? "";
        }
      }
      return texts;
    },
    [MESSAGES, params] as const,
  );
  expect(streamed).toEqual(alone);
});

test("several texts are each continued, with logprobs in OpenAI's older shape", async ({
  page,
}) => {
  const found = await page.evaluate(async () => {
    const prompt = ["The sea", "The shore is"];
    const params = { max_tokens: 5, ignore_eos: true };
    const together = await tiny.completions.create({ prompt, ...params, logprobs: 2, n: 2 });
    const alone: string[] = [];
    for (const text of prompt) {
      const { choices } = await tiny.completions.create({ prompt: text, ...params });
      alone.push(choices[0]?.text ?? "");
    }
    return { together, alone };
  });
  const { together, alone } = found;
  expect(together.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  const [first, second] = alone;
  expect(together.choices.map(({ text }) => text)).toEqual([first, first, second, second]);
  for (const { text, logprobs } of together.choices) {
    const { tokens = [], top_logprobs: top = [] } =
      logprobs !== null && "tokens" in logprobs ? logprobs : {};
    expect(tokens.map(written).join("")).toBe(text);
    const offsets = tokens.map((_, at) => tokens.slice(0, at).map(written).join("").length);
    expect(logprobs).toMatchObject({ text_offset: offsets });
    expect(top.map((it) => Object.keys(it).length)).toEqual([2, 2, 2, 2, 2]);
  }
  const { prompt_tokens: prompts } = together.usage;
  expect(prompts).toBe("The sea".length + "The shore is".length);
});

test("a session has one answer to each message", async ({ page }) => {
  const code = await page.evaluate(async () => {
    const session = await tiny.session();
    const refused = await codeOf(session.send("a", { n: 2 }));
    const told = await session.send("a", { max_tokens: 2, ignore_eos: true, logprobs: true });
    await session.close();
    return { refused, told: told.choices[0]?.logprobs?.content.length };
  });
  expect(code).toEqual({ refused: "invalid-argument", told: 2 });
});
