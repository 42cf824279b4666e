import type { DeviceLoss } from "../wasm/kvscope.js";
import { moduleAddresses, type PageAddresses } from "./address.js";
import { aborted, fromErrorRecord, KvscopeError } from "./error.js";
import type { CallName, Calls, FromWorker, ToWorker } from "./protocol.js";
import { WorkerStart } from "./worker-start.js";

export { startWorker } from "./worker-start.js";

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: KvscopeError) => void;
  readonly onEvent: ((event: never) => void) | undefined;
}

/** Milliseconds that a worker has to end by itself before it is terminated. */
const DISPOSE_MS = 2000;

/** Options of a call beside its argument. */
export interface CallOptions<Name extends CallName> {
  readonly onEvent?: (event: Calls[Name]["event"]) => void;
  /** Tells the worker to end the call; the call itself decides how it settles. */
  readonly signal?: AbortSignal | undefined;
}

/** The page's end of one of the package's workers. */
export class WorkerClient {
  /** Resolves, never rejects, once the device is gone. */
  readonly lost: Promise<DeviceLoss>;
  readonly #start: WorkerStart | undefined;
  #worker: Worker | undefined;
  /** Messages until the worker has been heard: another may have to take its place. */
  #unheard: (ToWorker | PageAddresses)[] | undefined = [];
  readonly #pending = new Map<number, Pending>();
  #resolveLost!: (loss: DeviceLoss) => void;
  #calls = 0;
  #end: KvscopeError | undefined;

  /** Takes a worker over, or starts the package's own. */
  constructor(worker: Worker | WorkerStart) {
    this.lost = new Promise((resolve) => {
      this.#resolveLost = resolve;
    });
    this.#start = worker instanceof WorkerStart ? worker : undefined;
    this.#adopt(worker instanceof WorkerStart ? worker.next() : worker);
    this.#send({ moduleAddresses: moduleAddresses() });
  }

  /** Reason that the worker ended, if it has. */
  get end(): KvscopeError | undefined {
    return this.#end;
  }

  /** Makes the worker carry out a call. */
  async call<Name extends CallName>(
    call: Name,
    argument: Calls[Name]["argument"],
    { onEvent, signal }: CallOptions<Name> = {},
  ): Promise<Calls[Name]["result"]> {
    if (this.#end !== undefined) {
      throw this.#end;
    }
    if (signal?.aborted === true) {
      throw aborted("The call", signal.reason);
    }
    this.#calls += 1;
    const id = this.#calls;
    const cancel = (): void => this.#send({ cancel: id });
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await new Promise<Calls[Name]["result"]>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onEvent });
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- name and argument match
        this.#send({ id, call, argument } as ToWorker);
      });
    } finally {
      this.#pending.delete(id);
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Ends the worker; every call that runs, and every later one, rejects with `reason`. */
  terminate(
    reason: KvscopeError,
    loss: DeviceLoss = { reason: "unknown", message: reason.message },
  ): void {
    if (this.#end === undefined) {
      this.#worker?.terminate();
      this.#finish(reason, loss);
    }
  }

  /** Ends the worker like {@link terminate}, but lets it free the GPU's memory first. */
  dispose(reason: KvscopeError, loss: DeviceLoss): void {
    if (this.#end === undefined) {
      this.#send({ id: 0, call: "dispose", argument: undefined });
      setTimeout(() => this.#worker?.terminate(), DISPOSE_MS);
      this.#finish(reason, loss);
    }
  }

  /** Listens to `worker`; without one, ends with the reason that there is none. */
  #adopt(worker: Worker | undefined): void {
    this.#worker = worker;
    if (worker === undefined) {
      void this.#start?.failure().then((error) => this.terminate(error));
      return;
    }
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      this.#unheard = undefined;
      this.#receive(data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      // A script that can't be loaded has no message.
      if (event.message || this.#unheard === undefined) {
        this.terminate(workerFailed(event.message || "see the console for why"));
      } else if (this.#start === undefined) {
        this.terminate(givenWorkerFailed());
      } else if (this.#end === undefined) {
        this.#startAgain(this.#start, this.#unheard);
      }
    });
    worker.addEventListener("messageerror", () =>
      this.terminate(workerFailed("a message could not be read")),
    );
  }

  /** Lets another script of the worker's take the place of one that is not there. */
  #startAgain(start: WorkerStart, sent: readonly (ToWorker | PageAddresses)[]): void {
    this.#worker?.terminate();
    this.#adopt(start.next());
    for (const message of sent) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's has none
      this.#worker?.postMessage(message);
    }
  }

  #finish(reason: KvscopeError, loss: DeviceLoss): void {
    this.#end = reason;
    for (const { reject } of this.#pending.values()) {
      reject(reason);
    }
    this.#resolveLost(loss);
  }

  #send(message: ToWorker | PageAddresses): void {
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's has none
      this.#worker?.postMessage(message);
      this.#unheard?.push(message);
    } catch (cause) {
      const id = "id" in message ? message.id : 0;
      const problem = cause instanceof Error ? cause.message : String(cause);
      const error = new KvscopeError(
        "invalid-argument",
        `the request can't be sent: ${problem}`,
        {},
        { cause },
      );
      this.#pending.get(id)?.reject(error);
    }
  }

  #receive(message: FromWorker): void {
    if (this.#end !== undefined) {
      return;
    }
    if ("lost" in message) {
      const { lost } = message;
      const why = lost.message === "" ? lost.reason : lost.message;
      // A lost device may never answer, and nothing on it remains.
      this.terminate(
        new KvscopeError("device-lost", `The GPU device is gone (${why}). Load the engine again.`, {
          loss: lost,
        }),
        lost,
      );
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) {
      return;
    }
    /* oxlint-disable typescript/no-unsafe-type-assertion -- the id tells whose event this is */
    if ("event" in message) {
      pending.onEvent?.(message.event as never);
    } else if ("error" in message) {
      pending.reject(fromErrorRecord(message.error));
    } else {
      pending.resolve(message.result as never);
    }
    /* oxlint-enable typescript/no-unsafe-type-assertion */
  }
}

function workerFailed(detail: string): KvscopeError {
  return new KvscopeError("worker-failed", `The engine's worker failed: ${detail}.`, {});
}

/** Failure of a worker that `createWorker` made. */
function givenWorkerFailed(): KvscopeError {
  const message =
    "The engine's worker did not start. Its script, that `createWorker` names, must be kvscope's " +
    "`dist/worker.js`, started as a module; see the console for why.";
  return new KvscopeError("worker-failed", message, {});
}
