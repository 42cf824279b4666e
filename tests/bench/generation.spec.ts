import { test } from "@playwright/test";
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../e2e/static-server.ts";
import { countWebGpu } from "./counting.ts";
import * as kvscope from "./kvscope.ts";
import { benchFolder, readGroups, readPlan, type Plan, type Spot } from "./plan.ts";
import * as wllama from "./wllama.ts";

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Without these a page has no memory that threads share, and wllama one thread. */
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

const say = (text: string): boolean => process.stderr.write(`browser: ${text}\n`);

/** All rounds at a spot. */
function together(spot: Spot, rounds: readonly kvscope.Round[]): object {
  const [first] = rounds;
  return {
    ...spot,
    ...first,
    ms: rounds.map(({ ms }) => ms),
    bareMs: rounds.map(({ bareMs }) => bareMs),
  };
}

/** All rounds of llama.cpp at a context. The first one has taken the prompt in. */
function ofLlama(program: object, context: number, rounds: readonly wllama.Generated[]): object {
  const [first] = rounds;
  return { ...program, context, ...first, ms: rounds.map(({ ms }) => ms) };
}

/** The contexts that llama.cpp is measured at. */
function contexts({ wllama: wanted, prefill, decode }: Plan): ReadonlySet<number> {
  return new Set(wanted ? [...prefill, ...decode].map(({ context }) => context) : []);
}

async function wllamaVersion(): Promise<string> {
  const text = await readFile(folder("node_modules/@wllama/wllama/package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

test("the model is measured in a page", async ({ browser }) => {
  const plan = await readPlan();
  const groups = await readGroups();
  const server = await serve(
    {
      "/pkg/": folder("pkg"),
      "/wllama/": folder("node_modules/@wllama/wllama/esm"),
      "/caches/": join(benchFolder(), "caches"),
      "/model/": dirname(plan.model),
    },
    ISOLATED,
  );
  const pages = await browser.newContext({ baseURL: server.origin });
  const model = `/model/${basename(plan.model)}`;

  const ours = await pages.newPage();
  await countWebGpu(ours);
  const adapter = await kvscope.open(ours, model);

  const [warmUp] = plan.prefill;
  if (warmUp !== undefined) {
    await kvscope.prefill(ours, warmUp);
  }
  const prefill: object[] = [];
  const spots: object[] = [];
  const llama = new Map<number, wllama.Generated[]>();
  const program = { version: await wllamaVersion(), threads: 0 };
  // After each part of it: a run that is stopped leaves what it has.
  const keep = (): Promise<void> => {
    const ofLlamas = [...llama].map(([context, rounds]) => ofLlama(program, context, rounds));
    const measured = { adapter, prefill, spots, wllama: ofLlamas };
    return writeFile(join(benchFolder(), "browser.json"), JSON.stringify(measured));
  };
  await keep();
  for (const wanted of plan.prefill) {
    say(`prompt of ${wanted.context}, ${wanted.method}`);
    const taken: kvscope.Taken[] = [];
    for (let repeat = 0; repeat < wanted.repeats; repeat += 1) {
      taken.push(await kvscope.prefill(ours, wanted));
    }
    const [first] = taken;
    prefill.push({ ...wanted, ...first, ms: taken.map(({ ms }) => ms) });
    await keep();
  }

  const theirs = await pages.newPage();
  const ofTheirs = contexts(plan);
  program.threads = ofTheirs.size > 0 ? await wllama.open(theirs, model) : 0;
  const roundOfLlama = async (context: number): Promise<void> => {
    say(`wllama at ${context}`);
    const rounds = llama.get(context) ?? [];
    llama.set(context, [...rounds, await wllama.generate(theirs, context, plan.steps)]);
    await keep();
  };

  for (const group of groups) {
    const rounds = new Map<number, kvscope.Round[]>(group.map(({ id }) => [id, []]));
    const [{ kind, context, rounds: count } = { kind: "", context: 0, rounds: 0 }] = group;
    for (let index = 0; index < count; index += 1) {
      if (kind === "decode" && ofTheirs.has(context)) {
        await roundOfLlama(context);
      }
      for (const spot of group) {
        say(`${spot.policy} at ${spot.context}, round ${index + 1}`);
        rounds.get(spot.id)?.push(await kvscope.round(ours, spot));
      }
    }
    spots.push(...group.map((spot) => together(spot, rounds.get(spot.id) ?? [])));
    await keep();
  }
  for (const context of ofTheirs) {
    if (!llama.has(context)) {
      await roundOfLlama(context);
    }
  }

  await pages.close();
  await server.close();
});
