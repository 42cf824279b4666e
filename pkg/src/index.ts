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
export type {
  ChatCompletionAssistantMessage,
  ChatCompletionMessageText,
  ChatCompletionSystemMessage,
  ChatCompletionTool,
  ChatCompletionToolCall,
  ChatCompletionToolMessage,
  CreateEmbeddingResponse,
  Embedding,
  EmbeddingCreateParams,
} from "./peers/openai-shapes.js";
export {
  functionCallingModelIds,
  modelLibURLPrefix,
  ModelType,
  modelVersion,
  prebuiltAppConfig,
  type AppConfig,
  type CacheBackend,
  type ModelRecord,
  type OPFSAccessMode,
} from "./webllm/app-config.js";
export type { ChatConfig, ChatOptions, ConvTemplateConfig, Role } from "./webllm/chat-options.js";
export {
  CreateMLCEngine,
  MLCEngine,
  type MLCEngineConfig,
  type MLCEngineInterface,
} from "./webllm/engine.js";
export type { InitProgressCallback, InitProgressReport } from "./webllm/init-report.js";
export {
  IntegrityError,
  isValidSRI,
  verifyIntegrity,
  type FileIntegrityMap,
  type ModelIntegrity,
  type SRIString,
} from "./webllm/integrity.js";
export {
  deleteChatConfigInCache,
  deleteModelAllInfoInCache,
  deleteModelInCache,
  deleteModelWasmInCache,
  hasModelInCache,
} from "./webllm/model-cache.js";
export type {
  Chat,
  ChatCompletionAssistantMessageParam,
  ChatCompletionAudioInput,
  ChatCompletionAudioInputPCM,
  ChatCompletionAudioInputWav,
  ChatCompletionContentPart,
  ChatCompletionContentPartImage,
  ChatCompletionContentPartInputAudio,
  ChatCompletionContentPartText,
  ChatCompletionFinishReason,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
  ChatCompletionNamedToolChoice,
  ChatCompletionRequest,
  ChatCompletionRequestBase,
  ChatCompletionRequestNonStreaming,
  ChatCompletionRequestStreaming,
  ChatCompletionRole,
  ChatCompletionSystemMessageParam,
  ChatCompletionTokenLogprob,
  ChatCompletionToolChoiceOption,
  ChatCompletionToolMessageParam,
  ChatCompletionUserMessageParam,
  CompletionChoice,
  CompletionCreateParams,
  CompletionCreateParamsBase,
  CompletionCreateParamsNonStreaming,
  CompletionCreateParamsStreaming,
  Embeddings,
  FunctionDefinition,
  FunctionParameters,
  GenerationConfig,
  LogitProcessor,
  ResponseFormat,
  ResumableGenerationConfig,
  ResumeChatCompletionOptions,
  ResumeProbeResult,
  ResumeResult,
  TextCompletions,
  TopLogprob,
} from "./webllm/openai-types.js";
export {
  CreateExtensionServiceWorkerMLCEngine,
  CreateServiceWorkerMLCEngine,
  CreateWebWorkerMLCEngine,
  ExtensionServiceWorkerMLCEngine,
  ServiceWorkerMLCEngine,
  WebWorkerMLCEngine,
  type ChatWorker,
  type CustomRequestParams,
  type ExtensionMLCEngineConfig,
  type WorkerRequest,
  type WorkerResponse,
} from "./webllm/worker-engines.js";
export {
  ExtensionServiceWorkerMLCEngineHandler,
  ServiceWorkerMLCEngineHandler,
  WebWorkerMLCEngineHandler,
  type ExtensionPort,
} from "./webllm/worker-handlers.js";
export {
  CacheManager,
  POLYFILL_ETAG,
  type CacheEntry,
  type CacheEntryMetadata,
} from "./wllama/cache-manager.js";
export type { LoadedContextInfo, ModelMetadata } from "./wllama/context-info.js";
export {
  WllamaAbortError,
  WllamaError,
  WllamaRuntimeError,
  type WllamaErrorType,
} from "./wllama/error.js";
export {
  getHFFileSHA256,
  getHFModelSource,
  type HuggingFaceParams,
  type WllamaModelSource,
} from "./wllama/hub.js";
export type {
  DownloadOptions,
  DownloadProgressCallback,
  LoadModelParams,
  WllamaLoadConfig,
} from "./wllama/load-params.js";
export { LoggerWithoutDebug, type WllamaLogger } from "./wllama/logger.js";
export { LogLevel } from "./peers/log-level.js";
export {
  isValidGgufFile,
  Model,
  ModelManager,
  ModelValidationStatus,
  type ModelManagerParams,
} from "./wllama/model-manager.js";
export type {
  ChatCompletionChoice,
  ChatCompletionChoiceLogprobs,
  ChatCompletionChunkChoice,
  ChatCompletionChunkDelta,
  ChatCompletionLogprob,
  ChatCompletionLogprobsContent,
  ChatCompletionMessage,
  ChatCompletionMessageAudio,
  ChatCompletionMessageContent,
  ChatCompletionMessageImage,
  ChatCompletionParams,
  ChatCompletionResponse,
  ChatCompletionToolChoice,
  ChatCompletionToolFunction,
  ChatCompletionToolFunctionParameters,
  ChatCompletionUsage,
  ChatCompletionUserMessage,
  RawCompletionChoice,
  RawCompletionChunk,
  RawCompletionParams,
  RawCompletionResponse,
  StreamParams,
  WllamaChatMessage,
  WllamaRequest,
} from "./wllama/openai-types.js";
export {
  Wllama,
  type AssetsPathConfig,
  type WllamaCompat,
  type WllamaConfig,
} from "./wllama/wllama.js";
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
