import { violations } from "./axe.ts";
import { moved } from "./layout-shift.ts";
import { beforeWorker, offerTiny, reach, shortRun } from "./open-page.ts";
import { rememberDevices } from "./remember-devices.ts";
import { expect, test, type Page } from "./test.ts";
import { tinyModel, tinyModelOfTexts } from "./tiny-gguf.ts";

/** Rules under which nothing is evicted, so that each turn can go on from all of the one before. */
const FULL = { prefill: "full", decode: "full", tokens: "6" };
/** Random weights go on for long after this one. */
const LONG = { tokens: "4000" };

/** Long beside an answer, whose bytes may be no text and so are read again. */
const TELL = "Tell me of the sea, and of all those who have sailed on it.";

const message = (page: Page) => page.getByRole("textbox", { name: "Message" });
const nameField = (page: Page) => page.getByRole("textbox", { name: "Name", exact: true });
const status = (page: Page) => page.locator("#chat-status");
const turn = (page: Page, number: number) => page.locator("#chat-turns > li").nth(number - 1);
const question = (page: Page, number: number) => turn(page, number).locator(".asked .said-text");
const answer = (page: Page, number: number) => turn(page, number).locator(".answered .said-text");
const act = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();

async function open(
  page: Page,
  more: Readonly<Record<string, string>> = {},
  body: Uint8Array = tinyModel(),
): Promise<void> {
  await offerTiny(page, Buffer.from(body));
  await page.goto(`/${shortRun({ view: "chat", prompt: "", ...more })}`);
  await reach(page, "ready");
  await expect(status(page)).toHaveText(/Ready|knows no turns/);
}

/** Sends a message, and waits for the end of its answer. */
async function ask(page: Page, text: string): Promise<void> {
  await message(page).fill(text);
  await act(page, "Send");
  await answered(page);
}

async function answered(page: Page): Promise<void> {
  await expect(status(page)).toHaveText(/^(Answered|Stopped|Nothing)/);
  await reach(page, "ready");
}

/** Tokens of a turn: held from before, read and written. */
async function tokensOf(page: Page, number: number): Promise<number[]> {
  const facts = await turn(page, number).locator(".turn-facts").innerText();
  return (/(\d+) tokens? held from before, (\d+) read, (\d+) written/.exec(facts) ?? [])
    .slice(1)
    .map(Number);
}

test("each turn goes on from what is held, and the view tells what it held and retained", async ({
  page,
}) => {
  await open(page, FULL);
  await expect(page.locator("#chat-empty")).toBeVisible();
  await expect(page.locator("#chat-hint")).toContainText("the processor stands in");
  await ask(page, TELL);
  await ask(page, "And of its ships?");
  await expect(question(page, 1)).toHaveText(TELL);
  await expect(answer(page, 2)).toHaveText(/\S/);
  const [before, read = 0, written] = await tokensOf(page, 1);
  expect([before, written]).toEqual([0, 6]);
  expect(read).toBeGreaterThan(TELL.length);
  // All of the earlier prompt at least: an answer's bytes may be no text.
  const [held = 0, computed = 0] = await tokensOf(page, 2);
  expect(held).toBeGreaterThanOrEqual(read);
  expect(computed).toBeLessThan(held);
  await expect(page.locator("#chat-cached")).toHaveText(String(held));

  await expect(turn(page, 2).locator(".turn-memory")).toHaveText(
    /\d KiB held, a full f16 cache .+ KiB: 0 % saved/,
  );
  await expect(
    page.getByRole("img", { name: /Chart of cache size.*after \d+ tokens/ }),
  ).toBeVisible();
  const picture = page.getByRole("application");
  const readout = page.locator("#chat-picture-readout");
  await expect(page.locator("#chat-picture-step-value")).toHaveText("2");
  await picture.focus();
  await page.keyboard.press("ArrowDown");
  await expect(readout).toContainText(/^Layer 1, position 0 · “.+” · asked · held by 1 of 1 heads/);
  for (let far = 0; far < 30; far += 1) {
    await page.keyboard.press("Shift+ArrowRight");
  }
  await expect(readout).toContainText(/answered · held by 1/);
  await page.getByRole("slider", { name: "Turn" }).press("Home");
  await expect(readout).toContainText("not there yet");
});

test("a conversation keeps its rules, and the next one has those of the settings", async ({
  page,
}) => {
  await open(page, { tokens: "12" });
  const rules = page.locator("#chat-rules");
  await page.getByLabel("Budget A").fill("20");
  await expect(rules).toContainText("by the settings: SCOPE adaptive: snapkv 20 · adaptive 8");
  await ask(page, "A seal slept on the landing for three days.");
  await expect(page.locator("#chat-saved")).toHaveText(/^[1-9]\d %$/);
  await page.getByLabel("Strategy").selectOption("slide");
  await page.getByLabel("Expected tokens T").fill("5");
  await expect(rules).toContainText("snapkv 20 · adaptive 8 · 16-bit. The settings have others");
  await ask(page, "And then?");
  expect((await tokensOf(page, 2))[2]).toBe(5);

  await act(page, "New conversation");
  await expect(message(page)).toBeFocused();
  await expect(page.locator("#chat-turns > li")).toHaveCount(0);
  await expect(page.locator("#chat-saved")).toHaveText("–");
  await ask(page, "Who are you?");
  await expect(rules).toHaveText(
    "Rules of this conversation: SCOPE slide: snapkv 20 · slide 8 · 16-bit.",
  );
  await act(page, "Previous conversation");
  await expect(page.locator("#chat-turns > li")).toHaveCount(2);
  await expect(rules).toContainText("adaptive 8");
  await act(page, "Previous conversation");
  await expect(question(page, 1)).toHaveText("Who are you?");
});

test("a stopped answer keeps its text, and the conversation goes on", async ({ page }) => {
  await open(page, LONG);
  await message(page).fill("Tell me of the sea.");
  await act(page, "Send");
  await expect(page.getByRole("button", { name: "Stop" })).toBeFocused();
  await expect(answer(page, 1)).toHaveText(/.{5}/s);
  await expect(page.getByRole("log")).toHaveAttribute("aria-busy", "true");
  await act(page, "Stop");
  await answered(page);
  await expect(status(page)).toHaveText(/^Stopped: \d+ tokens/);
  await expect(turn(page, 1).locator(".turn-facts")).toContainText("Stopped.");
  await expect(page.getByRole("log")).toHaveAttribute("aria-busy", "false");
  await expect(message(page)).toBeFocused();
  expect((await answer(page, 1).innerText()).length).toBeGreaterThanOrEqual(5);

  await page.getByLabel("Expected tokens T").fill("4");
  await act(page, "New conversation");
  await ask(page, "And now?");
  await expect(status(page)).toHaveText(/^Answered: 4 tokens/);
});

test("an edited question is a branch, and the one before can be gone back to and on from", async ({
  page,
}) => {
  await open(page, FULL);
  await ask(page, "Tell me of the sea.");
  await ask(page, "And of its ships?");
  await ask(page, "And of towns?");
  const first = await answer(page, 2).innerText();
  await act(page, "Edit question 2");
  const editor = page.getByLabel("Question 2, edited");
  await expect(editor).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Edit question 2" })).toBeFocused();
  await act(page, "Edit question 2");
  await editor.fill("And of its birds?");
  await act(page, "Send as a branch");
  await answered(page);
  await expect(page.locator("#chat-turns > li")).toHaveCount(2);
  await expect(question(page, 2)).toHaveText("And of its birds?");
  const branches = page.getByRole("group", { name: "Branches at question 2" });
  await expect(branches).toContainText("2 of 2");
  // Tokens before the edit are shared: only the edited question was read.
  const [, sea = 0] = await tokensOf(page, 1);
  expect((await tokensOf(page, 2))[0]).toBeGreaterThanOrEqual(sea);

  await act(page, "Branch before, at question 2");
  await expect(page.locator("#chat-turns > li")).toHaveCount(3);
  await expect(answer(page, 2)).toHaveText(first, { useInnerText: true });
  await expect(page.getByRole("button", { name: "Branch after, at question 2" })).toBeFocused();
  await ask(page, "And of wells?");
  await expect(question(page, 4)).toHaveText("And of wells?");
  const [held = 0, read = 0] = await tokensOf(page, 4);
  expect(held).toBeGreaterThan(read);
  await act(page, "Branch after, at question 2");
  await expect(question(page, 2)).toHaveText("And of its birds?");
  await expect(page.locator("#chat-turns > li")).toHaveCount(2);
});

test("a regenerated answer is drawn by another seed, in a branch", async ({ page }) => {
  await open(page, { ...FULL, tokens: "12", temperature: "1" });
  await expect(page.locator("#chat-hint")).not.toContainText("likeliest");
  await ask(page, "Tell me of the sea.");
  const first = await answer(page, 1).innerText();
  await act(page, "Regenerate answer 1");
  await answered(page);
  await expect(page.getByRole("group", { name: "Branches at question 1" })).toContainText("2 of 2");
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  expect(await answer(page, 1).innerText()).not.toBe(first);
  await act(page, "Branch before, at question 1");
  expect(await answer(page, 1).innerText()).toBe(first);
});

test("another answer to the newest question goes on from what was held before it, evictions or not", async ({
  page,
}) => {
  // Of one token, which is never in the cache: an answer's bytes may be no text.
  await open(page, { tokens: "1" });
  await ask(page, TELL);
  await ask(page, "And of its ships, and of the towns that they have sailed to?");
  const [held = 0, read = 0] = await tokensOf(page, 2);
  expect(held).toBeGreaterThan(TELL.length);
  await act(page, "Regenerate answer 2");
  await answered(page);
  expect(await tokensOf(page, 2)).toEqual([held, read, 1]);
  await act(page, "Edit question 2");
  await page.getByLabel("Question 2, edited").fill("And of its birds?");
  await page.keyboard.press("Enter");
  await answered(page);
  expect((await tokensOf(page, 2))[0]).toBe(held);
  // Slots evicted at the second turn can't be brought back for the first.
  await act(page, "Regenerate answer 1");
  await answered(page);
  expect((await tokensOf(page, 1))[0]).toBe(0);
  await expect(page.getByRole("group", { name: "Branches at question 1" })).toContainText("2 of 2");
});

test("an answer is copied as it is", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, FULL);
  await ask(page, "Tell me of the sea.");
  await page.getByRole("button", { name: "Copy answer 1" }).click();
  await expect(turn(page, 1).getByRole("status")).toHaveText("Copied");
  const text = await answer(page, 1).evaluate(({ textContent }) => textContent);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(text);
});

test("a saved conversation goes on after a reload, and can be exported, deleted and opened again", async ({
  page,
}, info) => {
  await open(page, FULL);
  await expect(page.locator("#chat-saved-empty")).toBeVisible();
  await ask(page, "Tell me of the wide and open sea.");
  const text = await answer(page, 1).innerText();
  await expect(nameField(page)).toHaveValue("Tell me of the wide and");
  await nameField(page).fill("The sea/1");
  await act(page, "Save");
  await expect(page.locator("#chat-save-status")).toHaveText("Saved as The sea/1.");
  await expect(page.locator("#chat-save-hint")).toHaveText("Everything in it is saved.");
  await expect(page.locator("#chat-saved-list li")).toHaveText(
    /The sea\/1.*\d{4}-\d\d-\d\d \d\d:\d\d · .+ [KM]iB/s,
  );

  await page.reload();
  await reach(page, "ready");
  await act(page, "Open The sea/1");
  await expect(page.locator("#chat-save-status")).toHaveText("Opened The sea/1.");
  expect(await answer(page, 1).innerText()).toBe(text);
  await expect(page.locator("#chat-rules")).toContainText("whole prompt · all output · 16-bit");
  await expect(page.locator("#chat-held")).toHaveText(/\d/);
  await expect(page.locator("#chat-picture-empty")).toBeHidden();
  await ask(page, "And of its ships?");
  const [held = 0] = await tokensOf(page, 2);
  expect(held).toBeGreaterThan("Tell me of the wide and open sea.".length);
  await expect(page.locator("#chat-save-hint")).toContainText("Replaces");

  const download = page.waitForEvent("download");
  await act(page, "Export The sea/1");
  const exported = await download;
  expect(exported.suggestedFilename()).toMatch(/^The sea.1\.kvsession$/);
  const path = info.outputPath("sea.kvsession");
  await exported.saveAs(path);

  await act(page, "Delete The sea/1");
  await expect(page.getByRole("button", { name: "Keep The sea/1" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Delete The sea/1" })).toBeFocused();
  await page.keyboard.press("Enter");
  await act(page, "Delete for good The sea/1");
  await expect(page.locator("#chat-saved-empty")).toBeVisible();
  await page.reload();
  await reach(page, "ready");
  await expect(page.locator("#chat-saved-empty")).toBeVisible();

  await page.getByLabel(/a file that was exported/).setInputFiles(path);
  await expect(page.locator("#chat-save-status")).toHaveText("Opened sea.");
  expect(await answer(page, 1).innerText()).toBe(text);
  await expect(nameField(page)).toHaveValue("sea");
});

test("what is not this model's conversation is refused by name, and the chat goes on", async ({
  page,
}) => {
  await open(page, FULL);
  await ask(page, "Tell me of the sea.");
  await act(page, "Save");
  await expect(page.locator("#chat-saved-list li")).toHaveCount(1);

  await page.getByText("Use another model").click();
  await page.getByLabel(/a file of yours/).setInputFiles({
    name: "other.gguf",
    mimeType: "",
    buffer: Buffer.from(tinyModel(2)),
  });
  await reach(page, "ready");
  const problem = page.getByRole("alert");
  await act(page, "Open Tell me of the sea.");
  await expect(problem).toContainText("This conversation is another model's");
  await expect(page.locator("#chat-save-status")).toHaveText("Tell me of the sea. was not opened.");
  await page.getByLabel(/a file that was exported/).setInputFiles({
    name: "no.kvsession",
    mimeType: "",
    buffer: Buffer.from("no session at all"),
  });
  await expect(problem).toContainText("not a saved conversation");

  // The open conversation is another model's too: this one reads its messages anew.
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await ask(page, "And of its ships?");
  await expect(problem).toBeHidden();
  const [held, read = 0] = await tokensOf(page, 2);
  expect(held).toBe(0);
  expect(read).toBeGreaterThan("Tell me of the sea.And of its ships?".length);
  await expect(turn(page, 1).getByRole("heading", { name: "Tiny" })).toBeVisible();
  await expect(turn(page, 2).getByRole("heading", { name: "other.gguf" })).toBeVisible();
});

test("a message that fails is given back", async ({ page }) => {
  await open(page, FULL);
  const long = "The boat came through ice. ".repeat(40);
  await ask(page, long);
  await expect(page.getByRole("alert")).toContainText("too long");
  await expect(status(page)).toHaveText("Nothing was answered; the message was taken back.");
  await expect(message(page)).toHaveValue(long);
  await expect(page.locator("#chat-turns > li")).toHaveCount(0);
  await ask(page, "Short.");
  await expect(status(page)).toHaveText(/^Answered/);

  await act(page, "Edit question 1");
  await page.getByLabel("Question 1, edited").fill(long);
  await act(page, "Send as a branch");
  await answered(page);
  await expect(page.getByLabel("Question 1, edited")).toHaveValue(long);
  await act(page, "Cancel");
  await expect(question(page, 1)).toHaveText("Short.");
  await expect(page.getByRole("group", { name: /^Branches/ })).toBeHidden();
});

test("a device that goes away leaves the conversation, which goes on with the next one", async ({
  page,
}) => {
  await beforeWorker(page, rememberDevices);
  await open(page, LONG);
  await message(page).fill("Tell me of the sea.");
  await act(page, "Send");
  await expect(answer(page, 1)).toHaveText(/.{5}/s);
  await page.workers()[0]?.evaluate(() => globalThis.devices.forEach((device) => device.destroy()));
  await reach(page, "lost");
  await expect(page.getByRole("alert")).toContainText("The GPU went away");
  await expect(status(page)).toHaveText(/^Stopped: \d+ tokens/);
  expect((await answer(page, 1).innerText()).length).toBeGreaterThanOrEqual(5);
  await expect(page.getByRole("button", { name: "Edit question 1" })).toBeDisabled();

  await act(page, "Try again");
  await reach(page, "ready");
  await page.getByLabel("Expected tokens T").fill("4");
  await act(page, "Edit question 1");
  await page.keyboard.press("Enter");
  await answered(page);
  await expect(status(page)).toHaveText(/^Answered: 4 tokens/);
  await expect(page.getByRole("group", { name: "Branches at question 1" })).toContainText("2 of 2");
});

test("a full disk is said, and the conversation goes on", async ({ page, context, server }) => {
  await open(page, FULL);
  await ask(page, "Tell me of the sea.");
  const devtools = await context.newCDPSession(page);
  const { origin } = server;
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1000 });
  await act(page, "Save");
  await expect(page.getByRole("alert")).toContainText("There is no room to keep this");
  await expect(page.locator("#chat-saved-empty")).toBeVisible();
  await ask(page, "And of its ships?");
  await expect(page.getByRole("alert")).toBeHidden();
  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  await act(page, "Save");
  await expect(page.locator("#chat-saved-list li")).toHaveCount(1);
});

test("the whole of it can be done by keyboard", async ({ page }) => {
  await open(page, FULL);
  await page.getByRole("link", { name: /^Skip/ }).focus();
  await page.keyboard.press("Enter");
  await expect(message(page)).toBeFocused();
  await page.keyboard.type("Tell me");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("of the sea.");
  await page.keyboard.press("Enter");
  await answered(page);
  await expect(question(page, 1)).toHaveText("Tell me\nof the sea.", { useInnerText: true });
  await expect(message(page)).toBeFocused();
  await page.keyboard.type("And of ships?");
  await page.keyboard.press("Enter");
  await answered(page);

  // Back through the transcript: the last turn's buttons are the nearest.
  for (const name of ["Copy answer 2", "Regenerate answer 2", "Edit question 2"]) {
    await page.keyboard.press("Shift+Tab");
    await expect(page.getByRole("button", { name })).toBeFocused();
  }
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("And of birds?");
  await page.keyboard.press("Enter");
  await answered(page);
  await expect(question(page, 2)).toHaveText("And of birds?");
  await page.getByRole("button", { name: "Branch before, at question 2" }).press("Enter");
  await expect(question(page, 2)).toHaveText("And of ships?");
  await page.keyboard.press("Enter");
  await expect(question(page, 2)).toHaveText("And of birds?");
  await nameField(page).press("Enter");
  await expect(page.locator("#chat-saved-list li")).toHaveCount(1);
});

test("a model without a chat template knows no turns, and the view says what to do", async ({
  page,
}) => {
  await open(page, FULL, tinyModelOfTexts());
  await expect(page.getByText("This model has no chat template")).toBeVisible();
  await message(page).fill("Tell me of the sea.");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Send" })).toBeDisabled();
  await expect(message(page)).toHaveValue("Tell me of the sea.");
  await act(page, "Choose another model");
  await page.getByLabel(/a file of yours/).setInputFiles({
    name: "good.gguf",
    mimeType: "",
    buffer: Buffer.from(tinyModel()),
  });
  await reach(page, "ready");
  await expect(page.getByText("This model has no chat template")).toBeHidden();
  await act(page, "Send");
  await answered(page);
  await expect(answer(page, 1)).toHaveText(/\S/);
});

test("the tab is reached from the first, and a link brings it with the settings", async ({
  page,
}) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await page.getByRole("tab", { name: "One prompt" }).press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Chat" })).toBeFocused();
  await expect(page).toHaveURL(/prefillBudget=24.*view=chat/);
  await expect(page.getByLabel("And a third")).toBeHidden();
  await page.reload();
  await reach(page, "ready");
  await expect(page.getByRole("tabpanel", { name: "Chat" })).toBeVisible();
  await expect(page.locator("#chat-rules")).toContainText("snapkv 24");
});

for (const colorScheme of ["light", "dark"] as const) {
  const width = colorScheme === "light" ? 390 : 1280;
  test.describe(`${colorScheme}, ${width} px wide`, () => {
    test.use({ colorScheme, viewport: { width, height: 800 } });

    test("the view is accessible, fits, and nothing moves by itself", async ({ page }, info) => {
      const check = async (name: string): Promise<void> => {
        expect(await violations(page)).toEqual([]);
        const across = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(across).toBeLessThanOrEqual(width);
        await page.screenshot({ fullPage: true, path: info.outputPath(`${name}.png`) });
      };
      await open(page, { tokens: "24", seed: "1", temperature: "1" });
      await check("empty");
      await ask(page, "A seal slept on the landing for three days.");
      await ask(page, "And then?\nTell it in two lines.");
      await act(page, "Regenerate answer 2");
      await answered(page);
      await act(page, "Save");
      await expect(page.locator("#chat-saved-list li")).toHaveCount(1);
      expect(await moved(page)).toEqual([]);
      await check("turns");
      await act(page, "Edit question 2");
      await page.locator("#chat-saved-list button").last().click();
      await check("doubts");
    });

    test("a model without a chat template leaves it accessible", async ({ page }, info) => {
      await open(page, {}, tinyModelOfTexts());
      expect(await violations(page)).toEqual([]);
      await page.screenshot({ fullPage: true, path: info.outputPath("untaught.png") });
    });
  });
}
