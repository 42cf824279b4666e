import { KVSCOPE_ERROR_CODES, type KvscopeErrorCode } from "./codes.js";

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

/** A {@link KvscopeError} as it crosses from the worker to the page: classes and their fields do not cross by themselves. */
export interface ErrorRecord {
  readonly code: KvscopeErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** Any failure, ready to be sent. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  const { code, message, details, cause } = toKvscopeError(thrown);
  // Browsers clone errors; a promise's reason may be anything, and not everything can be cloned.
  return { code, message, details, ...(cause === undefined ? {} : { cause: asError(cause) }) };
}

/** What {@link toErrorRecord} made, as an error again. */
export function fromErrorRecord({ code, message, details, cause }: ErrorRecord): KvscopeError {
  return new KvscopeError(code, message, details, cause === undefined ? {} : { cause });
}

/** The error of an argument that can't be, named in `details.argument`. */
export function invalidArgument(argument: string, problem: string): KvscopeError {
  return new KvscopeError("invalid-argument", `${argument} ${problem}`, { argument });
}

/** The error of what an `AbortSignal` ended, with the signal's reason as its cause. */
export function aborted(what: string, reason?: unknown): KvscopeError {
  return new KvscopeError("aborted", `${what} was aborted`, {}, reason === undefined ? {} : { cause: reason });
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? new Error(cause.message, { cause: cause.name }) : new Error(String(cause));
}
