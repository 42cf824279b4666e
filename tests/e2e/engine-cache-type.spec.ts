import { expect, test } from "./engine-test.ts";
import { tinyModelOfLargeKeys } from "./tiny-gguf.ts";

/** Storage types, as an error lists them. */
const TYPES = "expected one of `f16`, `f32`, `h8`, `h4`";

test("a cache type that is none is refused by its field, with those that there are", async ({
  page,
}) => {
  const refused = await page.evaluate(async () => {
    const engine = await kvscope.Engine.load("/tiny.gguf");
    const errors: unknown[][] = [];
    for (const cacheType of ["q9", { keys: "q9" }, { keys: "h8", value: "h4" }, 8, "h8"]) {
      const request = { prompt: "Once", max_tokens: 1, cache: { cacheType } };
      await engine.completions
        .create(request as never)
        .catch(({ code, message }: import("kvscope").KvscopeError) =>
          // The way through JavaScript leaves its mark at every field.
          errors.push([code, message.replaceAll("Error: ", "")]),
        );
    }
    return errors;
  });
  expect(refused).toEqual([
    [
      "invalid-argument",
      expect.stringContaining(`\`cacheType\`: unknown variant \`q9\`, ${TYPES}`),
    ],
    [
      "invalid-argument",
      expect.stringContaining(`\`cacheType\`: \`keys\`: unknown variant \`q9\`, ${TYPES}`),
    ],
    [
      "invalid-argument",
      expect.stringContaining("`cacheType`: unknown field `value`, expected `keys` or `values`"),
    ],
    ["invalid-argument", expect.stringMatching(/`cacheType`: invalid type: .*one of `f16`/)],
    // Heads of 16 elements.
    ["invalid-config", expect.stringContaining("head_dim is 16")],
  ]);
});

const notFinite = (cacheType: string): unknown => ({
  code: "cache-not-finite",
  message: `layer 1 has keys that are no finite numbers in ${cacheType}`,
  details: { layer: 1, rows: "keys" },
});

test("keys that are too large for their type are an error that names them, and the engine goes on", async ({
  page,
  site,
}) => {
  site.files.set("/large.gguf", { bytes: tinyModelOfLargeKeys() });
  const outcome = await page.evaluate(async () => {
    const engine = await kvscope.Engine.load("/large.gguf");
    const answers: unknown[] = [];
    for (const cacheType of ["h4", "h8", "f32"] as const) {
      const request = { prompt: "Once upon a time", max_tokens: 8, ignore_eos: true };
      const answer = engine.completions.create({ ...request, cache: { cacheType } });
      answers.push(
        await answer.then(
          ({ usage }) => usage.completion_tokens,
          ({ code, message, details }: import("kvscope").KvscopeError) => ({
            code,
            message,
            details,
          }),
        ),
      );
    }
    return answers;
  });
  expect(outcome).toEqual([notFinite("h4"), notFinite("h8"), 8]);
});
