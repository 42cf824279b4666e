import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { expect, openBlank, test } from "./engine-test.ts";
import { sha256, startEngineServer, type EngineServer, type ServedFile } from "./engine-server.ts";
import { tinyModel, tinyModelParts } from "./tiny-gguf.ts";

/** A request whose answer tells one model from another. */
const PROMPT = { prompt: "Once upon a time", max_tokens: 8, ignore_eos: true };

test("a model from an address is told of as it comes, and loaded again with no request", async ({
  page,
  site,
}) => {
  const load = () =>
    page.evaluate(async (params) => {
      const progress: import("kvscope").LoadProgress[] = [];
      const engine = await kvscope.Engine.load("/tiny.gguf", {
        onProgress: (at) => progress.push(at),
      });
      const answer = await engine.completions.create(params);
      const { model } = engine;
      engine.dispose();
      return {
        progress,
        model,
        text: answer.choices[0]?.text,
        stored: await kvscope.Engine.models(),
      };
    }, PROMPT);
  const first = await load();
  const bytes = tinyModel().length;
  expect(first.model).toMatchObject({
    name: "tiny.gguf",
    bytes,
    fromStore: false,
    stored: true,
    layers: 2,
    kvHeads: 1,
  });
  expect(first.model).toMatchObject({
    architecture: "llama",
    context: 512,
    vocabulary: 259,
    headDim: 16,
  });
  const phases = new Set(first.progress.map(({ phase }) => phase));
  expect([...phases]).toEqual(["module", "gpu", "download", "finish", "ready"]);
  const loaded = first.progress.map(({ loadedBytes }) => loadedBytes);
  expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
  expect(first.progress.at(-1)).toEqual({
    phase: "ready",
    loadedBytes: bytes,
    totalBytes: bytes,
    fromStore: false,
  });
  expect(first.stored).toMatchObject([
    { name: "tiny.gguf", bytes, totalBytes: bytes, complete: true },
  ]);
  expect(site.requests).toHaveLength(1);

  await openBlank(page, site);
  // What a load kept of its measurement is of no weight where it can't be read.
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const file = await root.getFileHandle("kvscope-tunings.json", { create: true });
    const writable = await file.createWritable();
    await writable.write("damaged");
    await writable.close();
  });
  const second = await load();
  expect(site.requests).toHaveLength(1);
  expect(second.model).toMatchObject({ bytes, fromStore: true, stored: true });
  expect(second.progress.at(-1)?.fromStore).toBe(true);
  expect(second.text).toBe(first.text);
});

test("a File, its Blobs, and the parts of a split set are the same model", async ({
  page,
  site,
}) => {
  const parts = tinyModelParts(3);
  const names = parts.map((_, index) => `/split-0000${index + 1}-of-00003.gguf`);
  parts.forEach((bytes, index) => site.files.set(names[index] ?? "", { bytes }));
  const texts = await page.evaluate(
    async ({ params, addresses }) => {
      const blob = await (await fetch("/tiny.gguf")).blob();
      const pieces = await Promise.all(
        addresses.map(
          async (address) => new File([await (await fetch(address)).blob()], address.slice(1)),
        ),
      );
      const sources = [
        "/tiny.gguf",
        new File([blob], "mine.gguf"),
        blob,
        addresses[0] ?? "",
        addresses,
        pieces.toReversed(),
      ];
      const answers: unknown[] = [];
      for (const source of sources) {
        const engine = await kvscope.Engine.load(source, { store: false });
        answers.push((await engine.completions.create(params)).choices[0]?.text);
        engine.dispose();
      }
      return { answers, stored: await kvscope.Engine.models() };
    },
    { params: PROMPT, addresses: names },
  );
  expect(texts.answers).toHaveLength(6);
  expect(new Set(texts.answers).size).toBe(1);
  expect(texts.stored).toEqual([]);
});

test("a download that breaks goes on by itself where it was", async ({ page, site }) => {
  const bytes = tinyModel();
  site.files.set("/cut.gguf", {
    bytes,
    etag: '"a"',
    cutAt: 50_000,
    cuts: 1,
    headers: { "x-linked-etag": sha256(bytes) },
  });
  const model = await page.evaluate(async () => (await kvscope.Engine.load("/cut.gguf")).model);
  expect(model).toMatchObject({ bytes: bytes.length, stored: true });
  const [first, second, ...more] = site.requests;
  expect(more).toEqual([]);
  expect(first?.range).toBeUndefined();
  expect(second?.range).toMatch(/^bytes=[1-9]\d*-$/);
  expect(second?.ifRange).toBe('"a"');
});

test("a download that was given up goes on at the next load, after a reload of the page", async ({
  page,
  site,
}) => {
  const bytes = tinyModel();
  site.files.set("/slow.gguf", {
    bytes,
    etag: '"a"',
    pieceDelay: 40,
    headers: { "x-linked-etag": sha256(bytes) },
  });
  const given = await page.evaluate(async () => {
    const controller = new AbortController();
    const code = await codeOf(
      kvscope.Engine.load("/slow.gguf", {
        signal: controller.signal,
        onProgress: ({ loadedBytes }) => loadedBytes > 40_000 && controller.abort(),
      }),
    );
    return { code, stored: await kvscope.Engine.models() };
  });
  expect(given.code).toBe("aborted");
  expect(given.stored).toMatchObject([
    { name: "slow.gguf", totalBytes: bytes.length, complete: false },
  ]);
  const have = given.stored[0]?.bytes ?? 0;
  expect(have).toBeGreaterThan(40_000);

  await openBlank(page, site);
  site.files.set("/slow.gguf", { bytes, etag: '"a"', headers: { "x-linked-etag": sha256(bytes) } });
  const model = await page.evaluate(async () => (await kvscope.Engine.load("/slow.gguf")).model);
  expect(model).toMatchObject({ bytes: bytes.length, stored: true });
  expect(site.requests.at(-1)?.range).toBe(`bytes=${have}-`);
});

for (const [server, changed] of [
  ["can't go on", { etag: '"a"', ranges: false }],
  ["has another file by then", { etag: '"b"' }],
] as const) {
  test(`where the server ${server}, a broken download begins again`, async ({ page, site }) => {
    const [before, after] = [tinyModel(1), tinyModel(2)];
    site.files.set("/cut.gguf", { bytes: before, etag: '"a"', cutAt: 50_000, cuts: 9 });
    const code = await page.evaluate(() => codeOf(kvscope.Engine.load("/cut.gguf")));
    expect(code).toBe("download-failed");
    site.files.set("/cut.gguf", { bytes: after, ...changed });
    site.files.set("/tiny.gguf", { bytes: after });
    const [resumed, plain] = await page.evaluate(async (params) => {
      const text = async (address: string): Promise<unknown> => {
        const engine = await kvscope.Engine.load(address);
        return (await engine.completions.create(params)).choices[0]?.text;
      };
      return [await text("/cut.gguf"), await text("/tiny.gguf")];
    }, PROMPT);
    expect(resumed).toBe(plain);
  });
}

/** A server of another origin: pages may not read its `content-encoding`. */
const elsewhere = test.extend<{ other: EngineServer }>({
  other: async ({}, use) => {
    const other = await startEngineServer();
    await use(other);
    await other.close();
  },
});

const packed = (encoding: string, bytes: Uint8Array): ServedFile => ({
  bytes,
  headers: { "content-encoding": encoding },
});

for (const [kind, encoding, pack] of [
  ["gzip", "gzip", gzipSync],
  ["Brotli", "br", brotliCompressSync],
  ["deflate", "deflate", deflateSync],
  ["gzip that is longer than the file", "gzip", (it: Uint8Array) => gzipSync(it, { level: 0 })],
] as const) {
  elsewhere(`parts packed by ${kind} on another origin are whole`, async ({ page, other }) => {
    const parts = tinyModelParts(2);
    const names = ["/p-00001-of-00002.gguf", "/p-00002-of-00002.gguf"];
    parts.forEach((bytes, index) =>
      other.files.set(names[index] ?? "", packed(encoding, pack(bytes))),
    );
    for (const keep of [false, true]) {
      const { model, progress, stored } = await page.evaluate(
        async ([from, store]) => {
          const told: import("kvscope").LoadProgress[] = [];
          const engine = await kvscope.Engine.load(from, {
            store,
            onProgress: (at) => told.push(at),
          });
          return { model: engine.model, progress: told, stored: await kvscope.Engine.models() };
        },
        [`${other.origin}${names[0]}`, keep] as const,
      );
      const bytes = (parts[0]?.length ?? 0) + (parts[1]?.length ?? 0);
      expect(model).toMatchObject({ bytes, stored: keep });
      expect(stored.map((one) => [one.bytes, one.totalBytes, one.complete])).toEqual(
        keep ? [[bytes, bytes, true]] : [],
      );
      const shares = progress.flatMap(({ loadedBytes, totalBytes }) =>
        totalBytes === undefined ? [] : [loadedBytes / totalBytes],
      );
      expect(shares).toEqual(shares.toSorted((a, b) => a - b));
      expect(shares.at(-1)).toBe(1);
    }
    const whole = other.requests.filter(({ range }) => range === undefined);
    expect(whole).toHaveLength(4);
    // Beside them only the second part's length was asked for.
    const asked = other.requests.filter(({ range }) => range !== undefined);
    expect(asked.map(({ path, range }) => [path, range])).toEqual(
      [0, 1].map(() => [names[1], "bytes=0-"]),
    );
  });
}

elsewhere(
  "a packed download that breaks is not gone on with in other bytes",
  async ({ page, other }) => {
    const bytes = gzipSync(tinyModel(), { level: 0 });
    other.files.set("/cut.gguf", {
      ...packed("gzip", bytes),
      ranges: false,
      cutAt: 50_000,
      cuts: 1,
    });
    const { model, stored } = await page.evaluate(
      async (from) => ({
        model: (await kvscope.Engine.load(from)).model,
        stored: await kvscope.Engine.models(),
      }),
      `${other.origin}/cut.gguf`,
    );
    expect(model).toMatchObject({ bytes: tinyModel().length, stored: true });
    expect(stored).toMatchObject([{ complete: true, bytes: tinyModel().length }]);
  },
);

test("a broken download from a server without ranges goes on, or leaves no half", async ({
  page,
  site,
}) => {
  const bytes = tinyModel();
  site.files.set("/cut.gguf", { bytes, etag: '"a"', ranges: false, cutAt: 50_000, cuts: 1 });
  site.files.set("/never.gguf", { bytes, ranges: false, cutAt: 50_000, cuts: 99 });
  const outcome = await page.evaluate(async () => ({
    model: (await kvscope.Engine.load("/cut.gguf")).model,
    code: await codeOf(kvscope.Engine.load("/never.gguf")),
    stored: (await kvscope.Engine.models()).map(({ name }) => name),
  }));
  expect(outcome.model).toMatchObject({ bytes: bytes.length, stored: true });
  expect(outcome.code).toBe("download-failed");
  expect(outcome.stored).toEqual(["cut.gguf"]);
  expect(site.requests.filter(({ path }) => path === "/cut.gguf")).toHaveLength(2);
});

test("the length of all parts is told with the first of them, whatever the kind of source", async ({
  page,
  site,
}) => {
  const parts = tinyModelParts(3);
  const names = parts.map((_, index) => `/p-0000${index + 1}-of-00003.gguf`);
  const whole = parts.reduce((sum, { length }) => sum + length, 0);
  parts.forEach((bytes, index) =>
    site.files.set(names[index] ?? "", { bytes, etag: '"a"', pieceDelay: 30 }),
  );
  const told = await page.evaluate(async (addresses) => {
    const first = addresses[0] ?? "";
    type Told = [loaded: number, total: number | undefined][];
    const progress: Told = [];
    const record = async (
      source: import("kvscope").ModelSource,
      endAt = Infinity,
    ): Promise<Told> => {
      progress.length = 0;
      const controller = new AbortController();
      const onProgress = ({ loadedBytes, totalBytes }: import("kvscope").LoadProgress): void => {
        progress.push([loadedBytes, totalBytes]);
        if (loadedBytes >= endAt) {
          controller.abort();
        }
      };
      await codeOf(kvscope.Engine.load(source, { signal: controller.signal, onProgress }));
      return progress.filter(([loaded]) => loaded > 0);
    };
    const size = (await (await fetch(first)).blob()).size;
    const blobs = addresses.map(
      async (address) => new File([await (await fetch(address)).blob()], address.slice(1)),
    );
    const files = await Promise.all(blobs);
    return {
      broken: await record(first, size + 1),
      resumed: await record(first),
      stored: await record(first),
      files: await record(files),
    };
  }, names);
  const first = parts[0]?.length ?? 0;
  const early = told.broken.filter(([loaded]) => loaded < first);
  expect(early.at(-1)?.[1]).toBe(whole);
  expect(new Set([...told.stored, ...told.files].map(([, total]) => total))).toEqual(
    new Set([whole]),
  );
  expect(told.resumed.filter(([loaded]) => loaded > first).map(([, total]) => total)).not.toContain(
    undefined,
  );
});

test("parts whose length a server refuses to tell alone come all the same", async ({
  page,
  site,
}) => {
  const parts = tinyModelParts(2);
  const names = parts.map((_, index) => `/p-0000${index + 1}-of-00002.gguf`);
  parts.forEach((bytes, index) => site.files.set(names[index] ?? "", { bytes }));
  let refused = 0;
  await page.route("**/p-*.gguf", async (route) => {
    const isAsked = route.request().headers()["range"] === "bytes=0-";
    refused += Number(isAsked);
    await (isAsked ? route.fulfill({ status: 403 }) : route.continue());
  });
  const told = await page.evaluate(async (from) => {
    const progress: import("kvscope").LoadProgress[] = [];
    await kvscope.Engine.load(from, { onProgress: (at) => progress.push(at) });
    return progress.at(-1);
  }, names[0] ?? "");
  const whole = parts.reduce((sum, { length }) => sum + length, 0);
  expect(told).toMatchObject({ phase: "ready", loadedBytes: whole, totalBytes: whole });
  expect(refused).toBe(1);
});

test("a file that is not what its SHA-256 says is refused and not kept", async ({ page, site }) => {
  site.files.set("/wrong.gguf", {
    bytes: tinyModel(2),
    headers: { "x-linked-etag": sha256(tinyModel(1)) },
  });
  const outcome = await page.evaluate(async () => ({
    code: await codeOf(kvscope.Engine.load("/wrong.gguf")),
    stored: await kvscope.Engine.models(),
  }));
  expect(outcome.code).toBe("model-checksum");
  expect(outcome.stored.filter(({ complete, bytes }) => complete || bytes > 0)).toEqual([]);
});

test("what can't be loaded says why, and is not kept", async ({ page, site }) => {
  site.files.set("/short.gguf", { bytes: tinyModel().subarray(0, 50_000) });
  site.files.set("/page.gguf", {
    bytes: Buffer.from("<!doctype html><title>Not found</title>".repeat(100)),
  });
  site.files.set("/empty.gguf", { bytes: new Uint8Array() });
  const outcome = await page.evaluate(async () => {
    const { Engine } = kvscope;
    const codes: Record<string, string> = {};
    for (const path of ["/missing.gguf", "/short.gguf", "/page.gguf", "/empty.gguf"]) {
      codes[path] = await codeOf(Engine.load(path));
    }
    codes["no source"] = await codeOf(Engine.load([]));
    codes["no default"] = await codeOf(Engine.load("default"));
    codes["no address"] = await codeOf(Engine.load("http://"));
    codes["odd"] = await codeOf(Engine.load({ repo: "a" } as never));
    codes["gpu"] = await codeOf(
      Engine.load("/tiny.gguf", { gpu: { powerPreference: "fast" as never } }),
    );
    codes["module"] = await codeOf(Engine.load("/tiny.gguf", { wasmUrl: "/missing.wasm" }));
    const engine = await Engine.load("default", { defaultModel: "/tiny.gguf" });
    return {
      codes,
      name: engine.model.name,
      stored: (await Engine.models()).map(({ name }) => name),
    };
  });
  expect(outcome.codes).toEqual({
    "/missing.gguf": "download-failed",
    "/short.gguf": "model-truncated",
    "/page.gguf": "model-malformed",
    "/empty.gguf": "model-truncated",
    "no source": "invalid-argument",
    "no default": "invalid-argument",
    "no address": "invalid-argument",
    odd: "invalid-argument",
    gpu: "invalid-argument",
    module: "module-load-failed",
  });
  expect(outcome.name).toBe("tiny.gguf");
  expect(outcome.stored).toEqual(["tiny.gguf"]);
});

test("a file of the hub is asked for by repository, revision and path, in parts, and checked by what the hub says", async ({
  page,
  site,
}) => {
  const hub = "https://huggingface.co";
  const parts = tinyModelParts(2);
  const asked: string[] = [];
  let told = parts.map(sha256);
  await page.route(`${hub}/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    asked.push(pathname);
    const headers = { "access-control-allow-origin": "*" };
    const index = pathname.includes("-00001-") ? 0 : 1;
    await (pathname.includes("/raw/")
      ? route.fulfill({
          headers,
          body: `version 1\noid sha256:${told[index]}\nsize ${parts[index]?.length}\n`,
        })
      : route.fulfill({ headers, body: Buffer.from(parts[index] ?? []) }));
  });
  const source = {
    repo: "owner/some name",
    file: "folder/m-00001-of-00002.gguf",
    revision: "refs/pr/1",
  };
  const load = () =>
    page.evaluate(async (from) => {
      const engine = await kvscope.Engine.load(from);
      const { name, fromStore, stored } = engine.model;
      engine.dispose();
      return { name, fromStore, stored };
    }, source);
  expect(await load()).toEqual({ name: "m-00001-of-00002.gguf", fromStore: false, stored: true });
  expect(asked.toSorted()).toEqual([
    "/owner/some%20name/raw/refs%2Fpr%2F1/folder/m-00001-of-00002.gguf",
    "/owner/some%20name/raw/refs%2Fpr%2F1/folder/m-00002-of-00002.gguf",
    "/owner/some%20name/resolve/refs%2Fpr%2F1/folder/m-00001-of-00002.gguf",
    "/owner/some%20name/resolve/refs%2Fpr%2F1/folder/m-00002-of-00002.gguf",
  ]);
  expect(await load()).toMatchObject({ fromStore: true });
  expect(asked).toHaveLength(4);

  told = told.toReversed();
  const code = await page.evaluate(async (from) => {
    await kvscope.Engine.deleteModel(from);
    return codeOf(kvscope.Engine.load(from));
  }, source);
  expect(code).toBe("model-checksum");
  expect(site.requests).toEqual([]);
});

test("whatever waits can be given up by a signal", async ({ page }) => {
  const codes = await page.evaluate(async () => {
    const { Engine, openGpu } = kvscope;
    const engine = await Engine.load("/tiny.gguf");
    const signal = AbortSignal.abort();
    const early: Record<string, string> = {
      load: await codeOf(Engine.load("/tiny.gguf", { signal })),
      models: await codeOf(Engine.models({ signal })),
      deleteModel: await codeOf(Engine.deleteModel("/tiny.gguf", { signal })),
      openGpu: await codeOf(openGpu({ signal })),
      tokens: await codeOf(engine.tokens("a", { signal })),
      memory: await codeOf(engine.memory({ signal })),
      retained: await codeOf(engine.retained(0, { signal })),
      stats: await codeOf(engine.stats({ signal })),
      forget: await codeOf(engine.forget({ signal })),
    };
    // Behind a request that runs, each waits for its turn.
    const running = engine.completions.create({ prompt: "Once", max_tokens: 30, ignore_eos: true });
    const controller = new AbortController();
    const late = [
      codeOf(engine.retained(0, { signal: controller.signal })),
      codeOf(engine.forget({ signal: controller.signal })),
    ];
    controller.abort();
    const { usage } = await running;
    const [stored] = await Engine.models({ signal: new AbortController().signal });
    return {
      early,
      late: await Promise.all(late),
      tokens: usage.completion_tokens,
      stored: stored?.name,
    };
  });
  expect(new Set(Object.values(codes.early))).toEqual(new Set(["aborted"]));
  expect(codes).toMatchObject({ late: ["aborted", "aborted"], tokens: 30, stored: "tiny.gguf" });
});

for (const room of [1000, 60_000]) {
  test(`with room for ${room} bytes the model works and is not kept`, async ({ page, site }) => {
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: site.origin, quotaSize: room });
    const outcome = await page.evaluate(async (params) => {
      const warnings: string[] = [];
      const engine = await kvscope.Engine.load("/tiny.gguf", {
        onWarning: ({ code }) => warnings.push(code),
      });
      const answer = await engine.completions.create(params);
      return {
        warnings,
        stored: engine.model.stored,
        models: await kvscope.Engine.models(),
        answer,
      };
    }, PROMPT);
    expect(outcome).toMatchObject({ warnings: ["storage-full"], stored: false, models: [] });
    expect(outcome.answer.usage.completion_tokens).toBe(8);
  });
}

const loadSlow = () =>
  kvscope.Engine.load("/slow.gguf").then(async (engine) => ({
    fromStore: engine.model.fromStore,
    text: (await engine.completions.create({ prompt: "a", max_tokens: 4, ignore_eos: true }))
      .choices[0]?.text,
  }));

test("two tabs that load one model at once download it once", async ({ page, site, context }) => {
  site.files.set("/slow.gguf", { bytes: tinyModel(), pieceDelay: 20 });
  const other = await context.newPage();
  await openBlank(other, site);
  const [one, two] = await Promise.all([page.evaluate(loadSlow), other.evaluate(loadSlow)]);
  expect([one.fromStore, two.fromStore].toSorted((a, b) => Number(a) - Number(b))).toEqual([
    false,
    true,
  ]);
  expect(one.text).toBe(two.text);
  expect(site.requests).toHaveLength(1);
});

test("a stored model can be deleted, but not while it is being loaded", async ({ page, site }) => {
  site.files.set("/slow.gguf", { bytes: tinyModel(), pieceDelay: 40 });
  const outcome = await page.evaluate(async () => {
    const { Engine } = kvscope;
    let begun!: () => void;
    const download = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const loading = Engine.load("/slow.gguf", {
      onProgress: ({ phase }) => phase === "download" && begun(),
    });
    await download;
    const busy = await codeOf(Engine.deleteModel("/slow.gguf"));
    await loading;
    const before = await Engine.models();
    for (const model of before) {
      await Engine.deleteModel(model);
    }
    await Engine.deleteModel("/slow.gguf"); // which is not there any more
    return { busy, before: before.length, after: await Engine.models() };
  });
  expect(outcome).toEqual({ busy: "storage-busy", before: 1, after: [] });
});

test("without a file system of the origin's, a model loads and is not kept", async ({
  page,
  site,
}) => {
  // Arguments of a worker can't be changed from the page: the worker starts with a line of ours
  // before its own.
  const outcome = await page.evaluate(async () => {
    const script = `StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException("", "SecurityError"));
      await import(${JSON.stringify(new URL("/pkg/dist/worker.js", location.href).href)});
      for (const event of early) self.dispatchEvent(new MessageEvent("message", { data: event }));`;
    const early = "const early = []; self.onmessage = ({ data }) => early.push(data);";
    const stop = script.replace("for (const", "self.onmessage = null; for (const");
    const url = URL.createObjectURL(new Blob([early, stop], { type: "text/javascript" }));
    const warnings: string[] = [];
    const engine = await kvscope.Engine.load("/tiny.gguf", {
      createWorker: () => new Worker(url, { type: "module" }),
      onWarning: ({ code }) => warnings.push(code),
    });
    return { warnings, stored: engine.model.stored };
  });
  expect(outcome).toEqual({ warnings: ["storage-failed"], stored: false });
  expect(site.requests).toHaveLength(1);
});
