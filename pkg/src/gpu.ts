import { WasmGpu, type DeviceLoss, type GpuOptions, type GpuReport } from "../wasm/kvscope.js";
import { abortable, type AbortOptions } from "./abortable.js";
import { disposable } from "./disposable.js";
import { KvscopeError, toKvscopeError } from "./error.js";
import { loadModule } from "./module.js";
import { requireWebGpu } from "./support.js";

/**
 * Options of {@link openGpu}: wishes about the adapter, and the address of the WebAssembly module.
 */
export interface OpenGpuOptions extends GpuOptions, AbortOptions {
  /**
   * Address of `kvscope_bg.wasm`, for pages that serve it from elsewhere. The first call of a page
   * decides.
   */
  wasmUrl?: string | URL;
}

/**
 * Requests a GPU of the browser and opens it for kvscope. May be called again at any time, also
 * after a lost device.
 *
 * @throws {KvscopeError} `"webgpu-unavailable"`, `"module-load-failed"`, `"adapter-unavailable"`,
 *   `"limit-too-small"`, `"device-request-failed"`, `"invalid-argument"` or `"aborted"`
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const { wasmUrl, signal, ...wishes } = options;
  requireWebGpu();
  const opening = async (): Promise<WasmGpu> => {
    await loadModule(wasmUrl);
    const opened = await requestGpu(wishes);
    if (signal?.aborted === true) {
      opened.destroy();
    }
    return opened;
  };
  try {
    return new Gpu(await abortable("The opening", opening, signal));
  } catch (error) {
    throw toKvscopeError(error);
  }
}

/**
 * Opens the GPU once the module is there. Only the conversion of `wishes` can throw before there is
 * a promise.
 */
export function requestGpu(wishes: GpuOptions): Promise<WasmGpu> {
  // A field that is undefined means the default, as everywhere in JavaScript; the conversion would
  // refuse it.
  const given = Object.fromEntries(
    Object.entries(wishes).filter(([, value]) => value !== undefined),
  );
  try {
    return WasmGpu.open(given);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new KvscopeError(
      "invalid-argument",
      `options: ${problem}`,
      { argument: "options" },
      { cause },
    );
  }
}

/**
 * An open GPU. Every call on it after the device is lost or destroyed rejects with code
 * `"device-lost"`.
 */
export class Gpu implements Disposable {
  /** The adapter, and the features and limits that the device was opened with. */
  readonly report: GpuReport;
  /** Resolves, never rejects, once the device is gone: by {@link destroy} or by itself. */
  readonly lost: Promise<DeviceLoss>;
  /** Calls {@link destroy}, for `using`, in browsers that know `Symbol.dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  static {
    disposable(Gpu.prototype, (gpu) => gpu.destroy());
  }

  readonly #wasm: WasmGpu;
  readonly #inFlight = new Set<(reason: KvscopeError) => void>();
  #loss: DeviceLoss | undefined;

  /** @internal Call {@link openGpu}. */
  constructor(wasm: WasmGpu) {
    this.#wasm = wasm;
    this.report = wasm.report();
    this.lost = wasm.lost().then((loss) => this.#onLost(loss));
  }

  /**
   * Resolves once the GPU has done all that was asked of it.
   *
   * @throws {KvscopeError} `"device-lost"` or `"gpu-failure"`
   */
  async ping(): Promise<void> {
    return this.#run(async () => this.#wasm.ping());
  }

  /**
   * Frees the GPU's memory. Running calls reject; {@link lost} resolves with reason `"destroyed"`.
   */
  destroy(): void {
    if (this.#loss === undefined) {
      this.#wasm.destroy();
      this.#onLost({ reason: "destroyed", message: "destroy() was called" });
    }
  }

  /**
   * Runs `operation`, ended by the loss of the device if that comes first: a lost device may never
   * answer.
   */
  #run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#loss !== undefined) {
      return Promise.reject(deviceLost(this.#loss));
    }
    return new Promise<T>((resolve, reject) => {
      this.#inFlight.add(reject);
      operation()
        .then(resolve, (error: unknown) => reject(toKvscopeError(error)))
        .finally(() => this.#inFlight.delete(reject));
    });
  }

  #onLost(loss: DeviceLoss): DeviceLoss {
    this.#loss ??= loss;
    for (const reject of this.#inFlight) {
      reject(deviceLost(this.#loss));
    }
    this.#inFlight.clear();
    return this.#loss;
  }
}

function deviceLost(loss: DeviceLoss): KvscopeError {
  const why = loss.message === "" ? loss.reason : loss.message;
  return new KvscopeError("device-lost", `The GPU device is gone (${why}). Open the GPU again.`, {
    ...loss,
  });
}
