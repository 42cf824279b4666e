import { offerTiny, reach, runToEnd, shortRun } from "./open-page.ts";
import { expect, test } from "./test.ts";

test.use({ serviceWorkers: "allow" });

test("after the first visit the page opens and runs without a network", async ({
  page,
  context,
}) => {
  await offerTiny(page);
  await page.goto(`/${shortRun()}`);
  await reach(page, "ready");
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await expect
    .poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null))
    .toBe(true);

  await context.setOffline(true);
  await page.unrouteAll();
  await page.reload();
  // The test's default was the route's; the host behind it has the page's own, which comes with the
  // page.
  await reach(page, "ready");
  await expect(page.locator("#model-name")).toContainText("Trace");
  await page.getByText("Use another model").click();
  await page.getByRole("button", { name: "Use tiny.gguf" }).click();
  await reach(page, "ready");
  await runToEnd(page);
});

test("the page can be installed", async ({ page }) => {
  await page.goto("/");
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=manifest]");
    const address = link?.href ?? "";
    const found = (await (await fetch(address)).json()) as {
      start_url: string;
      icons: { src: string }[];
    };
    const files = await Promise.all(found.icons.map(({ src }) => fetch(new URL(src, address))));
    return { start: new URL(found.start_url, address).href, icons: files.map(({ ok }) => ok) };
  });
  expect(manifest.start).toBe(new URL("/", page.url()).href);
  expect(manifest.icons).toEqual([true, true, true]);
});
