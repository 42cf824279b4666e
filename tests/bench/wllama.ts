import type { Page } from "@playwright/test";

type Module = typeof import("@wllama/wllama");
type Wllama = import("@wllama/wllama").Wllama;

declare global {
  var wllama: Wllama;
}

/** Positions that it has memory for, the model's own. */
const POSITIONS = 8192;

/**
 * Loads the same file into llama.cpp, on the CPU. Returns how many threads it has, which are one
 * without isolation.
 */
export async function open(page: Page, model: string): Promise<number> {
  await page.goto("/blank");
  return page.evaluate(
    async ({ file, positions }) => {
      const address = "/wllama/index.js";
      const module = (await import(address)) as Module;
      const silent = { debug() {}, log() {}, warn() {}, error() {} };
      globalThis.wllama = new module.Wllama(
        { default: "/wllama/wasm/wllama.wasm" },
        { logger: silent, suppressNativeLog: true },
      );
      const bytes = await (await fetch(file)).blob();
      await wllama.loadModel([bytes], {
        n_ctx: positions,
        n_gpu_layers: 0,
        n_parallel: 1,
        n_threads: navigator.hardwareConcurrency,
      });
      return wllama.getNumThreads();
    },
    { file: model, positions: POSITIONS },
  );
}

/** Milliseconds of the prompt, by llama.cpp itself, and of each step after it, by the page. */
export interface Generated {
  /** Tokens of the prompt that it did not have to take in. */
  readonly cachedTokens: number;
  readonly prefillMs: number;
  readonly ms: readonly number[];
}

/**
 * A prompt of `context` tokens and `steps` tokens after it. It keeps its last prompt: only the
 * first call with a context takes the prompt in.
 */
export const generate = (page: Page, context: number, steps: number): Promise<Generated> =>
  page.evaluate(
    async ({ context: tokens, steps: count }) => {
      // Each context has a beginning of its own, or the prompt before would serve for a part of it.
      const prompt = ` ${String.fromCodePoint(97 + (Math.round(Math.log2(tokens)) % 26))}`;
      const stream = await wllama.createCompletion({
        prompt: prompt + " house".repeat(tokens - 1),
        max_tokens: count + 2,
        temperature: 0,
        ignore_eos: true,
        stream: true,
      });
      const times: number[] = [];
      let [promptTokens, cachedTokens, prefillMs] = [0, 0, 0];
      for await (const chunk of stream) {
        const { timings } = chunk;
        if (timings !== undefined) {
          prefillMs = timings.prompt_ms;
          cachedTokens = timings.cache_n;
          promptTokens = timings.prompt_n + timings.cache_n;
        }
        if (chunk.choices[0]?.finish_reason === null) {
          times.push(performance.now());
        }
      }
      // Each token arrives when the next one's step is done, the last with the one before it.
      const ms = times.slice(1, -1).map((time, index) => time - (times[index] ?? time));
      if (promptTokens !== tokens) {
        throw new Error(`llama.cpp sees ${promptTokens} tokens, not ${tokens}`);
      }
      return { cachedTokens, prefillMs, ms };
    },
    { context, steps },
  );
