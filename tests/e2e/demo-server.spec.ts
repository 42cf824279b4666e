import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { preview, type PreviewServer } from "vite";
import { expect, test as base } from "./test.ts";

/** More than a browser opens for a page, its worker and what it opens ahead of need. */
const CONNECTIONS = 64;

const test = base.extend<{ demo: URL }>({
  demo: async ({}, use) => {
    const server: PreviewServer = await preview({
      root: fileURLToPath(new URL("../../www", import.meta.url)),
      logLevel: "error",
      preview: { port: 0 },
    });
    await use(new URL(server.resolvedUrls?.local[0] ?? ""));
    await server.close();
  },
});

/**
 * The head of the answer to a request for `path`, on a connection that stays open. `fetch` would
 * tidy the path up.
 */
async function head(socket: Socket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  let answer = "";
  for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    answer += piece.toString("latin1");
    const end = answer.indexOf("\r\n\r\n");
    if (end >= 0) {
      return answer.slice(0, end).toLowerCase();
    }
  }
  throw new Error(`closed after: ${answer}`);
}

test("the demo's server answers connections that come together, and that stay open with nothing asked", async ({
  demo,
}) => {
  const open = (): Socket => connect(Number(demo.port), demo.hostname);
  const silent = Array.from({ length: CONNECTIONS }, open);
  const asking = Array.from({ length: CONNECTIONS }, open);
  try {
    const heads = await Promise.all(asking.map((socket) => head(socket, "/")));
    expect(heads.map((text) => text.split("\r\n")[0])).toEqual(heads.map(() => "http/1.1 200 ok"));
  } finally {
    for (const socket of [...silent, ...asking]) {
      socket.destroy();
    }
  }
});

test("the demo's server says what a file is and how long, and has no other files than the page's", async ({
  demo,
}) => {
  const ask = async (path: string): Promise<string> => {
    const socket = connect(Number(demo.port), demo.hostname);
    try {
      return await head(socket, path);
    } finally {
      socket.destroy();
    }
  };
  const built = await (await fetch(new URL("service-worker.js", demo))).text();
  const [wasm] = /assets\/[\w-]+\.wasm/.exec(built) ?? [""];
  const module = await ask(`/${wasm}`);
  expect(module).toMatch(/^http\/1\.1 200 /);
  expect(module).toContain("content-type: application/wasm");
  expect(module).toMatch(/content-length: [1-9]/);
  expect(module).toContain("x-content-type-options: nosniff");
  expect(module).toContain("cache-control: no-cache");
  for (const path of [
    "/missing",
    "/model/missing.gguf",
    "/assets",
    "/../package.json",
    "/%2e%2e/package.json",
    "/assets/../../package.json",
    "/..%2fpackage.json",
    "/..\\package.json",
    "/%5c..%5cpackage.json",
    "/%",
    "/%zz",
    "/%ff",
    "/index.html%00",
    "/C:/Windows",
  ]) {
    expect(await ask(path), path).toMatch(/^http\/1\.1 40[34] /);
  }
});
