import { expect, openBlank, test } from "./engine-test.ts";
import { tinyModel, tinyModelOfShortHistory } from "./tiny-gguf.ts";

declare global {
  var sessionsOf: import("kvscope").Engine;
  var spoken: import("kvscope").Session;
}

const FIXED = { max_tokens: 10, temperature: 0, ignore_eos: true } as const;

test("a session's turns, branches and edits are answered as if each were computed afresh", async ({
  page,
}) => {
  const outcome = await page.evaluate(async (fixed) => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const trunk = await engine.session({ messages: [{ role: "system", content: "Be brief." }] });
    const first = await trunk.send("Tell me of the sea.", fixed);
    // Both are asked for at once, and run in this order.
    const [second, pieces] = await Promise.all([
      trunk.send("And of its ships?", fixed),
      trunk.send("And of the towns?", { ...fixed, stream: true }),
    ]);
    let streamed = "";
    for await (const { choices } of pieces) {
      streamed += choices[0]?.delta.content ?? "";
    }
    const branch = await trunk.fork();
    await branch.rewind(2);
    const edited = await branch.send("And of its fish?", fixed);
    await trunk.rewind();
    const again = await trunk.send("And of the towns?", fixed);
    const open = engine.sessions.length;
    const conversations = [trunk.messages, branch.messages];
    await branch.close();
    const closed = await codeOf(branch.send("And?", fixed));

    const afresh = [];
    for (const messages of conversations) {
      for (const [index, { role, content }] of messages.entries()) {
        if (role === "assistant") {
          const { choices } = await engine.chat.completions.create({
            ...fixed,
            messages: messages.slice(0, index),
            cache: { reuse: false },
          });
          afresh.push([choices[0]?.message.content, content]);
        }
      }
    }
    const texts = [again, edited].map(({ choices }) => choices[0]?.message.content);
    const cached = [first, second, edited, again].map(
      ({ usage }) => usage.prompt_tokens_details.cached_tokens,
    );
    const { heldBytes, savedBytes } = await trunk.memory();
    const { heads } = await trunk.retained(1);
    const left = engine.sessions.map((session) => session === trunk);
    engine.dispose();
    return {
      afresh,
      conversations,
      texts,
      streamed,
      cached,
      open,
      left,
      closed,
      heldBytes,
      savedBytes,
      heads,
    };
  }, FIXED);
  for (const [fresh, held] of outcome.afresh) {
    expect(held).toBe(fresh);
  }
  expect(outcome.afresh).toHaveLength(5);
  const [trunk, branch] = outcome.conversations;
  expect(trunk?.map(({ role }) => role)).toEqual([
    "system",
    "user",
    "assistant",
    "user",
    "assistant",
    "user",
    "assistant",
  ]);
  expect(branch?.map(({ content }) => content)).toContain("And of its fish?");
  expect([trunk?.at(-1)?.content, branch?.at(-1)?.content]).toEqual(outcome.texts);
  // The answer that was streamed is the one that is given when it is asked for again.
  expect(outcome.streamed).toBe(outcome.texts[0]);
  const [first, second, edited, again] = outcome.cached;
  expect(first).toBe(0);
  expect(second).toBeGreaterThan("Tell me of the sea.".length);
  expect(edited).toBeGreaterThanOrEqual(second ?? 0);
  expect(again).toBeGreaterThan(edited ?? 0);
  expect([outcome.open, outcome.left, outcome.closed]).toEqual([2, [true], "session-closed"]);
  expect(outcome.heldBytes).toBeGreaterThan(0);
  expect(outcome.heads.length).toBeGreaterThan(0);
});

test("a saved session goes on after a reload, under its name and from its bytes", async ({
  page,
  site,
}) => {
  const slide = {
    prefill: { method: "h2o", budget: 40 },
    decode: { strategy: "slide", budget: 8, recent: 4 },
  } as const;
  const before = await page.evaluate(
    async ({ fixed, cache }) => {
      const engine = await kvscope.Engine.load("/tiny.gguf");
      const session = await engine.session({ cache, saveAs: "my sea / 1" });
      await session.send("Tell me of the sea, of its ships, and of the towns on it.", fixed);
      await session.send("And its fish?", fixed);
      const bytes = [...(await session.toBytes())];
      const { heldBytes } = await session.memory();
      // Not saved any more: what follows is to be answered from the save.
      const branch = await session.fork();
      const next = await branch.send("And the towns?", fixed);
      const saved = await kvscope.Engine.savedSessions();
      engine.dispose();
      return { bytes, next, saved, heldBytes };
    },
    { fixed: FIXED, cache: slide },
  );
  expect(before.saved).toEqual([
    {
      name: "my sea / 1",
      model: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
      bytes: before.bytes.length,
      savedAt: expect.any(Number) as unknown,
    },
  ]);
  await openBlank(page, site);
  site.files.set("/other.gguf", { bytes: tinyModel(2), etag: '"two"' });
  const after = await page.evaluate(
    async ({ fixed, bytes }) => {
      const engine = await kvscope.Engine.load("/tiny.gguf");
      const named = await engine.loadSession("my sea / 1");
      const { heldBytes } = await named.memory();
      const next = await named.send("And the towns?", fixed);
      const file = await kvscope.Engine.savedSession("my sea / 1");
      const same = new Uint8Array(await file.arrayBuffer()).every((byte, at) => byte === bytes[at]);
      const given = await engine.loadSession(file);
      const again = await given.send("And the towns?", fixed);
      const changed = (changedAt: number) =>
        Uint8Array.from(bytes, (byte, at) => (at === changedAt ? byte ^ 2 : byte));
      const [newer, damaged] = [changed(8), changed(bytes.length >> 1)];
      const refused = [
        await codeOf(engine.loadSession(damaged)),
        await codeOf(engine.loadSession(Uint8Array.from(bytes.slice(0, -1)))),
        await codeOf(engine.loadSession(newer)),
        await codeOf(engine.loadSession("another")),
      ];
      const open = engine.sessions.length;
      const later = await given.send("And then?", fixed);
      const other = await kvscope.Engine.load("/other.gguf");
      refused.push(await codeOf(other.loadSession(Uint8Array.from(bytes))));
      await kvscope.Engine.deleteSession("my sea / 1");
      await kvscope.Engine.deleteSession("my sea / 1");
      refused.push(await codeOf(kvscope.Engine.savedSession("my sea / 1")));
      const left = await kvscope.Engine.savedSessions();
      engine.dispose();
      other.dispose();
      return { next, again, later, heldBytes, same, refused, open, left };
    },
    { fixed: FIXED, bytes: before.bytes },
  );
  expect(after.next.choices).toEqual(before.next.choices);
  expect(after.again.choices).toEqual(before.next.choices);
  const cached = [before.next, after.next, after.again].map(
    ({ usage }) => usage.prompt_tokens_details.cached_tokens,
  );
  expect(cached[0]).toBeGreaterThan(80);
  expect(new Set(cached).size).toBe(1);
  expect(after.heldBytes).toBe(before.heldBytes);
  expect(after.same).toBe(true);
  expect(after.refused).toEqual([
    "session-corrupt",
    "session-corrupt",
    "session-version",
    "session-not-found",
    "session-model",
    "session-not-found",
  ]);
  expect(after.open).toBe(2);
  expect(after.later.usage.completion_tokens).toBe(FIXED.max_tokens);
  expect(after.left).toEqual([]);
});

test("a tab that is closed in the middle of a save leaves a whole one", async ({ page, site }) => {
  const begin = (tab: typeof page, question: string) =>
    tab.evaluate(async (text) => {
      globalThis.sessionsOf = await kvscope.Engine.load("/tiny.gguf");
      globalThis.spoken = await sessionsOf.session();
      await spoken.send(text, { max_tokens: 2, temperature: 0, ignore_eos: true });
    }, question);
  await begin(page, "The first.");
  await page.evaluate(() => spoken.save("kept"));
  for (const delay of [0, 3, 30]) {
    const tab = await page.context().newPage();
    await openBlank(tab, site);
    await begin(tab, "Another. ".repeat(40));
    await tab.evaluate(() => {
      void spoken.save("kept");
    });
    await new Promise((resolve) => setTimeout(resolve, delay));
    await tab.close();
    const [first] = await page.evaluate(
      async () => (await sessionsOf.loadSession("kept")).messages,
    );
    expect(first?.content).toMatch(/^(The first\.|(Another\. )+)$/);
  }
});

test("what can't be saved is a warning, and the session goes on", async ({ page, site }) => {
  const storage = await page.context().newCDPSession(page);
  const quota = { origin: site.origin, quotaSize: 20_000 };
  await storage.send("Storage.overrideQuotaForOrigin", quota);
  const outcome = await page.evaluate(async (fixed) => {
    const engine = await kvscope.Engine.load("/tiny.gguf", { store: false });
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    const session = await engine.session({ saveAs: "long", onWarning });
    await session.send("a".repeat(200), fixed);
    await session.send("And?", fixed);
    const refused = await codeOf(session.save("long"));
    const saved = await kvscope.Engine.savedSessions();
    engine.dispose();
    return { warnings, refused, saved, messages: session.messages.length };
  }, FIXED);
  expect(outcome).toEqual({
    warnings: ["storage-full", "storage-full"],
    refused: "storage-full",
    saved: [],
    messages: 4,
  });
});

test("sessions beyond the budget of bytes give up their caches, the least recent first", async ({
  page,
}) => {
  const outcome = await page.evaluate(async (fixed) => {
    const given: unknown[] = [];
    const engine = await kvscope.Engine.load("/tiny.gguf", {
      sessionBytes: 60_000,
      onGivenUp: (session) => given.push(names.get(session)),
    });
    const names = new Map<unknown, string>();
    const sessions = await Promise.all([engine.session(), engine.session(), engine.session()]);
    const said = [];
    for (const [index, session] of sessions.entries()) {
      names.set(session, `${index}`);
      said.push(await session.send("a".repeat(80), fixed));
    }
    const [first] = sessions;
    const held = await Promise.all(sessions.map((session) => session.memory()));
    const back = await first?.send("And?", fixed);
    const afresh = await engine.chat.completions.create({
      ...fixed,
      messages: (first?.messages ?? []).slice(0, -1),
      cache: { reuse: false },
    });
    engine.dispose();
    return { given, held: held.map(({ heldBytes }) => heldBytes), back, afresh };
  }, FIXED);
  const [first, second, third] = outcome.held;
  expect(first).toBe(0);
  expect(second).toBeGreaterThan(0);
  expect((second ?? 0) + (third ?? 0)).toBeLessThanOrEqual(60_000);
  expect(outcome.given.slice(0, 2)).toEqual(["0", "1"]);
  expect(outcome.back?.usage.prompt_tokens_details.cached_tokens).toBe(0);
  expect(outcome.back?.choices).toEqual(outcome.afresh.choices);
});

test("questions about a document take the time of their own tokens, and leave it as it was", async ({
  page,
}) => {
  const outcome = await page.evaluate(async (fixed) => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const told: number[] = [];
    const text = "The keeper lit the lamp. ".repeat(6);
    const document = await engine.document(text, {
      budget: 60,
      onPrefill: (done, of) => told.push(done / of),
    });
    const asked = [];
    for (const question of ["Who lit it?", "When?", "Who lit it?"]) {
      asked.push(await document.ask(question, fixed));
    }
    const stream = await document.ask("When?", { ...fixed, stream: true });
    let streamed = "";
    for await (const { choices } of stream) {
      streamed += choices[0]?.delta.content ?? "";
    }
    await document.save("lamp");
    const loaded = await engine.loadSession("lamp");
    asked.push(await loaded.ask("When?", fixed));
    const messages = [document.messages.length, loaded.messages.length];
    const signal = AbortSignal.abort();
    const aborted = await codeOf(engine.document(text, { signal }));
    const { tokens } = await engine.tokens(text);
    const open = engine.sessions.length;
    engine.dispose();
    return { asked, streamed, messages, told, aborted, tokens: tokens.length, open };
  }, FIXED);
  const { asked } = outcome;
  const text = asked.map(({ choices }) => choices[0]?.message.content);
  expect(text[2]).toBe(text[0]);
  expect([outcome.streamed, text[3]]).toEqual([text[1], text[1]]);
  for (const { usage, kv } of asked) {
    const { cached_tokens } = usage.prompt_tokens_details;
    expect(cached_tokens).toBeGreaterThanOrEqual(outcome.tokens - 1);
    expect(usage.prompt_tokens - cached_tokens).toBeLessThan(50);
    expect(kv.slots.prefill).toBeLessThan(usage.prompt_tokens);
  }
  expect(outcome.messages).toEqual([0, 0]);
  expect(outcome.told.at(-1)).toBe(1);
  expect(outcome.aborted).toBe("aborted");
  expect(outcome.open).toBe(2);
});

test("after dropReasoning a session holds what its template writes of an answer", async ({
  page,
  site,
}) => {
  site.files.set("/short.gguf", { bytes: tinyModelOfShortHistory() });
  const outcome = await page.evaluate(async (fixed) => {
    const engine = await kvscope.Engine.load("/short.gguf");
    const said = [];
    for (const dropReasoning of [false, true]) {
      const session = await engine.session({ dropReasoning });
      await session.send("Tell me of the sea.", fixed);
      said.push(await session.send("And?", fixed));
      await session.close();
    }
    engine.dispose();
    return said;
  }, FIXED);
  const [kept, dropped] = outcome;
  expect(dropped?.choices).toEqual(kept?.choices);
  const cached = outcome.map(({ usage }) => usage.prompt_tokens_details.cached_tokens);
  // With all that the template writes held, the question and its frame are left to compute.
  const { prompt_tokens } = dropped?.usage ?? { prompt_tokens: 0 };
  expect(prompt_tokens - (cached[1] ?? 0)).toBe("And?".length + 2 + "\u0000assistant\n".length);
  expect(cached[0]).toBeLessThan(cached[1] ?? 0);
});

test("a loaded session keeps its own rules on an engine with others", async ({ page }) => {
  const outcome = await page.evaluate(async (fixed) => {
    const plain = await kvscope.Engine.load("/tiny.gguf");
    const session = await plain.session();
    await session.send("Tell me of the sea.", fixed);
    const bytes = await session.toBytes();
    const expected = await session.send("And?", fixed);
    const cache = { cacheType: "f32", reuse: false } as const;
    const other = await kvscope.Engine.load("/tiny.gguf", { cache });
    const loaded = await other.loadSession(bytes.buffer);
    const found = await loaded.send("And?", fixed);
    const own = await other.session();
    await own.send("Tell me of the sea.", fixed);
    const later = await own.send("And?", fixed);
    plain.dispose();
    other.dispose();
    return { expected, found, later, types: [loaded.cache.cacheType, own.cache.cacheType] };
  }, FIXED);
  const { expected, found, later } = outcome;
  expect(found.choices).toEqual(expected.choices);
  expect(found.kv).toEqual(expected.kv);
  const cached = [expected, found, later].map(
    ({ usage }) => usage.prompt_tokens_details.cached_tokens,
  );
  expect(cached[1]).toBe(cached[0]);
  expect(Math.min(...cached)).toBeGreaterThan(20);
  expect(outcome.types).toEqual([undefined, "f32"]);
});

for (const messages of [[], [{ role: "system", content: "Be brief." }]] as const) {
  test(`a document with ${messages.length} messages stays within a budget of little more`, async ({
    page,
  }) => {
    const outcome = await page.evaluate(
      async ([fixed, begun]) => {
        const text = "The keeper lit the lamp. ".repeat(12);
        const measure = await kvscope.Engine.load("/tiny.gguf");
        const { heldBytes } = await (await measure.document(text, { messages: begun })).memory();
        measure.dispose();
        const given: unknown[] = [];
        const engine = await kvscope.Engine.load("/tiny.gguf", {
          sessionBytes: 1.6 * heldBytes,
          onGivenUp: (session) => {
            given.push(session);
            throw new Error("the page's own fault");
          },
        });
        addEventListener("error", (event) => event.preventDefault());
        const document = await engine.document(text, { messages: begun });
        const cached = [];
        for (const question of ["Who?", "When?", "Why?"]) {
          const { usage } = await document.ask(question, fixed);
          cached.push(usage.prompt_tokens_details.cached_tokens);
        }
        const before = given.length;
        // Another conversation takes its place; the next question reads it again.
        const other = await engine.session();
        const answer = await other.send("a".repeat(250), fixed);
        const back = await document.ask("Who?", fixed);
        const again = await document.ask("When?", fixed);
        for (const { usage } of [back, again]) {
          cached.push(usage.prompt_tokens_details.cached_tokens);
        }
        const isDocument = given[before] === document;
        engine.dispose();
        await document.close();
        return { cached, before, isDocument, answered: answer.choices[0]?.finish_reason };
      },
      [FIXED, messages] as const,
    );
    expect(outcome.before).toBe(0);
    expect(outcome.isDocument).toBe(true);
    expect(outcome.answered).toBe("length");
    expect(outcome.cached[0]).toBeGreaterThan(280);
    expect(new Set(outcome.cached).size).toBe(1);
  });
}

test("what a session can't be is refused when it is opened, and by its field", async ({ page }) => {
  const codes = await page.evaluate(async (fixed) => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const session = await engine.session();
    const user = [{ role: "user", content: "Hi" }] as const;
    const prefill = { method: "h2o", budget: 8 } as const;
    const all = [
      kvscope.Engine.load("/tiny.gguf", { sessionBytes: Number.NaN }),
      engine.session({ cache: 5 as never }),
      engine.session({ cache: { prefill: { method: "best" as never } } }),
      engine.session({ cache: { decode: { strategy: "slide", budget: 2, recent: 4 } } }),
      engine.document("A text.", { messages: user }),
      engine.document("A text.", { budget: 4, cache: { prefill } }),
      engine.loadSession({} as never),
      session.rewind(-1),
      session.send("Hi", { ...fixed, cache: {} } as never),
      session.save("half \ud800"),
    ];
    const refused = [];
    for (const one of all) {
      refused.push(await codeOf(one));
    }
    const messages = session.messages.length;
    await session.close();
    await session.close();
    const closed = [codeOf(session.memory()), codeOf(session.retained(0)), codeOf(session.fork())];
    refused.push(...(await Promise.all(closed)));
    engine.dispose();
    return { refused, messages };
  }, FIXED);
  const invalid = "invalid-argument";
  expect(codes.refused).toEqual([
    invalid,
    invalid,
    invalid,
    "invalid-config",
    invalid,
    invalid,
    invalid,
    invalid,
    invalid,
    invalid,
    "session-closed",
    "session-closed",
    "session-closed",
  ]);
  expect(codes.messages).toBe(0);
});

test("an answer that leaves no room for another question is kept and saved", async ({ page }) => {
  const outcome = await page.evaluate(async (fixed) => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    const session = await engine.session({ dropReasoning: true, saveAs: "full", onWarning });
    const answer = await session.send("a".repeat(480), fixed);
    const [saved] = await kvscope.Engine.savedSessions();
    const file = await kvscope.Engine.savedSession("full");
    await session.save("full");
    // Its bytes were read before they were replaced.
    const loaded = await engine.loadSession(file);
    const count = [session.messages.length, loaded.messages.length];
    engine.dispose();
    return { warnings, finish: answer.choices[0]?.finish_reason, saved: saved?.name, count };
  }, FIXED);
  expect(outcome.warnings).toEqual(["prompt-too-long"]);
  expect(outcome.finish).toBe("length");
  expect([outcome.saved, ...outcome.count]).toEqual(["full", 2, 2]);
});
