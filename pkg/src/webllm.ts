import { Engine, type LoadOptions } from "./engine.js";
import type { ChatCompletions, Completions } from "./openai.js";
import type { LoadProgress } from "./protocol.js";
import type { ModelSource } from "./source.js";

/** As WebLLM's. */
export interface InitProgressReport {
  /** From 0 to 1. */
  progress: number;
  /** Seconds since the load began. */
  timeElapsed: number;
  /** For people. */
  text: string;
}

/** As WebLLM's `MLCEngineConfig`, as far as it makes sense here; and all of {@link LoadOptions}. */
export interface MLCEngineConfig extends LoadOptions {
  initProgressCallback?: (report: InitProgressReport) => void;
  /** Where a model named by its id is: `model` is the address of a GGUF file. */
  appConfig?: { model_list: readonly { model_id: string; model: string }[] };
}

/** What a program that was written for WebLLM finds here. */
export interface MLCEngineInterface {
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: Completions;
  /** The engine behind it. */
  readonly engine: Engine;
  /** Ends the running request; its answer has what there is, with finish reason `"abort"`. */
  interruptGenerate(): void;
  /** Frees the cache. */
  resetChat(): Promise<void>;
  /** The latest request's speed. */
  runtimeStatsText(): Promise<string>;
  /** Disposes of the engine. */
  unload(): Promise<void>;
}

/** {@link Engine.load} under WebLLM's name and with its options, for programs that call that. */
export async function CreateMLCEngine(
  source: ModelSource,
  config: MLCEngineConfig = {},
): Promise<MLCEngineInterface> {
  const { initProgressCallback, appConfig, onProgress, ...options } = config;
  const started = performance.now();
  const listed = appConfig?.model_list.find(({ model_id }) => model_id === source);
  const engine = await Engine.load(listed?.model ?? source, {
    ...options,
    onProgress(progress) {
      onProgress?.(progress);
      initProgressCallback?.(initReport(progress, started));
    },
  });
  let interruption = new AbortController();
  const interruptible = <Create extends (params: never, options?: { signal?: AbortSignal }) => unknown>(
    create: Create,
  ): Create =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same overloads, passed through
    ((params: Parameters<Create>[0], { signal, ...rest }: { signal?: AbortSignal } = {}) =>
      create(params, {
        ...rest,
        signal: signal === undefined ? interruption.signal : AbortSignal.any([signal, interruption.signal]),
      })) as Create;
  return {
    engine,
    chat: { completions: { create: interruptible(engine.chat.completions.create) } },
    completions: { create: interruptible(engine.completions.create) },
    interruptGenerate() {
      interruption.abort();
      interruption = new AbortController();
    },
    resetChat: () => engine.forget(),
    async runtimeStatsText() {
      const { last } = await engine.stats();
      return `prefill: ${rate(last?.prefillTokensPerSecond)}, decoding: ${rate(last?.decodeTokensPerSecond)}`;
    },
    unload() {
      engine.dispose();
      return Promise.resolve();
    },
  };
}

function rate(tokensPerSecond = 0): string {
  return `${tokensPerSecond.toFixed(4)} tokens/sec`;
}

const PHASES: Readonly<Record<LoadProgress["phase"], string>> = {
  module: "Fetching the WebAssembly module",
  gpu: "Opening the GPU",
  wait: "Waiting for another tab that downloads the same model",
  download: "Downloading the model",
  load: "Loading the model",
  finish: "Finishing",
  ready: "Ready",
};

function initReport({ phase, loadedBytes, totalBytes }: LoadProgress, started: number): InitProgressReport {
  const share = totalBytes === undefined || totalBytes === 0 ? 0 : loadedBytes / totalBytes;
  const megabytes = loadedBytes === 0 ? "" : `: ${Math.round(loadedBytes / 1e6)} MB`;
  return {
    progress: phase === "ready" ? 1 : share,
    timeElapsed: (performance.now() - started) / 1000,
    text: `${PHASES[phase]}${megabytes}`,
  };
}
