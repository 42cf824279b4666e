import type { RetainedLayers, WasmEngine, WasmGpu } from "../wasm/kvscope.js";
import { aborted, KvscopeError, toErrorRecord } from "./error.js";
import { requestGpu } from "./gpu.js";
import { ModelLoad } from "./load.js";
import { loadModule, moduleBytes } from "./module.js";
import type { CallName, Calls, FromWorker, LoadProgress, ToWorker } from "./protocol.js";
import { requireWebGpu } from "./support.js";

/** What a worker has and TypeScript's types of a page have not. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  close(): void;
}

const scope = globalThis as unknown as WorkerScope;
const loads = new Map<number, AbortController>();
let gpu: WasmGpu | undefined;
let engine: WasmEngine | undefined;
/** The call whose generation runs. */
let generating: number | undefined;

type Handlers = {
  [Name in CallName]: (
    argument: Calls[Name]["argument"],
    emit: (event: Calls[Name]["event"]) => void,
    id: number,
  ) => Promise<Calls[Name]["result"]> | Calls[Name]["result"];
};

const handlers: Handlers = {
  async load(request, emit, id) {
    const controller = new AbortController();
    loads.set(id, controller);
    const phase = (name: LoadProgress["phase"]): void =>
      emit({ progress: { phase: name, loadedBytes: 0, totalBytes: undefined, fromStore: false } });
    try {
      phase("module");
      requireWebGpu();
      await loadModule(request.wasmUrl);
      controller.signal.throwIfAborted();
      phase("gpu");
      gpu = await requestGpu(request.gpu);
      controller.signal.throwIfAborted();
      void gpu.lost().then((lost) => scope.postMessage({ lost }));
      const loaded = await new ModelLoad(gpu, request, controller.signal, emit).run();
      engine = loaded.engine;
      const { bytes, fromStore, stored } = loaded;
      return { gpu: gpu.report(), model: engine.model(), bytes, fromStore, stored };
    } catch (error) {
      throw controller.signal.aborted ? aborted("The load") : error;
    } finally {
      loads.delete(id);
    }
  },
  async generate(request, emit, id) {
    generating = id;
    try {
      return await loadedEngine().generate(
        request,
        (done: number, of: number) => emit({ prefill: { done, of } }),
        (step: StepEvent["step"], observed: RetainedLayers | undefined) =>
          emit(observed === undefined ? { step } : { step, retained: observed.layers }),
      );
    } finally {
      generating = undefined;
    }
  },
  memory: () => loadedEngine().memory(),
  retained: (layer) => loadedEngine().retained(layer),
  tokens: (prompt) => loadedEngine().tokens(prompt),
  stats() {
    if (gpu === undefined) {
      throw notLoaded();
    }
    return { gpuMemory: gpu.memory(), moduleBytes: moduleBytes() };
  },
  forget() {
    loadedEngine().forget();
    return undefined;
  },
  dispose() {
    gpu?.destroy();
    // After the answer, which is sent when this returns.
    setTimeout(() => scope.close());
    return undefined;
  },
};

type StepEvent = Extract<Calls["generate"]["event"], { step: unknown }>;

function loadedEngine(): WasmEngine {
  if (engine === undefined) {
    throw notLoaded();
  }
  return engine;
}

function notLoaded(): KvscopeError {
  return new KvscopeError("invalid-argument", "the worker has no model loaded");
}

async function answer<Name extends CallName>(id: number, call: Name, argument: Calls[Name]["argument"]): Promise<void> {
  try {
    const result = await handlers[call](argument, (event) => scope.postMessage({ id, event }), id);
    scope.postMessage({ id, result });
  } catch (error) {
    scope.postMessage({ id, error: toErrorRecord(error) });
  }
}

scope.addEventListener("message", ({ data }) => {
  if ("call" in data) {
    void answer(data.id, data.call, data.argument);
  } else {
    loads.get(data.cancel)?.abort();
    if (data.cancel === generating) {
      engine?.cancel();
    }
  }
});
