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

test("rmsNorm normalises each row by its own root mean square", async ({ page }) => {
  const output = await page.evaluate(async () => {
    const gpu = await kvscope.openGpu();
    const input = new Float32Array([3, 4, 0, 0, 1, 1, 1, 1]);
    return [...(await gpu.rmsNorm(input, new Float32Array([1, 2, 3, 4]), 0))];
  });
  // √((9 + 16) / 4) = 2.5 in the first row and 1 in the second.
  const expected = [1.2, 3.2, 0, 0, 1, 2, 3, 4];
  expect(output).toHaveLength(expected.length);
  output.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 5));
});

test("a row of zeros stays finite", async ({ page }) => {
  const output = await page.evaluate(async () => {
    const gpu = await kvscope.openGpu();
    return [...(await gpu.rmsNorm(new Float32Array(4), new Float32Array([1, 1, 1, 1])))];
  });
  expect(output).toEqual([0, 0, 0, 0]);
});

test("every misuse of rmsNorm rejects with invalid-argument, and the GPU goes on", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const gpu = await kvscope.openGpu();
    const row = new Float32Array([1, 1]);
    const misuses: (() => Promise<unknown>)[] = [
      () => gpu.rmsNorm(new Float32Array(3), row),
      () => gpu.rmsNorm(row, new Float32Array(0)),
      () => gpu.rmsNorm([1, 1] as unknown as Float32Array, row),
      () => gpu.rmsNorm(row, undefined as unknown as Float32Array),
    ];
    const codes: unknown[] = [];
    for (const misuse of misuses) {
      codes.push(
        await misuse().then(
          () => "resolved",
          (error: unknown) => error instanceof kvscope.KvscopeError && error.code,
        ),
      );
    }
    return { codes, after: [...(await gpu.rmsNorm(row, row, 0))] };
  });
  expect(outcome.codes).toEqual(Array.from({ length: 4 }, () => "invalid-argument"));
  expect(outcome.after).toEqual([1, 1]);
});

test("after destroy, running and later calls reject with device-lost, and another GPU opens", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const { KvscopeError, openGpu } = kvscope;
    const code = (error: unknown) => (error instanceof KvscopeError ? error.code : String(error));
    const row = new Float32Array([2, 2]);
    const first = await openGpu();
    const running = first.rmsNorm(row, row).then(() => "resolved", code);
    first.destroy();
    first.destroy();
    const later = first.rmsNorm(row, row).then(() => "resolved", code);
    const { reason } = await first.lost;
    const second = await openGpu();
    return { running: await running, later: await later, reason, second: [...(await second.rmsNorm(row, row, 0))] };
  });
  expect(outcome).toEqual({ running: "device-lost", later: "device-lost", reason: "destroyed", second: [2, 2] });
});

test("destroying one GPU leaves another open", async ({ page }) => {
  const output = await page.evaluate(async () => {
    const [first, second] = await Promise.all([kvscope.openGpu(), kvscope.openGpu()]);
    first.destroy();
    await first.lost;
    const row = new Float32Array([2, 2]);
    return [...(await second.rmsNorm(row, row, 0))];
  });
  expect(output).toEqual([2, 2]);
});

test("options that are not what the types say are refused by name, and undefined ones are the defaults", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const wrong = { powerPreference: "fast" } as unknown as NonNullable<Parameters<typeof kvscope.openGpu>[0]>;
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

test("no rows are no rows", async ({ page }) => {
  const output = await page.evaluate(async () => {
    const gpu = await kvscope.openGpu();
    return [...(await gpu.rmsNorm(new Float32Array(0), new Float32Array([1, 1])))];
  });
  expect(output).toEqual([]);
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

// wgpu 30 doesn't ask a browser for subgroups by itself (gfx-rs/wgpu#10146); src/device/subgroups.js does.
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
