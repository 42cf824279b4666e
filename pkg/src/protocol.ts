import type {
  DeviceLoss,
  GenerateRequest,
  GenerateResult,
  GpuMemory,
  GpuOptions,
  GpuReport,
  MemoryReport,
  ModelReport,
  Prompt,
  PromptTokens,
  RetainedLayer,
  Step,
  TraceGrades,
  TraceProgram,
} from "../wasm/kvscope.js";
import type { ErrorRecord } from "./error.js";
import type { Model } from "./source.js";

/** How far a load has come. */
export interface LoadProgress {
  /**
   * `"module"`: the WebAssembly module comes; `"gpu"`: the GPU is opened; `"wait"`: another tab or engine is storing the same
   * model; `"download"`: the model comes from its address; `"load"`: it comes from the store or a file; `"finish"`: the GPU
   * takes in the last of it; `"ready"`.
   */
  phase: "module" | "gpu" | "wait" | "download" | "load" | "finish" | "ready";
  /** Bytes of the model that were read so far, of all parts. */
  loadedBytes: number;
  /** What that will be in the end, where all lengths are known. */
  totalBytes: number | undefined;
  /** Whether the bytes come from the origin's file system, with no request. */
  fromStore: boolean;
}

/** What a load takes. */
export interface LoadRequest {
  readonly model: Model;
  readonly gpu: GpuOptions;
  readonly wasmUrl: string | undefined;
  /** Whether to keep the model, and to look for it, in the origin's file system. */
  readonly store: boolean;
}

/** What a load gives. */
export interface LoadResult {
  readonly gpu: GpuReport;
  readonly model: ModelReport;
  readonly bytes: number;
  readonly fromStore: boolean;
  readonly stored: boolean;
}

/** What a load tells on its way. */
export type LoadEvent = { readonly progress: LoadProgress } | { readonly warning: ErrorRecord };

/** What a generation tells on its way. */
export type GenerateEvent =
  | { readonly prefill: { readonly done: number; readonly of: number } }
  | { readonly step: Step; readonly retained?: readonly RetainedLayer[] };

/** What the worker measures. */
export interface WorkerStats {
  readonly gpuMemory: GpuMemory;
  /** Bytes of the WebAssembly module's own memory. */
  readonly moduleBytes: number;
}

/**
 * The calls that the page makes of the worker: argument, events on the way, result.
 *
 * A protocol of our own, since what comlink would carry (plain calls) is the small part of it: errors with their codes, one
 * stream of events a call, and cancelling are the rest, and each would need a handler of its own there.
 */
export interface Calls {
  load: { argument: LoadRequest; event: LoadEvent; result: LoadResult };
  generate: { argument: GenerateRequest; event: GenerateEvent; result: GenerateResult };
  memory: { argument: undefined; event: never; result: MemoryReport };
  retained: { argument: number; event: never; result: RetainedLayer };
  tokens: { argument: Prompt; event: never; result: PromptTokens };
  traceProgram: { argument: { readonly lines: number; readonly seed: number }; event: never; result: TraceProgram };
  gradeTrace: {
    argument: { readonly lines: number; readonly seed: number; readonly answer: string };
    event: never;
    result: TraceGrades;
  };
  stats: { argument: undefined; event: never; result: WorkerStats };
  forget: { argument: undefined; event: never; result: undefined };
  dispose: { argument: undefined; event: never; result: undefined };
}

/** The name of a call. */
export type CallName = keyof Calls;

/** From the page to the worker. */
export type ToWorker =
  | { [Name in CallName]: { readonly id: number; readonly call: Name; readonly argument: Calls[Name]["argument"] } }[CallName]
  | { readonly cancel: number };

/** From the worker to the page. */
export type FromWorker =
  | { readonly id: number; readonly event: Calls[CallName]["event"] }
  | { readonly id: number; readonly result: Calls[CallName]["result"] }
  | { readonly id: number; readonly error: ErrorRecord }
  | { readonly lost: DeviceLoss };
