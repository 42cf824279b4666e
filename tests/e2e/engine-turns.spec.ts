import { expect, test } from "./engine-test.ts";

test("a conversation's next turn computes its own tokens alone, and is answered as if it had computed all", async ({
  page,
}) => {
  const turns = await page.evaluate(async () => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const fixed = { max_tokens: 12, temperature: 0, ignore_eos: true };
    const messages: import("kvscope").ChatMessage[] = [];
    const said = [];
    for (const content of ["Tell me of the sea.", "And of its ships?", "And of the towns?"]) {
      messages.push({ role: "user", content });
      const prompt = await engine.tokens(messages);
      const ask = (cache: import("kvscope").RequestCache) =>
        engine.chat.completions.create({ ...fixed, messages, cache });
      const held = await ask({});
      said.push({ held, prompt: prompt.tokens.length });
      messages.push({ role: "assistant", content: held.choices[0]?.message.content ?? "" });
    }
    // The same conversation, each time in a cache of its own.
    const afresh = [];
    for (const [index] of said.entries()) {
      afresh.push(
        await engine.chat.completions.create({
          ...fixed,
          messages: messages.slice(0, 2 * index + 1),
          cache: { reuse: false },
        }),
      );
    }
    engine.dispose();
    return { said, afresh };
  });
  const { said, afresh } = turns;
  expect(said.map(({ held }) => held.choices)).toEqual(afresh.map(({ choices }) => choices));
  expect(afresh.map(({ usage }) => usage.prompt_tokens_details.cached_tokens)).toEqual([0, 0, 0]);
  for (const [index, { held, prompt }] of said.entries()) {
    const { prompt_tokens, prompt_tokens_details } = held.usage;
    expect(prompt_tokens).toBe(prompt);
    const before = said[index - 1]?.prompt;
    if (before === undefined) {
      expect(prompt_tokens_details.cached_tokens).toBe(0);
    } else {
      // All of the earlier prompt at least: an answer's bytes may be no text.
      expect(prompt_tokens_details.cached_tokens).toBeGreaterThanOrEqual(before);
      expect(prompt_tokens_details.cached_tokens).toBeLessThan(prompt);
    }
  }
});

test("what other rules hold is not gone on from, nor what was evicted", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const ask = async (prompt: string, cache: import("kvscope").RequestCache, tokens = 4) => {
      const params = { prompt, cache, max_tokens: tokens, temperature: 0, ignore_eos: true };
      const { choices, usage, kv } = await engine.completions.create(params);
      return {
        text: choices[0]?.text,
        cached: usage.prompt_tokens_details.cached_tokens,
        slots: kv.slots,
      };
    };
    const slide = { decode: { strategy: "slide", budget: 8, recent: 4 } } as const;
    const trunk = "The sea is wide, and";
    const first = await ask(trunk, {});
    const branch = await ask(`${trunk} deep`, {});
    const again = await ask(`${trunk} deep`, {});
    const others = await ask(`${trunk} deep`, slide, 20);
    const evicted = await ask(`${trunk} dark`, slide, 20);
    const refused = await codeOf(ask(trunk, { decode: { strategy: "slide", budget: 0 } }));
    // The cache is still there after a refused request.
    const { heldBytes } = await engine.memory();
    const kept = await ask(`${trunk} dark`, { ...slide, reuse: true }, 20);
    const malformed = await codeOf(ask(trunk, { reuse: 1 as never }));
    await engine.forget();
    const forgotten = await ask(trunk, {});
    engine.dispose();
    return {
      texts: [
        first.text === forgotten.text,
        branch.text === again.text,
        evicted.text === kept.text,
      ],
      cached: [first, branch, again, others, evicted, kept, forgotten].map(({ cached }) => cached),
      slots: evicted.slots,
      heldBytes,
      refused,
      malformed,
    };
  });
  const trunk = "The sea is wide, and".length;
  expect(outcome.texts).toEqual([true, true, true]);
  expect(outcome.cached).toEqual([0, trunk, trunk + 4, 0, 0, 0, 0]);
  expect(outcome.slots.decode).toBe(8);
  expect(outcome.heldBytes).toBeGreaterThan(0);
  expect([outcome.refused, outcome.malformed]).toEqual(["invalid-config", "invalid-argument"]);
});
