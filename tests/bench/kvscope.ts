import type { Page } from "@playwright/test";
import type { Counts, Kernel } from "./counting.ts";
import type { Prefill, Spot } from "./plan.ts";

type Module = typeof import("../../pkg/wasm/kvscope.js");
type WasmGpu = import("../../pkg/wasm/kvscope.js").WasmGpu;
type WasmEngine = import("../../pkg/wasm/kvscope.js").WasmEngine;
type GpuReport = ReturnType<WasmGpu["report"]>;

interface Opened {
  readonly module: Module;
  readonly memory: WebAssembly.Memory;
  readonly gpu: WasmGpu;
  readonly engine: WasmEngine;
}

declare global {
  var opened: Opened;
}

/** Opens the GPU and loads the model, as its bytes arrive. */
export async function open(page: Page, model: string): Promise<GpuReport> {
  await page.goto("/blank");
  return page.evaluate(async (file) => {
    const address = "/pkg/wasm/kvscope.js";
    const module = (await import(address)) as Module;
    const { memory } = await module.default({ module_or_path: "/pkg/wasm/kvscope_bg.wasm" });
    const gpu = await module.WasmGpu.open({});
    const response = await fetch(file);
    const loader = module.WasmLoader.gguf(gpu);
    loader.begin_file(Number(response.headers.get("content-length")) || undefined);
    const reader = response.body?.getReader();
    for (let chunk = await reader?.read(); chunk?.done === false; chunk = await reader?.read()) {
      loader.push(chunk.value);
    }
    loader.end_file();
    globalThis.opened = { module, memory, gpu, engine: await loader.finish() };
    return gpu.report();
  }, model);
}

/** Cost of taking in a prompt: time, and the most memory held. */
export interface Taken {
  readonly ms: number;
  readonly peakGpuBytes: number;
  readonly wasmBytes: number;
}

export const prefill = (page: Page, wanted: Prefill): Promise<Taken> =>
  page.evaluate(async ({ context, cache }) => {
    const { engine, gpu, memory } = opened;
    // As many words as tokens: each is one with its space, but what a prompt begins with may be one
    // more.
    const more = engine.tokens(" house").tokens.length - 1;
    const prompt = " house".repeat(context - more);
    if (engine.tokens(prompt).tokens.length !== context) {
      throw new Error(`${context} words are ${engine.tokens(prompt).tokens.length} tokens`);
    }
    await engine.forget(Uint32Array.of(0));
    await gpu.release_unused();
    counting.peakBytes = counting.liveBytes;
    const config = { maxNewTokens: 1, sampling: { temperature: 0 } };
    const { summary } = await engine.generate(
      { prompt, cache, reuse: false, config },
      () => {},
      () => {},
    );
    const { peakBytes } = counting;
    await engine.forget(Uint32Array.of(0));
    await gpu.release_unused();
    return { ms: summary.prefillMs, peakGpuBytes: peakBytes, wasmBytes: memory.buffer.byteLength };
  }, wanted);

/**
 * Measurements of one round at a spot. Counts and milliseconds are those of each step that counts.
 */
export interface Round {
  readonly cacheBytes: number;
  readonly gpuBytes: number;
  readonly ms: readonly number[];
  readonly bareMs: readonly number[];
  readonly counts: readonly Counts[];
  readonly kernels: Readonly<Record<string, Kernel>>;
}

export const round = (page: Page, at: Spot): Promise<Round> =>
  page.evaluate(async ({ id, kind, warm, steps }) => {
    const { module, engine, gpu } = opened;
    const saved = await (await fetch(`/caches/${id}.bin`)).arrayBuffer();
    const cache = module.WasmCache.load(gpu, new Uint8Array(saved));
    const cacheBytes = cache.memory().heldBytes;

    const after: { ms: number; counts: Counts }[] = [];
    let kernels: Record<string, Kernel> = {};
    await engine.measure(cache, warm + steps, false, (_position: number, ms: number) => {
      after.push({ ms, counts: { ...counting.counts } });
      if (after.length === warm) {
        counting.kernels = {};
      }
      kernels = structuredClone(counting.kernels);
    });
    const gpuBytes = counting.liveBytes;
    const counts = after.slice(1).map((step, index) => {
      const before = after[index]?.counts ?? step.counts;
      const names = Object.keys(before) as (keyof Counts)[];
      return Object.fromEntries(
        names.map((name) => [name, step.counts[name] - before[name]]),
      ) as unknown as Counts;
    });

    const bareMs: number[] = [];
    if (kind === "decode") {
      await engine.measure(cache, warm + steps, true, (_position: number, ms: number) =>
        bareMs.push(ms),
      );
    }
    cache.free();
    await gpu.release_unused();
    return {
      cacheBytes,
      gpuBytes,
      ms: after.slice(warm).map(({ ms }) => ms),
      bareMs: bareMs.slice(warm),
      // The first step has none before it.
      counts: counts.slice(warm - 1),
      kernels,
    };
  }, at);
