import type { KvscopeErrorCode } from "../codes.js";
import { KvscopeError, toKvscopeError } from "../error.js";

/** wllama's kinds of errors. */
export type WllamaErrorType =
  | "model_not_loaded"
  | "download_error"
  | "load_error"
  | "version_mismatch"
  | "kv_cache_full"
  | "unknown_error"
  | "inference_error";

/** {@link KvscopeError} under wllama's name and with its kind. */
export class WllamaError extends KvscopeError {
  /** wllama's kind of the failure. */
  readonly type: WllamaErrorType;

  /** Creates an error with wllama's arguments, or also with those of its `cause`. */
  constructor(message: string, type: WllamaErrorType = "unknown_error", cause?: KvscopeError) {
    super(
      cause?.code ?? "invalid-argument",
      message,
      cause?.details,
      cause === undefined ? {} : { cause },
    );
    this.type = type;
  }
}

/** {@link KvscopeError}, code `"aborted"`, under wllama's name of what a signal ended. */
export class WllamaAbortError extends KvscopeError {
  /** Creates the error. */
  constructor(cause?: KvscopeError) {
    super("aborted", cause?.message ?? "The operation was aborted", cause?.details, { cause });
    // Programs compare the name with that of `fetch`'s error.
    Object.defineProperty(this, "name", { value: "AbortError" });
  }
}

/** wllama's error of its WebAssembly runtime. None is thrown here. */
export class WllamaRuntimeError extends KvscopeError {
  /** Creates the error. */
  constructor(message: string, stack: string) {
    super("gpu-failure", message);
    this.stack = stack;
  }
}

const TYPES: Partial<Record<KvscopeErrorCode, WllamaErrorType>> = {
  "download-failed": "download_error",
  "model-checksum": "download_error",
  "prompt-too-long": "kv_cache_full",
  "cache-too-long": "kv_cache_full",
};

/** Converts any failure to wllama's classes. `otherwise` is its kind, if its code tells none. */
export function toWllamaError(
  thrown: unknown,
  otherwise: WllamaErrorType,
): WllamaError | WllamaAbortError {
  if (thrown instanceof WllamaError || thrown instanceof WllamaAbortError) {
    return thrown;
  }
  const error = toKvscopeError(thrown);
  return error.code === "aborted"
    ? new WllamaAbortError(error)
    : new WllamaError(error.message, TYPES[error.code] ?? otherwise, error);
}
