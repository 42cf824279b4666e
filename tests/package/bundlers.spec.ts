/**
 * The package in pages that bundlers made. Those of this workspace are tried always. The others are
 * tried when `BUNDLERS` names a folder with their `node_modules`:
 * `BUNDLERS=… npm run test:package -- bundlers`. They are `bun`, `parcel`, `webpack` with
 * `webpack-cli`, and `@rspack/cli` with `@rspack/core`.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import type { Page } from "@playwright/test";
import { build as esbuild } from "esbuild";
import { rollup } from "rollup";
import { build as vite } from "vite";
import { serve } from "../e2e/static-server.ts";
import { tinyModel } from "../e2e/tiny-gguf.ts";
import { expect, test as packed } from "./packed.ts";

/** A page's folder, which is served, and its script before it is bundled. */
interface Site {
  readonly folder: string;
  readonly source: string;
  /** The package, as its consumer has it installed. */
  readonly installed: string;
  /** Writes the page's script. `options` are those of the load. */
  readonly write: (options?: string, before?: string) => Promise<void>;
  /** Writes the page, with `src` as its script, which may be none of a module. */
  readonly page: (src?: string, type?: string) => Promise<void>;
  /** Copies a file or folder of the package into the page's folder. */
  readonly copy: (from: string, to: string) => Promise<void>;
  /** Opens the page, and gives what its script found. */
  readonly outcome: () => Promise<unknown>;
}

const test = packed.extend<{ site: Site; cdn: (folder: string) => Promise<string> }>({
  site: async ({ consumer, page }, use, { testId }) => {
    const folder = join(consumer.folder, `site-${testId}`);
    const source = join(consumer.folder, `src/${testId}.js`);
    const installed = join(consumer.folder, "node_modules/kvscope");
    await mkdir(folder);
    await writeFile(join(folder, "tiny.gguf"), tinyModel());
    const server = await serve({ "/": folder });
    const site: Site = {
      folder,
      source,
      installed,
      write: (options = "", before = "") => writeFile(source, script(options, before)),
      page: (src = "app.js", type = "module") =>
        writeFile(
          join(folder, "index.html"),
          `<!doctype html><title>site</title><link rel="icon" href="data:,"><script type="${type}" src="${src}"></script>`,
        ),
      copy: (from, to) => cp(join(installed, from), join(folder, to), { recursive: true }),
      outcome: () => outcomeAt(page, server.origin),
    };
    await site.write();
    await site.page();
    await use(site);
    await server.close();
  },
  cdn: async ({}, use) => {
    const servers: { close: () => Promise<void> }[] = [];
    await use(async (folder) => {
      const server = await serve({ "/": folder }, { "access-control-allow-origin": "*" });
      servers.push(server);
      return server.origin;
    });
    await Promise.all(servers.map((server) => server.close()));
  },
});

const folderOfOthers = process.env["BUNDLERS"];

/** Outcome of a page in which all that a bundler can lose was found. */
const STARTED = "started";

/**
 * A page's script, of JavaScript. Its load ends when the module runs, where bundlers have no more
 * part in it. With the other bundlers, for which there is time, it ends once the engine answers.
 */
const script = (options: string, before: string): string => `
  import { Engine } from "kvscope";
  ${before}
  const whole = ${folderOfOthers !== undefined};
  globalThis.outcome = new Promise((resolve) => {
    const onProgress = ({ phase }) => !whole && phase === "gpu" && resolve("${STARTED}");
    Engine.load(location.origin + "/tiny.gguf", { store: false, onProgress, ${options} })
      .then((engine) => engine.completions.create({ prompt: "a", max_tokens: 3, ignore_eos: true }))
      .then(({ usage }) => usage.completion_tokens === 3 && "${STARTED}")
      .then(resolve, ({ code, message }) => resolve({ code, message }));
  });`;

async function outcomeAt(page: Page, url: string): Promise<unknown> {
  await page.goto(url);
  await page.waitForFunction(() => "outcome" in globalThis);
  return page.evaluate(() => (globalThis as unknown as { outcome: Promise<unknown> }).outcome);
}

async function withEsbuild(
  { source, folder }: Site,
  format: "esm" | "iife" = "esm",
  file = "app.js",
): Promise<void> {
  const outfile = join(folder, file);
  // A bundle that is no module makes esbuild warn of `import.meta`.
  await esbuild({
    entryPoints: [source],
    bundle: true,
    minify: true,
    format,
    outfile,
    logLevel: "error",
  });
}

async function withRollup({ folder }: Site, input: Record<string, string>): Promise<void> {
  const bundle = await rollup({ input, plugins: [nodeResolve()] });
  await bundle.write({ dir: folder, format: "es", entryFileNames: "[name].js" });
  await bundle.close();
}

test("a bundle of esbuild runs with the worker and the module copied beside it", async ({
  site,
}) => {
  await withEsbuild(site, "esm", "js/app.js");
  await site.page("js/app.js");
  await site.copy("dist/worker.js", "js/worker.js");
  await site.copy("wasm/kvscope_bg.wasm", "js/kvscope_bg.wasm");
  expect(await site.outcome()).toBe(STARTED);
});

test("a bundle of esbuild that is no module runs with the package's folders beside the page", async ({
  site,
}) => {
  await withEsbuild(site, "iife", "js/app.js");
  await site.page("js/app.js", "");
  await site.copy("dist", "kvscope/dist");
  await site.copy("wasm", "kvscope/wasm");
  expect(await site.outcome()).toBe(STARTED);
});

test("a worker that is its text in a bundle of esbuild finds the module by the page", async ({
  site,
}) => {
  await site.write(
    `createWorker: () => new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { type: "module" })`,
    `import text from "kvscope/worker" with { type: "text" };`,
  );
  await withEsbuild(site);
  await site.copy("wasm/kvscope_bg.wasm", "kvscope_bg.wasm");
  expect(await site.outcome()).toBe(STARTED);
});

test("a bundle of Rollup runs with the worker as an entry", async ({ site }) => {
  // As a page's own worker would have it: what it imports must not be dropped as unused.
  const worker = `${site.source}.worker.js`;
  await writeFile(worker, `import "kvscope/worker";`);
  await withRollup(site, { app: site.source, worker });
  await site.copy("wasm", "wasm");
  expect(await site.outcome()).toBe(STARTED);
});

const told = (outcome: unknown): string => (outcome as { message: string }).message;

test("a bundle of Rollup by itself says what to copy, and where", async ({ site }) => {
  await withRollup(site, { app: site.source });
  const worker = await site.outcome();
  expect(worker).toEqual({ code: "worker-failed", message: expect.any(String) as unknown });
  expect(told(worker)).toMatch(
    /\/worker\.js \(404\).*\/kvscope\/dist\/worker\.js \(404\).*dist\/worker\.js.*createWorker/,
  );
  await site.copy("dist/worker.js", "worker.js");
  const module = await site.outcome();
  expect(module).toEqual({ code: "module-load-failed", message: expect.any(String) as unknown });
  expect(told(module)).toMatch(/\/kvscope_bg\.wasm .*404.*wasm\/kvscope_bg\.wasm.*wasmUrl/);
});

test("a worker of `createWorker` whose script is not there is told from the package's own", async ({
  site,
}) => {
  await site.write(`createWorker: () => new Worker("/missing.js", { type: "module" })`);
  await withEsbuild(site);
  expect(await site.outcome()).toEqual({
    code: "worker-failed",
    message: expect.stringContaining("`createWorker`") as unknown,
  });
});

for (const [what, before, create] of [
  [
    "the address",
    `import address from "kvscope/worker?url";`,
    `new Worker(address, { type: "module" })`,
  ],
  [
    "the address in the other pattern",
    "",
    `new Worker(new URL("kvscope/worker", import.meta.url), { type: "module" })`,
  ],
] as const) {
  test(`${what} of kvscope/worker, as Vite gives it, starts the worker`, async ({ site }) => {
    await site.write(`createWorker: () => ${create}`, before);
    await withVite(site);
    expect(await site.outcome()).toBe(STARTED);
  });
}

test("a bundle of Vite on another origin runs", async ({ site, cdn, consumer }) => {
  const elsewhere = join(consumer.folder, "vite-elsewhere");
  await mkdir(elsewhere);
  const origin = await cdn(elsewhere);
  await withVite({ ...site, folder: elsewhere }, `${origin}/`);
  await site.page(`${origin}/app.js`);
  expect(await site.outcome()).toBe(STARTED);
});

async function withVite({ source, folder }: Site, address = "./"): Promise<void> {
  await vite({
    configFile: false,
    logLevel: "error",
    base: address,
    build: {
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: { input: source, output: { entryFileNames: "app.js" } },
    },
  });
}

// Where CDNs put a bundle that they made of the package: jsdelivr, esm.sh, and the package's file.
for (const path of ["bundle.js", "es2022/kvscope.js", "dist/index.js"]) {
  test(`${path} on a CDN runs`, async ({ site, cdn, consumer }) => {
    const folder = join(consumer.folder, `cdn-${path.replaceAll("/", "-")}`);
    await cp(site.installed, folder, { recursive: true });
    if (path !== "dist/index.js") {
      const entry = join(site.installed, "dist/index.js");
      await esbuild({
        entryPoints: [entry],
        bundle: true,
        format: "esm",
        outfile: join(folder, path),
      });
    }
    const origin = await cdn(folder);
    const text = await readFile(site.source, "utf8");
    await writeFile(
      join(site.folder, "app.js"),
      text.replace('"kvscope"', JSON.stringify(`${origin}/${path}`)),
    );
    expect(await site.outcome()).toBe(STARTED);
  });
}

/** Runs a program of another bundler in the consumer's folder. */
type Tool = (program: string, ...args: readonly string[]) => Promise<unknown>;

/**
 * The other bundlers. Each bundles `source` into `folder`, to be served at `address`. It names the
 * script with its type, or writes the page of that script into the folder `page`.
 */
const OTHERS: Record<
  string,
  (
    tool: Tool,
    site: Site,
    address: string,
    page: string,
  ) => Promise<readonly [string, string?] | undefined>
> = {
  async webpack(tool, { source, folder }) {
    const args = ["--mode", "production", "--entry", source, "-o", folder, "--no-stats"];
    await tool("webpack-cli/bin/cli.js", ...args);
    return ["main.js", ""];
  },
  async Rspack(tool, { source, folder }) {
    const args = ["--mode", "production", "--entry", source, "-o", folder];
    await tool("@rspack/cli/bin/rspack.js", "build", ...args);
    return ["main.js", ""];
  },
  async Parcel(tool, { source, folder }, address, page) {
    const html = `${source}.html`;
    await writeFile(html, `<script type="module" src="./${basename(source)}"></script>`);
    const args = ["--dist-dir", folder, "--no-cache", "--public-url", address];
    await tool("parcel/lib/bin.js", "build", html, ...args, "--no-source-maps");
    // The whole page: an import map in it has the addresses.
    await cp(join(folder, basename(html)), join(page, "index.html"));
    return undefined;
  },
  async Bun(tool, site) {
    const outfile = join(site.folder, "app.js");
    await tool("bun/bin/bun.exe", "build", "--target=browser", site.source, "--outfile", outfile);
    await site.copy("dist/worker.js", "worker.js");
    await site.copy("wasm/kvscope_bg.wasm", "kvscope_bg.wasm");
    return ["app.js"];
  },
};

for (const [name, bundle] of Object.entries(OTHERS)) {
  // Parcel 2.16 makes a worker that imports the foreign script, but starts it as none of a module.
  for (const where of name === "Parcel" ? [""] : ["", " on another origin"]) {
    test(`a bundle of ${name}${where} runs`, async ({ site, cdn, consumer }) => {
      test.skip(folderOfOthers === undefined, "BUNDLERS names no folder");
      const tool: Tool = (program, ...args) => {
        const path = join(folderOfOthers ?? "", "node_modules", program);
        const [command, ...before] = program.endsWith(".js") ? [process.execPath, path] : [path];
        return promisify(execFile)(command, [...before, ...args], { cwd: consumer.folder });
      };
      const folder = where === "" ? site.folder : join(site.folder, "elsewhere");
      await mkdir(folder, { recursive: true });
      const address = where === "" ? "./" : `${await cdn(folder)}/`;
      const copy: Site["copy"] = (from, to) => cp(join(site.installed, from), join(folder, to));
      const entry = await bundle(tool, { ...site, folder, copy }, address, site.folder);
      if (entry !== undefined) {
        await site.page(address + entry[0], entry[1]);
      }
      expect(await site.outcome()).toBe(STARTED);
    });
  }
}
