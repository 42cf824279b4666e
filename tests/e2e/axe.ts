import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "./test.ts";

const axeSource = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The rules that axe-core finds broken, each with the elements that break it. */
export async function violations(page: Page): Promise<string[]> {
  // A colour on its way to another has any contrast.
  await page.evaluate(() =>
    Promise.allSettled(document.getAnimations().map(({ finished }) => finished)),
  );
  // Evaluated, not added as a script element: the page's content security policy permits no inline
  // script.
  await page.evaluate(await readFile(axeSource, "utf8"));
  const results = await page.evaluate<AxeResults>("axe.run()");
  return results.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
}
