import { expect, test } from "./engine-test.ts";
import { tinyModelThinking } from "./tiny-gguf.ts";

declare global {
  var thinking: import("kvscope").Engine;
}

test.beforeEach(async ({ page, site }) => {
  site.files.set("/thinking.gguf", { bytes: tinyModelThinking(), etag: '"thinking"' });
  await page.evaluate(async () => {
    globalThis.thinking = await kvscope.Engine.load("/thinking.gguf");
  });
});

/** Tokens of what the template writes where thinking is off: a token a byte. */
const THOUGHT = "<think></think>".length;

test("a request's values reach the chat template, as the peers' requests have them", async ({
  page,
}) => {
  const counts = await page.evaluate(async () => {
    const messages = [{ role: "user", content: "a" }] as const;
    const count = async (params: import("kvscope").TemplateParams) => {
      const sent = await thinking.tokens(messages, params);
      const answer = await thinking.chat.completions.create({ messages, max_tokens: 1, ...params });
      return [sent.tokens.length, answer.usage.prompt_tokens];
    };
    const [plain = 0] = await count({});
    const off = { enable_thinking: false };
    const found = {
      kwargs: await count({ chat_template_kwargs: off }),
      extra: await count({ extra_body: off }),
      nested: await count({ extra_body: { chat_template_kwargs: off } }),
      effort: await count({ reasoning_effort: "none" }),
      on: await count({ chat_template_kwargs: { enable_thinking: true } }),
      none: await count({ extra_body: { enable_thinking: null } }),
      empty: await count({ extra_body: {}, chat_template_kwargs: null }),
      latency: await count({ extra_body: { enable_latency_breakdown: true } }),
      low: await count({ reasoning_effort: "low" }),
    };
    const more = Object.entries(found).map(([name, both]) => [name, both.map((it) => it - plain)]);
    return Object.fromEntries(more) as Record<string, number[]>;
  });
  const [off, on] = [
    [THOUGHT, THOUGHT],
    [0, 0],
  ];
  expect(counts).toEqual({
    kwargs: off,
    extra: off,
    nested: off,
    effort: off,
    on,
    none: on,
    empty: on,
    latency: on,
    low: on,
  });
});

test("a session's messages have them too, one by one", async ({ page }) => {
  const counts = await page.evaluate(async () => {
    const session = await thinking.session();
    const params = { max_tokens: 1, ignore_eos: true };
    const first = await session.send("a", { ...params, extra_body: { enable_thinking: false } });
    await session.rewind();
    const second = await session.send("a", params);
    await session.close();
    return [first, second].map(({ usage }) => usage.prompt_tokens);
  });
  const [off = 0, on = 0] = counts;
  expect(off - on).toBe(THOUGHT);
});

test("values that are none are refused by name", async ({ page }) => {
  const named = await page.evaluate(async () => {
    const messages = [{ role: "user", content: "a" }];
    const argument = (params: object) =>
      thinking.chat.completions.create({ messages, max_tokens: 1, ...params } as never).then(
        () => "answered",
        ({ code, details }: import("kvscope").KvscopeError) => [code, details["argument"]],
      );
    return [
      await argument({ chat_template_kwargs: "off" }),
      await argument({ chat_template_kwargs: { messages: [] } }),
      await argument({ extra_body: [] }),
      await argument({ extra_body: { surprise: 1 } }),
      await argument({ reasoning_effort: 3 }),
    ];
  });
  expect(named).toEqual(
    [
      "chat_template_kwargs",
      "chat_template_kwargs.messages",
      "extra_body",
      "extra_body.surprise",
      "reasoning_effort",
    ].map((field) => ["invalid-argument", field]),
  );
});
