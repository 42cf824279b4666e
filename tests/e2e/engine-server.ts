import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../../pkg", import.meta.url));
const TYPES: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm" };

/** A file on the server, and how the server misbehaves with it. */
export interface ServedFile {
  bytes: Uint8Array;
  etag?: string;
  /** True if `Range` is honoured. */
  ranges?: boolean;
  /** Answers break off after so many bytes of the file, so many times. */
  cutAt?: number;
  cuts?: number;
  /** Milliseconds before each of the pieces in which the file is then sent. */
  pieceDelay?: number;
  headers?: Record<string, string>;
}

/** A request that the server has seen. */
export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly userAgent: string | undefined;
}

/** The package at `/pkg/`, an empty page at `/blank`, and files that tests put there. */
export interface EngineServer {
  readonly origin: string;
  readonly files: Map<string, ServedFile>;
  readonly requests: SeenRequest[];
  readonly close: () => Promise<void>;
}

/** The SHA-256 of `bytes`, by Node. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Starts one on a free port. Every answer lets any origin read it, as the hub's and CDNs' do. */
export async function startEngineServer(): Promise<EngineServer> {
  const files = new Map<string, ServedFile>();
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-expose-headers", "etag, content-range, x-linked-etag");
    const file = files.get(path);
    if (path === "/blank") {
      response
        .setHeader("content-type", "text/html")
        .end("<!doctype html><title>blank</title><link rel=icon href=data:,>");
    } else if (file !== undefined) {
      const { range, "if-range": ifRange, "user-agent": userAgent } = request.headers;
      requests.push({ path, range, ifRange: ifRange?.toString(), userAgent });
      void send(file, request, response);
    } else {
      const found = join(PACKAGE, normalize(`/${path.replace(/^\/pkg\//, "")}`));
      readFile(found).then(
        (body) =>
          response
            .setHeader("content-type", TYPES[extname(found)] ?? "application/octet-stream")
            .end(body),
        () => response.writeHead(404).end(),
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    files,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function send(
  file: ServedFile,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { bytes, etag, ranges = true, headers = {} } = file;
  const { range, "if-range": ifRange } = request.headers;
  const asked = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const from = ranges && (ifRange === undefined || ifRange === etag) ? asked : 0;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, value);
  }
  if (etag !== undefined) {
    response.setHeader("etag", etag);
  }
  response.setHeader("content-length", bytes.length - from);
  if (from > 0) {
    response.writeHead(206, {
      "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
  }
  const cut = (file.cuts ?? 0) > 0 ? file.cutAt : undefined;
  if (cut !== undefined) {
    file.cuts = (file.cuts ?? 0) - 1;
    // Bytes that a reader has not taken by then are lost, and a page that starts needs a while.
    response.write(bytes.subarray(from, Math.max(from, cut)), () =>
      setTimeout(() => response.destroy(), 250),
    );
    return;
  }
  const step = file.pieceDelay === undefined ? bytes.length : 4096;
  for (let at = from; at < bytes.length && !response.destroyed; at += step) {
    if (file.pieceDelay !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, file.pieceDelay));
    }
    response.write(bytes.subarray(at, at + step));
  }
  response.end();
}
