/// <reference lib="esnext.disposable" preserve="true" />
export { KVSCOPE_ERROR_CODES, KvscopeError, type KvscopeErrorCode } from "./error.js";
export { Gpu, openGpu, type OpenGpuOptions } from "./gpu.js";
export type {
  DeviceLoss,
  GpuFeature,
  GpuLimits,
  GpuOptions,
  GpuReport,
  LossReason,
  PowerPreference,
} from "../wasm/kvscope.js";
