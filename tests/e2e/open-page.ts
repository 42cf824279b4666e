import { expect, type Page } from "./test.ts";
import { tinyModel } from "./tiny-gguf.ts";

export type PageState =
  "opening" | "empty" | "loading" | "ready" | "generating" | "failed" | "lost";

/** Waits until the page is in `state`, as `html[data-state]` says. */
export async function reach(page: Page, state: PageState): Promise<void> {
  await expect(page.locator("html")).toHaveAttribute("data-state", state);
}

/** The page's server's answer for the default model. */
export interface Offered {
  readonly name?: string;
  readonly url: string;
  readonly bytes?: number;
}

/** Has the page's server offer `models`, or none, the default first. */
export async function offer(page: Page, ...models: readonly (Offered | null)[]): Promise<void> {
  const json = { models: models.filter((model) => model !== null) };
  await page.route("**/models.json", (route) => route.fulfill({ json }));
}

/**
 * Has the page's server offer a model small enough for a test, and counts how often it is fetched.
 */
export async function offerTiny(
  page: Page,
  body: Buffer = Buffer.from(tinyModel()),
): Promise<{ fetched: () => number }> {
  let fetched = 0;
  await offer(page, { name: "Tiny", url: "tiny.gguf", bytes: body.length });
  await page.route("**/tiny.gguf", async (route) => {
    fetched += 1;
    await route.fulfill({
      body,
      contentType: "application/octet-stream",
      headers: { etag: '"tiny"' },
    });
  });
  return { fetched: () => fetched };
}

/**
 * Has the page's worker run `scripts` before its own: its device and its messages are reached only
 * from there.
 */
export async function beforeWorker(page: Page, ...scripts: readonly (() => void)[]): Promise<void> {
  const prelude = scripts.map((script) => `(${script.toString()})();`).join("\n");
  await page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${prelude}\n${await response.text()}` });
  });
}

/** A link's fragment for settings under which a tiny model is done at once, and still evicts. */
export function shortRun(more: Readonly<Record<string, string>> = {}): string {
  const prompt = "The boat came through ice and brought flour, lamp oil and a letter. ".repeat(2);
  const budgets = {
    prefillBudget: "24",
    observationWindow: "4",
    decodeBudget: "8",
    recent: "4",
    tokens: "40",
  };
  return `#${new URLSearchParams({ prompt, ...budgets, ...more })}`;
}

/** One click, and to the end of all runs. */
export async function runToEnd(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.locator("#run-status")).toContainText(/^(Done|Stopped|Failed)/);
  await reach(page, "ready");
}

export const outputOf = (page: Page, name: string | RegExp): ReturnType<Page["getByRole"]> =>
  page.getByRole("region", { name });
