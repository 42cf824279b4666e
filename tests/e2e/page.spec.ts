import { readFile } from "node:fs/promises";
import { moved } from "./layout-shift.ts";
import { offer, offerTiny, outputOf, reach, runToEnd, shortRun } from "./open-page.ts";
import { expect, SUB_PATH, test, type Page } from "./test.ts";
import { tinyModel, tinyModelOfTexts, tinyModelOfWideHeads } from "./tiny-gguf.ts";

/** Random weights go on for long after this one. */
const LONG = { tokens: "4000", prompt: "A seal slept on the landing." };
const MIB = 2 ** 20;
const bytesIn = async (page: Page, id: string): Promise<number> => {
  const [size = "", unit = ""] = (await page.locator(id).innerText()).split(" ");
  return Number(size.replace(",", "")) * 1024 ** ["B", "KiB", "MiB", "GiB"].indexOf(unit);
};

for (const path of ["/", SUB_PATH]) {
  test(`served at "${path}" the default model loads, and one click runs SCOPE beside the full cache`, async ({
    page,
  }) => {
    await offerTiny(page);
    await page.goto(`${path}${shortRun()}`);
    await reach(page, "ready");
    await runToEnd(page);

    for (const name of [/SCOPE adaptive/, /Full cache/]) {
      expect((await outputOf(page, name).innerText()).length).toBeGreaterThan(0);
    }
    const held = await bytesIn(page, "#saved-held");
    const full = await bytesIn(page, "#saved-full");
    expect(held).toBeLessThan(full);
    const saved = Number.parseInt(await page.locator("#saved").innerText(), 10);
    expect(Math.abs(saved - 100 * (1 - held / full))).toBeLessThan(1);
    await expect(page.locator("#saved-prefill")).toHaveText("24");
    await expect(
      page.getByRole("img", { name: /Chart of cache size.*SCOPE adaptive.*Full cache/ }),
    ).toBeVisible();
  });
}

test("4-bit keys and values hold fewer bytes of the same slots, and a link brings them back", async ({
  page,
}) => {
  await offerTiny(page, Buffer.from(tinyModelOfWideHeads()));
  // In fewer slots the exact rows of h4 are more than it saves over h8.
  const prompt = "A seal slept on the landing of a weather station. ".repeat(7);
  await page.goto(`/${shortRun({ prompt, prefillBudget: "300", tokens: "12" })}`);
  await reach(page, "ready");
  const held: number[] = [];
  const full: number[] = [];
  for (const [keys, values, bits] of [
    ["f16", "same", "16-bit"],
    ["h8", "same", "8-bit"],
    ["h8", "h4", "8/4-bit"],
    ["h4", "same", "4-bit"],
  ] as const) {
    await page.getByLabel("Keys", { exact: true }).selectOption(keys);
    await page.getByLabel("Values", { exact: true }).selectOption(values);
    await runToEnd(page);
    await expect(page.locator("#bars")).toContainText(`slots · ${bits}`);
    held.push(await bytesIn(page, "#saved-held"));
    full.push(await bytesIn(page, "#saved-full"));
  }
  expect(held).toEqual(held.toSorted((a, b) => b - a));
  expect(new Set(held).size).toBe(4);
  // The full cache is in f16 whatever the type.
  expect(new Set(full).size).toBe(1);
  await page.getByLabel("Values", { exact: true }).selectOption("h8");
  expect(page.url()).toContain("cacheType=h4&valueType=h8");
  await page.reload();
  await reach(page, "ready");
  await expect(page.getByLabel("Keys", { exact: true })).toHaveValue("h4");
  await expect(page.getByLabel("Values", { exact: true })).toHaveValue("h8");
});

test("heads that a type can't hold are refused by name", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ cacheType: "h4", full: "false" })}`);
  await reach(page, "ready");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.getByRole("alert")).toContainText("head_dim is 16");
});

test("the whole output is kept when it is stopped half-way, and other settings run after it", async ({
  page,
}) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ ...LONG, full: "false" })}`);
  await reach(page, "ready");
  await page.getByRole("button", { name: "Generate" }).click();
  const output = outputOf(page, /SCOPE adaptive/);
  await expect(output).toHaveText(/.{20}/s);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#run-status")).toContainText("Stopped");
  const text = await output.innerText();
  expect(text.length).toBeGreaterThanOrEqual(20);
  await expect(page.getByRole("button", { name: "Generate" })).toBeFocused();

  await page.getByLabel("Strategy").selectOption("slide");
  await page.getByLabel("Expected tokens T").fill("12");
  await runToEnd(page);
  await expect(outputOf(page, /SCOPE slide/)).toBeVisible();
  await expect(page.locator("#run-status")).toContainText("Done: 12 tokens");
});

test("a model that was loaded once is there after a reload with no request for it", async ({
  page,
}) => {
  const tiny = await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(1);
  await page.reload();
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(1);

  await page.getByText("Use another model").click();
  await page.getByRole("button", { name: "Delete tiny.gguf" }).click();
  await expect(page.locator("#stored")).toBeHidden();
  await page.reload();
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(2);
});

test("without a default the page asks for a model, and takes a file", async ({ page }) => {
  await offer(page, null);
  await page.goto(`/${shortRun()}`);
  await reach(page, "empty");
  await expect(page.getByRole("button", { name: "Generate" })).toBeDisabled();
  const buffer = Buffer.from(tinyModel());
  await page
    .getByLabel(/a file of yours/)
    .setInputFiles({ name: "mine.gguf", mimeType: "", buffer });
  await reach(page, "ready");
  await expect(page.locator("#model-name")).toHaveText("mine.gguf");
  await runToEnd(page);
});

test("files dropped on the page are taken as a model", async ({ page }) => {
  await offer(page, null);
  await page.goto(`/${shortRun()}`);
  await reach(page, "empty");
  const dropped = await page.evaluateHandle(
    (bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], "dropped.gguf"));
      return transfer;
    },
    [...tinyModel()],
  );
  await page.dispatchEvent("body", "dragover", { dataTransfer: dropped });
  await expect(page.locator("body")).toHaveClass(/dropping/);
  await page.dispatchEvent("body", "drop", { dataTransfer: dropped });
  await reach(page, "ready");
  await expect(page.locator("body")).not.toHaveClass(/dropping/);
  await expect(page.locator("#model-name")).toHaveText("dropped.gguf");
  await runToEnd(page);
});

test("where the processor stands in for a GPU, what nobody has set is made short, and what somebody has is not", async ({
  page,
}) => {
  await offerTiny(page);
  await page.goto("/");
  await expect(page.getByLabel("Expected tokens T")).toHaveValue("256");
  await reach(page, "ready");
  await expect(page.locator("#status")).toContainText("no real GPU");
  await expect(page.locator("#plan")).toContainText("up to 64 tokens each");
  await expect(page.locator("#plan")).toContainText("the processor stands in for it");
  await expect(page.getByLabel("No GPU")).toBeChecked();
  const shorter = page.getByRole("button", { name: "Use a short setting" });
  await expect(shorter).toBeHidden();

  await page.getByLabel("Paper").check({ force: true });
  await expect(page.locator("#plan")).toContainText("may take many minutes");
  await shorter.click();
  await expect(page.getByLabel("Expected tokens T")).toHaveValue("64");
  await expect(shorter).toBeHidden();
  await expect(page.getByRole("button", { name: "Generate" })).toBeFocused();

  await page.goto(`/${shortRun({ tokens: "300" })}`);
  await page.reload();
  await reach(page, "ready");
  await expect(page.getByLabel("Expected tokens T")).toHaveValue("300");
  await expect(shorter).toBeVisible();
  await page.getByLabel("Expected tokens T").fill("40");
  await runToEnd(page);
  await expect(page.locator("#plan")).toContainText(/About \d+ seconds here/);
});

test("each preset sets its values and says what it is for, and each choice has its line", async ({
  page,
}) => {
  await offer(page, null);
  await page.goto("/");
  await reach(page, "empty");
  const hints = new Set<string>();
  for (const [name, ...values] of [
    ["Paper", "2048", "512", "256"],
    ["Small device", "128", "64", "32"],
    ["No GPU", "64", "32", "16"],
    ["This page", "256", "96", "48"],
  ] as const) {
    await page.getByLabel(name).check({ force: true });
    const fields = ["Budget A", "Budget B", "Recent β₂"].map((label) =>
      page.getByLabel(label).inputValue(),
    );
    expect(await Promise.all(fields)).toEqual(values);
    hints.add(await page.locator("#preset-hint").innerText());
  }
  expect(hints.size).toBe(4);
  for (const label of ["Method", "Strategy", "And a third"]) {
    const select = page.getByLabel(label);
    const hint = page.locator(`#${await select.getAttribute("aria-describedby")}`);
    for (const value of await select
      .locator("option")
      .evaluateAll((all) => all.map((option) => (option as HTMLOptionElement).value))) {
      await select.selectOption(value);
      await expect(hint).toHaveText(/\S.{10}/);
    }
  }
  const undescribed = page.locator(
    "#setting-form :is(select, input:not([type=radio], [type=checkbox])):not([aria-describedby])",
  );
  await expect(undescribed).toHaveCount(0);
});

test("the whole of it can be done by keyboard, and the way past the header leaves the setting alone", async ({
  page,
}) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ ...LONG, full: "false" })}`);
  await reach(page, "ready");
  const { hash } = new URL(page.url());
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Prompt" })).toBeFocused();
  expect(new URL(page.url()).hash).toBe(hash);
  await page.keyboard.press("Control+Enter");
  await expect(page.getByRole("button", { name: "Stop" })).toBeFocused();
  await expect(outputOf(page, /SCOPE/)).toHaveText(/.{10}/s);
  await page.keyboard.press("Enter");
  await expect(page.locator("#run-status")).toContainText("Stopped");
  await expect(page.getByRole("button", { name: "Generate" })).toBeFocused();
});

test("the code that the page shows does the same with the package", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await runToEnd(page);
  const text = await outputOf(page, /SCOPE adaptive/).evaluate(({ textContent }) => textContent);
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const code = await page.evaluate(() => navigator.clipboard.readText());

  await page.goto("/blank");
  const said = page.waitForEvent("console", (message) => message.text().endsWith("saved"));
  const imports = { kvscope: "/pkg/dist/index.js" };
  await page.addScriptTag({ type: "importmap", content: JSON.stringify({ imports }) });
  await page.addScriptTag({ type: "module", content: code });
  expect((await said).text()).toMatch(/^\d+ bytes held, \d+ saved$/);
  expect(await page.locator("pre").evaluate(({ textContent }) => textContent)).toBe(text);
});

test.describe("against what is injected", () => {
  test.use({ expectedConsoleErrors: /Content Security Policy/ });

  test("the page's content security policy lets nothing in but the page's own files", async ({
    page,
  }) => {
    await offer(page, null);
    await page.goto("/");
    const policy = await page
      .locator('meta[http-equiv="Content-Security-Policy"]')
      .getAttribute("content");
    const directives = new Map(
      policy?.split("; ").map((line) => [line.split(" ")[0], line.split(" ").slice(1)]),
    );
    expect(directives.get("default-src")).toEqual(["'none'"]);
    const sources = new Set([...directives.values()].flat());
    expect(sources).toEqual(new Set(["'none'", "'self'", "'wasm-unsafe-eval'"]));
    const blocked = await page.evaluate(async () => {
      const violated: string[] = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
        violated.push(effectiveDirective),
      );
      const script = document.createElement("script");
      script.textContent = "globalThis.injected = true";
      document.head.append(script);
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.head.append(style);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return {
        violated,
        ran: "injected" in globalThis,
        display: getComputedStyle(document.body).display,
      };
    });
    expect(blocked.violated.toSorted()).toEqual(["script-src-elem", "style-src-elem"]);
    expect(blocked).toMatchObject({ ran: false, display: "block" });
  });
});

test("a link brings its setting, and a model that it names is fetched only when asked for", async ({
  page,
  server,
}) => {
  const tiny = await offerTiny(page);
  const model = encodeURIComponent(`${server.origin}/tiny.gguf`);
  await page.goto(
    `/#model=${model}&prefill=h2o&decode=slide&decodeBudget=25%25&temperature=0.5&third=streamingllm`,
  );
  await reach(page, "empty");
  expect(tiny.fetched()).toBe(0);
  await expect(page.getByLabel("Method")).toHaveValue("h2o");
  await expect(page.getByLabel("Strategy")).toHaveValue("slide");
  await expect(page.getByLabel("Budget B")).toHaveValue("25%");
  await expect(page.getByLabel("Temperature")).toHaveValue("0.5");
  await expect(page.getByRole("article")).toHaveCount(3);
  await expect(page.locator("#code")).toContainText(
    'decode: { strategy: "slide", budget: "25%", recent: 48 }',
  );
  await page.getByRole("button", { name: "Load", exact: true }).click();
  await reach(page, "ready");
  expect(tiny.fetched()).toBe(1);

  await page.getByLabel("Small device").check({ force: true });
  await expect(page.getByLabel("Budget A")).toHaveValue("128");
  await expect(page).toHaveURL(/#.*prefillBudget=128/);
});

test("an address that the reader has just changed is not written over", async ({ page }) => {
  await offer(page, null);
  await page.goto("/");
  await reach(page, "empty");
  const tokens = page.getByLabel("Expected tokens T");
  await page.evaluate(async () => {
    const field = document.querySelector<HTMLInputElement>("#tokens");
    if (field === null) {
      throw new Error("no field");
    }
    // The second change waits to be written, since the first has just been.
    for (const typed of ["40", "41"]) {
      field.value = typed;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    // A browser changes the address first and tells of it later.
    history.pushState(null, "", "#tokens=300");
    await new Promise((resolve) => setTimeout(resolve, 600));
  });
  await expect(page).toHaveURL(/#tokens=300$/);
  await page.evaluate(() => dispatchEvent(new HashChangeEvent("hashchange")));
  await expect(tokens).toHaveValue("300");
  await tokens.fill("50");
  await expect(page).toHaveURL(/tokens=50/);
});

test.describe("a model from another origin", () => {
  const elsewhere = "https://models.example";
  test.use({ routedOrigin: elsewhere });

  test("is fetched once the reader asks for it", async ({ page }) => {
    await offer(page, null);
    const headers = { "access-control-allow-origin": "*" };
    await page.route(`${elsewhere}/**`, (route) =>
      route.fulfill({ headers, body: Buffer.from(tinyModel()) }),
    );
    await page.goto(`/${shortRun()}`);
    await reach(page, "empty");
    await page.getByLabel(/^Address/).fill(`${elsewhere}/tiny.gguf`);
    await page.getByRole("button", { name: "Load", exact: true }).click();
    await reach(page, "ready");
    await expect(page).toHaveURL(/#.*models\.example/);
  });
});

test.describe("a model of the hub", () => {
  const hub = "https://huggingface.co";
  test.use({ routedOrigin: hub });

  test("is found by its repository, revision and file, as the code that the page shows has them", async ({
    page,
  }) => {
    await offer(page, null);
    const asked: string[] = [];
    const headers = { "access-control-allow-origin": "*" };
    await page.route(`${hub}/**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      asked.push(pathname);
      await (pathname.includes("/resolve/")
        ? route.fulfill({ headers, body: Buffer.from(tinyModel()) })
        : route.fulfill({ headers, body: "version https://git-lfs.github.com/spec/v1\n" }));
    });
    await page.goto(`/${shortRun()}`);
    await reach(page, "empty");
    await page.getByLabel(/^Address/).fill("owner/name@v1.0/folder/tiny.gguf");
    await page.getByRole("button", { name: "Load", exact: true }).click();
    await reach(page, "ready");
    expect(asked.toSorted()).toEqual([
      "/owner/name/raw/v1.0/folder/tiny.gguf",
      "/owner/name/resolve/v1.0/folder/tiny.gguf",
    ]);
    const source = '{ repo: "owner/name", file: "folder/tiny.gguf", revision: "v1.0" }';
    await expect(page.locator("#code")).toContainText(`Engine.load(${source}`);
  });
});

test("what is retained can be hovered for token and score", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ full: "false" })}`);
  await reach(page, "ready");
  await expect(page.locator("#picture-empty")).toBeVisible();
  await runToEnd(page);
  await expect(page.locator("#picture-empty")).toBeHidden();
  const picture = page.getByRole("application");
  const readout = page.locator("#picture-readout");
  const { width = 0, height = 0 } = (await picture.boundingBox()) ?? {};
  // At the left edge is the prompt's first token, of the upper of the model's two layers.
  await picture.hover({ position: { x: 1, y: 0.25 * height } });
  await expect(readout).toContainText(/^Layer 0, position 0 · .*prompt · /);
  await picture.hover({ position: { x: width - 2, y: 0.75 * height } });
  await expect(readout).toContainText(
    /^Layer 1, position \d+ · “.+” · output · held by \d of \d heads, score \d/,
  );
});

test("a model without a chat template takes the prompt as it is", async ({ page }) => {
  await offerTiny(page, Buffer.from(tinyModelOfTexts()));
  await page.goto(`/${shortRun({ full: "false", tokens: "8" })}`);
  await reach(page, "ready");
  await runToEnd(page);
  await expect(outputOf(page, /SCOPE adaptive/)).toHaveText(/\S/);
  const picture = page.getByRole("application");
  await picture.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(page.locator("#picture-readout")).toContainText(
    "Layer 0, position 0 · “T” · prompt",
  );
});

test("what is retained can be read by keyboard and scrubbed back", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun({ full: "false" })}`);
  await reach(page, "ready");
  await runToEnd(page);
  const picture = page.getByRole("application");
  await picture.focus();
  await page.keyboard.press("ArrowRight");
  const readout = page.locator("#picture-readout");
  await expect(readout).toHaveText(
    /Layer 0, position 1 · “.+” · prompt · (held by \d of \d heads, score \S+|not held)/s,
  );
  // The newest output is always held, the first step has not seen it yet.
  for (let far = 0; far < 30; far += 1) {
    await page.keyboard.press("Shift+ArrowRight");
  }
  await expect(readout).toContainText(/output · held by/);
  const step = page.getByRole("slider", { name: "Step" });
  await step.focus();
  await page.keyboard.press("Home");
  await expect(readout).toContainText("not there yet");
  await expect(page.locator("#picture-step-value")).toHaveText("0");
});

test("runs and chart can be taken away, and hold what the page shows", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await runToEnd(page);
  const record = page.waitForEvent("download");
  await page.getByRole("button", { name: "Runs as JSON" }).click();
  const saved = JSON.parse(await readFile(await (await record).path(), "utf8")) as {
    model: string;
    device: string;
    runs: { text: string; memory: { held: number; full: number }[] }[];
  };
  expect(saved).toMatchObject({ model: "Tiny", device: expect.stringMatching(/SwiftShader/i) });
  expect(saved.runs).toHaveLength(2);
  expect(saved.runs[0]?.text).toBe(
    await outputOf(page, /SCOPE/).evaluate(({ textContent }) => textContent),
  );
  const last = saved.runs[0]?.memory.at(-1);
  expect((last?.held ?? 0) / MIB).toBeCloseTo((await bytesIn(page, "#saved-held")) / MIB, 2);

  const chart = page.waitForEvent("download");
  await page.getByRole("button", { name: "Chart as PNG" }).click();
  const image = await readFile(await (await chart).path());
  expect(image.subarray(1, 4).toString()).toBe("PNG");

  const drawing = page.waitForEvent("download");
  await page.getByRole("button", { name: "Chart as SVG" }).click();
  const svg = await readFile(await (await drawing).path(), "utf8");
  const drawn = await page.evaluate((markup) => {
    const { documentElement } = new DOMParser().parseFromString(markup, "image/svg+xml");
    const lines = [...documentElement.querySelectorAll("polyline")];
    return {
      root: documentElement.tagName,
      points: lines.map((line) => line.getAttribute("points")?.split(" ").length),
    };
  }, svg);
  const points = saved.runs[0]?.memory.length;
  expect(drawn).toEqual({ root: "svg", points: [points, points] });
});

test("settings that do not fit together are pointed out and not run", async ({ page }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await page.getByLabel("Recent β₂").fill("900");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.getByLabel("Recent β₂")).toBeFocused();
  await reach(page, "ready");
});

for (const width of [390, 1280]) {
  test(`nothing moves while the page loads a model and runs it, ${width} px wide`, async ({
    page,
  }) => {
    await page.setViewportSize({ width, height: 2400 });
    await offerTiny(page);
    await page.goto(`/${shortRun()}`);
    await reach(page, "ready");
    await runToEnd(page);
    expect(await moved(page)).toEqual([]);
  });
}
