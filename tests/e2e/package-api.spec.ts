import { expect, test, type Page } from "./test.ts";

/** The package and its module, straight from their files with no bundler between, as from a CDN. */
async function loadPackage(page: Page): Promise<void> {
  await page.goto("/blank");
  await page.evaluate(async () => {
    const address = "/pkg/dist/index.js";
    globalThis.kvscope = (await import(address)) as typeof import("kvscope");
  });
}

declare global {
  var kvscope: typeof import("kvscope");
}

test.beforeEach(({ page }) => loadPackage(page));

test("ping resolves, again and again, once the GPU is idle", async ({ page }) => {
  const answers = await page.evaluate(async () => {
    const gpu = await kvscope.openGpu();
    return [await gpu.ping(), ...(await Promise.all([gpu.ping(), gpu.ping()]))];
  });
  expect(answers).toEqual([undefined, undefined, undefined]);
});

test("after destroy, running and later calls reject with device-lost, and another GPU opens", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const { KvscopeError, openGpu } = kvscope;
    const code = (error: unknown) => (error instanceof KvscopeError ? error.code : String(error));
    const answer = (gpu: Awaited<ReturnType<typeof openGpu>>) =>
      gpu.ping().then(() => "resolved", code);
    const first = await openGpu();
    const running = answer(first);
    first.destroy();
    first.destroy();
    const later = answer(first);
    const { reason } = await first.lost;
    const second = await openGpu();
    return { running: await running, later: await later, reason, second: await answer(second) };
  });
  expect(outcome).toEqual({
    running: "device-lost",
    later: "device-lost",
    reason: "destroyed",
    second: "resolved",
  });
});

test("destroying one GPU leaves another open", async ({ page }) => {
  const output = await page.evaluate(async () => {
    const [first, second] = await Promise.all([kvscope.openGpu(), kvscope.openGpu()]);
    first.destroy();
    await first.lost;
    return second.ping().then(
      () => "resolved",
      (error: unknown) => String(error),
    );
  });
  expect(output).toBe("resolved");
});

test("options that are not what the types say are refused by name, and undefined ones are the defaults", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const wrong = { powerPreference: "fast" } as unknown as NonNullable<
      Parameters<typeof kvscope.openGpu>[0]
    >;
    const code = await kvscope.openGpu(wrong).then(
      () => "opened",
      (error: unknown) => error instanceof kvscope.KvscopeError && error.code,
    );
    const absent = { powerPreference: undefined, withhold: undefined } as unknown as typeof wrong;
    const gpu = await kvscope.openGpu(absent);
    return { code, backend: gpu.report.backend.toLowerCase() };
  });
  expect(outcome).toEqual({ code: "invalid-argument", backend: "webgpu" });
});

test("a withheld feature is not reported", async ({ page }) => {
  const [plain, withheld] = await page.evaluate(async () => {
    const first = await kvscope.openGpu();
    const second = await kvscope.openGpu({ withhold: ["timestamp-query"] });
    return [first.report.features, second.report.features];
  });
  expect(plain).toContain("timestamp-query"); // the software adapter of these tests has it
  expect(withheld).not.toContain("timestamp-query");
});

// wgpu 30 doesn't ask a browser for subgroups by itself (gfx-rs/wgpu#10146);
// src/device/subgroups.js does.
test("subgroups are asked for where the browser has them", async ({ page }) => {
  const [offered, given] = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const gpu = await kvscope.openGpu();
    return [adapter?.features.has("subgroups"), gpu.report.features.includes("subgroups")];
  });
  expect(given).toBe(offered);
});

test("a Gpu is disposable", async ({ page }) => {
  const reason = await page.evaluate(async () => {
    const gpu = await kvscope.openGpu();
    gpu[Symbol.dispose]();
    return (await gpu.lost).reason;
  });
  expect(reason).toBe("destroyed");
});
