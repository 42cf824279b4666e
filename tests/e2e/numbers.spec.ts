import { chartSvg } from "../../www/src/views/prompt/memory-chart-svg.ts";
import { compare } from "../../www/src/views/prompt/output-comparison.ts";
import { bytes, count, duration, percent, rate, roughly } from "../../www/src/ui/format.ts";
import { readModelSource } from "../../www/src/model/model-source.ts";
import {
  FADE,
  observeEvery,
  presence,
  snapshotOf,
} from "../../www/src/views/prompt/retained-history.ts";
import { estimateMs, paceOf } from "../../www/src/views/prompt/pace.ts";
import { planned, SlotPlans } from "../../www/src/settings/planned-slots.ts";
import { Run } from "../../www/src/views/prompt/run.ts";
import { fromFragment, toFragment } from "../../www/src/settings/setting-link.ts";
import {
  DEFAULT_SETTING,
  PRESETS,
  presetOf,
  type Setting,
} from "../../www/src/settings/setting.ts";
import { policiesOf, type Policy } from "../../www/src/settings/policy.ts";
import { expect, test } from "./test.ts";

test("figures are written as people write them", () => {
  expect([0, 1023, 1024, 1536, 23_552 * 1024, 2 ** 31 - 4].map(bytes)).toEqual([
    "0 B",
    "1,023 B",
    "1 KiB",
    "1.5 KiB",
    "23 MiB",
    "2 GiB",
  ]);
  expect(count(65_535)).toBe("65,535");
  expect([0, 0.001, 0.736, 0.9999, 1].map(percent)).toEqual([
    "0 %",
    "1 %",
    "74 %",
    "99 %",
    "100 %",
  ]);
  expect([0.44, 9.96, 31.4].map(rate)).toEqual(["0.4", "10.0", "31"]);
  expect([940, 61_000].map(duration)).toEqual(["0.9 s", "1 min 1 s"]);
  expect([900, 31_000, 56_000, 170_000, 7_300_000].map(roughly)).toEqual([
    "5 seconds",
    "35 seconds",
    "1 minute",
    "3 minutes",
    "2 hours",
  ]);
});

test("a comparison counts what comes before the first difference, and nothing after it", () => {
  const reference = ["The", " boat", " came", " on", " time"];
  expect(compare(["The", " boat", " went", " on", " time"], reference)).toEqual({
    sameTokens: 2,
    sameCharacters: 8,
    agreement: 0.4,
    differs: true,
  });
  expect(compare(["The", " boat"], reference)).toMatchObject({
    sameTokens: 2,
    agreement: 1,
    differs: false,
  });
  // The same text in other tokens is another output.
  expect(compare(["The boat"], reference)).toMatchObject({
    sameTokens: 0,
    agreement: 0,
    differs: true,
  });
});

test("a link brings back every setting, and leaves out what is as it was", () => {
  expect(toFragment(DEFAULT_SETTING)).toBe("");
  const setting: Setting = {
    model: "https://example.com/a b.gguf?x=1#y",
    prompt: "Tell me & mine: 100% — “so”\n#2",
    prefill: "pyramidkv",
    prefillBudget: "30%",
    observationWindow: 8,
    decode: "discontinuous",
    decodeBudget: "12.5%",
    recent: 3,
    tokens: 77,
    cacheType: "f32",
    valueType: "h4",
    temperature: 0.7,
    topP: 0.95,
    seed: 42,
    full: false,
    third: "h2o",
  };
  expect(fromFragment(`#${toFragment(setting)}`)).toEqual(setting);
  expect(toFragment({ ...DEFAULT_SETTING, prompt: "x".repeat(5000) })).toBe("");
});

test("a link can't ask for what the form would not take", () => {
  const hostile =
    "prefill=nothing&prefillBudget=1e9&observationWindow=-1&decode=__proto__&decodeBudget=101%25&recent=1.5" +
    "&tokens=Infinity&cacheType=f64&valueType=q4&temperature=&topP=0&seed=NaN&full=perhaps&third=full&constructor=1";
  expect(fromFragment(hostile)).toEqual(DEFAULT_SETTING);
});

test("a preset is known by its values", () => {
  expect(presetOf(DEFAULT_SETTING)).toBe("page");
  expect(presetOf({ ...DEFAULT_SETTING, ...PRESETS.paper })).toBe("paper");
  expect(presetOf({ ...DEFAULT_SETTING, recent: 47 })).toBeUndefined();
});

test("runs are SCOPE, the full cache and a third, all in one cache type", () => {
  const policies = policiesOf({
    ...DEFAULT_SETTING,
    prefillBudget: "30%",
    cacheType: "f32",
    third: "h2o",
  });
  expect(policies.map(({ cache }) => cache)).toEqual([
    {
      cacheType: "f32",
      prefill: { method: "snapkv", budget: "30%", observationWindow: 16 },
      decode: { strategy: "adaptive", budget: 96, recent: 48 },
    },
    { cacheType: "f32" },
    {
      cacheType: "f32",
      prefill: { method: "h2o", budget: "30%", observationWindow: 16 },
      decode: { strategy: "h2o", budget: 96, recent: 48 },
    },
  ]);
  expect(policiesOf({ ...DEFAULT_SETTING, full: false })).toHaveLength(1);
});

/** The cache's type in a setting's options, and the rule of the full cache as the page says it. */
const typesOf = (cacheType: Setting["cacheType"], valueType: Setting["valueType"]) => {
  const [scope, full] = policiesOf({ ...DEFAULT_SETTING, cacheType, valueType });
  expect(full?.cache.cacheType).toEqual(scope?.cache.cacheType);
  return [scope?.cache.cacheType, full?.rule];
};

test("keys and values have one type or one each, and bits that say so", () => {
  expect(typesOf("h4", "same")).toEqual(["h4", "nothing is evicted · 4-bit"]);
  expect(typesOf("h4", "h4")).toEqual(["h4", "nothing is evicted · 4-bit"]);
  expect(typesOf("h8", "h4")).toEqual([
    { keys: "h8", values: "h4" },
    "nothing is evicted · 8/4-bit",
  ]);
  expect(typesOf("f16", "same")).toEqual(["f16", "nothing is evicted · 16-bit"]);
});

test("a model is an address or a file of the hub, however it is written", () => {
  const page = "https://host.example/some/page/";
  const read = (written: string) => readModelSource(written, page);
  expect(read(" https://a.example/m.gguf ")).toBe("https://a.example/m.gguf");
  expect(read("./model/m.gguf")).toBe("https://host.example/some/page/model/m.gguf");
  const file = { repo: "owner/repo-GGUF", file: "folder/m.Q4_1.gguf" };
  expect(read("owner/repo-GGUF/folder/m.Q4_1.gguf")).toEqual(file);
  expect(read("owner/repo-GGUF:folder/m.Q4_1.gguf")).toEqual(file);
  expect(read("owner/repo-GGUF@v1.0/folder/m.Q4_1.gguf")).toEqual({ ...file, revision: "v1.0" });
  const onHub = "https://huggingface.co/owner/repo-GGUF";
  expect(read(`${onHub}/blob/main/folder/m.Q4_1.gguf`)).toEqual({ ...file, revision: "main" });
  expect(read(`${onHub}/resolve/main/folder/m.Q4_1.gguf?download=true`)).toEqual({
    ...file,
    revision: "main",
  });
  for (const neither of ["", "m.gguf", "javascript:alert(1)", "owner/repo", "http://"]) {
    expect(read(neither)).toBeUndefined();
  }
});

test("a position fades once every head has let it go, and is soon forgotten", () => {
  const holding = snapshotOf(0, [
    [
      { positions: [0, 2], scores: [0.5, 0.25] },
      { positions: [2], scores: [0.75] },
    ],
  ]);
  expect(holding.length).toBe(3);
  const [layer] = holding.layers;
  expect([...(layer?.held ?? [])]).toEqual([1, 0, 2]);
  expect([...(layer?.scores ?? [])]).toEqual([0.5, 0, 0.75]);

  const without = Array.from({ length: FADE + 1 }, (_, index) =>
    snapshotOf(index + 1, [
      [
        { positions: [0], scores: [1] },
        { positions: [], scores: [] },
      ],
    ]),
  );
  const snapshots = [holding, ...without];
  const ofTwo = snapshots.map((_, index) => presence(snapshots, index, 0, 2));
  expect(ofTwo[0]).toBe(1);
  const fading = ofTwo.slice(1);
  expect(fading).toEqual(fading.toSorted((a, b) => a - b));
  expect(fading[0]).toBeGreaterThan(-1);
  expect(fading.at(-2)).toBeLessThan(0);
  expect(fading.at(-1)).toBe(0);
  expect(presence(snapshots, 3, 0, 0)).toBe(0.5);
});

test("a long run is looked at no more often than a short one in all", () => {
  for (const tokens of [1, 64, 256, 4096, 65_536]) {
    expect(Math.ceil(tokens / observeEvery(tokens))).toBeLessThanOrEqual(32);
  }
});

test("what a run will hold is what its budgets say, and never more than there is", () => {
  const [scope, full, third] = policiesOf({
    ...DEFAULT_SETTING,
    decodeBudget: "25%",
    third: "prompt-only",
  });
  const ofEach = (prompt: number, tokens: number) =>
    [scope, full, third].map((policy) => policy && Object.values(planned(policy, prompt, tokens)));
  expect(ofEach(1000, 400)).toEqual([
    [256, 100],
    [1000, 400],
    [256, 400],
  ]);
  expect(ofEach(40, 8)[0]).toEqual([40, 2]);
});

test("the library's plan takes the place of an estimate once it has come, and is asked for once", async () => {
  const [policy] = policiesOf(DEFAULT_SETTING);
  const asked: unknown[] = [];
  let drawn = 0;
  const model = {
    plannedSlots: async (cache: unknown, prompt: number, tokens: number) => {
      asked.push([cache, prompt, tokens]);
      await Promise.resolve();
      if (prompt === 1) {
        throw new Error("no plan");
      }
      return { prefill: 203, decode: 27 };
    },
  };
  const plans = new SlotPlans(model, () => (drawn += 1));
  const at = (prompt: number) => Object.values(plans.at(policy as Policy, prompt, 400));
  expect([at(1000), at(1000), at(1)]).toEqual([
    [256, 96],
    [256, 96],
    [1, 96],
  ]);
  await new Promise(setImmediate);
  expect([at(1000), at(1)]).toEqual([
    [203, 27],
    [1, 96],
  ]);
  expect(asked).toEqual([
    [policy?.cache, 1000, 400],
    [policy?.cache, 1, 400],
  ]);
  expect(drawn).toBe(1);
});

test("how long runs take is told from the pace of the last one", () => {
  const [policy] = policiesOf(DEFAULT_SETTING);
  const run = new Run(policy as Policy, 10);
  expect(paceOf([run], "")).toBeUndefined();
  // 100 characters were 25 tokens, 40 ms each; then half a second a token.
  run.usage = { promptTokens: 25, prefillMs: 1000, decodeTokensPerSecond: 2 };
  const pace = paceOf([run], "x".repeat(100));
  const setting = { ...DEFAULT_SETTING, prompt: "y".repeat(400), tokens: 20 };
  expect(pace && estimateMs(pace, setting, 2)).toBe(2 * (100 * 40 + 20 * 500));
});

test("the chart's drawing has a line a run, in its scale, and nobody's markup", () => {
  const svg = chartSvg(
    [
      {
        id: "scope",
        name: "a < b & c",
        dashed: false,
        points: [
          [0, 1],
          [10, 1],
        ],
      },
      {
        id: "full",
        name: "Full cache",
        dashed: true,
        points: [
          [0, 2],
          [10, 4],
        ],
      },
    ],
    (name) => `colour-of-${name}`,
  );
  const [scope = [], full = []] = [...svg.matchAll(/points="([^"]+)"/g)].map(([, points = ""]) =>
    points.split(" ").map((point) => point.split(",").map(Number)),
  );
  const [[left = 0, low = 0] = [], [right = 0, lowToo] = []] = scope;
  const [[, middle = 0] = [], [, high = 0] = []] = full;
  expect(lowToo).toBe(low);
  expect(right).toBeGreaterThan(left);
  // Up is less: from 1 to 2 is half as far as from 2 to 4.
  expect((low - middle) / (middle - high)).toBeCloseTo(0.5, 1);
  expect(svg).toContain("a &lt; b &amp; c");
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
});
