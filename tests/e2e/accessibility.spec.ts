import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { expect, reach, test, type Page } from "./test.ts";

const axeSource = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The rules that axe-core finds broken, each with the elements that break it. */
async function violations(page: Page): Promise<string[]> {
  // Evaluated, not added as a script element: the page's content security policy permits no inline script.
  await page.evaluate(await readFile(axeSource, "utf8"));
  const results = await page.evaluate<AxeResults>("axe.run()");
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [360, 1280]) {
    test.describe(`${colorScheme}, ${width} px wide`, () => {
      test.use({ colorScheme, viewport: { width, height: 800 } });

      test("the page is accessible and fits, ready and without a GPU", async ({ page }, info) => {
        await page.goto("/");
        await reach(page, "ready");
        expect(await violations(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        await page.screenshot({ fullPage: true, path: info.outputPath("ready.png") });

        await page.getByRole("button", { name: "Release the GPU" }).click();
        await reach(page, "lost");
        expect(await violations(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        await page.screenshot({ fullPage: true, path: info.outputPath("lost.png") });
      });
    });
  }
}
