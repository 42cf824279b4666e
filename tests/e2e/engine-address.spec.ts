import { sha256, type EngineServer } from "./engine-server.ts";
import { expect, openBlank, test, type Page } from "./engine-test.ts";
import { tinyModel, tinyModelParts } from "./tiny-gguf.ts";

/** Loads each address in turn, and returns the texts that tell models apart and what is stored. */
async function load(page: Page, addresses: readonly string[]) {
  return page.evaluate(async (all) => {
    const { Engine } = kvscope;
    const texts: unknown[] = [];
    for (const address of all) {
      const engine = await Engine.load(address);
      const params = { prompt: "Once upon a time", max_tokens: 8, ignore_eos: true };
      texts.push((await engine.completions.create(params)).choices[0]?.text);
      engine.dispose();
    }
    return { texts, stored: await Engine.models() };
  }, addresses);
}

/** Has a server's file broken off by the reader after 40 kB, and returns what is stored. */
async function giveUp(page: Page, address: string): Promise<number> {
  return page.evaluate(async (from) => {
    const controller = new AbortController();
    await codeOf(
      kvscope.Engine.load(from, {
        signal: controller.signal,
        onProgress: ({ loadedBytes }) => loadedBytes > 40_000 && controller.abort(),
      }),
    );
    return (await kvscope.Engine.models())[0]?.bytes ?? 0;
  }, address);
}

const serve = (site: EngineServer, seed: number, etag?: string): void => {
  const headers = { "last-modified": `Tue, 01 Dec 2026 00:00:0${seed} GMT` };
  const bytes = tinyModel(seed);
  site.files.set("/m.gguf", etag === undefined ? { bytes } : { bytes, etag, headers });
};

for (const [signature, one, other] of [
  ["version 4", "X-Amz-Date=1&X-Amz-Signature=a", "X-Amz-Date=2&X-Amz-Signature=b"],
  ["Google", "X-Goog-Expires=1&X-Goog-Signature=a", "X-Goog-Expires=2&X-Goog-Signature=b"],
  ["CloudFront", "Expires=1&Signature=a&Key-Pair-Id=K", "Expires=2&Signature=b&Key-Pair-Id=L"],
  ["Azure", "sv=1&sr=b&se=1&sig=a%3D", "sv=1&sr=b&se=2&sig=b%3D"],
  ["saving", "download=true", ""],
] as const) {
  test(`a file under another address by ${signature} is stored once, and asked for once`, async ({
    page,
    site,
  }) => {
    serve(site, 1);
    const { texts, stored } = await load(page, [`/m.gguf?${one}`, `/m.gguf?${other}`]);
    expect(texts[1]).toBe(texts[0]);
    expect(stored).toMatchObject([{ name: "m.gguf", complete: true }]);
    expect(site.requests).toHaveLength(1);
    const left = await page.evaluate(async (address) => {
      await kvscope.Engine.deleteModel(address);
      return kvscope.Engine.models();
    }, `/m.gguf?${other}`);
    expect(left).toEqual([]);
  });
}

test("a broken download goes on under a new signature", async ({ page, site }) => {
  const before = "/slow.gguf?X-Amz-Signature=a";
  const after = "/slow.gguf?X-Amz-Signature=b";
  site.files.set("/slow.gguf", { bytes: tinyModel(), etag: '"a"', pieceDelay: 40 });
  const have = await giveUp(page, before);
  expect(have).toBeGreaterThan(40_000);
  site.files.set("/slow.gguf", { bytes: tinyModel(), etag: '"a"' });
  const { stored } = await load(page, [after]);
  expect(stored).toMatchObject([{ bytes: tinyModel().length, complete: true }]);
  expect(stored[0]?.urls[0]).toContain(after);
  expect(site.requests.slice(1)).toMatchObject([{ range: `bytes=${have}-` }]);
});

for (const etag of ['"same"', undefined]) {
  test(`a query that chooses the file gets that file, ${etag ? "also if both have one ETag" : "of the same length"}`, async ({
    page,
    site,
  }) => {
    serve(site, 1, etag);
    const first = await load(page, ["/m.gguf?file=a.gguf"]);
    serve(site, 2, etag);
    const second = await load(page, ["/m.gguf?file=b.gguf"]);
    expect(second.texts).not.toEqual(first.texts);
    expect(second.stored).toMatchObject([{ complete: true }, { complete: true }]);
    site.files.delete("/m.gguf");
    const again = await load(page, ["/m.gguf?file=a.gguf", "/m.gguf?file=b.gguf"]);
    expect(again.texts).toEqual([...first.texts, ...second.texts]);
  });
}

test("a file under a query of unknown meaning is stored once, where the bytes are the same", async ({
  page,
  site,
}) => {
  serve(site, 1);
  const { texts, stored } = await load(page, ["/m.gguf?t=1", "/m.gguf?t=2"]);
  expect(texts[1]).toBe(texts[0]);
  expect(stored).toMatchObject([{ complete: true, bytes: tinyModel().length }]);
  expect(stored[0]?.urls).toEqual([`${site.origin}/m.gguf?t=2`]);
  expect(site.requests).toHaveLength(2);
  site.files.delete("/m.gguf");
  const again = await load(page, ["/m.gguf?t=2", "/m.gguf?t=1"]);
  expect(again.texts).toEqual(texts);
  const left = await page.evaluate(async () => {
    await kvscope.Engine.deleteModel("/m.gguf?t=2");
    return kvscope.Engine.models();
  });
  expect(left).toEqual([]);
});

test("a file under a query of unknown meaning is not fetched again where its SHA-256 is known", async ({
  page,
  site,
}) => {
  serve(site, 1, `"${sha256(tinyModel(1))}"`);
  const { texts } = await load(page, ["/m.gguf?t=1"]);
  const phases = await page.evaluate(async () => {
    const told = new Set<string>();
    const onProgress = ({ phase, loadedBytes }: import("kvscope").LoadProgress): unknown =>
      loadedBytes > 0 && told.add(phase);
    (await kvscope.Engine.load("/m.gguf?t=2", { onProgress })).dispose();
    return [...told];
  });
  expect(phases).toContain("load");
  site.files.delete("/m.gguf");
  const again = await load(page, ["/m.gguf?t=2"]);
  expect(again.texts).toEqual(texts);
  expect(again.stored).toHaveLength(1);
});

test("of parts under a query of unknown meaning, those that are the same are not lost", async ({
  page,
  site,
}) => {
  const names = ["/p-00001-of-00002.gguf", "/p-00002-of-00002.gguf"];
  const offer = (seeds: readonly number[]): void =>
    names.forEach((name, index) => {
      const bytes = tinyModelParts(2, seeds[index])[index] ?? new Uint8Array();
      site.files.set(name, { bytes });
    });
  offer([1, 1]);
  const first = await load(page, [`${names[0]}?t=1`]);
  offer([1, 2]);
  const second = await load(page, [`${names[0]}?t=2`]);
  expect(second.texts).not.toEqual(first.texts);
  expect(second.stored).toMatchObject([{ complete: true }, { complete: true }]);
  names.forEach((name) => site.files.delete(name));
  const again = await load(page, [`${names[0]}?t=1`, `${names[0]}?t=2`]);
  expect(again.texts).toEqual([...first.texts, ...second.texts]);
});

test("what broke off under an address that does not come again goes with the next whole one", async ({
  page,
  site,
}) => {
  site.files.set("/m.gguf", { bytes: tinyModel(), pieceDelay: 40 });
  expect(await giveUp(page, "/m.gguf?t=1")).toBeGreaterThan(40_000);
  serve(site, 1);
  const { stored } = await load(page, ["/m.gguf?t=2"]);
  expect(stored).toMatchObject([{ complete: true, bytes: tinyModel().length }]);
});

test("a blob: or data: address is loaded and not stored", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const blob = await (await fetch("/tiny.gguf")).blob();
    const characters = Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) =>
      String.fromCodePoint(byte),
    );
    const data = `data:application/octet-stream;base64,${btoa(characters.join(""))}`;
    const models: unknown[] = [];
    for (const address of [URL.createObjectURL(blob), data]) {
      const { model } = await kvscope.Engine.load(address);
      models.push([model.name, model.bytes, model.stored]);
    }
    return { models, stored: await kvscope.Engine.models() };
  });
  const loaded = ["model.gguf", tinyModel().length, false];
  expect(outcome).toEqual({ models: [loaded, loaded], stored: [] });
});

test("a copy that an earlier release stored under its signature is found", async ({
  page,
  site,
}) => {
  serve(site, 1);
  await load(page, ["/m.gguf?X-Amz-Signature=a"]);
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const models = await root.getDirectoryHandle("kvscope-models");
    const earlier = await models.getDirectoryHandle("of-the-whole-address", { create: true });
    for (const { id } of await kvscope.Engine.models()) {
      const folder = await models.getDirectoryHandle(id);
      for (const name of ["manifest.json", "0"]) {
        const writable = await (
          await earlier.getFileHandle(name, { create: true })
        ).createWritable();
        await writable.write(await (await folder.getFileHandle(name)).getFile());
        await writable.close();
      }
      await models.removeEntry(id, { recursive: true });
    }
  });
  await openBlank(page, site);
  const { stored } = await load(page, ["/m.gguf?X-Amz-Signature=b"]);
  expect(stored).toMatchObject([{ id: "of-the-whole-address", complete: true }]);
  expect(site.requests).toHaveLength(1);
});
