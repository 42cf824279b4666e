import {
  asked,
  grade_trace,
  planned_slots,
  sampling_fields,
  trace_program,
  type RetainedLayers,
  type StepLogprobs,
  type WasmEngine,
  type WasmGpu,
} from "../wasm/kvscope.js";
import type { PageAddresses } from "./address.js";
import type { KvscopeErrorCode } from "./codes.js";
import { aborted, KvscopeError, toErrorRecord } from "./error.js";
import { requestGpu } from "./gpu.js";
import { ModelLoad } from "./load.js";
import { loadModule, moduleBytes } from "./module.js";
import type { CallName, Calls, FromWorker, LoadProgress, ToWorker } from "./protocol.js";
import { bytesOf, readSession, writeSession } from "./session-store.js";
import { requireWebGpu } from "./support.js";

/** Codes of failures that a lost device may have caused. */
const OF_THE_GPU = new Set<KvscopeErrorCode>([
  "gpu-failure",
  "logits-read",
  "cache-read",
  "logits-invalid",
]);
const LOSS_NEWS_MS = 20_000;

/** A worker's scope, absent from TypeScript's types of a page. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(
    type: "message",
    listener: (event: MessageEvent<ToWorker | PageAddresses>) => void,
  ): void;
  close(): void;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this file runs in a worker
const scope = globalThis as unknown as WorkerScope;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's has none
const send = (message: FromWorker): void => scope.postMessage(message);
/** Addresses at which the page expects the WebAssembly module, if it told. */
let pageAddresses: readonly string[] = [];
const loads = new Map<number, AbortController>();
let gpu: WasmGpu | undefined;
let engine: WasmEngine | undefined;
/** Id of the call whose generation runs. */
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
      await loadModule(request.wasmUrl, pageAddresses);
      controller.signal.throwIfAborted();
      phase("gpu");
      gpu = await requestGpu(request.gpu);
      controller.signal.throwIfAborted();
      void gpu.lost().then((lost) => send({ lost }));
      const loaded = await new ModelLoad(gpu, request, controller.signal, emit).run();
      engine = loaded.engine;
      const { bytes, fromStore, stored } = loaded;
      const { fields: sampling } = sampling_fields();
      return { gpu: gpu.report(), model: engine.model(), sampling, bytes, fromStore, stored };
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
        (
          step: StepEvent["step"],
          observed: RetainedLayers | undefined,
          logprobs: StepLogprobs | undefined,
        ) =>
          emit({
            step,
            ...(observed && { retained: observed.layers }),
            ...(logprobs && { logprobs }),
          }),
      );
    } finally {
      generating = undefined;
    }
  },
  memory: (session) => loadedEngine().memory(session),
  retained: ({ session, layer }) => loadedEngine().retained(session, layer),
  async hold({ session, cache, conversation }, emit, id) {
    const prompt = [...loadedEngine().beginning(conversation)];
    return handlers.generate({ session, cache, prompt, onlyPrefill: true }, emit, id);
  },
  asked: ({ conversation, question }) => asked(conversation, question),
  fork({ session, branch }) {
    loadedEngine().fork(session, branch);
    return undefined;
  },
  async saveSession({ saved, name }) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the module shares no memory
    const bytes = (await loadedEngine().save(saved)) as Uint8Array<ArrayBuffer>;
    if (name === undefined) {
      return bytes;
    }
    await writeSession(name, bytes);
    return undefined;
  },
  async loadSession({ session, from }) {
    const file = typeof from === "string" ? await readSession(from) : from;
    const bytes = file instanceof Blob ? await bytesOf(file) : file;
    return loadedEngine().load(session, new Uint8Array(bytes));
  },
  tokens: (prompt) => loadedEngine().tokens(prompt),
  plannedSlots: (request) => planned_slots(request),
  traceProgram: ({ lines, seed }) => trace_program(lines, seed),
  gradeTrace: ({ lines, seed, answer: given }) => grade_trace(lines, seed, given),
  stats() {
    if (gpu === undefined) {
      throw notLoaded();
    }
    return { gpuMemory: gpu.memory(), moduleBytes: moduleBytes() };
  },
  async forget(sessions) {
    await loadedEngine().forget(Uint32Array.from(sessions));
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

/** True while the device completes work, or if there is none. */
async function answers(): Promise<boolean> {
  if (gpu === undefined) {
    return true;
  }
  return gpu.ping().then(
    () => true,
    () => false,
  );
}

/**
 * Waits for the news that the device is lost, unless it still answers. Work on a lost device fails
 * before the browser says why, by seconds with a software GPU. The news, sent when it comes, ends
 * the call by its right name.
 */
async function lossNews(): Promise<void> {
  // The first answer may be an earlier error, not yet reported.
  if ((await answers()) || (await answers())) {
    return;
  }
  await new Promise((resolve) => {
    setTimeout(resolve, LOSS_NEWS_MS);
  });
}

async function answer<Name extends CallName>(
  id: number,
  call: Name,
  argument: Calls[Name]["argument"],
): Promise<void> {
  try {
    const result = await handlers[call](argument, (event) => send({ id, event }), id);
    send({ id, result });
  } catch (thrown) {
    const error = toErrorRecord(thrown);
    if (OF_THE_GPU.has(error.code)) {
      await lossNews();
    }
    send({ id, error });
  }
}

scope.addEventListener("message", ({ data }) => {
  if ("call" in data) {
    void answer(data.id, data.call, data.argument);
  } else if ("moduleAddresses" in data) {
    pageAddresses = data.moduleAddresses;
  } else {
    loads.get(data.cancel)?.abort();
    if (data.cancel === generating) {
      engine?.cancel();
    }
  }
});
