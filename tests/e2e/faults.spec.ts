import {
  beforeWorker,
  offer,
  offerTiny,
  outputOf,
  reach,
  runToEnd,
  shortRun,
} from "./open-page.ts";
import { rememberDevices } from "./remember-devices.ts";
import { expect, SUB_PATH, test, type Page } from "./test.ts";
import { tinyModel } from "./tiny-gguf.ts";

const problem = (page: Page) => page.getByRole("alert");
const title = (page: Page) => problem(page).getByRole("heading");

/** After whatever went wrong, another model loads and runs. */
async function goesOn(page: Page): Promise<void> {
  const chooser = page.getByLabel(/a file of yours/);
  if (!(await chooser.isVisible())) {
    await page.getByText("Use another model").click();
  }
  await chooser.setInputFiles({
    name: "good.gguf",
    mimeType: "",
    buffer: Buffer.from(tinyModel()),
  });
  await reach(page, "ready");
  await expect(problem(page)).toBeHidden();
  await runToEnd(page);
}

test("without WebGPU the page names the browsers that have it, and fetches no module", async ({
  page,
}) => {
  const modules: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith(".wasm")) {
      modules.push(request.url());
    }
  });
  await page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, "gpu");
  });
  await page.goto(SUB_PATH);
  await reach(page, "failed");
  await expect(title(page)).toHaveText("No WebGPU here");
  for (const browser of ["Chrome", "Edge", "Safari 26", "Firefox 141"]) {
    await expect(problem(page)).toContainText(browser);
  }
  await expect(page.getByRole("button", { name: "Generate" })).toBeDisabled();
  expect(modules).toEqual([]);
});

test.describe("at an insecure address", () => {
  const insecure = "http://kvscope.example";
  test.use({ routedOrigin: insecure });

  test("the page asks for a secure one, and does not blame the browser", async ({
    page,
    server,
  }) => {
    await page.route(`${insecure}/**`, async (route) => {
      const url = route.request().url().replace(insecure, server.origin);
      await route.fulfill({ response: await route.fetch({ url }) });
    });
    await page.goto(`${insecure}/`);
    await reach(page, "failed");
    await expect(problem(page)).toContainText("https://");
  });
});

test.describe("a model that can't be had", () => {
  test.use({ expectedConsoleErrors: /Failed to load resource/ });

  test("a broken address says so, and the page goes on", async ({ page }) => {
    await offer(page, { url: "nowhere.gguf" });
    await page.goto(`/${shortRun()}`);
    await reach(page, "failed");
    await expect(title(page)).toHaveText("The model could not be fetched");
    await expect(problem(page)).toContainText("404");
    await goesOn(page);
  });

  test("a host that does not answer says so, and trying again loads it", async ({ page }) => {
    await offer(page, { url: "flaky.gguf" });
    let there = false;
    await page.route("**/flaky.gguf", async (route) => {
      await (there ? route.fulfill({ body: Buffer.from(tinyModel()) }) : route.abort());
    });
    await page.goto(`/${shortRun()}`);
    await reach(page, "failed");
    await expect(title(page)).toHaveText("The model could not be fetched");
    there = true;
    await page.getByRole("button", { name: "Try again" }).click();
    await reach(page, "ready");
    await expect(problem(page)).toBeHidden();
  });
});

for (const [fault, name, body] of [
  [
    "a file that is cut short",
    "The model's file ends too early",
    Buffer.from(tinyModel()).subarray(0, -4000),
  ],
  [
    "a file that is no GGUF",
    "This is not a model that kvscope can read",
    Buffer.from("<!doctype html>".repeat(99)),
  ],
] as const) {
  test(`${fault} gets its own message, and the page goes on`, async ({ page }) => {
    await offerTiny(page, body);
    await page.goto(`/${shortRun()}`);
    await reach(page, "failed");
    await expect(title(page)).toHaveText(name);
    await goesOn(page);
  });
}

test("a full disk is said, and the model runs all the same", async ({ page, context, server }) => {
  const devtools = await context.newCDPSession(page);
  await devtools.send("Storage.overrideQuotaForOrigin", {
    origin: server.origin,
    quotaSize: 10_000,
  });
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await expect(page.locator("#model-note")).toContainText("not kept");
  await runToEnd(page);
});

test("a second tab loads the same model while the first has it", async ({ page, context }) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  const second = await context.newPage();
  await offerTiny(second);
  await second.goto(`/${shortRun({ tokens: "8" })}`);
  await reach(second, "ready");
  await runToEnd(second);
  await runToEnd(page);
});

test("a second tab waits while the first fetches the same model, says so, and has it with no request of its own", async ({
  page,
  context,
}) => {
  let release!: () => void;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const second = await context.newPage();
  let fetched = 0;
  for (const tab of [page, second]) {
    await offer(tab, { name: "Slow", url: "slow.gguf" });
    await tab.route("**/slow.gguf", async (route) => {
      fetched += 1;
      await released;
      await route.fulfill({ body: Buffer.from(tinyModel()) });
    });
  }
  await page.goto(`/${shortRun({ tokens: "8" })}`);
  await expect.poll(() => fetched).toBe(1);
  await second.goto(`/${shortRun({ tokens: "8" })}`);
  await expect(second.locator("#status")).toHaveText(
    "Another tab stores this model; waiting for it",
  );
  release();
  await reach(page, "ready");
  await reach(second, "ready");
  expect(fetched).toBe(1);
  await runToEnd(second);
  await runToEnd(page);
});

test("loading can be cancelled, and begun again", async ({ page }) => {
  await offer(page, { name: "Slow", url: "slow.gguf" });
  let held = true;
  await page.route("**/slow.gguf", async (route) => {
    if (!held) {
      await route.fulfill({ body: Buffer.from(tinyModel()) });
    }
  });
  await page.goto(`/${shortRun()}`);
  await reach(page, "loading");
  await page.getByRole("button", { name: "Cancel" }).click();
  await reach(page, "empty");
  held = false;
  await page.getByRole("button", { name: "Use the page's Slow" }).click();
  await reach(page, "ready");
});

test("a device that goes away while it runs keeps the text, and loads again", async ({ page }) => {
  await offerTiny(page);
  await beforeWorker(page, rememberDevices);
  const fragment = shortRun({
    tokens: "4000",
    full: "false",
    prompt: "A seal slept on the landing.",
  });
  await page.goto(`/${fragment}`);
  await reach(page, "ready");
  await page.getByRole("button", { name: "Generate" }).click();
  const output = outputOf(page, /SCOPE/);
  await expect(output).toHaveText(/.{10}/s);
  await page.workers()[0]?.evaluate(() => globalThis.devices.forEach((device) => device.destroy()));
  await reach(page, "lost");
  await expect(title(page)).toHaveText("The GPU went away");
  expect((await output.innerText()).length).toBeGreaterThanOrEqual(10);
  await page.getByRole("button", { name: "Try again" }).click();
  await reach(page, "ready");
  await page.getByLabel("Expected tokens T").fill("12");
  await runToEnd(page);
});

test.describe("when the module can't be had", () => {
  test.use({ expectedConsoleErrors: /Failed to load resource|does not serve Wasm/ });

  for (const [fault, answer] of [
    ["a server that answers 503", { status: 503 }],
    [
      "a page in its place",
      { status: 200, contentType: "text/html", body: "<!doctype html>not found" },
    ],
    ["a file cut short", { status: 200, contentType: "application/wasm", body: "\0asm" }],
  ] as const) {
    test(`${fault} gets a message, and trying again loads it`, async ({ page }) => {
      await offerTiny(page);
      await page.route("**/*.wasm", (route) => route.fulfill(answer), { times: 1 });
      await page.goto("/");
      await reach(page, "failed");
      await expect(title(page)).toHaveText("A part of kvscope did not load");
      await page.getByRole("button", { name: "Try again" }).click();
      await reach(page, "ready");
    });
  }
});
