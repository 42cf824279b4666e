import { KVSCOPE_ERROR_CODES, type KvscopeErrorCode } from "./codes.js";

/** Error that every promise of this package rejects with. */
export class KvscopeError extends Error {
  override readonly name: string = "KvscopeError";
  /** Kind of the failure: the field to branch on. */
  readonly code: KvscopeErrorCode;
  /**
   * Facts about the failure: which limit, needed and had, which URL and status. The keys depend on
   * the code.
   */
  readonly details: Readonly<Record<string, unknown>>;

  /** Creates an error of kind `code` whose `message` a person can act on. */
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
 * Converts `thrown` by the WebAssembly module to a {@link KvscopeError}. Anything but the module's
 * own errors, such as a trap, becomes `"gpu-failure"`. The original stays reachable as `cause`.
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
  return new KvscopeError(
    "gpu-failure",
    `kvscope stopped unexpectedly: ${message}`,
    {},
    { cause: thrown },
  );
}

/**
 * A {@link KvscopeError} for sending from the worker to the page: classes and their fields can't be
 * sent.
 */
export interface ErrorRecord {
  readonly code: KvscopeErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** Converts any failure for sending. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  const { code, message, details, cause } = toKvscopeError(thrown);
  // Browsers clone errors; a promise's reason may be anything, and not everything can be cloned.
  return { code, message, details, ...(cause === undefined ? {} : { cause: asError(cause) }) };
}

/** Converts a record of {@link toErrorRecord} back to an error. */
export function fromErrorRecord({ code, message, details, cause }: ErrorRecord): KvscopeError {
  return new KvscopeError(code, message, details, cause === undefined ? {} : { cause });
}

/** Creates the error of an invalid argument, named in `details.argument`. */
export function invalidArgument(argument: string, problem: string): KvscopeError {
  return new KvscopeError("invalid-argument", `${argument} ${problem}`, { argument });
}

/**
 * Creates the error of an operation that an `AbortSignal` ended, with the signal's reason as its
 * cause.
 */
export function aborted(what: string, reason?: unknown): KvscopeError {
  return new KvscopeError(
    "aborted",
    `${what} was aborted`,
    {},
    reason === undefined ? {} : { cause: reason },
  );
}

/** Returns whether the browser has no room left for what was to be stored. */
export function isQuotaExceeded(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === "QuotaExceededError";
}

function asError(cause: unknown): Error {
  return cause instanceof Error
    ? new Error(cause.message, { cause: cause.name })
    : new Error(String(cause));
}
