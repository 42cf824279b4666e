// Writes what llama.cpp chooses after prompts, and how it cuts texts, those of `prompts.json`:
// `llamacpp_greedy.json` and `llamacpp_tokens.json` in FOLDER. `cargo xtask parity` runs it:
//
//   node tests/native/model/llamacpp.mjs PACKAGES MODELS FOLDER STEPS [PROMPTS [COPIES]]
//
// `npm install node-llama-cpp@3.22.1` was run in PACKAGES. MODELS is the folder of the files that
// `prompts.json` names. STEPS is the number of choices after each prompt, and PROMPTS that of each
// model's prompts; all, if it is left out. COPIES is a folder of the same files in f32, as
// `in_f32.py` writes them. Fed the same tokens, llama.cpp computes with them without rounding to 8
// bits: `in_f32` has its choice at each step, and its distance from the other.
//
// With STEPS 8 and PROMPTS 1 it wrote `greedy.json` beside this script and `../text/llamacpp.json`,
// which the short tests read.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [packages, models, folder, steps, prompts, copies] = process.argv.slice(2);
const library = path.resolve(packages, "node_modules/node-llama-cpp/dist/index.js");
const { getLlama } = await import(pathToFileURL(library).href);
const plan = JSON.parse(fs.readFileSync(new URL("prompts.json", import.meta.url), "utf8"));
const source = "llama.cpp through node-llama-cpp 3.22.1";
const greedy = { source: `${source}: margins are those of the logits, in nats`, models: {} };
const tokens = { source: `${source}; plain: text alone; special: with special tokens in it` };
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: 2 });

/** The likeliest token, and its logit's distance from the next one's. */
function choice(probabilities) {
  let [best, first, second] = [-1, 0, 0];
  for (const [token, share] of probabilities) {
    if (share > first) {
      [best, first, second] = [token, share, first];
    } else {
      second = Math.max(second, share);
    }
  }
  return { token: best, margin: Math.log(first / second) };
}

/** The choices after a prompt. */
async function run(model, prompt) {
  const begins = model.tokens.shouldPrependBosToken ? [model.tokens.bos] : [];
  const ids = [...begins, ...model.tokenize(prompt, true)];
  const context = await model.createContext({ contextSize: ids.length + Number(steps) + 8 });
  const sequence = context.getSequence();
  const chosen = [];
  const margins = [];
  let input = ids;
  while (chosen.length < Number(steps)) {
    const asked = [input.at(-1), { generateNext: { probabilities: true } }];
    const given = await sequence.controlledEvaluate([...input.slice(0, -1), asked]);
    const { token, margin } = choice(given.at(-1).next.probabilities);
    chosen.push(token);
    margins.push(Number(margin.toFixed(4)));
    input = [token];
  }
  await context.dispose();
  const text = model.detokenize(chosen, true);
  return { prompt, prompt_tokens: ids, greedy: chosen, margin_nats: margins, text };
}

/** The choices of the copy in f32 at the steps of a run, each with its distance from the run's. */
async function inF32(model, { prompt_tokens: ids, greedy: chosen }) {
  const context = await model.createContext({ contextSize: ids.length + chosen.length + 8 });
  const fed = [...ids, ...chosen.slice(0, -1)];
  const asked = fed.map((token, at) => {
    return at < ids.length - 1 ? token : [token, { generateNext: { probabilities: true } }];
  });
  const given = await context.getSequence().controlledEvaluate(asked);
  await context.dispose();
  return given.slice(ids.length - 1).map(({ next }, step) => {
    const { token } = choice(next.probabilities);
    const shares = [token, chosen[step]].map((it) => next.probabilities.get(it));
    return [token, Number(Math.log(shares[0] / shares[1]).toFixed(4))];
  });
}

for (const [file, asked] of Object.entries(plan.prompts)) {
  const modelPath = path.join(models, file);
  if (!fs.existsSync(modelPath)) {
    process.stderr.write(`  ${file} is not in ${models}: left out\n`);
    continue;
  }
  const model = await llama.loadModel({ modelPath });
  const { bos, eos, eot } = model.tokens;
  const cut = (text, special) => [...model.tokenize(text, special)];
  const texts = plan.texts.map((text) => {
    return { text, plain: cut(text, false), special: cut(text, true) };
  });
  tokens[file] = { texts, bos, eos, eot };
  const runs = [];
  for (const prompt of asked.slice(0, Number(prompts ?? asked.length))) {
    runs.push(await run(model, prompt));
  }
  greedy.models[file] = runs;
  process.stderr.write(`  ${file}: ${runs.length} prompts, ${texts.length} texts\n`);
  await model.dispose();
  if (copies !== undefined) {
    const copy = await llama.loadModel({ modelPath: path.join(copies, file) });
    for (const it of runs) {
      it.in_f32 = await inF32(copy, it);
    }
    await copy.dispose();
  }
}

/** JSON with an object per line. */
function lines(value) {
  return `${JSON.stringify(value).replaceAll(/\{"(prompt|text)":/g, '\n{"$1":')}\n`;
}

fs.mkdirSync(folder, { recursive: true });
fs.writeFileSync(path.join(folder, "llamacpp_greedy.json"), lines(greedy));
fs.writeFileSync(path.join(folder, "llamacpp_tokens.json"), lines(tokens));
process.exit(0);
