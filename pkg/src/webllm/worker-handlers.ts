import { MLCEngine } from "./engine.js";
import type { LogitProcessor } from "./openai-types.js";

/**
 * WebLLM's handler in a program's worker. It has nothing to do: the page's engine has a worker of
 * its own, and sends this one no messages.
 */
export class WebWorkerMLCEngineHandler {
  /** An engine without a model, for code in the worker itself. */
  readonly engine = new MLCEngine();

  /** Takes a message, and ignores it. */
  // oxlint-disable-next-line no-unused-vars -- so that calls with them are right
  onmessage(_event: unknown, _onComplete?: (value: unknown) => void, _onError?: () => void): void {
    // No page sends one.
  }

  /** Posts a message to the page. */
  postMessage(message: unknown): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's has none
    globalThis.postMessage(message);
  }

  /** Keeps processors of logits, as {@link MLCEngine.setLogitProcessorRegistry} does. */
  setLogitProcessorRegistry(registry?: Map<string, LogitProcessor>): void {
    this.engine.setLogitProcessorRegistry(registry);
  }
}

/** WebLLM's handler in a service worker, which has as little to do. */
export class ServiceWorkerMLCEngineHandler extends WebWorkerMLCEngineHandler {
  // oxlint-disable-next-line no-unused-vars -- so that calls with it are right
  override postMessage(_message: unknown): void {
    // A service worker has no page of its own to post to.
  }
}

/** A connection of an extension, as far as a handler needs it. */
export interface ExtensionPort {
  postMessage(message: unknown): void;
}

/** WebLLM's handler in an extension's service worker, which has as little to do. */
export class ExtensionServiceWorkerMLCEngineHandler extends WebWorkerMLCEngineHandler {
  /** The connection. */
  port: ExtensionPort | undefined;

  /** Creates a handler of a connection. */
  constructor(port?: ExtensionPort) {
    super();
    this.port = port;
  }

  /** Replaces the connection. */
  setPort(port: ExtensionPort): void {
    this.port = port;
  }

  /** Forgets a connection that is closed. */
  onPortDisconnect(port: ExtensionPort): void {
    if (this.port === port) {
      this.port = undefined;
    }
  }

  override postMessage(message: unknown): void {
    this.port?.postMessage(message);
  }
}
