import { countBuffers } from "./count-buffers.ts";
import { expect, test } from "./engine-test.ts";

type Module = typeof import("../../pkg/wasm/kvscope.js");

test("fifty turns within a budget hold no more of the GPU than ten", async ({ page, site }) => {
  await page.addInitScript(countBuffers);
  await page.goto(`${site.origin}/blank`);
  const turns = await page.evaluate(async () => {
    const address = "/pkg/wasm/kvscope.js";
    const module = (await import(address)) as Module;
    await module.default({ module_or_path: "/pkg/wasm/kvscope_bg.wasm" });
    const gpu = await module.WasmGpu.open({});
    const bytes = new Uint8Array(await (await fetch("/tiny.gguf")).arrayBuffer());
    const loader = module.WasmLoader.gguf(gpu);
    loader.begin_file(bytes.length);
    loader.push(bytes);
    loader.end_file();
    const engine = await loader.finish();
    const cache = {
      prefill: { method: "h2o", budget: 40 },
      decode: { strategy: "slide", budget: 8, recent: 4 },
    } as const;
    const config = { maxNewTokens: 4, ignoreEos: true, sampling: { temperature: 0 } };
    const prompt: number[] = [];
    const seen = [];
    for (let turn = 0; turn < 50; turn += 1) {
      prompt.push(...[65, 66, 67, 68, 69, 70].map((token) => token + (turn % 20)));
      const request = { session: 3, prompt, cache, config };
      const { tokens, summary } = await engine.generate(
        request,
        () => {},
        () => {},
      );
      prompt.push(...tokens);
      const { memory, cachedTokens, promptTokens } = summary;
      const computed = promptTokens - cachedTokens;
      seen.push({ ...live, heldBytes: memory.heldBytes, fullBytes: memory.fullBytes, computed });
    }
    await engine.forget(Uint32Array.of(3));
    return { seen, left: { ...live } };
  });
  const later = turns.seen.slice(10);
  expect(new Set(later.map(({ heldBytes }) => heldBytes)).size).toBe(1);
  const most = (field: "bytes" | "buffers", from: number, to: number) =>
    Math.max(...turns.seen.slice(from, to).map((turn) => turn[field]));
  expect(most("bytes", 30, 50)).toBeLessThanOrEqual(most("bytes", 10, 30));
  expect(most("buffers", 30, 50)).toBeLessThanOrEqual(most("buffers", 10, 30));
  // The last token of an answer is computed with the next turn.
  expect(new Set(later.map(({ computed }) => computed))).toEqual(new Set([7]));
  expect(turns.seen.at(-1)?.fullBytes).toBeGreaterThan(5 * (later[0]?.heldBytes ?? 0));
  expect(turns.left.bytes).toBeLessThan(most("bytes", 10, 50));
});
