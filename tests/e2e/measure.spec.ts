import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { offerTiny, reach, shortRun } from "./open-page.ts";
import { expect, test, type Page } from "./test.ts";
import { tinyModel } from "./tiny-gguf.ts";

interface Result {
  readonly policy: string;
  readonly lines: number;
  readonly programs: number;
  readonly exact: number;
  readonly exactByLine: readonly number[];
  readonly heldBytes: number;
  readonly fullBytes: number;
}

/** Text of the file that the button gives. */
async function taken(page: Page, button: string): Promise<string> {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: button }).click();
  return readFile(await (await download).path(), "utf8");
}

const run = (page: Page) => page.getByRole("button", { name: "Run", exact: true }).click();

/** The texts of a table's rows, cell by cell. */
const rows = (page: Page): Promise<string[][]> =>
  page
    .locator("tbody:visible tr")
    .evaluateAll((all) =>
      all.map((row) => [...row.children].map(({ textContent }) => textContent)),
    );

test("policies are compared with the numbers of the native command, which can be taken away", async ({
  page,
}, info) => {
  await offerTiny(page);
  await page.goto("/#view=compare&programs=1&families=h2o-slide&budgets=25%25");
  await reach(page, "ready");
  await expect(page.locator("#compare-plan")).toContainText(
    "2 policies, 1 program of 16 lines each: 2 runs.",
  );
  await expect(page.locator("#measure-note")).toContainText("not made for programs");
  await run(page);
  await expect(page.locator("#compare-status")).toHaveText(/^Done: 2 runs/);
  await expect(
    page.getByRole("img", { name: /Lines right against bytes held.*The full cache has/ }),
  ).toBeVisible();

  const record = JSON.parse(await taken(page, "Numbers as JSON")) as {
    model: string;
    seed: number;
    results: Result[];
  };
  expect(record).toMatchObject({ model: "Tiny", seed: 0 });
  const program = process.env["KVSCOPE_COMMAND"];
  if (program === undefined) {
    throw new Error("KVSCOPE_COMMAND names no kvscope command: run this by `cargo xtask test`");
  }
  const [model, output] = [info.outputPath("tiny.gguf"), info.outputPath("trace.json")];
  await writeFile(model, tinyModel());
  const policies = record.results.flatMap(({ policy }) => ["--policy", policy]);
  const args = [
    "eval",
    "trace",
    "--model",
    model,
    "--lines",
    "16",
    "--programs",
    "1",
    "--json",
    output,
    ...policies,
  ];
  await promisify(execFile)(program, args);
  const native = JSON.parse(await readFile(output, "utf8")) as { results: Result[] };
  expect(record.results).toMatchObject(native.results);

  const [full, half] = record.results;
  expect(full?.heldBytes).toBe(full?.fullBytes);
  expect(half?.heldBytes).toBeLessThan(full?.heldBytes ?? 0);
  const shown = await rows(page);
  expect(shown.map(([policy, budget]) => [policy, budget])).toEqual([
    ["Full cache", "all"],
    ["h2o 50% + slide", "25 %"],
  ]);
  for (const [index, cells] of shown.entries()) {
    const { exact = 0, heldBytes = 0 } = record.results[index] ?? {};
    expect(cells[2]).toContain(`${Math.round(16 * exact)} of 16`);
    expect(
      Math.abs(Number.parseInt(cells[3] ?? "", 10) - (100 * heldBytes) / (full?.heldBytes ?? 0)),
    ).toBeLessThan(1);
  }

  const [head, ...lines] = (await taken(page, "Table as CSV")).trimEnd().split("\n");
  expect(head).toBe("policy,budget,programs,lines right,lines,exact,held bytes,full bytes");
  expect(lines.map((line) => Number(line.split(",")[6]))).toEqual(
    record.results.map(({ heldBytes }) => heldBytes),
  );
  const svg = await taken(page, "Chart as SVG");
  const marks = await page.evaluate((markup) => {
    const drawn = new DOMParser().parseFromString(markup, "image/svg+xml").documentElement;
    return [drawn.tagName, drawn.querySelectorAll("polygon, rect[stroke]").length];
  }, svg);
  expect(marks).toEqual(["svg", 4]); // each policy's point, and its place in the legend
});

test("a measurement that is stopped keeps what there is", async ({ page }) => {
  await offerTiny(page);
  await page.goto("/#view=tight&programs=500");
  await reach(page, "ready");
  await run(page);
  await expect(page.getByRole("button", { name: "Stop" })).toBeFocused();
  await expect(page.locator("#tight-rows tr").nth(1)).toContainText("of 16");
  await page.keyboard.press("Enter");
  await expect(page.locator("#tight-status")).toHaveText(/^Stopped after \d+ of 6,500 runs\.$/);
  await expect(page.getByRole("button", { name: "Run", exact: true })).toBeFocused();
  const [full, tightened, , , last] = await rows(page);
  expect([full?.[0], tightened?.[0], tightened?.[1], last?.[1]]).toEqual([
    "Full cache",
    "snapkv",
    "75 %",
    "12.5 %",
  ]);
  expect(tightened?.[2]).toMatch(/ of 16$/);
  const { results } = JSON.parse(await taken(page, "Numbers as JSON")) as { results: Result[] };
  expect(results.length).toBeGreaterThanOrEqual(2);
  expect(results.length).toBeLessThan(13);
  expect(results[1]?.policy).toContain("prefill-method=snapkv prefill-budget=75%");
});

test("drift is told by step and layer, and its shares make a whole", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ view: "drift", tokens: "40" })}`);
  await reach(page, "ready");
  await run(page);
  await expect(page.locator("#drift-status")).toHaveText("Looked at 39 steps.");
  await expect(page.getByRole("img", { name: /most attended.*chosen at prefill/ })).toBeVisible();
  await expect(
    page.getByRole("img", { name: /^Map of layers.*layer 0 \d+ %, layer 1 \d+ %/ }),
  ).toBeVisible();
  const { steps, chosen, promptTokens } = JSON.parse(await taken(page, "Numbers as JSON")) as {
    steps: { step: number; mean: Record<string, number>; layers: Record<string, number>[] }[];
    chosen: number;
    promptTokens: number;
  };
  expect(steps.map(({ step }) => step)).toEqual(
    Array.from({ length: 39 }, (_, index) => index + 1),
  );
  expect(chosen).toBe(Math.floor(promptTokens / 4));
  for (const { mean, layers } of steps) {
    expect(layers).toHaveLength(2);
    for (const share of ["chosen", "missed", "output"]) {
      const [first = {}, second = {}] = layers;
      expect(mean[share]).toBeCloseTo(((first[share] ?? 0) + (second[share] ?? 0)) / 2, 10);
    }
    expect(Object.values(mean).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
  }
  // At the first step the output is one token.
  expect(steps[0]?.mean["output"]).toBeLessThanOrEqual(1 / chosen);
  const shown = await rows(page);
  expect(shown[0]?.[0]).toBe("1");
  expect(shown.at(-1)?.[0]).toBe("39");
});

test("views are tabs by keyboard, and a link brings view and setting", async ({ page }) => {
  await offerTiny(page);
  await page.goto(
    "/#view=compare&lines=32&programs=7&firstSeed=3&families=tova,nonsense&budgets=6.25%25&chosen=x",
  );
  await reach(page, "ready");
  const tab = (name: string) => page.getByRole("tab", { name });
  await expect(tab("Compare policies")).toHaveAttribute("aria-selected", "true");
  await expect(page.getByLabel("Length")).toHaveValue("32");
  await expect(page.getByLabel("Programs", { exact: true })).toHaveValue("7");
  await expect(page.getByLabel("First seed")).toHaveValue("3");
  await expect(page.locator("#measure-families :checked")).toHaveCount(1);
  await expect(page.locator("#compare-plan")).toContainText(
    "2 policies, 7 programs of 32 lines each: 14 runs.",
  );

  await tab("Compare policies").press("ArrowRight");
  await expect(tab("Prefill too tight")).toBeFocused();
  await expect(page.getByRole("tabpanel", { name: "Prefill too tight" })).toBeVisible();
  await expect(page.getByRole("tabpanel")).toHaveCount(1);
  await expect(page).toHaveURL(/view=tight/);
  await page.keyboard.press("Home");
  await expect(page.getByRole("button", { name: "Generate" })).toBeVisible();
  await expect(page).not.toHaveURL(/view=/);
  await page.keyboard.press("ArrowLeft");
  await expect(tab("Heavy-hitter drift")).toBeFocused();

  await tab("Compare policies").click();
  await page.getByLabel("tova").uncheck();
  await run(page);
  await expect(page.locator("#measure-families input").first()).toBeFocused();
  await reach(page, "ready");
});
