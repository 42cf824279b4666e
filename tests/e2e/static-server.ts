import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** A running server; it lives in the test's own process, so that nothing is left when that ends. */
export interface StaticServer {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves folders under paths, as `{ "/": "www/dist", "/pkg/": "pkg" }`, on a free port, and an
 * empty page at `/blank`. The longest matching path wins; each path ends with a slash. Every answer
 * has `headers`.
 */
export async function serve(
  mounts: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<StaticServer> {
  const paths = Object.keys(mounts).toSorted((a, b) => b.length - a.length);
  const server = createServer((request, response) => {
    response.setHeaders(new Map(Object.entries(headers)));
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    if (path === "/blank") {
      response
        .setHeader("content-type", "text/html")
        .end("<!doctype html><title>blank</title><link rel=icon href=data:,>");
      return;
    }
    const mount = paths.find((candidate) => path.startsWith(candidate));
    const folder = mount === undefined ? undefined : mounts[mount];
    const inside = mount === undefined ? "" : normalize(`/${path.slice(mount.length)}`);
    const file = join(folder ?? "", inside.endsWith("/") ? `${inside}index.html` : inside);
    readFile(file).then(
      (body) =>
        response
          .setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream")
          .end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
