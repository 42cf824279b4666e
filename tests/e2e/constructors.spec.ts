import { expect, test } from "./test.ts";

/**
 * The trap: burn registers its parts through static constructors. A linker left alone wraps every
 * export of the module. All constructors then run again at every call from JavaScript. The module
 * counts the runs of one of its own.
 */
test("the module's static constructors run once, however often it is called", async ({ page }) => {
  await page.goto("/blank");
  const runs = await page.evaluate(async () => {
    const address = "/pkg/wasm/kvscope.js";
    const module = (await import(address)) as typeof import("../../pkg/wasm/kvscope.js");
    await module.default({ module_or_path: "/pkg/wasm/kvscope_bg.wasm" });
    const gpu = await module.WasmGpu.open({});
    const counts: number[] = [];
    for (let call = 0; call < 100; call += 1) {
      gpu.report();
      await gpu.ping();
      counts.push(module.constructor_runs());
    }
    return counts;
  });
  expect(runs).toHaveLength(100);
  expect(new Set(runs)).toEqual(new Set([1]));
});
