import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base, type Page } from "@playwright/test";
import { createServer } from "vite";
import { serve } from "../e2e/static-server.ts";
import { createConsumer, node, type Consumer } from "./consumer.ts";

const test = base.extend<object, { consumer: Consumer }>({
  consumer: [
    async ({}, use) => {
      const consumer = await createConsumer();
      await use(consumer);
      await consumer.remove();
    },
    { scope: "worker", timeout: 240_000 },
  ],
});

/** What the README's snippet logs on the page at `url`: the adapter's name, the features and the result. */
async function snippetOutput(page: Page, url: string): Promise<{ features: string[]; output: number[] }> {
  page.on("pageerror", (error) => {
    throw error;
  });
  const logged = page.waitForEvent("console", (message) => message.type() === "log" || message.type() === "error");
  const [message] = await Promise.all([logged, page.goto(url)]);
  expect(message.type(), message.text()).toBe("log");
  const [, features, output] = message.args();
  return {
    features: (await features?.evaluate((value) => [...(value as string[])])) ?? [],
    output: (await output?.evaluate((value) => [...(value as Float32Array)])) ?? [],
  };
}

/** The README's two rows, normalised by hand: √((9 + 16) / 4) = 2.5, and 1. */
function expectNormalised(output: readonly number[]): void {
  const expected = [1.2, 3.2, 0, 0, 1, 2, 3, 4];
  expect(output).toHaveLength(expected.length);
  output.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 4));
}

test("the tarball holds the package and nothing else", ({ consumer }) => {
  const modules = ["error", "gpu", "index", "module", "support"];
  // wasm-bindgen names the folder of snippets by a hash of the crate.
  const files = consumer.tarball.map((path) => path.replace(/kvscope-[0-9a-f]{16}/, "kvscope-HASH"));
  expect(files.toSorted()).toEqual(
    [
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      ...modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]),
      "package.json",
      "wasm/kvscope.d.ts",
      "wasm/kvscope.js",
      "wasm/kvscope_bg.wasm",
      "wasm/snippets/kvscope-HASH/src/web/subgroups.js",
    ].toSorted(),
  );
});

for (const [moduleResolution, module] of [
  ["bundler", "esnext"],
  ["nodenext", "nodenext"],
] as const) {
  test(`the README's snippet has no type errors under moduleResolution ${moduleResolution}`, async ({ consumer }) => {
    // Without skipLibCheck: the package's own declarations are checked too.
    const options = `--noEmit --strict --target es2022 --lib es2022,dom --module ${module}`;
    const resolution = `--moduleResolution ${moduleResolution} --types`;
    const args = [...options.split(" "), ...resolution.split(" "), "", "src/main.ts"];
    await node(["node_modules/typescript/bin/tsc", ...args], consumer.folder);
  });
}

test("the README's snippet, built by Vite, computes in the browser", async ({ consumer, page }) => {
  await node(["node_modules/vite/bin/vite.js", "build", "--base", "./"], consumer.folder);
  const server = await serve({ "/built/": join(consumer.folder, "dist") });
  try {
    const { features, output } = await snippetOutput(page, `${server.origin}/built/`);
    expect(features).toContain("timestamp-query"); // the software adapter of these tests has it
    expectNormalised(output);
  } finally {
    await server.close();
  }
});

test("the README's snippet runs in Vite's development server", async ({ consumer, page }) => {
  const server = await createServer({
    root: consumer.folder,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0 },
  });
  try {
    await server.listen();
    const { output } = await snippetOutput(page, server.resolvedUrls?.local[0] ?? "");
    expectNormalised(output);
  } finally {
    await server.close();
  }
});

test("importing the package outside a browser is harmless, and opening says what is missing", async ({ consumer }) => {
  const script = `
    import { KvscopeError, openGpu } from "kvscope";
    const error = await openGpu().catch((error) => error);
    console.log(String(error instanceof KvscopeError), error.code);`;
  expect(await node(["--input-type=module", "--eval", script], consumer.folder)).toBe("true webgpu-unavailable\n");
});

test("the README's table has every error code, in order", async ({ consumer }) => {
  const script = `
    import { KVSCOPE_ERROR_CODES } from "kvscope";
    console.log(KVSCOPE_ERROR_CODES.join(" "));`;
  const codes = await node(["--input-type=module", "--eval", script], consumer.folder);
  const readme = await readFile(join(consumer.folder, "node_modules/kvscope/README.md"), "utf8");
  const rows = readme.matchAll(/^\| `([a-z0-9-]+)`/gm);
  expect([...rows].map(([, code]) => code).join(" ")).toBe(codes.trim());
});
