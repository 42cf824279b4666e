import { readFile } from "node:fs/promises";
import { offer, offerTiny, outputOf, reach, runToEnd, shortRun } from "./open-page.ts";
import { expect, SUB_PATH, test, type Page } from "./test.ts";
import { tinyModel } from "./tiny-gguf.ts";

/** Random weights go on for long after this one. */
const LONG = { tokens: "4000", prompt: "A seal slept on the landing." };
const MIB = 2 ** 20;
const bytesIn = async (page: Page, id: string): Promise<number> => {
  const [size = "", unit = ""] = (await page.locator(id).innerText()).split(" ");
  return Number(size.replace(",", "")) * 1024 ** ["B", "KiB", "MiB", "GiB"].indexOf(unit);
};

for (const path of ["/", SUB_PATH]) {
  test(`served at "${path}" the default model loads, and one click runs SCOPE beside the full cache`, async ({
    page,
  }) => {
    await offerTiny(page);
    await page.goto(`${path}${shortRun()}`);
    await reach(page, "ready");
    await runToEnd(page);

    for (const name of [/SCOPE adaptive/, /Full cache/]) {
      expect((await outputOf(page, name).innerText()).length).toBeGreaterThan(0);
    }
    const held = await bytesIn(page, "#saved-held");
    const full = await bytesIn(page, "#saved-full");
    expect(held).toBeLessThan(full);
    const saved = Number.parseInt(await page.locator("#saved").innerText(), 10);
    expect(Math.abs(saved - 100 * (1 - held / full))).toBeLessThan(1);
    await expect(page.locator("#saved-prefill")).toHaveText("24");
    await expect(page.getByRole("img", { name: /Chart of cache size.*SCOPE adaptive.*Full cache/ })).toBeVisible();
  });
}

test("the whole output is kept when it is stopped half-way, and other settings run after it", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ ...LONG, full: "false" })}`);
  await reach(page, "ready");
  await page.getByRole("button", { name: "Generate" }).click();
  const output = outputOf(page, /SCOPE adaptive/);
  await expect(output).toHaveText(/.{20}/s);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#run-status")).toContainText("Stopped");
  const text = await output.innerText();
  expect(text.length).toBeGreaterThanOrEqual(20);
  await expect(page.getByRole("button", { name: "Generate" })).toBeFocused();

  await page.getByLabel("Strategy").selectOption("slide");
  await page.getByLabel("Expected tokens T").fill("12");
  await runToEnd(page);
  await expect(outputOf(page, /SCOPE slide/)).toBeVisible();
  await expect(page.locator("#run-status")).toContainText("Done: 12 tokens");
});

test("a model that was loaded once is there after a reload with no request for it", async ({ page }) => {
  const tiny = await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(1);
  await page.reload();
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(1);

  await page.getByText("Use another model").click();
  await page.getByRole("button", { name: "Delete tiny.gguf" }).click();
  await expect(page.locator("#stored")).toBeHidden();
  await page.reload();
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(2);
});

test("without a default the page asks for a model, and takes a file", async ({ page }) => {
  await offer(page, null);
  await page.goto(`/${shortRun()}`);
  await reach(page, "empty");
  await expect(page.getByRole("button", { name: "Generate" })).toBeDisabled();
  const buffer = Buffer.from(tinyModel());
  await page.getByLabel(/a file of yours/).setInputFiles({ name: "mine.gguf", mimeType: "", buffer });
  await reach(page, "ready");
  await expect(page.locator("#model-name")).toHaveText("mine.gguf");
  await runToEnd(page);
});

test("a link brings its setting, and a model that it names is fetched only when asked for", async ({
  page,
  server,
}) => {
  const tiny = await offerTiny(page);
  const model = encodeURIComponent(`${server.origin}/tiny.gguf`);
  await page.goto(`/#model=${model}&prefill=h2o&decode=slide&decodeBudget=25%25&temperature=0.5&third=streamingllm`);
  await reach(page, "empty");
  expect(tiny.fetched()).toBe(0);
  await expect(page.getByLabel("Method")).toHaveValue("h2o");
  await expect(page.getByLabel("Strategy")).toHaveValue("slide");
  await expect(page.getByLabel("Budget B")).toHaveValue("25%");
  await expect(page.getByLabel("Temperature")).toHaveValue("0.5");
  await expect(page.getByRole("article")).toHaveCount(3);
  await expect(page.locator("#code")).toContainText('decode: { strategy: "slide", budget: "25%", recent: 48 }');
  await page.getByRole("button", { name: "Load", exact: true }).click();
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(1);

  await page.getByLabel("Small device").check({ force: true });
  await expect(page.getByLabel("Budget A")).toHaveValue("128");
  expect(new URL(page.url()).hash).toContain("prefillBudget=128");
});

test.describe("a model from another origin", () => {
  const elsewhere = "https://models.example";
  test.use({ routedOrigin: elsewhere });

  test("is fetched once the reader asks for it", async ({ page }) => {
    await offer(page, null);
    const headers = { "access-control-allow-origin": "*" };
    await page.route(`${elsewhere}/**`, (route) => route.fulfill({ headers, body: Buffer.from(tinyModel()) }));
    await page.goto(`/${shortRun()}`);
    await reach(page, "empty");
    await page.getByLabel(/^Address/).fill(`${elsewhere}/tiny.gguf`);
    await page.getByRole("button", { name: "Load", exact: true }).click();
    await reach(page, "ready");
    expect(new URL(page.url()).hash).toContain("models.example");
  });
});

test("what is retained can be read by keyboard and scrubbed back", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ full: "false" })}`);
  await reach(page, "ready");
  await runToEnd(page);
  const picture = page.getByRole("application");
  await picture.focus();
  await page.keyboard.press("ArrowRight");
  const readout = page.locator("#picture-readout");
  await expect(readout).toHaveText(
    /Layer 0, position 1 · “.+” · prompt · (held by \d of \d heads, score \S+|not held)/s,
  );
  // The newest output is always held, the first step has not seen it yet.
  for (let far = 0; far < 30; far += 1) {
    await page.keyboard.press("Shift+ArrowRight");
  }
  await expect(readout).toContainText(/output · held by/);
  const step = page.getByRole("slider", { name: "Step" });
  await step.focus();
  await page.keyboard.press("Home");
  await expect(readout).toContainText("not there yet");
  await expect(page.locator("#picture-step-value")).toHaveText("0");
});

test("runs and chart can be taken away, and hold what the page shows", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await runToEnd(page);
  const record = page.waitForEvent("download");
  await page.getByRole("button", { name: "Runs as JSON" }).click();
  const saved = JSON.parse(await readFile(await (await record).path(), "utf8")) as {
    runs: { text: string; memory: { held: number; full: number }[] }[];
  };
  expect(saved.runs).toHaveLength(2);
  expect(saved.runs[0]?.text).toBe(await outputOf(page, /SCOPE/).evaluate(({ textContent }) => textContent));
  const last = saved.runs[0]?.memory.at(-1);
  expect((last?.held ?? 0) / MIB).toBeCloseTo((await bytesIn(page, "#saved-held")) / MIB, 2);

  const chart = page.waitForEvent("download");
  await page.getByRole("button", { name: "Chart as PNG" }).click();
  const image = await readFile(await (await chart).path());
  expect(image.subarray(1, 4).toString()).toBe("PNG");
});

test("settings that do not fit together are pointed out and not run", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await page.getByLabel("Recent β₂").fill("900");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.getByLabel("Recent β₂")).toBeFocused();
  await reach(page, "ready");
});

test("nothing moves while the page loads a model and runs it", async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 2400 });
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await runToEnd(page);
  const moved = await page.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        new PerformanceObserver((list) => {
          const shifts = list.getEntries() as (PerformanceEntry & {
            value: number;
            sources: { node: Node | null }[];
          })[];
          const large = shifts.filter(({ value }) => value > 0.001);
          resolve(large.flatMap(({ sources }) => sources.map(({ node }) => (node as Element | null)?.id ?? "?")));
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve([]), 500); // an observer with nothing to report is never called
      }),
  );
  expect(moved).toEqual([]);
});
