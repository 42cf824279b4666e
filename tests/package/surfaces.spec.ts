import { expect, test } from "../e2e/engine-test.ts";
import { tinyModel, tinyModelParts } from "../e2e/tiny-gguf.ts";

/** Positions of the tiny model. */
const CONTEXT = 512;

test("WebLLM: an answer without max_tokens ends at the window, at the latest at the context", async ({
  page,
}) => {
  const usages = await page.evaluate(async () => {
    const appConfig = {
      model_list: [
        { model_id: "Small-MLC", model: "/tiny.gguf", overrides: { context_window_size: 40 } },
      ],
    };
    const small = await kvscope.CreateMLCEngine("Small-MLC", { appConfig });
    const large = await kvscope.CreateMLCEngine("/tiny.gguf");
    const request = { prompt: "Once upon a time", ignore_eos: true };
    const answers = [
      await small.completions.create(request),
      await small.completions.create({ ...request, max_tokens: 100 }),
      await small.completions.create({ ...request, max_tokens: 5 }),
      await large.completions.create(request),
      await large.completions.create({ ...request, max_tokens: null }),
    ];
    const long = codeOf(small.completions.create({ prompt: "a".repeat(50) }));
    return { totals: answers.map(({ usage }) => usage.total_tokens), long: await long };
  });
  expect(usages).toEqual({
    totals: [40, 40, "Once upon a time".length + 5, CONTEXT, CONTEXT],
    long: "prompt-too-long",
  });
});

test("WebLLM: fields that others ignore are dropped, and those that change an answer are refused", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const engine = await kvscope.CreateMLCEngine("/tiny.gguf");
    const messages = [{ role: "user" as const, content: "Hello" }];
    const plain = { messages, max_tokens: 4, ignore_eos: true };
    const ask = async (more: object) => {
      const { choices } = await engine.chat.completions.create({ ...plain, ...more });
      return choices[0]?.message.content;
    };
    const right = await ask({});
    const dropped = [
      { whatever: 1, user: "me", seen: [1, 2] },
      { extra_body: { enable_latency_breakdown: true, resumable: { enabled: true } } },
      { extra_body: {} },
      { messages: messages.map((message) => ({ ...message, name: "Ann" })) },
      { tools: [], tool_choice: "auto", response_format: { type: "text" } },
    ];
    const tool = { type: "function", function: { name: "f" } };
    const call = { id: "1", type: "function", function: { name: "f", arguments: "{}" } };
    const refused = [
      { tools: [tool] },
      { response_format: { type: "json_object" } },
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] },
      { messages: [{ role: "assistant", content: null, tool_calls: [call] }, ...messages] },
      { messages: [{ role: "tool", content: "1", tool_call_id: "1" }] },
    ];
    const same = await Promise.all(dropped.map(async (more) => (await ask(more)) === right));
    const codes = await Promise.all(refused.map((more) => codeOf(ask(more))));
    const others = [
      engine.embedding({ input: "a" }),
      engine.embeddings.create({ input: "a" }),
      engine.forwardTokensAndSample([1], true),
      kvscope.CreateMLCEngine("Unknown-q4f16_1-MLC"),
    ];
    return { same, codes, others: await Promise.all(others.map((work) => codeOf(work))) };
  });
  expect(outcome).toEqual({
    same: [true, true, true, true, true],
    codes: Array.from({ length: 5 }, () => "invalid-argument"),
    others: Array.from({ length: 4 }, () => "invalid-argument"),
  });
});

test("WebLLM: the options of a load are defaults of requests, and a request's signal aborts it", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const engine = await kvscope.CreateMLCEngine("/tiny.gguf", {}, { temperature: 3 });
    const greedy = await kvscope.CreateMLCEngine("/tiny.gguf");
    const request = { prompt: "Once", max_tokens: 12, ignore_eos: true, seed: 5 };
    const text = async (
      from: import("kvscope").MLCEngine,
      more: { temperature?: number } = {},
    ): Promise<string | undefined> =>
      (await from.completion({ ...request, ...more })).choices[0]?.text;
    const texts = [
      await text(engine),
      await text(greedy, { temperature: 3 }),
      await text(engine, { temperature: 0 }),
      await text(greedy),
    ];
    const controller = new AbortController();
    const chunks = await greedy.chatCompletion({
      messages: [{ role: "user", content: "Once" }],
      ignore_eos: true,
      stream: true,
      signal: controller.signal,
    });
    let finish: unknown;
    for await (const { choices } of chunks) {
      controller.abort();
      finish = choices[0]?.finish_reason ?? finish;
    }
    return { texts, finish, bytes: await greedy.getMaxStorageBufferBindingSize() };
  });
  const [warm, warmToo, cold, coldToo] = outcome.texts;
  expect([warmToo, coldToo, warm !== cold]).toEqual([warm, cold, true]);
  expect(outcome).toMatchObject({ finish: "abort" });
  expect(outcome.bytes).toBeGreaterThan(1 << 20);
});

test("WebLLM: several models are loaded together, and requests name theirs", async ({
  page,
  site,
}) => {
  site.files.set("/other.gguf", { bytes: tinyModel(2) });
  const outcome = await page.evaluate(async () => {
    const appConfig = {
      model_list: [
        { model_id: "One-MLC", model: "/tiny.gguf" },
        { model_id: "Two-MLC", model: "/other.gguf" },
      ],
    };
    const shares: number[] = [];
    const engine = new kvscope.MLCEngine({ appConfig });
    engine.setInitProgressCallback(({ progress }) => shares.push(progress));
    await engine.reload(["One-MLC", "Two-MLC"], [{}, { context_window_size: 20 }]);
    const request = { prompt: "Once", ignore_eos: true, max_tokens: 30 };
    const one = await engine.completions.create({ ...request, model: "One-MLC" });
    const two = await engine.completions.create({ ...request, model: "Two-MLC" });
    const messages = [await engine.getMessage("One-MLC"), await engine.getMessage("Two-MLC")];
    const unclear = await codeOf(engine.completions.create(request));
    const twice = await codeOf(engine.reload(["One-MLC", "One-MLC"]));
    const unequal = await codeOf(engine.reload(["One-MLC", "Two-MLC"], [{}]));
    const texts = [one, two].map(({ choices }) => choices[0]?.text);
    return { shares, texts, messages, unclear, twice, unequal, total: two.usage.total_tokens };
  });
  expect(outcome.texts[0]).not.toBe(outcome.texts[1]);
  expect(outcome.messages).toEqual(outcome.texts);
  expect(outcome.shares.toSorted((a, b) => a - b)).toEqual(outcome.shares);
  expect(outcome.shares.at(-1)).toBe(1);
  expect(outcome).toMatchObject({
    unclear: "invalid-argument",
    twice: "invalid-argument",
    unequal: "invalid-argument",
    total: 20,
  });
});

test("WebLLM: engines of workers run beside an idle worker, with its handler in it", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const script = `
      import { WebWorkerMLCEngineHandler } from "${location.origin}/pkg/dist/index.js";
      const handler = new WebWorkerMLCEngineHandler();
      onmessage = (event) => handler.onmessage(event);
      postMessage("ready");`;
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    const said = await new Promise((resolve) => {
      worker.addEventListener("message", ({ data }) => resolve(data), { once: true });
      worker.addEventListener("error", ({ message }) => resolve(message), { once: true });
    });
    const engines = [
      await kvscope.CreateWebWorkerMLCEngine(worker, "/tiny.gguf"),
      await kvscope.CreateServiceWorkerMLCEngine("/tiny.gguf", {}, {}, 5000),
      await kvscope.CreateExtensionServiceWorkerMLCEngine("/tiny.gguf", { extensionId: "x" }),
    ];
    const texts = await Promise.all(
      engines.map(async (engine) => {
        const answer = await engine.completions.create({ prompt: "Once", max_tokens: 4 });
        return answer.choices[0]?.text;
      }),
    );
    return { said, texts };
  });
  expect(outcome.said).toBe("ready");
  expect(new Set(outcome.texts).size).toBe(1);
  expect(outcome.texts[0]).not.toBe("");
});

test("WebLLM: a listed model is in the cache once it was loaded, and can be deleted", async ({
  page,
}) => {
  const seen = await page.evaluate(async () => {
    const appConfig = { model_list: [{ model_id: "Tiny-MLC", model: "/tiny.gguf" }] };
    const has = () => kvscope.hasModelInCache("Tiny-MLC", appConfig);
    const before = await has();
    const engine = await kvscope.CreateMLCEngine("Tiny-MLC", { appConfig });
    await engine.unload();
    const after = await has();
    await kvscope.deleteModelWasmInCache("Tiny-MLC", appConfig);
    await kvscope.deleteChatConfigInCache("Tiny-MLC", appConfig);
    const still = await has();
    await kvscope.deleteModelAllInfoInCache("Tiny-MLC", appConfig);
    const unknown = await codeOf(kvscope.hasModelInCache("Tiny-MLC"));
    return [before, after, still, await has(), unknown];
  });
  expect(seen).toEqual([false, true, true, false, "invalid-argument"]);
});

test("WebLLM: the prebuilt list has addresses of GGUF files, which its own repositories stand for", async ({
  page,
}) => {
  const asked: string[] = [];
  await page.route("https://huggingface.co/**", (route) => {
    asked.push(route.request().url());
    return route.abort();
  });
  const list = await page.evaluate(async () => {
    const { model_list } = kvscope.prebuiltAppConfig;
    const id = "Qwen2.5-0.5B-Instruct-q4f16_1-MLC";
    const model = `https://huggingface.co/mlc-ai/${id}`;
    const record = { model, model_id: id, model_lib: "x.wasm" };
    const controller = new AbortController();
    const load = codeOf(
      kvscope.CreateMLCEngine(id, {
        appConfig: { model_list: [record] },
        signal: controller.signal,
        initProgressCallback: ({ text }) => text.startsWith("Downloading") && controller.abort(),
      }),
    );
    setTimeout(() => controller.abort(), 4000);
    await load;
    const other = { ...record, model: `${model}-Other-MLC`, model_id: "Other" };
    const unknown = codeOf(
      kvscope.CreateMLCEngine("Other", { appConfig: { model_list: [other] } }),
    );
    return { model_list, unknown: await unknown };
  });
  expect(list.unknown).toBe("invalid-argument");
  const ids = list.model_list.map(({ model_id: id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toContain("Llama-3.2-1B-Instruct-q4f16_1-MLC");
  for (const { model } of list.model_list) {
    expect(model).toMatch(/^https:\/\/huggingface\.co\/[^/]+\/[^/]+\/resolve\/main\/[^/]+\.gguf$/);
  }
  expect(asked.at(0)).toBe(
    "https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/qwen2.5-0.5b-instruct-q4_k_m.gguf",
  );
});

for (const parts of [1, 3]) {
  test(`the load of a model of ${parts} parts is told of in shares that never fall or pass 1`, async ({
    page,
    site,
  }) => {
    for (const [index, bytes] of tinyModelParts(parts).entries()) {
      const name = `m-0000${index + 1}-of-0000${parts}.gguf`;
      site.files.set(`/${name}`, { bytes, pieceDelay: 10, cutAt: 9000, cuts: 1 });
    }
    const told = await page.evaluate(async (name) => {
      const webllm: number[] = [];
      const wllama: number[] = [];
      const engine = await kvscope.CreateMLCEngine(name, {
        store: false,
        initProgressCallback: ({ progress }) => webllm.push(progress),
      });
      await engine.unload();
      const other = new kvscope.Wllama();
      await other.loadModelFromUrl(name, {
        useCache: false,
        progressCallback: ({ loaded, total }) => wllama.push(loaded / total),
      });
      await other.exit();
      return [webllm, wllama];
    }, `/m-00001-of-0000${parts}.gguf`);
    for (const shares of told) {
      expect(shares.toSorted((a, b) => a - b)).toEqual(shares);
      expect(shares.at(-1)).toBe(1);
      expect(shares.every((share) => share >= 0)).toBe(true);
    }
  });
}

test("a load ends when another begins or the engine is given up, and the last choice stays", async ({
  page,
  site,
}) => {
  site.files.set("/slow.gguf", { bytes: tinyModel(1), pieceDelay: 200 });
  site.files.set("/quick.gguf", { bytes: tinyModel(2) });
  const outcome = await page.evaluate(async () => {
    const alive = new Set<Worker>();
    const Plain = globalThis.Worker;
    globalThis.Worker = class extends Plain {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        alive.add(this);
      }
      override terminate(): void {
        alive.delete(this);
        super.terminate();
      }
    };
    const request = { prompt: "Once", max_tokens: 8, ignore_eos: true };
    const plain = await kvscope.Engine.load("/quick.gguf");
    const right = (await plain.completions.create(request)).choices[0]?.text;
    plain.dispose();
    const mlc = new kvscope.MLCEngine();
    const first = codeOf(mlc.reload("/slow.gguf"));
    const second = codeOf(mlc.reload("/quick.gguf"));
    const reloads = [await first, await second];
    const texts = [(await mlc.completions.create(request)).choices[0]?.text];
    const ended = codeOf(mlc.reload("/slow.gguf"));
    await mlc.unload();
    const unloaded = [await ended, await codeOf(mlc.getMessage())];
    const wllama = new kvscope.Wllama();
    const slow = codeOf(wllama.loadModelFromUrl("/slow.gguf"));
    const quick = codeOf(wllama.loadModelFromUrl("/quick.gguf"));
    const loads = [await slow, await quick];
    texts.push((await wllama.createCompletion(request)).choices[0]?.text);
    const again = await codeOf(wllama.loadModelFromUrl("/quick.gguf"));
    await wllama.exit();
    const last = codeOf(wllama.loadModelFromUrl("/slow.gguf"));
    await wllama.exit();
    const exited = [await last, wllama.isModelLoaded()];
    // A worker has two seconds to end by itself.
    await new Promise((resolve) => {
      setTimeout(resolve, 3000);
    });
    const same = texts.map((text) => text === right);
    return { reloads, same, unloaded, loads, again, exited, workers: alive.size };
  });
  expect(outcome).toEqual({
    reloads: ["aborted", "resolved"],
    same: [true, true],
    unloaded: ["aborted", "invalid-argument"],
    loads: ["aborted", "resolved"],
    again: "invalid-argument",
    exited: ["aborted", false],
    workers: 0,
  });
});

test("wllama: a file is chosen by its quantisation, and the token goes with each request", async ({
  page,
}) => {
  const asked: [string, string | undefined][] = [];
  const model = Buffer.from(tinyModel());
  const cors = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization",
  };
  await page.route("https://huggingface.co/**", async (route) => {
    const request = route.request();
    const { pathname } = new URL(request.url());
    if (request.method() !== "OPTIONS") {
      asked.push([pathname, (await request.allHeaders())["authorization"]]);
    }
    const files = ["mmproj-Q4_K_M.gguf", "a-Q4_K_M.gguf", "a-Q4_K.gguf", "a.Q8_0.gguf", "b.txt"];
    const json = files.map((path) => ({ type: "file", path, size: 1, oid: "x" }));
    return pathname.startsWith("/api/")
      ? route.fulfill({ headers: cors, json })
      : pathname.includes("/resolve/")
        ? route.fulfill({ headers: cors, body: model })
        : route.fulfill({ headers: cors, status: 404 });
  });
  const outcome = await page.evaluate(async () => {
    const wllama = new kvscope.Wllama({ default: "x.wasm" });
    const load = async (more: object) => {
      await wllama.loadModelFromHF({ repo: "owner/name", ...more });
      const { name, stored } = wllama.engine.model;
      await wllama.exit();
      return [name, stored];
    };
    const loads = [
      await load({ quant: "q4_k" }),
      await load({}),
      await load({ quant: "Q8_0", hfToken: "secret" }),
    ];
    const none = await codeOf(load({ quant: "Q2_K" }));
    const listing = codeOf(load({ quant: "Q8_0" }));
    await wllama.exit();
    const ended = await listing;
    const images = await codeOf(load({ quant: "Q8_0", mmprojQuant: "Q8_0" }));
    return {
      loads,
      none,
      ended,
      images,
      urls: (await kvscope.Engine.models()).flatMap(({ urls }) => urls),
    };
  });
  expect(outcome.loads).toEqual([
    ["a-Q4_K.gguf", true],
    ["a-Q4_K_M.gguf", true],
    ["a.Q8_0.gguf", false],
  ]);
  expect([outcome.none, outcome.images]).toEqual(["invalid-argument", "invalid-argument"]);
  expect(outcome.ended).toBe("aborted");
  expect(outcome.urls.join(" ")).not.toContain("secret");
  const withToken = asked.filter(([, token]) => token === "Bearer secret").map(([path]) => path);
  expect(withToken).toEqual([
    "/api/models/owner/name/tree/main",
    "/owner/name/resolve/main/a.Q8_0.gguf",
  ]);
});

test("wllama: an abort rejects with its own error, and so does what can't be done", async ({
  page,
}) => {
  const outcome = await page.evaluate(async () => {
    const { Wllama, WllamaAbortError, WllamaError } = kvscope;
    const wllama = new Wllama({ default: "x.wasm" });
    const kind = (work: Promise<unknown>) =>
      work.then(
        () => "resolved",
        (error: unknown) =>
          error instanceof WllamaAbortError
            ? `abort ${error.code} ${error.name}`
            : error instanceof WllamaError
              ? `${error.type} ${error.code}`
              : String(error),
      );
    const request = { prompt: "Once", ignore_eos: true };
    const unloaded = await kind(wllama.createCompletion(request));
    const missing = await kind(wllama.loadModelFromUrl("/none.gguf"));
    const during = new AbortController();
    const load = kind(wllama.loadModelFromUrl("/tiny.gguf", { signal: during.signal }));
    during.abort();
    const aborted = [await load];
    await wllama.loadModelFromUrl("/tiny.gguf");
    const controllers = [0, 1, 2].map(() => new AbortController());
    const signals = controllers.map(({ signal }) => signal);
    const whole = kind(wllama.createCompletion({ ...request, abortSignal: signals[0] }));
    setTimeout(() => controllers[0]?.abort(), 100);
    aborted.push(await whole);
    let pieces = 0;
    const read = async () => {
      const streamed = { ...request, stream: true as const, abortSignal: signals[1] };
      for await (const _ of await wllama.createCompletion(streamed)) {
        pieces += 1;
        controllers[1]?.abort();
      }
    };
    aborted.push(await kind(read()));
    const onData = () => controllers[2]?.abort();
    const told = { ...request, stream: true as const, abortSignal: signals[2], onData };
    aborted.push(await kind(wllama.createCompletion(told)));
    const after = await kind(wllama.createCompletion({ ...request, max_tokens: 2 }));
    const refused = [
      wllama.createCompletion({ ...request, grammar: 'root ::= "a"' }),
      wllama.createCompletion({ ...request, mirostat: 2 }),
      wllama.createEmbedding({ input: "a" }),
      wllama.detokenize([1]),
      wllama.createCompletion({ prompt: "a".repeat(600) }),
    ];
    const kinds = await Promise.all(refused.map((work) => kind(work)));
    return { unloaded, missing, aborted, pieces, after, kinds };
  });
  const refused = "inference_error invalid-argument";
  expect(outcome).toEqual({
    unloaded: "model_not_loaded invalid-argument",
    missing: "download_error download-failed",
    aborted: Array.from({ length: 4 }, () => "abort aborted AbortError"),
    pieces: 1,
    after: "resolved",
    kinds: [refused, refused, refused, refused, "kv_cache_full prompt-too-long"],
  });
});

test("wllama: names of its own are OpenAI's, and n_ctx ends an answer", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const wllama = new kvscope.Wllama();
    await wllama.loadModelFromUrl("/tiny.gguf", { n_ctx: 40, seed: 7 });
    const ask = async (more: object) => {
      const request = { prompt: "Once upon", ignore_eos: true, ...more };
      return wllama.createCompletion(request);
    };
    const texts = [
      await ask({ temp: 2, penalty_repeat: 1.3, n_predict: 8 }),
      await ask({ temperature: 2, repetition_penalty: 1.3, max_tokens: 8, seed: 7 }),
      await ask({ max_tokens: 8, n_probs: 3, samplers_sequence: ["top_k"], return_progress: true }),
      await ask({ max_tokens: 8 }),
    ].map(({ choices }) => choices[0]?.text);
    const endless = await ask({ max_tokens: -1 });
    return { texts, total: endless.usage.total_tokens };
  });
  const [named, ours, more, plain] = outcome.texts;
  expect([named, more]).toEqual([ours, plain]);
  expect(named).not.toBe(plain);
  expect(outcome.total).toBe(40);
});

test("wllama: what is loaded is described by its file", async ({ page, site }) => {
  const outcome = await page.evaluate(async () => {
    const wllama = new kvscope.Wllama();
    await wllama.loadModelFromUrl("/tiny.gguf", { n_ctx: 64 });
    const told = () => ({
      info: wllama.getLoadedContextInfo(),
      metadata: wllama.getModelMetadata(),
      ends: [wllama.getEOS(), wllama.isTokenEOG(wllama.getEOS()), wllama.isTokenEOG(1)],
    });
    const kept = { ...told(), template: wllama.getChatTemplate() };
    const tokens = await wllama.tokenize("Once");
    const same = (await wllama.engine.tokens("Once")).tokens;
    await wllama.exit();
    await wllama.loadModelFromUrl("/other.gguf", { useCache: false }).catch(() => undefined);
    await kvscope.Engine.deleteModel("/tiny.gguf");
    await wllama.loadModelFromUrl("/tiny.gguf", { useCache: false });
    return { kept, tokens, same, passing: told() };
  });
  expect(site.files.size).toBe(1);
  const numbers = { n_vocab: 259, n_ctx_train: 512, n_layer: 2, n_embd: 32 };
  expect(outcome.kept.info).toMatchObject({ ...numbers, n_ctx: 64, has_chat: true });
  expect(outcome.kept.metadata.meta).toMatchObject({
    "general.architecture": "llama",
    "llama.block_count": "2",
    "tokenizer.ggml.tokens": "a list of 259",
  });
  expect(outcome.kept.template).toContain("<|im_start|>");
  expect(outcome.kept.ends).toEqual([expect.any(Number), true, false]);
  expect(outcome.kept.ends[0]).toBeGreaterThanOrEqual(256);
  expect(outcome.tokens).toEqual(outcome.same);
  expect(outcome.passing.info).toMatchObject({ ...numbers, n_ctx: 512, token_eos: -1 });
});

test("wllama: its manager downloads, lists, loads and deletes models", async ({ page, site }) => {
  const [one, two] = tinyModelParts(2);
  site.files.set("/m-00001-of-00002.gguf", { bytes: one ?? new Uint8Array() });
  site.files.set("/m-00002-of-00002.gguf", { bytes: two ?? new Uint8Array() });
  const outcome = await page.evaluate(async () => {
    const { ModelManager, ModelValidationStatus, Wllama } = kvscope;
    const manager = new ModelManager({ parallelDownloads: 2 });
    const url = new URL("/m-00001-of-00002.gguf", location.href).href;
    const told: number[] = [];
    const progressCallback = ({ loaded, total }: { loaded: number; total: number }) =>
      told.push(loaded / total);
    const before = (await manager.getModels()).length;
    const model = await manager.getModelOrDownload({ url }, { progressCallback });
    const again = await manager.getModelOrDownload({ url });
    const listed = await manager.getModels();
    const blobs = await model.open();
    const wllama = new Wllama({}, { modelManager: manager });
    await wllama.loadModel(model);
    const { fromStore } = wllama.engine.model;
    await wllama.exit();
    const entries = await manager.cacheManager.list();
    const cached = await manager.cacheManager.getSize(url);
    const valid = model.validate() === ModelValidationStatus.VALID;
    await model.remove();
    const deleted = model.validate();
    await manager.downloadModel(new URL("/tiny.gguf", location.href).href);
    const other = (await manager.getModels()).map(({ size }) => size);
    await manager.clear();
    const bad = await codeOf(manager.downloadModel("/blank"));
    return {
      before,
      sizes: [model.size, again.size, blobs.map(({ size }) => size)],
      listed: listed.map((each) => each.url),
      files: entries.map(({ metadata }) => metadata.originalURL),
      cached,
      fromStore,
      valid,
      deleted,
      other,
      bad,
      last: told.at(-1),
      left: (await manager.getModels()).length,
      urls: ModelManager.parseModelUrl(url).map((each) => new URL(each).pathname),
    };
  });
  const sizes = [one?.length ?? 0, two?.length ?? 0];
  const all = (sizes[0] ?? 0) + (sizes[1] ?? 0);
  const paths = ["/m-00001-of-00002.gguf", "/m-00002-of-00002.gguf"];
  expect(outcome).toEqual({
    before: 0,
    sizes: [-1, all, sizes],
    listed: [`${site.origin}${paths[0]}`],
    files: paths.map((path) => `${site.origin}${path}`),
    cached: sizes[0],
    fromStore: true,
    valid: true,
    deleted: "deleted",
    other: [tinyModel().length],
    bad: "invalid-argument",
    last: 1,
    left: 0,
    urls: paths,
  });
});

test("digests are checked as WebLLM checks them", async ({ page }) => {
  const outcome = await page.evaluate(async () => {
    const { isValidSRI, IntegrityError, verifyIntegrity } = kvscope;
    const data = new TextEncoder().encode("abc").buffer;
    // Of FIPS 180-2, appendix B.1.
    const right = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    const other = right.replace("ung", "unh");
    const caught = await verifyIntegrity(data, other, "/a").catch((error: unknown) => error);
    return {
      valid: [right, "sha384-abc", "md5-abc", "", right.slice(0, -5)].map((sri) => isValidSRI(sri)),
      right: await verifyIntegrity(data, right, "/a"),
      wrong: caught instanceof IntegrityError && [caught.url, caught.expected, caught.actual],
      warned: await verifyIntegrity(data, other, "/a", "warn"),
      same: [right, other],
    };
  });
  expect(outcome.valid).toEqual([true, false, false, false, false]);
  expect(outcome.wrong).toEqual(["/a", outcome.same[1], outcome.same[0]]);
});
