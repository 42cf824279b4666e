// Measures llama.cpp's quantised caches as `kvscope eval fidelity --raw` measures ours: the
// divergence of its next-token distributions from those with its f16 cache, on the gold answers of
// the same examples.
//
//   npm install --no-save --ignore-scripts node-llama-cpp@3.22.1
//   node tests/bench/llamacpp-divergence.mjs MODEL.gguf EXAMPLES ANSWER FILE.jsonl... > points.txt
//
// EXAMPLES are taken from the beginning of each file, and of their answers ANSWER tokens. What it
// prints is for `--points` of that command.

import fs from "node:fs";
import { getLlama } from "node-llama-cpp";

const [modelPath, examples, longest, ...files] = process.argv.slice(2);
const TYPES = ["Q8_0", "Q5_1", "Q4_0"];
const AT_ONCE = 16; // answer tokens whose distributions are held: each has the whole vocabulary

// One thread: several wait for each other, for long where a core has other work.
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: 1 });
const model = await llama.loadModel({ modelPath });

/** An example's prompt and gold answer in tokens. */
function tokensOf(line) {
  const { prompt, answer, questions, answers } = JSON.parse(line);
  const gold = answer ?? longGenBench(prompt, questions.length, answers);
  return { prompt: model.tokenize(prompt), answer: model.tokenize(gold).slice(0, Number(longest)) };
}

/** The gold answer as src/command/fidelity/data.rs writes it. */
function longGenBench(prompt, questions, answers) {
  const shown = prompt.split("Question_").length - 1 - questions;
  return answers.map((it, at) => `Answer_${shown + at + 1}:\n${solution(it)}\n`).join("\n");
}

function solution(answer) {
  if (/^[A-Z]$/.test(answer)) {
    return `The answer is (${answer}).`;
  }
  const steps = answer.replaceAll(/<<.*?>>/gs, "");
  return steps.replace(/#### (.*)$/s, (_, result) => `The answer is ${result.trim()}.`);
}

/** A sequence with the prompt in it, whose cache has `type`. */
async function sequenceOf({ prompt, answer }, type) {
  const cache = { experimentalKvCacheKeyType: type, experimentalKvCacheValueType: type };
  const context = await model.createContext({
    contextSize: prompt.length + answer.length + 8,
    batchSize: 512,
    flashAttention: true,
    ...(type === "F16" ? {} : cache),
  });
  const sequence = context.getSequence();
  await sequence.controlledEvaluate(prompt);
  return { context, sequence };
}

/** Probabilities by token after each of `tokens`. */
async function distributions({ sequence }, tokens) {
  const asked = tokens.map((token) => [token, { generateNext: { probabilities: true } }]);
  const steps = await sequence.controlledEvaluate(asked);
  return steps.map(({ next }) => dense(next.probabilities));
}

/** An array takes a tenth of the memory of a map. */
function dense(probabilities) {
  // Not `Math.max(...)`: a vocabulary of 151,936 tokens is too many arguments.
  const last = [...probabilities.keys()].reduce((most, token) => Math.max(most, token), 0);
  const shares = new Float32Array(last + 1);
  for (const [token, share] of probabilities) {
    shares[token] = share;
  }
  return shares;
}

const LEAST = 1e-12; // what f32 can't tell from 0

function divergence(full, other) {
  let sum = 0;
  full.forEach((share, token) => {
    if (share > 0) {
      sum += share * Math.log(share / Math.max(other[token] ?? 0, LEAST));
    }
  });
  return Math.max(sum, 0);
}

const likeliest = (shares) => shares.reduce((best, it, at) => (it > shares[best] ? at : best), 0);

const totals = new Map(TYPES.map((type) => [type, { positions: 0, kl: 0, same: 0 }]));
for (const file of files) {
  const lines = fs
    .readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  for (const line of lines.slice(0, Number(examples))) {
    const example = tokensOf(line);
    const full = await sequenceOf(example, "F16");
    const others = new Map();
    for (const type of TYPES) {
      others.set(type, await sequenceOf(example, type));
    }
    // Nothing follows the last token.
    const answer = example.answer.slice(0, -1);
    for (let done = 0; done < answer.length; done += AT_ONCE) {
      const tokens = answer.slice(done, done + AT_ONCE);
      const expected = await distributions(full, tokens);
      for (const [type, sequence] of others) {
        const total = totals.get(type);
        (await distributions(sequence, tokens)).forEach((other, at) => {
          total.positions += 1;
          total.kl += divergence(expected[at], other);
          total.same += likeliest(expected[at]) === likeliest(other) ? 1 : 0;
        });
      }
      const reached = `${example.prompt.length} + ${done + tokens.length} of ${answer.length}`;
      process.stderr.write(`${file}: ${reached} tokens\n`);
    }
    for (const { context } of [full, ...others.values()]) {
      await context.dispose();
    }
  }
}
for (const [type, { positions, kl, same }] of totals) {
  const agreement = `same top ${((100 * same) / positions).toFixed(2)} %`;
  process.stdout.write(`${type} positions ${positions} KL ${(kl / positions).toFixed(6)} ${agreement}\n`);
}
process.exit(0);
