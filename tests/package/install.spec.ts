import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { createServer } from "vite";
import { serve } from "../e2e/static-server.ts";
import { tinyModel } from "../e2e/tiny-gguf.ts";
import { node, SCRIPTS, SNIPPETS, readmeSnippet, type Consumer, type Snippet } from "./consumer.ts";
import { expect, test } from "./packed.ts";
import type { Program } from "./programs.ts";

const NUMBER: unknown = expect.any(Number);
/**
 * Output of each README's snippet, about the cache, and of other libraries' programs, about tokens.
 */
const SAID: Record<Snippet | Program, unknown> = {
  sessions: NUMBER,
  index: expect.objectContaining({
    heldBytes: NUMBER,
    slots: expect.objectContaining({ prefill: NUMBER, decode: NUMBER }),
  }),
  repository: NUMBER,
  webllm: NUMBER,
  wllama: NUMBER,
  webllmTurns: NUMBER,
  wllamaTurns: NUMBER,
  webllmWorkers: NUMBER,
  wllamaManager: NUMBER,
};

/**
 * Runs the page at `url` with a README's snippet, or another program. Expects it to log an answer
 * and a figure. The hub and the host of the model are played by this machine, with a tiny model.
 */
async function expectSnippetRuns(
  page: Page,
  url: string,
  script: Snippet | Program = "index",
): Promise<void> {
  const model = tinyModel();
  const digest = createHash("sha256").update(model).digest("hex");
  await page.route("https://huggingface.co/**", (route) => {
    const headers = { "access-control-allow-origin": "*" };
    const [, action] =
      /co\/owner\/name\/(resolve|raw)\/main\/model\.gguf$/.exec(route.request().url()) ?? [];
    return action === "resolve"
      ? route.fulfill({ headers, body: Buffer.from(model) })
      : action === "raw"
        ? route.fulfill({
            headers,
            body: `version 1\noid sha256:${digest}\nsize ${model.length}\n`,
          })
        : route.abort();
  });
  await page.route("https://example.org/model.gguf", (route) =>
    route.fulfill({ headers: { "access-control-allow-origin": "*" }, body: Buffer.from(model) }),
  );
  page.on("pageerror", (error) => {
    throw error;
  });
  const logged = page.waitForEvent("console", (message) =>
    ["log", "error"].includes(message.type()),
  );
  const [message] = await Promise.all([logged, page.goto(url)]);
  expect(message.type(), message.text()).toBe("log");
  const [text, kv] = await Promise.all(
    message.args().map((value) => value.jsonValue() as Promise<unknown>),
  );
  expect(typeof text).toBe("string");
  expect(kv).toEqual(SAID[script]);
}

const SOURCES = SCRIPTS.map((script) => `src/${script}.ts`);

test("the tarball holds the package and nothing else", async ({ consumer }) => {
  const sources = await readdir(new URL("../../pkg/src", import.meta.url), { recursive: true });
  const modules = sources
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.replaceAll("\\", "/").replace(/\.ts$/, ""));
  // wasm-bindgen names the folder of snippets by a hash of the crate.
  const files = consumer.tarball.map((path) =>
    path.replace(/kvscope-[0-9a-f]{16}/, "kvscope-HASH"),
  );
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
      "wasm/snippets/kvscope-HASH/src/device/buffers.js",
      "wasm/snippets/kvscope-HASH/src/device/subgroups.js",
    ].toSorted(),
  );
});

for (const [moduleResolution, module] of [
  ["bundler", "esnext"],
  ["nodenext", "nodenext"],
] as const) {
  test(`the READMEs' snippets and other libraries' programs have no type errors under moduleResolution ${moduleResolution}`, async ({
    consumer,
  }) => {
    // Without skipLibCheck: the package's own declarations are checked too.
    const options = `--noEmit --strict --target es2022 --lib es2022,dom --module ${module}`;
    const resolution = `--moduleResolution ${moduleResolution} --types`;
    const args = [...options.split(" "), ...resolution.split(" "), "", ...SOURCES];
    await node(["node_modules/typescript/bin/tsc", ...args], consumer.folder);
  });
}

test("the README's snippet, built by Vite, runs in the browser", async ({ consumer, page }) => {
  await node(["node_modules/vite/bin/vite.js", "build", "--base", "./"], consumer.folder);
  const server = await serve({ "/built/": join(consumer.folder, "dist") });
  try {
    await expectSnippetRuns(page, `${server.origin}/built/`);
  } finally {
    await server.close();
  }
});

test("the READMEs' snippets, and other libraries' programs with their import changed, run in Vite's development server", async ({
  consumer,
  page,
}) => {
  const server = await createServer({
    root: consumer.folder,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0 },
  });
  try {
    await server.listen();
    const origin = server.resolvedUrls?.local[0] ?? "";
    await expectSnippetRuns(page, origin);
    for (const script of SCRIPTS.filter((name) => name !== "index")) {
      await expectSnippetRuns(page, `${origin}${script}.html`, script);
    }
  } finally {
    await server.close();
  }
});

for (const snippet of ["index", "repository"] as const) {
  test(`the snippet of ${SNIPPETS[snippet].readme} runs in a plain page, with no bundler`, async ({
    consumer,
    page,
  }) => {
    const folder = join(consumer.folder, `plain-${snippet}`);
    await mkdir(folder);
    await writeFile(
      join(folder, "index.html"),
      `<!doctype html><title>plain</title><link rel="icon" href="data:,">
      <script type="importmap">{ "imports": { "kvscope": "/package/dist/index.js" } }</script>
      <script type="module">${await readmeSnippet(snippet)}</script>`,
    );
    const server = await serve({
      "/": folder,
      "/package/": join(consumer.folder, "node_modules/kvscope"),
    });
    try {
      await expectSnippetRuns(page, server.origin, snippet);
    } finally {
      await server.close();
    }
  });
}

test("importing the package outside a browser is harmless, and opening says what is missing", async ({
  consumer,
}) => {
  const script = `
    import { Engine, KvscopeError, openGpu } from "kvscope";
    for (const opening of [openGpu(), Engine.load("http://localhost/model.gguf")]) {
      const error = await opening.catch((error) => error);
      console.log(String(error instanceof KvscopeError), error.code);
    }`;
  const expected = "true webgpu-unavailable\n";
  expect(await node(["--input-type=module", "--eval", script], consumer.folder)).toBe(
    expected.repeat(2),
  );
});

async function listedCodes({ folder }: Consumer): Promise<string[]> {
  const script = `
    import { KVSCOPE_ERROR_CODES } from "kvscope";
    console.log(KVSCOPE_ERROR_CODES.join(" "));`;
  return (await node(["--input-type=module", "--eval", script], folder)).trim().split(" ");
}

test("the README's table has every error code, in order", async ({ consumer }) => {
  const readme = await readFile(join(consumer.folder, "node_modules/kvscope/README.md"), "utf8");
  const [, errors = ""] = readme.split("## Errors");
  const rows = errors.matchAll(/^\| `([a-z0-9-]+)`/gm);
  expect([...rows].map(([, code]) => code)).toEqual(await listedCodes(consumer));
});

test("every code that Rust gives is in the list, and the list has no other but the package's own", async ({
  consumer,
}) => {
  const source = new URL("../../src/", import.meta.url);
  const names = await readdir(source, { recursive: true });
  const files = names.filter((name) => name.endsWith(".rs") && !name.startsWith("command"));
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, source), "utf8")));
  const bodies = [...texts.join("\n").matchAll(/fn code\(&self\)[^{]*\{(.*?)\n {4}\}/gs)];
  expect(bodies.length).toBeGreaterThan(5);
  const rust = new Set(bodies.flatMap(([body]) => body.match(/(?<=")[a-z0-9-]+(?=")/g) ?? []));
  const listed = await listedCodes(consumer);
  expect([...rust].filter((code) => !listed.includes(code))).toEqual([]);
  expect(listed.filter((code) => !rust.has(code)).toSorted()).toEqual([
    "aborted",
    "download-failed",
    "engine-disposed",
    "model-checksum",
    "module-load-failed",
    "session-closed",
    "session-not-found",
    "storage-busy",
    "storage-failed",
    "storage-full",
    "worker-failed",
  ]);
});
