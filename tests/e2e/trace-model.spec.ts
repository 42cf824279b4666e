import { outputOf, reach } from "./open-page.ts";
import { expect, test } from "./test.ts";

const linesRight = /^(\d+) of 16 lines right\. /;

test("the page's own model is there at the first visit, with programs as prompts, whose answers are graded", async ({
  page,
}) => {
  await page.goto("/");
  await reach(page, "ready");
  await expect(page.locator("#model-name")).toContainText("Trace");
  const prompt = page.getByRole("textbox", { name: "Prompt" });
  await expect(prompt).toHaveValue(/^[A-Za-z]=\d;.*;>$/);
  const example = page.getByLabel("Example");
  await expect(example.locator("option:checked")).toHaveText("Program of 16 lines");
  const first = await prompt.inputValue();
  await page.getByRole("button", { name: "Another program" }).click();
  await expect(prompt).not.toHaveValue(first);
  await expect(example.locator("option:checked")).toHaveText("Program of 16 lines");
  const program = await prompt.inputValue();

  // A link brings the program back, and the page knows it for one. The address follows the setting
  // within half a second.
  const inLink = (): string | null =>
    new URLSearchParams(new URL(page.url()).hash.slice(1)).get("prompt");
  await expect.poll(inLink).toBe(program);
  await page.reload();
  await reach(page, "ready");
  await expect(prompt).toHaveValue(program);
  await expect(example.locator("option:checked")).toHaveText("Program of 16 lines");
  await example.selectOption("Program of 32 lines");
  await expect(page.getByLabel("Expected tokens T")).toHaveValue("321");

  await example.selectOption("Program of 16 lines");
  await page.getByLabel("Expected tokens T").fill("24");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.locator("#run-status")).toContainText("Done");
  await expect(outputOf(page, /Full cache/)).toHaveText(/^[A-Za-z]=\d;/);
  await expect(
    page.getByRole("article", { name: /Full cache/ }).locator(".output-state"),
  ).toHaveText(linesRight);
});

test("the page's own model has more than nine of ten lines right with a full cache", async ({
  page,
}) => {
  await page.goto("/blank");
  const right = await page.evaluate(async () => {
    const address = "/pkg/dist/index.js";
    const { Engine } = (await import(address)) as typeof import("kvscope");
    const engine = await Engine.load("/models/trace.gguf", { store: false });
    const graded: boolean[] = [];
    for (const seed of [0, 1, 2]) {
      const program = await engine.trace.program(16, seed);
      const max_tokens = program.answer.length + 1;
      const { choices } = await engine.completions.create({ prompt: program.prompt, max_tokens });
      graded.push(...(await engine.trace.grade(program, choices[0]?.text ?? "")));
    }
    engine.dispose();
    return graded;
  });
  expect(right).toHaveLength(48);
  expect(right.filter(Boolean).length / right.length).toBeGreaterThan(0.9);
});
