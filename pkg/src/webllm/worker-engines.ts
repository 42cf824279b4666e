import type { ModelSource } from "../source.js";
import type { ChatOptions } from "./chat-options.js";
import { MLCEngine, type MLCEngineConfig } from "./engine.js";

/** Worker, as far as WebLLM needs it. */
export interface ChatWorker {
  postMessage(message: unknown): void;
}

/** WebLLM's request of a page's own, and its answer. */
export interface CustomRequestParams {
  requestName: string;
  requestMessage: string;
}

/** WebLLM's message to a worker. None is sent here. */
export interface WorkerRequest {
  kind: string;
  uuid: string;
  content: unknown;
}

/** WebLLM's message from a worker. None is sent here. */
export interface WorkerResponse {
  kind: string;
  uuid: string;
  content?: unknown;
}

/** {@link MLCEngine} under WebLLM's name of one in a worker, for programs written for it. */
export class WebWorkerMLCEngine extends MLCEngine {
  /** The program's worker. It stays idle, since the engine has one of its own. */
  readonly worker: ChatWorker | undefined;

  /** Creates an engine without a model. */
  constructor(worker?: ChatWorker, config: MLCEngineConfig = {}) {
    super(config);
    this.worker = worker;
  }
}

/** Creates a {@link WebWorkerMLCEngine} and loads a model, under WebLLM's name. */
export async function CreateWebWorkerMLCEngine(
  worker: ChatWorker | undefined,
  source: ModelSource,
  config?: MLCEngineConfig,
  chatOptions?: ChatOptions | ChatOptions[],
): Promise<WebWorkerMLCEngine> {
  const engine = new WebWorkerMLCEngine(worker, config);
  await engine.reload(source, chatOptions);
  return engine;
}

/** {@link MLCEngine} under WebLLM's name of one in a service worker. It is the page's own. */
export class ServiceWorkerMLCEngine extends WebWorkerMLCEngine {
  /** Heartbeats of the service worker that did not come: none is waited for. */
  readonly missedHeartbeat = 0;

  /** Creates an engine without a model. */
  // oxlint-disable-next-line no-unused-vars -- so that calls with it are right
  constructor(config: MLCEngineConfig = {}, _keepAliveMs?: number) {
    super(undefined, config);
  }
}

/** Creates a {@link ServiceWorkerMLCEngine} and loads a model, under WebLLM's name. */
export async function CreateServiceWorkerMLCEngine(
  source: ModelSource,
  config?: MLCEngineConfig,
  chatOptions?: ChatOptions | ChatOptions[],
  keepAliveMs?: number,
): Promise<ServiceWorkerMLCEngine> {
  const engine = new ServiceWorkerMLCEngine(config, keepAliveMs);
  await engine.reload(source, chatOptions);
  return engine;
}

/** WebLLM's options of an engine in an extension; the added ones are ignored. */
export interface ExtensionMLCEngineConfig extends MLCEngineConfig {
  extensionId?: string;
  onDisconnect?: () => void;
}

/** {@link MLCEngine} under WebLLM's name of one in an extension. It is the page's own. */
export class ExtensionServiceWorkerMLCEngine extends ServiceWorkerMLCEngine {
  /** Name of the extension, as given. */
  readonly extensionId: string | undefined;

  /** Creates an engine without a model. */
  constructor(config: ExtensionMLCEngineConfig = {}, keepAliveMs?: number) {
    super(config, keepAliveMs);
    this.extensionId = config.extensionId;
  }
}

/** Creates an {@link ExtensionServiceWorkerMLCEngine} and loads a model, under WebLLM's name. */
export async function CreateExtensionServiceWorkerMLCEngine(
  source: ModelSource,
  config?: ExtensionMLCEngineConfig,
  chatOptions?: ChatOptions | ChatOptions[],
  keepAliveMs?: number,
): Promise<ExtensionServiceWorkerMLCEngine> {
  const engine = new ExtensionServiceWorkerMLCEngine(config, keepAliveMs);
  await engine.reload(source, chatOptions);
  return engine;
}
