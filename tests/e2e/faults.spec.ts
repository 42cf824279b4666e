import { expect, reach, SUB_PATH, test } from "./test.ts";

declare global {
  var openedDevices: GPUDevice[];
}

test.describe("without WebGPU", () => {
  test("the page names the browsers that have it, and fetches no module", async ({ page }) => {
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
    const problem = page.getByRole("alert");
    await expect(problem.getByRole("heading")).toHaveText("No WebGPU here");
    for (const browser of ["Chrome", "Edge", "Safari 26", "Firefox 141"]) {
      await expect(problem).toContainText(browser);
    }
    await expect(page.getByRole("button", { name: "New numbers" })).toBeDisabled();
    expect(modules).toEqual([]);
  });
});

test.describe("at an insecure address", () => {
  const insecure = "http://kvscope.example";
  test.use({ routedOrigin: insecure });

  test("the page asks for a secure one, and does not blame the browser", async ({ page, server }) => {
    await page.route(`${insecure}/**`, async (route) => {
      const url = route.request().url().replace(insecure, server.origin);
      await route.fulfill({ response: await route.fetch({ url }) });
    });
    await page.goto(`${insecure}/`);
    await reach(page, "failed");
    await expect(page.getByRole("alert")).toContainText("https://");
  });
});

test("a browser that offers no adapter gets its own message, and can try again", async ({ page }) => {
  await page.addInitScript(() => {
    const original = GPU.prototype.requestAdapter;
    GPU.prototype.requestAdapter = () => {
      GPU.prototype.requestAdapter = original;
      return Promise.resolve(null);
    };
  });
  await page.goto("/");
  await reach(page, "failed");
  await expect(page.getByRole("alert").getByRole("heading")).toHaveText("No GPU was offered");
  await page.getByRole("button", { name: "Try again" }).click();
  await reach(page, "ready");
});

test("a device that the browser refuses gets its own message, and can be asked for again", async ({ page }) => {
  await page.addInitScript(() => {
    const original = GPUAdapter.prototype.requestDevice;
    let refused = false;
    GPUAdapter.prototype.requestDevice = function (descriptor) {
      if (refused) return original.call(this, descriptor);
      refused = true;
      return Promise.reject(new DOMException("refused by the test", "OperationError"));
    };
  });
  await page.goto("/");
  await reach(page, "failed");
  await expect(page.getByRole("alert").getByRole("heading")).toHaveText("The GPU could not be opened");
  await page.getByRole("button", { name: "Try again" }).click();
  await reach(page, "ready");
});

test("releasing the GPU says so, and it opens again by keyboard", async ({ page }) => {
  await page.goto("/");
  await reach(page, "ready");
  await page.getByRole("button", { name: "Release the GPU" }).click();
  await reach(page, "lost");
  await expect(page.getByRole("alert").getByRole("heading")).toHaveText("The GPU was released");
  await expect(page.getByRole("button", { name: "Try again" })).toBeFocused();
  await page.keyboard.press("Enter");
  await reach(page, "ready");
  await expect(page.getByRole("alert")).toBeHidden();
});

test("a device destroyed behind the page's back is noticed, and another is opened", async ({ page }) => {
  await page.addInitScript(() => {
    globalThis.openedDevices = [];
    const original = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function remembered(descriptor) {
      const device = await original.call(this, descriptor);
      globalThis.openedDevices.push(device);
      return device;
    };
  });
  await page.goto("/");
  await reach(page, "ready");
  await page.evaluate(() => globalThis.openedDevices.forEach((device) => device.destroy()));
  await reach(page, "lost");
  await page.getByRole("button", { name: "Try again" }).click();
  await reach(page, "ready");
  expect(await page.evaluate(() => globalThis.openedDevices.length)).toBe(2);
});

test.describe("when the module can't be had", () => {
  test.use({ expectedConsoleErrors: /Failed to load resource|does not serve Wasm/ });

  for (const [fault, answer] of [
    ["a server that answers 503", { status: 503 }],
    ["a page in its place", { status: 200, contentType: "text/html", body: "<!doctype html>not found" }],
    ["a file cut short", { status: 200, contentType: "application/wasm", body: "\0asm" }],
  ] as const) {
    test(`${fault} gets a message, and trying again loads it`, async ({ page }) => {
      await page.route("**/*.wasm", (route) => route.fulfill(answer), { times: 1 });
      await page.goto("/");
      await reach(page, "failed");
      await expect(page.getByRole("alert").getByRole("heading")).toHaveText("A part of kvscope did not load");
      await page.getByRole("button", { name: "Try again" }).click();
      await reach(page, "ready");
    });
  }
});
