import { basename } from "node:path";
import { offer, outputOf, reach, runToEnd, shortRun } from "./open-page.ts";
import { expect, MODEL, test } from "./test.ts";

test("the real model runs 64 tokens under snapkv and adaptive and under full, and stays for the next visit", async ({
  page,
}) => {
  test.setTimeout(1_200_000);
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  const fetched = () => requests.filter((url) => url.endsWith(".gguf")).length;
  await offer(page, { name: "SmolLM2-135M-Instruct", url: `model/${basename(MODEL)}` });
  const prompt = "Write a short story about a seal who slept on the landing of a weather station.";
  await page.goto(`/${shortRun({ prompt, prefillBudget: "32", decodeBudget: "16", recent: "8", tokens: "64" })}`);
  await reach(page, "ready");
  await expect(page.locator("#status")).toContainText("30 layers, 3 KV heads of 64");
  expect(fetched()).toBe(1);

  await expect(page.locator("#run-status")).toHaveText("Ready to run.");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.locator("#run-status")).toContainText("Done", { timeout: 900_000 });
  await reach(page, "ready");
  for (const name of [/SCOPE adaptive/, /Full cache/]) {
    expect((await outputOf(page, name).innerText()).split(" ").length).toBeGreaterThan(20);
  }
  await expect(page.locator("#saved-prefill")).toHaveText("32");
  expect(Number.parseInt(await page.locator("#saved").innerText(), 10)).toBeGreaterThan(40);

  await page.reload();
  await reach(page, "ready");
  expect(fetched()).toBe(1);
  await page.getByLabel("Strategy").selectOption("slide");
  await page.getByLabel("Expected tokens T").fill("4");
  await page.getByLabel("The full cache, which evicts nothing").uncheck();
  await runToEnd(page);
  await expect(page.locator("#run-status")).toContainText("Done: 4 tokens");
});
