import { test as base, expect, type Page } from "@playwright/test";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve, type StaticServer } from "./static-server.ts";

export { expect, type Page };

/**
 * A path unlike any the page was built for: deep, and with a character that addresses must escape.
 */
export const SUB_PATH = "/some where/deep/";

/** The real model's file: `cargo xtask test` names it. */
export const MODEL =
  process.env["KVSCOPE_MODEL"] ??
  join(homedir(), ".cache/kvscope/models/SmolLM2-135M-Instruct.Q4_1.gguf");

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

interface Fixtures {
  /** Console errors that a test means to cause; any other fails it. */
  expectedConsoleErrors: RegExp;
  /** An origin beside the server's own that a test answers itself. */
  routedOrigin: string;
}

interface WorkerFixtures {
  /**
   * The built page at `/` and {@link SUB_PATH}, the package's folder at `/pkg/`, the model's at
   * `/model/`. An empty page is at `/blank`.
   */
  server: StaticServer;
}

/** Fails at once where tests of what was never built would time out one by one. */
async function requireBuilt(...files: readonly string[]): Promise<void> {
  for (const file of files) {
    await access(file).catch((cause: unknown) => {
      throw new Error(`${file} is missing: \`cargo xtask build\` makes it`, { cause });
    });
  }
}

/** Playwright's own message where a test has no service worker. */
const NO_SERVICE_WORKER = "Service Worker registration blocked by Playwright";

/**
 * Playwright's `test`, with a server, and failing on console errors and on requests to another
 * origin.
 */
export const test = base.extend<Fixtures, WorkerFixtures>({
  server: [
    async ({}, use) => {
      const site = folder("www/dist");
      await requireBuilt(
        join(site, "index.html"),
        folder("pkg/dist/index.js"),
        folder("pkg/wasm/kvscope_bg.wasm"),
      );
      const server = await serve({
        "/": site,
        [SUB_PATH]: site,
        "/pkg/": folder("pkg"),
        "/model/": dirname(MODEL),
      });
      await use(server);
      await server.close();
    },
    { scope: "worker" },
  ],
  // Requests that a service worker answers can't be routed; the test of it asks for it.
  serviceWorkers: "block",
  baseURL: async ({ server }, use) => use(server.origin),
  expectedConsoleErrors: [/(?!)/, { option: true }], // matches nothing
  routedOrigin: ["", { option: true }],
  // A test may have seen enough while a request is still routed: that route has no page any more.
  context: async ({ context }, use) => {
    await use(context);
    await Promise.all(context.pages().map((page) => page.unrouteAll({ behavior: "ignoreErrors" })));
  },
  page: async ({ page, server, expectedConsoleErrors, routedOrigin }, use) => {
    const errors: string[] = [];
    const foreign: string[] = [];
    page.on("console", (message) => {
      const counts =
        ["error", "warning"].includes(message.type()) && message.text() !== NO_SERVICE_WORKER;
      if (counts) {
        errors.push(message.text());
      }
    });
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (![server.origin, routedOrigin].includes(origin) && protocol !== "data:") {
        foreign.push(request.url());
      }
    });
    await use(page);
    expect(errors.filter((text) => !expectedConsoleErrors.test(text))).toEqual([]);
    expect(foreign).toEqual([]);
  },
});
