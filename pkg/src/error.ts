/** Every code that a {@link KvscopeError} can have. The README's table says what to do about each. */
export const KVSCOPE_ERROR_CODES = [
  "webgpu-unavailable",
  "adapter-unavailable",
  "limit-too-small",
  "device-request-failed",
  "device-lost",
  "invalid-argument",
  "gpu-failure",
  "module-load-failed",
] as const;

/** One of {@link KVSCOPE_ERROR_CODES}: stable over releases, where messages are not. */
export type KvscopeErrorCode = (typeof KVSCOPE_ERROR_CODES)[number];

/** What every promise of this package rejects with. */
export class KvscopeError extends Error {
  override readonly name = "KvscopeError";
  /** What kind of failure this is: the field to branch on. */
  readonly code: KvscopeErrorCode;
  /** Facts about the failure: which limit, needed and had, which URL and status. The keys depend on the code. */
  readonly details: Readonly<Record<string, unknown>>;

  /** An error of kind `code` whose `message` a person can act on. */
  constructor(
    code: KvscopeErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

const isCode = (value: unknown): value is KvscopeErrorCode =>
  (KVSCOPE_ERROR_CODES as readonly unknown[]).includes(value);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/**
 * `thrown` by the WebAssembly module, as a {@link KvscopeError}. What is none of the module's own errors, such as a
 * trap, becomes `"gpu-failure"`. The original stays reachable as `cause`.
 */
export function toKvscopeError(thrown: unknown): KvscopeError {
  if (thrown instanceof KvscopeError) {
    return thrown;
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (isRecord(thrown) && isCode(thrown["code"])) {
    const details = isRecord(thrown["details"]) ? thrown["details"] : {};
    return new KvscopeError(thrown["code"], message, details, { cause: thrown });
  }
  return new KvscopeError("gpu-failure", `kvscope stopped unexpectedly: ${message}`, {}, { cause: thrown });
}
