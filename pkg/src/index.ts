/// <reference lib="esnext.disposable" preserve="true" />
export type { AbortOptions } from "./abortable.js";
export { KVSCOPE_ERROR_CODES, type KvscopeErrorCode } from "./codes.js";
export {
  Engine,
  type EngineMemory,
  type EngineStats,
  type LoadedModel,
  type LoadOptions,
  type SlotPlan,
} from "./engine.js";
export { KvscopeError } from "./error.js";
export { Gpu, openGpu, type OpenGpuOptions } from "./gpu.js";
export type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  ChatFinishReason,
  ChatLogprobs,
  ChatMessage,
  ChatParams,
  ChunkExtras,
  Completion,
  CompletionChunk,
  CompletionParams,
  Completions,
  CompletionUsage,
  KvReport,
  RequestCache,
  RequestOptions,
  SamplingParams,
  TemplateParams,
  TextLogprobs,
  TokenLogprob,
} from "./openai.js";
export type { LoadProgress } from "./protocol.js";
export type {
  DocumentOptions,
  SendParams,
  Session,
  SessionMessage,
  SessionOptions,
} from "./session.js";
export type { StoredSession } from "./session-store.js";
export type { HubFile, ModelSource } from "./source.js";
export type { StoredModel } from "./store.js";
export { requireWebGpu } from "./support.js";
export type { TraceTask } from "./trace.js";
export {
  CreateMLCEngine,
  MLCEngine,
  type ChatCompletionMessageParam,
  type InitProgressReport,
  type MLCEngineConfig,
  type MLCEngineInterface,
} from "./webllm.js";
export { Wllama, type WllamaLoadConfig, type WllamaRequest } from "./wllama.js";
export type {
  BudgetOption,
  CacheOptions,
  CacheSlots,
  CacheType,
  Conversation,
  DecodeOptions,
  DecodeStrategy,
  DeviceLoss,
  FinishReason,
  GpuFeature,
  GpuLimits,
  GpuMemory,
  GpuOptions,
  GpuReport,
  LossReason,
  MemoryReport,
  Message,
  ModelReport,
  Observe,
  PlannedHead,
  PlannedLayer,
  PlannedSlots,
  Pooling,
  PowerPreference,
  PrefillMethod,
  PrefillOptions,
  Prompt,
  PromptTokens,
  RetainedLayer,
  RetainedSlots,
  Step,
  Summary,
  TokenLogprob as StepLogprob,
  TraceProgram,
} from "../wasm/kvscope.js";
