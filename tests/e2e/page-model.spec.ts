import { basename } from "node:path";
import { countBuffers } from "./count-buffers.ts";
import { watchMainThread } from "./main-thread.ts";
import { beforeWorker, offer, outputOf, reach, runToEnd, shortRun } from "./open-page.ts";
import { expect, MODEL, test, type Page } from "./test.ts";

declare global {
  /** Buffers that existed in the page's worker as each generation had just ended. */
  var ended: { bytes: number; buffers: number }[];
  var forgotten: boolean;
}

/** Runs in the page's worker, whose messages to the page are its only sign of where it is. */
function noteEnds(): void {
  globalThis.ended = [];
  globalThis.forgotten = false;
  const send = globalThis.postMessage;
  globalThis.postMessage = (message: { id?: number; result?: { summary?: object } }) => {
    if (message.result?.summary !== undefined) {
      ended.push({ ...live });
    }
    globalThis.forgotten ||= message.id === -1;
    send(message);
  };
}

/** Buffers that exist once the worker's engine has forgotten its latest cache. */
async function withoutCache(page: Page): Promise<{ bytes: number; buffers: number }> {
  const [worker] = page.workers();
  await worker?.evaluate(() => {
    dispatchEvent(new MessageEvent("message", { data: { id: -1, call: "forget", argument: [0] } }));
  });
  await expect.poll(() => worker?.evaluate(() => forgotten)).toBe(true);
  return (
    (await worker?.evaluate(() => ({ ...live }))) ?? { bytes: Number.NaN, buffers: Number.NaN }
  );
}

const generate = (page: Page) => page.getByRole("button", { name: "Generate" }).click();
const textOf = (page: Page, name: RegExp) =>
  outputOf(page, name).evaluate(({ textContent }) => textContent ?? "");

test("the real model runs 64 tokens under snapkv and adaptive and under full, in memory that the page tells rightly", async ({
  page,
}) => {
  test.setTimeout(1_200_000);
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  const fetched = () => requests.filter((url) => url.endsWith(".gguf")).length;
  await beforeWorker(page, countBuffers, noteEnds);
  await offer(page, { name: "SmolLM2-135M-Instruct", url: `model/${basename(MODEL)}` });
  const prompt = "Write a short story about a seal who slept on the landing of a weather station.";
  await page.goto(
    `/${shortRun({ prompt, prefillBudget: "32", decodeBudget: "16", recent: "8", tokens: "64" })}`,
  );
  await reach(page, "ready");
  await expect(page.locator("#status")).toContainText("30 layers, 3 KV heads of 64");
  expect(fetched()).toBe(1);

  await expect(page.locator("#run-status")).toHaveText("Ready to run.");
  const tasks = await watchMainThread(page);
  await generate(page);
  await expect(outputOf(page, /SCOPE adaptive/)).toHaveText(/(\S+ ){12}/, { timeout: 600_000 });
  const took = await tasks();
  expect(took.length).toBeGreaterThan(100);
  expect(
    Math.max(...took),
    "milliseconds of the page's longest task from the click to the twelfth word",
  ).toBeLessThan(50);
  await expect(page.locator("#run-status")).toContainText("Done", { timeout: 900_000 });
  await reach(page, "ready");
  for (const name of [/SCOPE adaptive/, /Full cache/]) {
    expect((await textOf(page, name)).split(" ").length).toBeGreaterThan(20);
    await expect(page.getByRole("article", { name })).toContainText("Ended at the longest output");
  }
  await expect(page.locator("#saved-prefill")).toHaveText("32");
  expect(Number.parseInt(await page.locator("#saved").innerText(), 10)).toBeGreaterThan(40);

  const [scope, full, ...others] = (await page.workers()[0]?.evaluate(() => ended)) ?? [];
  expect(others).toEqual([]);
  const empty = await withoutCache(page);
  // Keys, values, positions and scores of 30 layers, each a buffer of its own, rounded up to 256
  // bytes.
  const buffers = 4 * 30;
  expect([scope, full].map((counted) => (counted?.buffers ?? 0) - empty.buffers)).toEqual([
    buffers,
    buffers,
  ]);
  const said = Number(await page.locator("#saved-bytes").getAttribute("value"));
  expect(said).toBeGreaterThan(0);
  const counted = (full?.bytes ?? 0) - (scope?.bytes ?? 0);
  expect(Math.abs(counted - said)).toBeLessThan(buffers * 256);

  // Greedy, and the same rules: what was stopped half-way is the beginning of what was not.
  const whole = await textOf(page, /SCOPE adaptive/);
  await page.getByLabel("The full cache, which evicts nothing").uncheck();
  await generate(page);
  const output = outputOf(page, /SCOPE adaptive/);
  await expect(output).toHaveText(/\S+ \S+ \S+ /, { timeout: 300_000 });
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#run-status")).toContainText("Stopped");
  const kept = await textOf(page, /SCOPE adaptive/);
  expect(kept.length).toBeGreaterThan(5);
  expect(kept.length).toBeLessThan(whole.length);
  expect(whole.startsWith(kept)).toBe(true);

  await page.getByLabel("Strategy").selectOption("slide");
  await page.getByLabel("Expected tokens T").fill("4");
  await runToEnd(page);
  await expect(outputOf(page, /SCOPE slide/)).toHaveText(/\S/);
  await expect(page.locator("#run-status")).toContainText("Done: 4 tokens");

  await page.reload();
  await reach(page, "ready");
  expect(fetched()).toBe(1);
  await expect(page.locator("#model-amount")).toContainText("nothing was fetched");
  await runToEnd(page);
  await expect(page.locator("#run-status")).toContainText("Done: 4 tokens");
});
