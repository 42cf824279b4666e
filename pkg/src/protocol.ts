import type {
  CacheOptions,
  Conversation,
  DeviceLoss,
  GenerateRequest,
  GenerateResult,
  GpuMemory,
  GpuOptions,
  GpuReport,
  MemoryReport,
  ModelReport,
  PlannedSlots,
  PlanRequest,
  Prompt,
  PromptTokens,
  RetainedLayer,
  SamplingField,
  SavedSession,
  SessionToSave,
  Step,
  StepLogprobs,
  TraceGrades,
  TraceProgram,
} from "../wasm/kvscope.js";
import type { ErrorRecord } from "./error.js";
import type { Model } from "./source.js";

/** Progress of a load. */
export interface LoadProgress {
  /**
   * Phase of the load.
   *
   * - `"module"`: fetching the WebAssembly module
   * - `"gpu"`: opening the GPU
   * - `"wait"`: another tab or engine is storing the same model
   * - `"download"`: reading the model from its address
   * - `"load"`: reading it from the store or a file
   * - `"finish"`: the GPU takes in the last of it
   * - `"ready"`
   */
  phase: "module" | "gpu" | "wait" | "download" | "load" | "finish" | "ready";
  /** Bytes of the model read so far, of all parts. */
  loadedBytes: number;
  /**
   * Bytes of the whole model, if all lengths are known. Another origin's may prove to be those of
   * packed bytes, and are unknown then. The share that has been read never falls.
   */
  totalBytes: number | undefined;
  /** The bytes come from the origin's file system, without a request. */
  fromStore: boolean;
}

/** Argument of a load. */
export interface LoadRequest {
  readonly model: Model;
  readonly gpu: GpuOptions;
  readonly wasmUrl: string | undefined;
  /** Keeps the model, and looks for it, in the origin's file system. */
  readonly store: boolean;
}

/** Result of a load. */
export interface LoadResult {
  readonly gpu: GpuReport;
  readonly model: ModelReport;
  /** Sampling options that requests have. */
  readonly sampling: readonly SamplingField[];
  readonly bytes: number;
  readonly fromStore: boolean;
  readonly stored: boolean;
}

/** Event of a load. */
export type LoadEvent = { readonly progress: LoadProgress } | { readonly warning: ErrorRecord };

/** Event of a generation. */
export type GenerateEvent =
  | { readonly prefill: { readonly done: number; readonly of: number } }
  | {
      readonly step: Step;
      readonly retained?: readonly RetainedLayer[];
      readonly logprobs?: StepLogprobs;
    };

/** Measurements of the worker. */
export interface WorkerStats {
  readonly gpuMemory: GpuMemory;
  /** Bytes of the WebAssembly module's own memory. */
  readonly moduleBytes: number;
}

/**
 * The page's calls to the worker: argument, events on the way, result.
 *
 * The protocol is kvscope's own, since comlink would carry only plain calls. Error codes, a stream
 * of events per call, and cancelling would each need a handler there.
 */
export interface Calls {
  load: { argument: LoadRequest; event: LoadEvent; result: LoadResult };
  generate: { argument: GenerateRequest; event: GenerateEvent; result: GenerateResult };
  /** Memory of a session, by its number. */
  memory: { argument: number; event: never; result: MemoryReport };
  retained: {
    argument: { readonly session: number; readonly layer: number };
    event: never;
    result: RetainedLayer;
  };
  /** Makes a session hold what every next turn of a conversation begins with. */
  hold: {
    argument: {
      readonly session: number;
      readonly cache: CacheOptions;
      readonly conversation: Conversation;
    };
    event: GenerateEvent;
    result: GenerateResult;
  };
  asked: {
    argument: { readonly conversation: Conversation; readonly question: string };
    event: never;
    result: Conversation;
  };
  fork: {
    argument: { readonly session: number; readonly branch: number };
    event: never;
    result: undefined;
  };
  /** Saves a session in the origin's file system under a name, or to bytes without one. */
  saveSession: {
    argument: { readonly saved: SessionToSave; readonly name: string | undefined };
    event: never;
    result: Uint8Array<ArrayBuffer> | undefined;
  };
  /** Loads a session from the origin's file system by its name, or from bytes. */
  loadSession: {
    argument: {
      readonly session: number;
      readonly from: string | Uint8Array<ArrayBuffer> | ArrayBuffer | Blob;
    };
    event: never;
    result: SavedSession;
  };
  tokens: { argument: Prompt; event: never; result: PromptTokens };
  plannedSlots: { argument: PlanRequest; event: never; result: PlannedSlots };
  traceProgram: {
    argument: { readonly lines: number; readonly seed: number };
    event: never;
    result: TraceProgram;
  };
  gradeTrace: {
    argument: { readonly lines: number; readonly seed: number; readonly answer: string };
    event: never;
    result: TraceGrades;
  };
  stats: { argument: undefined; event: never; result: WorkerStats };
  /** Frees the memory of sessions, by their numbers. */
  forget: { argument: readonly number[]; event: never; result: undefined };
  dispose: { argument: undefined; event: never; result: undefined };
}

/** Name of a call. */
export type CallName = keyof Calls;

/** Message from the page to the worker. */
export type ToWorker =
  | {
      [Name in CallName]: {
        readonly id: number;
        readonly call: Name;
        readonly argument: Calls[Name]["argument"];
      };
    }[CallName]
  | { readonly cancel: number };

/** Message from the worker to the page. */
export type FromWorker =
  | { readonly id: number; readonly event: Calls[CallName]["event"] }
  | { readonly id: number; readonly result: Calls[CallName]["result"] }
  | { readonly id: number; readonly error: ErrorRecord }
  | { readonly lost: DeviceLoss };
