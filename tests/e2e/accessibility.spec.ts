import { violations } from "./axe.ts";
import { offer, offerTiny, reach, runToEnd, shortRun } from "./open-page.ts";
import { expect, test, type Page } from "./test.ts";

test.describe("for whom motion is too much", () => {
  test.use({ contextOptions: { reducedMotion: "reduce" } });

  test("nothing moves by itself", async ({ page }) => {
    await offer(page, null);
    await page.goto("/");
    await reach(page, "empty");
    const moving = await page.evaluate(
      () =>
        [...document.querySelectorAll("*")]
          .map((element) => getComputedStyle(element))
          .filter(
            ({ transitionDuration, animationName }) =>
              transitionDuration !== "0s" || animationName !== "none",
          ).length,
    );
    expect(moving).toBe(0);
  });
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [360, 1280]) {
    test.describe(`${colorScheme}, ${width} px wide`, () => {
      test.use({ colorScheme, viewport: { width, height: 800 } });

      async function check(page: Page, picture: string): Promise<void> {
        expect(await violations(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
          width,
        );
        await page.screenshot({ fullPage: true, path: picture });
      }

      test("the page is accessible and fits: asking for a model, ready, after its runs", async ({
        page,
      }, info) => {
        await offer(page, null);
        await page.goto("/");
        await reach(page, "empty");
        await check(page, info.outputPath("empty.png"));

        await page.unrouteAll();
        await offerTiny(page);
        await page.goto(`/?${shortRun({ third: "h2o" })}`);
        await reach(page, "ready");
        await page.getByText("Use another model").click();
        await check(page, info.outputPath("ready.png"));
        await runToEnd(page);
        await page.getByRole("application").press("ArrowRight");
        await check(page, info.outputPath("done.png"));
      });

      // Half of the four will do: what differs between them is the same for all of the page.
      if ((colorScheme === "light") === (width === 360)) {
        test("the views that measure are accessible and fit, before and after a run", async ({
          page,
        }, info) => {
          await offerTiny(page);
          await page.goto(`/${shortRun({ tokens: "8" })}`);
          await reach(page, "ready");
          for (const [view, heading] of [
            ["Compare policies", "What does each policy cost?"],
            ["Prefill too tight", "What does the prompt's compression cost?"],
            ["Heavy-hitter drift", "Does what mattered at prefill go on to matter?"],
          ] as const) {
            await page.getByRole("tab", { name: view }).click();
            await expect(page.getByRole("heading", { name: heading })).toBeVisible();
            await check(page, info.outputPath(`${view}.png`));
          }
          await page.getByRole("button", { name: "Run", exact: true }).click();
          await expect(page.locator("#drift-status")).toHaveText("Looked at 7 steps.");
          await check(page, info.outputPath("drift.png"));
        });
      }

      test("the page is accessible and fits when something is in the way", async ({
        page,
      }, info) => {
        await offerTiny(page, Buffer.from("no model at all"));
        await page.goto("/");
        await reach(page, "failed");
        await check(page, info.outputPath("failed.png"));
      });
    });
  }
}
