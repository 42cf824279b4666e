import { expect, openBlank, test, type Page } from "./engine-test.ts";
import { startEngineServer } from "./engine-server.ts";

declare global {
  var tiny: import("kvscope").Engine;
}

const loadTiny = (page: Page) =>
  page.evaluate(async () => {
    globalThis.tiny = await kvscope.Engine.load("/tiny.gguf");
  });

/** A snapkv prefill and a sliding decode window, small enough for a prompt of a few tokens. */
const CACHE = {
  prefill: { method: "snapkv", budget: 16, observationWindow: 8 },
  decode: { strategy: "slide", budget: 8, recent: 4 },
} as const;

const QUESTION = [
  { role: "user", content: "Tell me of the sea, the ships on it and the towns at its shores." },
] as const;

test("a chat is answered in OpenAI's shape, and its stream's pieces are the same answer", async ({
  page,
}) => {
  await loadTiny(page);
  const before = Date.now() / 1000 - 1;
  const { whole, chunks } = await page.evaluate(
    async ({ messages, cache }) => {
      const params = {
        messages,
        cache,
        max_tokens: 20,
        temperature: 0,
        ignore_eos: true,
        user: "somebody",
      };
      const answer = await tiny.chat.completions.create(params);
      const stream = await tiny.chat.completions.create({
        ...params,
        stream: true,
        stream_options: { include_usage: true },
      });
      const pieces: import("kvscope").ChatCompletionChunk[] = [];
      for await (const chunk of stream) {
        pieces.push(chunk);
      }
      return { whole: answer, chunks: pieces };
    },
    { messages: QUESTION, cache: CACHE },
  );
  const [choice, ...others] = whole.choices;
  expect(others).toEqual([]);
  expect(whole).toMatchObject({ object: "chat.completion", model: "tiny.gguf" });
  expect(whole.id).toMatch(/^chatcmpl-[0-9a-f-]{36}$/);
  expect(Number.isInteger(whole.created) && whole.created >= Math.floor(before)).toBe(true);
  expect(choice).toMatchObject({
    index: 0,
    message: { role: "assistant" },
    finish_reason: "length",
    logprobs: null,
  });
  const { prompt_tokens, completion_tokens, total_tokens, extra } = whole.usage;
  // A token a byte: the template's controls are one each.
  const template = `?user\n${QUESTION[0].content}?\n?assistant\n`;
  expect({ prompt_tokens, completion_tokens, total_tokens }).toEqual({
    prompt_tokens: template.length,
    completion_tokens: 20,
    total_tokens: template.length + 20,
  });
  expect(
    Math.min(extra.prefill_tokens_per_s, extra.decode_tokens_per_s, extra.time_to_first_token_s),
  ).toBeGreaterThan(0);
  expect(extra.e2e_latency_s).toBeGreaterThanOrEqual(extra.time_to_first_token_s);

  const steps = chunks.filter(({ step }) => step !== undefined);
  expect(steps.map(({ step }) => step?.index)).toEqual(
    Array.from({ length: 20 }, (_, index) => index),
  );
  expect(new Set(chunks.map(({ id, object, model }) => `${id} ${object} ${model}`)).size).toBe(1);
  expect(chunks[0]).toMatchObject({
    object: "chat.completion.chunk",
    choices: [{ delta: { role: "assistant" } }],
  });
  const content = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
  expect(content).toBe(choice?.message.content);
  expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([
    ...Array.from({ length: 20 }, () => null),
    "length",
    undefined,
  ]);
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 20 } });

  // Two layers of one KV head: at most 16 slots of the prompt and 8 decoded ones each.
  const { heldBytes, fullBytes, savedBytes, slots } = whole.kv;
  expect(slots).toEqual({ prefill: 16, decode: 8, held: 2 * (16 + 8) });
  expect(savedBytes).toBe(fullBytes - heldBytes);
  expect(savedBytes).toBeGreaterThan(0);
  expect(chunks.at(-1)?.kv).toEqual(whole.kv);
});

test("layers tell which positions they retain, also at each step, and memory and stats what that takes", async ({
  page,
}) => {
  await loadTiny(page);
  const outcome = await page.evaluate(
    async ({ messages, cache }) => {
      const stream = await tiny.chat.completions.create({
        messages,
        cache,
        max_tokens: 12,
        ignore_eos: true,
        stream: true,
        observe: { every: 5, layers: [1] },
      });
      const observed: [number, unknown][] = [];
      let kv: unknown;
      for await (const chunk of stream) {
        kv = chunk.kv;
        if (chunk.retained !== undefined) {
          observed.push([chunk.step?.index ?? -1, chunk.retained]);
        }
      }
      const { texts } = await tiny.tokens([...messages]);
      const [retained, memory, stats] = [
        await tiny.retained(1),
        await tiny.memory(),
        await tiny.stats(),
      ];
      const wrong = await codeOf(tiny.retained(2));
      await tiny.forget();
      return { observed, kv, retained, memory, stats, texts, wrong, after: await tiny.memory() };
    },
    { messages: QUESTION, cache: CACHE },
  );
  const [head, ...others] = outcome.retained.heads;
  expect(others).toEqual([]);
  const { positions = [], prefill = 0, scores } = head ?? {};
  const prompt = outcome.texts.length;
  expect(scores).toHaveLength(positions.length);
  expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  expect(prefill).toBe(16);
  expect(positions.slice(0, prefill).every((position) => position < prompt)).toBe(true);
  // SnapKV keeps the observation window, slide the newest ones; the last token is never put into
  // the cache.
  expect(positions.slice(8, prefill)).toEqual(
    Array.from({ length: 8 }, (_, index) => prompt - 8 + index),
  );
  const newest = prompt + 12 - 2;
  expect(positions.slice(-4)).toEqual([newest - 3, newest - 2, newest - 1, newest]);
  expect(outcome.observed.map(([index]) => index)).toEqual([0, 5, 10]);
  expect(outcome.observed[0]?.[1]).toMatchObject([{ layer: 1, heads: [{ prefill: 16 }] }]);
  expect(outcome.texts.join("")).toContain(QUESTION[0].content);
  expect(outcome.memory).toMatchObject({
    savedBytes: outcome.memory.fullBytes - outcome.memory.heldBytes,
  });
  expect(outcome.kv).toMatchObject({
    heldBytes: outcome.memory.heldBytes,
    fullBytes: outcome.memory.fullBytes,
  });
  expect(outcome.stats).toMatchObject({
    requests: 1,
    newTokens: 12,
    last: { newTokens: 12, finish: "length" },
  });
  expect(outcome.stats.moduleBytes).toBeGreaterThan(0);
  expect(outcome.stats.gpuMemory.bytesInUse).toBeGreaterThan(outcome.memory.heldBytes);
  expect(outcome.wrong).toBe("cache-layer");
  expect(outcome.after.heldBytes).toBe(0);
});

test("a text is gone on with, stops at a stop string, and draws by its seed", async ({ page }) => {
  await loadTiny(page);
  const outcome = await page.evaluate(async () => {
    const { completions } = tiny;
    const params = { prompt: "abc", max_tokens: 24, ignore_eos: true };
    const text = async (more: object = {}) =>
      (await completions.create({ ...params, ...more })).choices[0]?.text ?? "";
    const greedy = await completions.create(params);
    const stop = (await text()).slice(6, 8);
    const stopped = await completions.create({ ...params, stop });
    const drawn = (seed?: number) => text({ temperature: 1.5, seed });
    return {
      object: greedy.object,
      text: greedy.choices[0]?.text ?? "",
      stop,
      stopped: stopped.choices[0],
      seeded: [await drawn(7), await drawn(7), await drawn(8)],
      free: [await drawn(), await drawn()],
    };
  });
  expect(outcome.object).toBe("text_completion");
  expect(outcome.stopped?.finish_reason).toBe("stop");
  expect(outcome.stopped?.text).toBe(outcome.text.slice(0, outcome.text.indexOf(outcome.stop)));
  const [one, again, other] = outcome.seeded;
  expect(one).toBe(again);
  expect(one).not.toBe(other);
  expect(outcome.free[0]).not.toBe(outcome.free[1]);
});

test("a text goes on when the cache has grown by block after block, and its old memory was given back", async ({
  page,
}) => {
  await loadTiny(page);
  const outcome = await page.evaluate(async () => {
    const params = { prompt: "abc", max_tokens: 150, ignore_eos: true };
    const held = new Set<number>();
    for await (const { kv } of await tiny.completions.create({ ...params, stream: true })) {
      held.add(kv.heldBytes);
    }
    const { usage } = await tiny.completions.create(params);
    return { sizes: held.size, completion: usage?.completion_tokens };
  });
  expect(outcome.sizes).toBeGreaterThanOrEqual(3);
  expect(outcome.completion).toBe(150);
});

test("what can't be asked for is refused by name, and what changes nothing is not", async ({
  page,
}) => {
  await loadTiny(page);
  const outcome = await page.evaluate(async () => {
    const messages = [{ role: "user", content: "a" }];
    const ask = async (params: object): Promise<unknown> =>
      tiny.chat.completions.create({ messages, max_tokens: 1, ...params } as never).then(
        () => "answered",
        (error: import("kvscope").KvscopeError) => [error.code, error.details["argument"]],
      );
    const refused: Record<string, unknown>[] = [
      { n: 0 },
      { n: 129 },
      { tools: [{ type: "function" }] },
      { logit_bias: { a: 2 } },
      { stop_token_ids: [-1] },
      { response_format: { type: "json_object" } },
      { top_logprobs: 2 },
      { logprobs: 1.5 },
      { surprise: 1 },
      { max_tokens: 0 },
      { temperature: "hot" },
      { seed: -1 },
      { stop: [1] },
      { messages: [] },
      { messages: [{ role: "tool", content: "a" }] },
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
    ];
    const answers: unknown[] = [];
    for (const params of refused) {
      answers.push(await ask(params));
    }
    const rust = [
      await ask({ temperature: -1 }),
      await ask({ frequency_penalty: 2.5 }),
      await ask({ logit_bias: { 1: 101 } }),
      await ask({ logprobs: true, top_logprobs: 21 }),
      await ask({ cache: { prefill: { method: "magic" } } }),
      await ask({ cache: { decode: { strategy: "slide", budget: "none" } } }),
      await ask({ messages: [{ role: "user", content: "a".repeat(600) }] }),
      await tiny.completions
        .create({ prompt: "" })
        .catch((error: unknown) => [(error as { code: string }).code]),
      await codeOf(tiny.completions.create({ prompt: "", stream: true })),
    ];
    const harmless = await ask({
      n: 1,
      tools: [],
      tool_choice: "none",
      logprobs: false,
      frequency_penalty: 0,
      user: "me",
      model: "any",
      response_format: { type: "text" },
      metadata: { a: "b" },
      temperature: null,
      seed: undefined,
      messages: [
        { role: "developer", content: "b" },
        { role: "user", content: [{ type: "text", text: "a" }] },
      ],
    });
    return { answers, rust, harmless };
  });
  expect(outcome.answers).toEqual(
    [
      "n",
      "n",
      "tools",
      "logit_bias",
      "stop_token_ids",
      "response_format",
      "top_logprobs",
      "logprobs",
      "surprise",
      "max_tokens",
      "temperature",
      "seed",
      "stop",
      "messages",
      "messages[0].role",
      "messages[0].content[0]",
    ].map((field) => ["invalid-argument", field]),
  );
  expect(
    outcome.rust.map((answer) => (Array.isArray(answer) ? (answer[0] as string) : answer)),
  ).toEqual([
    "invalid-config",
    "invalid-config",
    "invalid-config",
    "invalid-config",
    "invalid-argument",
    "invalid-config",
    "prompt-too-long",
    "prompt-empty",
    "prompt-empty",
  ]);
  expect(outcome.harmless).toBe("answered");
});

test("an aborted answer keeps its text, a loop that is left ends it, and a request that waits is dropped", async ({
  page,
}) => {
  await loadTiny(page);
  const outcome = await page.evaluate(async () => {
    const params = { prompt: "Once", max_tokens: 400, ignore_eos: true, stream: true } as const;
    const controller = new AbortController();
    const running = await tiny.completions.create(params, { signal: controller.signal });
    const waits = new AbortController();
    const waiting = codeOf(
      tiny.completions.create({ ...params, stream: false }, { signal: waits.signal }),
    );
    waits.abort();
    const chunks: import("kvscope").CompletionChunk[] = [];
    const dropped = await waiting;
    for await (const chunk of running) {
      chunks.push(chunk);
      if (chunks.length === 3) {
        controller.abort();
      }
    }
    for await (const chunk of await tiny.completions.create(params)) {
      if ((chunk.step?.index ?? 0) >= 2) {
        break;
      }
    }
    const order: string[] = [];
    const short = { prompt: "Once", max_tokens: 4, ignore_eos: true };
    const both = ["first", "second"].map(async (name) => {
      const { choices } = await tiny.completions.create(short);
      order.push(name);
      return choices[0]?.text;
    });
    const texts = await Promise.all(both);
    const late = new AbortController();
    late.abort();
    const never = await codeOf(tiny.completions.create(short, { signal: late.signal }));
    return { dropped, chunks, texts, order, never, stats: await tiny.stats() };
  });
  expect(outcome.dropped).toBe("aborted");
  expect(outcome.never).toBe("aborted");
  expect(outcome.chunks.at(-1)?.choices[0]?.finish_reason).toBe("abort");
  expect(outcome.chunks.length).toBeLessThan(300);
  const text = outcome.chunks.map(({ choices }) => choices[0]?.text ?? "").join("");
  expect(outcome.texts[0]).toBe(outcome.texts[1]);
  const [short = ""] = outcome.texts;
  expect(text.startsWith(short.slice(0, 2)) && text.length > 0).toBe(true);
  expect(outcome.order).toEqual(["first", "second"]);
  // The one that waited and the one that was aborted from the start never ran; the one whose loop
  // was left did not go on.
  expect(outcome.stats.requests).toBe(4);
  expect(outcome.stats.newTokens).toBeLessThan(600);
});

test("a lost device ends what runs with device-lost, and another engine loads with no request", async ({
  page,
  site,
}) => {
  const started = page.waitForEvent("worker");
  await loadTiny(page);
  const worker = await started;
  await worker.evaluate(() => {
    const original = GPUDevice.prototype.createCommandEncoder;
    GPUDevice.prototype.createCommandEncoder = function destroying(...args) {
      setTimeout(() => this.destroy());
      GPUDevice.prototype.createCommandEncoder = original;
      return original.apply(this, args);
    };
  });
  const outcome = await page.evaluate(async () => {
    const params = { prompt: "Once", max_tokens: 400, ignore_eos: true };
    const running = await codeOf(tiny.completions.create(params));
    const { reason } = await tiny.lost;
    const later = await codeOf(tiny.memory());
    const again = await kvscope.Engine.load("/tiny.gguf");
    const answer = await again.completions.create({ ...params, max_tokens: 3 });
    return {
      running,
      reason,
      later,
      fromStore: again.model.fromStore,
      tokens: answer.usage.completion_tokens,
    };
  });
  expect(outcome).toMatchObject({
    running: "device-lost",
    later: "device-lost",
    fromStore: true,
    tokens: 3,
  });
  expect(site.requests).toHaveLength(1);
});

test("two engines run side by side, and disposing of one ends its worker and leaves the other", async ({
  page,
}) => {
  await loadTiny(page);
  const outcome = await page.evaluate(async () => {
    const other = await kvscope.Engine.load("/tiny.gguf");
    const params = { prompt: "Once", max_tokens: 200, ignore_eos: true };
    const [one, two] = await Promise.all([
      tiny.completions.create({ ...params, max_tokens: 5 }),
      other.completions.create({ ...params, max_tokens: 5 }),
    ]);
    const running = codeOf(tiny.completions.create(params));
    await new Promise((resolve) => setTimeout(resolve, 100));
    tiny[Symbol.dispose]();
    tiny.dispose();
    const after = await other.completions.create({ ...params, max_tokens: 5 });
    return {
      same:
        one.choices[0]?.text === two.choices[0]?.text &&
        one.choices[0]?.text === after.choices[0]?.text,
      running: await running,
      later: await codeOf(tiny.stats()),
      lost: (await tiny.lost).reason,
    };
  });
  expect(outcome).toEqual({
    same: true,
    running: "engine-disposed",
    later: "engine-disposed",
    lost: "destroyed",
  });
  await expect.poll(() => page.workers().length).toBe(1);
});

test("the package runs from another origin, as from a CDN", async ({ page, site }) => {
  const cdn = await startEngineServer();
  try {
    const text = await page.evaluate(async (address) => {
      const { Engine } = (await import(address)) as typeof import("kvscope");
      const other = await Engine.load("/tiny.gguf");
      return (await other.completions.create({ prompt: "a", max_tokens: 3 })).object;
    }, `${cdn.origin}/pkg/dist/index.js`);
    expect(text).toBe("text_completion");
  } finally {
    await cdn.close();
  }
  expect(site.requests).toHaveLength(1);
});

test("a program written for WebLLM runs with the import changed", async ({ page, site }) => {
  await openBlank(page, site);
  const outcome = await page.evaluate(async () => {
    const { CreateMLCEngine } = kvscope;
    const reports: { progress: number; text: string; timeElapsed: number }[] = [];
    const mlc = await CreateMLCEngine("Tiny-MLC", {
      initProgressCallback: (report) => reports.push(report),
      appConfig: { model_list: [{ model_id: "Tiny-MLC", model: "/tiny.gguf" }] },
    });
    const chunks = await mlc.chat.completions.create({
      messages: [{ role: "user", content: "Hello" }],
      temperature: 1,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 400,
      ignore_eos: true,
    });
    let reply = "";
    let finish: unknown;
    let usage: import("kvscope").CompletionUsage | undefined;
    for await (const chunk of chunks) {
      reply += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
      if (chunk.step?.index === 4) {
        mlc.interruptGenerate();
      }
    }
    const stats = await mlc.runtimeStatsText();
    await mlc.resetChat();
    await mlc.unload();
    return { reports, length: reply.length, finish, usage, stats };
  });
  expect(outcome.reports.at(-1)).toMatchObject({ progress: 1, text: "Ready: 0 MB" });
  expect(outcome.length).toBeGreaterThan(0);
  expect(outcome.finish).toBe("abort");
  expect(outcome.usage?.extra.decode_tokens_per_s).toBeGreaterThan(0);
  expect(outcome.stats).toMatch(/^prefill: [\d.]+ tokens\/sec, decoding: [\d.]+ tokens\/sec$/);
});

test("a program written for wllama runs with the import changed", async ({ page, site }) => {
  await openBlank(page, site);
  const outcome = await page.evaluate(async () => {
    const { Wllama } = kvscope;
    const wllama = new Wllama({ default: "/esm/wasm/wllama.wasm" }, { parallelDownloads: 3 });
    const before = await codeOf(wllama.createCompletion({ prompt: "a" }));
    const progress: { loaded: number; total: number }[] = [];
    const progressCallback = (at: { loaded: number; total: number }) => progress.push(at);
    await wllama.loadModelFromUrl("/tiny.gguf", {
      n_ctx: 512,
      n_threads: 1,
      useCache: false,
      progressCallback,
    });
    const stored = await kvscope.Engine.models();
    const messages = [{ role: "user" as const, content: "Hello" }];
    const params = {
      messages,
      max_tokens: 12,
      temperature: 0,
      top_k: 40,
      top_p: 0.9,
      ignore_eos: true,
    };
    const whole = await wllama.createChatCompletion(params);
    let streamed = "";
    for await (const chunk of await wllama.createChatCompletion({ ...params, stream: true })) {
      streamed += chunk.choices[0]?.delta.content ?? "";
    }
    let told = "";
    await wllama.createChatCompletion({
      ...params,
      stream: true,
      cache_prompt: true,
      onData: (chunk) => (told += chunk.choices[0]?.delta.content ?? ""),
    });
    const controller = new AbortController();
    const finishes: unknown[] = [];
    const aborted = await wllama
      .createCompletion({
        prompt: "Once",
        max_tokens: 400,
        stream: true,
        abortSignal: controller.signal,
        onData({ choices }) {
          finishes.push(choices[0]?.finish_reason);
          controller.abort();
        },
      })
      .then(
        () => "answered",
        (error: unknown) => [
          error instanceof kvscope.WllamaAbortError,
          (error as { name: string; code: string }).name,
          (error as { name: string; code: string }).code,
        ],
      );
    const loaded = wllama.isModelLoaded();
    await wllama.exit();
    const after = [wllama.isModelLoaded(), await codeOf(wllama.createCompletion({ prompt: "a" }))];
    const text = whole.choices[0]?.message.content ?? "";
    return {
      before,
      stored,
      last: progress.at(-1),
      text,
      streamed,
      told,
      aborted,
      pieces: finishes.length,
      loaded,
      after,
    };
  });
  expect(outcome.text.length).toBeGreaterThan(0);
  expect(outcome).toMatchObject({
    before: "invalid-argument",
    stored: [],
    streamed: outcome.text,
    told: outcome.text,
    // As wllama does: the promise rejects, and what has come was told.
    aborted: [true, "AbortError", "aborted"],
    loaded: true,
    after: [false, "invalid-argument"],
  });
  expect(outcome.last?.loaded).toBe(outcome.last?.total);
});
