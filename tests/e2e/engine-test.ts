import { test as base, type Page } from "@playwright/test";
import { startEngineServer, type EngineServer } from "./engine-server.ts";
import { tinyModel } from "./tiny-gguf.ts";

export { expect, type Page } from "@playwright/test";

declare global {
  var kvscope: typeof import("kvscope");
  var codeOf: (work: Promise<unknown>) => Promise<string>;
}

/**
 * A page with the package as `kvscope`, straight from its files, and a server with a tiny model at
 * `/tiny.gguf`.
 */
export const test = base.extend<{ site: EngineServer }>({
  site: async ({}, use) => {
    const site = await startEngineServer();
    site.files.set("/tiny.gguf", { bytes: tinyModel(), etag: '"one"' });
    await use(site);
    await site.close();
  },
  page: async ({ page, site }, use) => {
    await openBlank(page, site);
    await use(page);
  },
});

/** Opens the empty page and imports the package there. */
export async function openBlank(page: Page, site: EngineServer): Promise<void> {
  await page.goto(`${site.origin}/blank`);
  await page.evaluate(async () => {
    const address = "/pkg/dist/index.js";
    globalThis.kvscope = (await import(address)) as typeof import("kvscope");
    globalThis.codeOf = (work) =>
      work.then(
        () => "resolved",
        (error: unknown) => (error instanceof kvscope.KvscopeError ? error.code : String(error)),
      );
  });
}
