import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "@playwright/test";
import { createServer } from "vite";
import { tinyModel } from "../e2e/tiny-gguf.ts";
import { CLIENTS } from "./clients.ts";
import { createClientsProject, node, type Consumer } from "./consumer.ts";
import { declaredExports } from "./declared-exports.ts";

const test = base.extend<object, { project: Omit<Consumer, "tarball"> }>({
  project: [
    async ({}, use) => {
      const project = await createClientsProject();
      await use(project);
      await project.remove();
    },
    { scope: "worker", timeout: 240_000 },
  ],
});

const STATES = new Set(["runs", "ignored", "typed error", "type", "absent"]);

/** A library, where its declarations are, and where the table of its exports is. */
const LIBRARIES = [
  {
    heading: "### Exports of WebLLM",
    declarations: (folder: string): string =>
      join(folder, "node_modules/webllm-itself/lib/index.d.ts"),
  },
  {
    heading: "### Exports of wllama",
    declarations: (): string =>
      new URL("../../node_modules/@wllama/wllama/esm/index.d.ts", import.meta.url).pathname,
  },
] as const;

/** Rows of the table below a heading: the names of each, and what is said of them. */
async function tableBelow(heading: string): Promise<[names: string[], state: string][]> {
  const text = await readFile(new URL("../../docs/migrating.md", import.meta.url), "utf8");
  const [, section = ""] = text.split(`${heading}\n`);
  const [table = ""] = section.split("\n#");
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  return rows.map((row) => {
    const [, names = "", state = ""] = row.split("|");
    return [[...names.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name), state.trim()];
  });
}

for (const { heading, declarations } of LIBRARIES) {
  test(`the table "${heading}" has every export of the library, and says of each what is true`, async ({
    project,
  }) => {
    const theirs = await declaredExports(declarations(project.folder));
    const ours = await declaredExports(
      join(project.folder, "node_modules/@mlc-ai/web-llm/dist/index.d.ts"),
    );
    const script = `import * as all from "@mlc-ai/web-llm"; console.log(Object.keys(all).join(" "));`;
    const told = await node(["--input-type=module", "--eval", script], project.folder);
    const values = new Set(told.trim().split(" "));
    expect([...ours.values].toSorted()).toEqual([...values].toSorted());
    const table = await tableBelow(heading);
    const listed = table.flatMap(([names]) => names);
    expect(theirs.names.size).toBeGreaterThan(80);
    expect(listed.toSorted()).toEqual([...theirs.names].toSorted());
    expect(table.filter(([, state]) => !STATES.has(state))).toEqual([]);
    const of = (...states: string[]): string[] =>
      table.filter(([, state]) => states.includes(state)).flatMap(([names]) => names);
    expect(of("absent").filter((name) => ours.names.has(name))).toEqual([]);
    const here = of("runs", "ignored", "typed error", "type");
    expect(here.filter((name) => !ours.names.has(name))).toEqual([]);
    const promised = of("runs", "ignored", "typed error").filter((name) => theirs.values.has(name));
    expect(promised.filter((name) => !values.has(name))).toEqual([]);
  });
}

for (const client of Object.keys(CLIENTS)) {
  test(`the client ${client} of WebLLM runs with the package in WebLLM's place`, async ({
    page,
    project,
  }) => {
    await page.route("https://example.org/model.gguf", (route) =>
      route.fulfill({
        headers: { "access-control-allow-origin": "*" },
        body: Buffer.from(tinyModel()),
      }),
    );
    const server = await createServer({
      root: project.folder,
      configFile: false,
      logLevel: "error",
      server: { host: "127.0.0.1", port: 0 },
    });
    try {
      await server.listen();
      const failed = new Promise<string>((resolve) => {
        page.on("pageerror", (error) => resolve(String(error)));
      });
      const said = page
        .waitForEvent("console", (message) => message.type() === "log")
        .then((message) => Promise.all(message.args().map((value) => value.jsonValue())));
      await page.goto(`${server.resolvedUrls?.local[0] ?? ""}${client}.html`);
      expect(await Promise.race([said, failed])).toEqual([
        expect.stringMatching(/./),
        expect.any(Number),
      ]);
    } finally {
      await server.close();
    }
  });
}
