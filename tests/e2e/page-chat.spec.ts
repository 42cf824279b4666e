import { readFile } from "node:fs/promises";
import { violations } from "./axe.ts";
import { moved } from "./layout-shift.ts";
import { beforeWorker, offerTiny, reach, shortRun } from "./open-page.ts";
import { rememberDevices } from "./remember-devices.ts";
import { expect, test, type Page } from "./test.ts";
import { tinyModel, tinyModelOfShortHistory, tinyModelOfTexts } from "./tiny-gguf.ts";

/** Rules under which nothing is evicted, so that each turn can go on from all of the one before. */
const FULL = { prefill: "full", decode: "full", tokens: "6" };
/** Random weights go on for long after this one. */
const LONG = { tokens: "4000" };

/** Long beside an answer, whose bytes may be no text and so are read again. */
const TELL = "Tell me of the sea, and of all those who have sailed on it.";

const DOCUMENT = "The keeper lit the lamp at ten. A seal slept on the ice below it. "
  .repeat(3)
  .trim();

const chats = (page: Page) => page.getByRole("combobox", { name: "Conversations" });
const listed = (page: Page) => chats(page).locator("option");
const message = (page: Page) => page.getByRole("textbox", { name: "Message", exact: true });
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

/** Shows another conversation of this visit. */
async function choose(page: Page, label: string | RegExp): Promise<void> {
  const option = listed(page).filter({ hasText: label });
  await chats(page).selectOption({ label: await option.innerText() });
}

/** A file as a test drops it. */
interface Dropped {
  readonly name: string;
  readonly bytes: readonly number[];
}

async function dropFiles(page: Page, files: readonly Dropped[]): Promise<void> {
  await page.evaluate((all) => {
    const dataTransfer = new DataTransfer();
    for (const { name, bytes } of all) {
      dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
    }
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
  }, files);
}

/** Bytes that a saved conversation is exported to. */
async function exportOf(page: Page, name: string): Promise<number[]> {
  const download = page.waitForEvent("download");
  await act(page, `Export ${name}`);
  return [...(await readFile(await (await download).path()))];
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
  await choose(page, "1. A seal slept on the landing · not saved");
  await expect(page.locator("#chat-turns > li")).toHaveCount(2);
  await expect(rules).toContainText("adaptive 8");
  await choose(page, "2. Who are you? · not saved");
  await expect(question(page, 1)).toHaveText("Who are you?");
});

test("every conversation of the visit stays within reach, saved or not", async ({ page }) => {
  await open(page, FULL);
  await expect(chats(page)).toBeDisabled();
  await expect(listed(page)).toHaveText(["1. New conversation"]);
  for (const text of ["Tell me of the sea.", "And of ships?", "And of towns?"]) {
    await ask(page, text);
    await act(page, "New conversation");
    await expect(message(page)).toBeFocused();
    await expect(page.locator("#chat-turns > li")).toHaveCount(0);
  }
  await expect(page.getByRole("button", { name: "New conversation" })).toBeDisabled();
  await chats(page).press("Home");
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await expect(chats(page)).toBeFocused();
  await expect(status(page)).toHaveText("Shows “Tell me of the sea.”.");
  // The one without a message has nothing to be lost.
  const unsaved = ["Tell me of the sea.", "And of ships?", "And of towns?"];
  await expect(listed(page)).toHaveText(
    unsaved.map((text, at) => `${at + 1}. ${text} · not saved`),
  );
  const first = await answer(page, 1).innerText();
  await chats(page).press("ArrowDown");
  await expect(question(page, 1)).toHaveText("And of ships?");
  await act(page, "Regenerate answer 1");
  await answered(page);
  await choose(page, "1. Tell me of the sea. · not saved");
  expect(await answer(page, 1).innerText()).toBe(first);
  await act(page, "Save");
  await expect(listed(page).first()).toHaveText("1. Tell me of the sea.");
  await ask(page, "And of its birds?");
  expect((await tokensOf(page, 2))[0]).toBeGreaterThan("Tell me of the sea.".length);
  await expect(listed(page).first()).toHaveText("1. Tell me of the sea. · not saved");
  await choose(page, "2. And of ships? · not saved");
  await expect(page.getByRole("group", { name: "Branches at question 1" })).toContainText("2 of 2");

  // What another conversation has replaced, or the reader deleted, is not saved any more.
  await nameField(page).fill("Tell me of the sea.");
  await act(page, "Save");
  await expect(listed(page)).toHaveText([
    "1. Tell me of the sea. · not saved",
    "2. Tell me of the sea.",
    "3. And of towns? · not saved",
  ]);
  await act(page, "Delete Tell me of the sea.");
  await act(page, "Delete for good Tell me of the sea.");
  await expect(listed(page).nth(1)).toHaveText("2. Tell me of the sea. · not saved");
  await expect(page.locator("#chat-save-hint")).toHaveText(/^Saves the branch/);
});

test("with Save after each answer nothing is left unsaved, and no other conversation is replaced", async ({
  page,
}) => {
  await open(page, FULL);
  await ask(page, "Tell me of the sea.");
  await act(page, "Save");
  const names = page.locator("#chat-saved-list .saved-name");
  await expect(names).toHaveText([/^Tell me of the sea\.\d{4}/]);
  await act(page, "New conversation");
  const auto = page.getByLabel("Save after each answer");
  await auto.check();
  await ask(page, "Tell me of the sea.");
  await expect(page.locator("#chat-save-hint")).toHaveText("Everything in it is saved.");
  await expect(status(page)).toHaveText(/^Answered: 6 tokens/);
  await expect(nameField(page)).toHaveValue("Tell me of the sea. 2");
  await ask(page, "And of its ships?");
  await expect(page.locator("#chat-save-hint")).toHaveText("Everything in it is saved.");
  await expect(names).toHaveText([/^Tell me of the sea\. 2\d{4}/, /^Tell me of the sea\.\d{4}/]);
  await page.reload();
  await reach(page, "ready");
  await expect(auto).not.toBeChecked();
  await act(page, "Open Tell me of the sea. 2");
  await expect(question(page, 2)).toHaveText("And of its ships?");
  await ask(page, "And of towns?");
  await expect(page.locator("#chat-save-hint")).not.toHaveText("Everything in it is saved.");
  await expect(names).toHaveCount(2);
});

test("saved conversations are opened when they are dropped on any view, damaged ones are named", async ({
  page,
}) => {
  await open(page, FULL);
  const saved: Dropped[] = [];
  for (const text of ["Tell me of the sea.", "And of towns?"]) {
    await ask(page, text);
    await act(page, "Save");
    await expect(page.locator("#chat-save-hint")).toHaveText("Everything in it is saved.");
    saved.push({ name: `${saved.length}.kvsession`, bytes: await exportOf(page, text) });
    await act(page, "New conversation");
  }
  const [sea, towns] = saved as [Dropped, Dropped];

  await page.getByRole("tab", { name: "Compare policies" }).click();
  await dropFiles(page, [sea]);
  await expect(page.getByRole("tabpanel", { name: "Chat" })).toBeVisible();
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await expect(page.locator("#model-name")).toHaveText("Tiny");
  await expect(nameField(page)).toHaveValue("0");
  // A save in this browser is not a file that was dropped.
  await expect(listed(page)).toHaveText([
    "1. Tell me of the sea.",
    "2. And of towns?",
    "3. 0 · not saved",
  ]);

  const damaged = { name: "cut.KVSESSION", bytes: sea.bytes.slice(0, -9) };
  const empty = { name: "empty.kvsession", bytes: [] };
  // Told by what is in it, whatever its name.
  const renamed = { name: "1.kvsession.txt", bytes: towns.bytes };
  await dropFiles(page, [damaged, renamed, empty, sea]);
  const problem = page.getByRole("alert");
  await expect(problem).toContainText("not a saved conversation, or a damaged one");
  await expect(problem).toContainText("cut.KVSESSION: ");
  await expect(problem).toContainText("empty: ");
  await expect(listed(page)).toHaveCount(5);
  await expect(listed(page).nth(3)).toHaveText("4. 1.kvsession.txt · not saved");
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await expect(page.locator("#chat-save-status")).toHaveText(
    "Opened 1.kvsession.txt, 0. cut.KVSESSION, empty were not opened.",
  );
  await reach(page, "ready");
  await ask(page, "And of its ships?");
  await expect(problem).toBeHidden();
  expect((await tokensOf(page, 2))[0]).toBeGreaterThan("Tell me of the sea.".length);
});

test("a conversation that is dropped before its model waits for it", async ({ page }) => {
  await open(page, { ...FULL, tokens: "400" });
  await page.getByLabel("Expected tokens T").fill("6");
  await ask(page, "Tell me of the sea.");
  await act(page, "Save");
  await expect(page.locator("#chat-save-hint")).toHaveText("Everything in it is saved.");
  const sea = { name: "sea.kvsession", bytes: await exportOf(page, "Tell me of the sea.") };

  // While another answer is written, too.
  await page.getByLabel("Expected tokens T").fill("400");
  await act(page, "New conversation");
  await message(page).fill("And of towns?");
  await act(page, "Send");
  await expect(answer(page, 1)).toHaveText(/.{5}/s);
  await dropFiles(page, [sea]);
  await act(page, "Stop");
  await expect(nameField(page)).toHaveValue("sea");
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await choose(page, "2. And of towns? · not saved");
  await expect(answer(page, 1)).toHaveText(/.{5}/s);

  await page.unroute("**/models.json");
  await page.route("**/models.json", (route) => route.fulfill({ json: { models: [] } }));
  await page.goto("/?none");
  await reach(page, "empty");
  await dropFiles(page, [sea]);
  await expect(status(page)).toHaveText("Load the model of sea first: then it is opened.");
  await expect(page.locator("#chat-turns > li")).toHaveCount(0);
  const model = { name: "tiny.gguf", bytes: [...tinyModel()] };
  await dropFiles(page, [model]);
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await expect(page.locator("#model-name")).toHaveText("tiny.gguf");

  // Together with its model, in any order.
  await page.goto("/?both");
  await reach(page, "empty");
  await dropFiles(page, [sea, model]);
  await expect(question(page, 1)).toHaveText("Tell me of the sea.");
  await reach(page, "ready");
});

test("a system message begins the conversations after it, and no others", async ({ page }) => {
  await open(page, FULL);
  await ask(page, TELL);
  const [, without = 0] = await tokensOf(page, 1);
  await page.getByText("System message and document").click();
  const system = page.getByRole("textbox", { name: "System message" });
  const words = "Answer as a sailor would.";
  await system.fill(words);
  const opening = page.locator("#chat-opening");
  await expect(opening).toBeHidden();
  await ask(page, "And of towns?");
  expect((await tokensOf(page, 2))[0]).toBeGreaterThanOrEqual(without);

  await act(page, "New conversation");
  await expect(opening).toHaveText(`System message${words}`);
  await system.fill(`${words} Briefly.`);
  await expect(opening).toHaveText(`System message${words} Briefly.`);
  await system.fill(words);
  await ask(page, TELL);
  const [, read = 0] = await tokensOf(page, 1);
  // Its bytes, and those of its role's name and marks.
  expect(read - without).toBeGreaterThanOrEqual(words.length + "system".length);
  await system.fill("");
  await expect(opening).toHaveText(`System message${words}`);
  await act(page, "Save");
  await expect(page.locator("#chat-save-hint")).toHaveText("Everything in it is saved.");
  await choose(page, /^1\. Tell me/);
  await expect(opening).toBeHidden();

  await page.reload();
  await reach(page, "ready");
  await page.getByRole("button", { name: /^Open Tell me/ }).click();
  await expect(opening).toHaveText(`System message${words}`);
  await ask(page, "And of towns?");
  expect((await tokensOf(page, 2))[0]).toBeGreaterThanOrEqual(read);
});

test("a document is read once, and each question is asked of it alone", async ({ page }) => {
  await open(page, { tokens: "4", prefillBudget: "48" });
  await page.getByText("System message and document").click();
  const field = page.getByRole("textbox", { name: "Document to ask about" });
  const size = page.locator("#chat-document-size");
  const read = page.getByRole("button", { name: "Read it in a new conversation" });
  await expect(read).toBeDisabled();
  await page.getByLabel(/Or a text file of yours/).setInputFiles({
    name: "lamp.md",
    mimeType: "text/markdown",
    buffer: Buffer.from(`\uFEFF${DOCUMENT}\r\n`),
  });
  await expect(field).toHaveValue(`${DOCUMENT}\n`);
  await expect(field).toBeFocused();
  // A token for every byte.
  const tokens = DOCUMENT.length + 1;
  await expect(size).toHaveText(`${tokens} tokens; the model's context has 512.`);
  await read.click();
  await expect(status(page)).toHaveText("The document is read: ask about it.");
  await expect(message(page)).toBeFocused();
  await expect(field).toHaveValue("");
  const opening = page.locator("#chat-opening");
  await expect(opening).toContainText(`${tokens} tokens. Each head holds 48 of `);
  const positions = Number(/of (\d+) positions/.exec(await opening.innerText())?.[1]);
  expect(positions).toBeGreaterThan(DOCUMENT.length);
  await expect(opening).toContainText(/KiB held, a full f16 cache .+ KiB: [1-9]\d % saved\./);
  // Bytes of one slot are the same everywhere: the shares of slots and of bytes agree.
  const saved = Number(/(\d+) % saved/.exec(await opening.innerText())?.[1]);
  expect(Math.abs(saved - 100 * (1 - 48 / positions))).toBeLessThan(10);
  await expect(page.getByRole("slider", { name: "Turn" })).toBeHidden();
  await page.getByRole("application").focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.locator("#chat-picture-readout")).toContainText(
    /^Layer 1, position 0 · “<\|im_start\|>” · asked/,
  );

  for (const [number, text] of ["Who lit it, and when?", "Who slept on the ice?"].entries()) {
    await ask(page, text);
    const [held, asked = 0, written] = await tokensOf(page, number + 1);
    expect([held, written]).toEqual([positions, 4]);
    expect(asked).toBeGreaterThanOrEqual(text.length);
    expect(asked).toBeLessThan(text.length + 40);
  }
  const second = await answer(page, 2).innerText();
  await act(page, "Regenerate answer 2");
  await answered(page);
  expect(await answer(page, 2).innerText()).toBe(second);
  expect((await tokensOf(page, 2))[0]).toBe(positions);

  await expect(page.locator("#chat-save-hint")).toHaveText(/^Saves the document with its cache/);
  await nameField(page).fill("lamp");
  await act(page, "Save");
  await expect(page.locator("#chat-save-hint")).toHaveText(/^The document is saved/);
  await page.reload();
  await reach(page, "ready");
  await act(page, "Open lamp");
  await expect(opening).toContainText(`of ${positions} positions`);
  await ask(page, "Who slept on the ice?");
  expect((await tokensOf(page, 1))[0]).toBe(positions);
  expect(await answer(page, 1).innerText()).toBe(second);

  // Another model reads it anew, and the system's message with it.
  await page.getByText("Use another model").click();
  await page
    .getByLabel(/a file of yours; it can also be dropped on the page/)
    .first()
    .setInputFiles({
      name: "other.gguf",
      mimeType: "",
      buffer: Buffer.from(tinyModel(2)),
    });
  await reach(page, "ready");
  await ask(page, "Who lit it?");
  expect((await tokensOf(page, 2))[0]).toBe(positions);
});

test("what can't be a document is said, and nothing of it is lost", async ({ page }) => {
  await open(page, { ...FULL, tokens: "4" });
  const field = page.getByRole("textbox", { name: "Document to ask about" });
  const read = page.getByRole("button", { name: "Read it in a new conversation" });
  const problem = page.getByRole("alert");
  const long = "The keeper lit the lamp. ".repeat(30);
  await page.getByRole("tab", { name: "One prompt" }).click();
  await dropFiles(page, [{ name: "long.txt", bytes: [...Buffer.from(long)] }]);
  await expect(page.getByRole("tabpanel", { name: "Chat" })).toBeVisible();
  await expect(field).toHaveValue(long);
  await expect(page.locator("#chat-document-size")).toHaveText(
    `${long.length} tokens: too long; the model's context has 512.`,
  );
  await read.click();
  await expect(problem).toContainText("The document is too long for this model");
  await expect(problem).toContainText("512");
  await expect(status(page)).toHaveText("The document was not read.");
  await expect(field).toHaveValue(long);
  await expect(listed(page)).toHaveCount(1);

  await page.getByLabel(/Or a text file of yours/).setInputFiles([
    { name: "cat.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]) },
    { name: "short.txt", mimeType: "text/plain", buffer: Buffer.from("A seal.") },
    {
      name: "wide.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("\uFEFFTwo seals.", "utf16le"),
    },
  ]);
  await expect(problem).toContainText("cat.png can't be read as a text");
  // In place of the file before.
  await expect(field).toHaveValue("A seal.\n\nTwo seals.");
  await field.fill("Mine.");
  await dropFiles(page, [{ name: "more", bytes: [...Buffer.from("And a third.")] }]);
  await expect(field).toHaveValue("Mine.\n\nAnd a third.");
  await read.click();
  await expect(page.locator("#chat-opening")).toContainText("Mine.");
  await expect(problem).toBeHidden();
  await ask(page, "Who?");
  await expect(answer(page, 1)).toHaveText(/\S/);

  // A picture that is dropped is no text: the loader says what it is not.
  await dropFiles(page, [{ name: "cat.png", bytes: [0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3] }]);
  await expect(problem).toContainText("not a model");
});

test("reading a document can be stopped, and its text stays", async ({ page }) => {
  await open(page, FULL);
  await page.getByText("System message and document").click();
  const field = page.getByRole("textbox", { name: "Document to ask about" });
  await field.fill(DOCUMENT);
  const stop = page.getByRole("button", { name: "Stop" });
  await page.evaluate(() => {
    // At once: a tiny model has read it before a test has seen that.
    document.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLButtonElement && target.id === "chat-stop") {
        target.click();
      }
    });
  });
  await act(page, "Read it in a new conversation");
  await expect(status(page)).toHaveText("The document was not read.");
  await expect(field).toHaveValue(DOCUMENT);
  await expect(stop).toBeDisabled();
  await expect(page.getByRole("alert")).toBeHidden();
  await expect(page.locator("#chat-opening")).toBeHidden();
});

test("thinking can be dropped, where the model's template drops it from earlier answers", async ({
  page,
}) => {
  const drop = page.getByLabel("Drop the thinking of answers from the cache");
  await open(page, { ...FULL, tokens: "24" });
  await page.getByText("System message and document").click();
  await expect(page.getByRole("textbox", { name: "System message" })).toBeVisible();
  await expect(drop).toBeHidden();

  await page.getByText("Use another model").click();
  await page.getByLabel("Or a file of yours; it can also be dropped on the page").setInputFiles({
    name: "thinks.gguf",
    mimeType: "",
    buffer: Buffer.from(tinyModelOfShortHistory()),
  });
  await reach(page, "ready");
  await expect(drop).toBeVisible();
  const second: number[][] = [];
  for (const isDropped of [false, true]) {
    await drop.setChecked(isDropped);
    await ask(page, TELL);
    await ask(page, "And then?");
    second.push(await tokensOf(page, 2));
    await act(page, "New conversation");
  }
  const [[kept = 0, reread = 0] = [], [held = 0, read = 0] = []] = second;
  // The same tokens, of which the answer's last are held in place of what was before them.
  expect(held + read).toBe(kept + reread);
  expect(held).toBeGreaterThan(kept);
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

      await act(page, "New conversation");
      await page.getByText("System message and document").click();
      await page.getByRole("textbox", { name: "System message" }).fill("Answer briefly.");
      const field = page.getByRole("textbox", { name: "Document to ask about" });
      await field.fill(DOCUMENT);
      await expect(page.locator("#chat-document-size")).toContainText("tokens");
      await check("setup");
      await act(page, "Read it in a new conversation");
      await expect(status(page)).toHaveText("The document is read: ask about it.");
      await reach(page, "ready");
      await field.fill(DOCUMENT.repeat(3));
      await expect(page.locator("#chat-document-size")).toContainText("too long");
      await ask(page, "Who lit the lamp?");
      await check("document");
      await act(page, "Read it in a new conversation");
      await expect(page.getByRole("alert")).toContainText("too long");
      await check("too long");
    });

    test("a model without a chat template leaves it accessible", async ({ page }, info) => {
      await open(page, {}, tinyModelOfTexts());
      expect(await violations(page)).toEqual([]);
      await page.screenshot({ fullPage: true, path: info.outputPath("untaught.png") });
    });
  });
}
