import { expect, test } from "./engine-test.ts";

test("planned slots are those that the cache of a request comes to hold, layer by layer", async ({
  page,
}) => {
  const plans = await page.evaluate(async () => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const { layers, kvHeads } = engine.model;
    const prompt = "A seal slept on the landing of a weather station.";
    const promptTokens = (await engine.tokens(prompt)).tokens.length;
    const maxNewTokens = 24;
    const decode = { budget: 6, recent: 2 } as const;
    const prefill = { budget: 12, observationWindow: 2 } as const;
    const caches = [
      {
        prefill: { ...prefill, method: "pyramidkv", pyramidBeta: 2 },
        decode: { ...decode, strategy: "adaptive" },
      },
      {
        prefill: { ...prefill, method: "snapkv" },
        decode: { ...decode, strategy: "discontinuous" },
      },
      {
        prefill: { ...prefill, method: "pyramidinfer" },
        decode: { ...decode, strategy: "pyramidinfer" },
      },
    ] as const;
    const made = [];
    for (const cache of caches) {
      const request = { prompt, max_tokens: maxNewTokens, temperature: 0, ignore_eos: true, cache };
      await engine.completions.create(request);
      const held = [];
      for (let layer = 0; layer < layers; layer += 1) {
        const { heads } = await engine.retained(layer);
        held.push(heads.map(({ positions }) => positions.length));
      }
      // The last token never enters the cache.
      const steps = maxNewTokens - 1;
      const planned = await engine.plannedSlots({ cache, promptTokens, maxNewTokens, steps });
      made.push({
        held,
        planned: planned.layers.map(({ heads }) => heads.map((head) => head.held)),
      });
    }
    const invalid = {
      cache: { decode: { strategy: "h2o", budget: 2, recent: 4 } },
      promptTokens,
      maxNewTokens,
    } as const;
    const code = await codeOf(engine.plannedSlots({ ...invalid, steps: 1 }));
    return { made, code, kvHeads };
  });
  for (const { held, planned } of plans.made) {
    expect(planned).toEqual(held);
    expect(planned.every((heads) => heads.length === plans.kvHeads)).toBe(true);
  }
  expect(plans.code).toBe("invalid-config");
});
