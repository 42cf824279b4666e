import { expect, reach, SUB_PATH, test, type Page } from "./test.ts";

declare global {
  var dispatches: number;
}

/** Counts what the page's own GPU is told to compute, whoever tells it. */
async function countDispatches(page: Page): Promise<void> {
  await page.addInitScript(() => {
    globalThis.dispatches = 0;
    const original = GPUComputePassEncoder.prototype.dispatchWorkgroups;
    GPUComputePassEncoder.prototype.dispatchWorkgroups = function counted(...sizes) {
      globalThis.dispatches += 1;
      return original.apply(this, sizes);
    };
  });
}

const numbers = async (page: Page, matrix: string): Promise<number[]> => {
  const cells = await page.getByRole("table", { name: matrix }).getByRole("cell").allTextContents();
  return cells.map((text) => Number(text.replace("−", "-")));
};

for (const path of ["/", SUB_PATH]) {
  test(`served at "${path}" the page computes the same on the GPU as in JavaScript`, async ({ page }) => {
    await countDispatches(page);
    await page.goto(path);
    await reach(page, "ready");

    const computed = await numbers(page, "On the GPU");
    const plain = await numbers(page, "In plain JavaScript");
    expect(computed).toHaveLength(32);
    computed.forEach((value, index) => expect(Math.abs(value - (plain[index] ?? Number.NaN))).toBeLessThan(0.011));
    expect(await page.evaluate(() => globalThis.dispatches)).toBeGreaterThan(0);

    const shown = await page.locator("#difference").textContent();
    expect(shown).toMatch(/^0$|^\d\.\d × 10⁻[⁶⁷⁸]$/);
  });
}

test("the adapter card shows what the browser itself says of the adapter", async ({ page }) => {
  await page.goto("/");
  await reach(page, "ready");
  const truth = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    const { maxBufferSize = 0, maxStorageBuffersPerShaderStage = 0 } = adapter?.limits ?? {};
    return {
      largestBuffer: maxBufferSize,
      buffersAStage: maxStorageBuffersPerShaderStage,
      features: [...(adapter?.features ?? [])],
    };
  });

  const value = (label: string) => page.locator("dl div", { hasText: label }).locator("dd");
  await expect(value("Name")).not.toHaveText("–");
  await expect(value("Storage buffers a stage")).toHaveText(String(truth.buffersAStage));
  const [size = "", unit = ""] = (await value("Largest buffer").innerText()).split(" ");
  const scale = ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(unit);
  expect((Number(size) * 1024 ** scale) / truth.largestBuffer).toBeCloseTo(1, 2);
  for (const feature of ["shader-f16", "subgroups", "timestamp-query"]) {
    const answer = truth.features.includes(feature) ? "yes" : "no";
    await expect(page.locator(".features li", { hasText: feature })).toContainText(answer);
  }
});

test("new numbers are computed on request", async ({ page }) => {
  await page.goto("/");
  await reach(page, "ready");
  const before = await numbers(page, "On the GPU");
  await page.getByRole("button", { name: "New numbers" }).click();
  await reach(page, "ready");
  const after = await numbers(page, "On the GPU");
  expect(after).toHaveLength(32);
  expect(after).not.toEqual(before);
});

test("nothing moves while the page fills", async ({ page }) => {
  await page.goto("/");
  await reach(page, "ready");
  const moved = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        new PerformanceObserver((list) => {
          const shifts = list.getEntries() as (PerformanceEntry & { value: number })[];
          resolve(shifts.reduce((sum, { value }) => sum + value, 0));
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve(0), 500); // an observer with nothing to report is never called
      }),
  );
  expect(moved).toBeLessThan(0.005);
});
