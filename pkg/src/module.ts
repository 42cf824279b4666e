import init, { type InitOutput } from "../wasm/kvscope.js";
import { KvscopeError } from "./error.js";

let loading: Promise<void> | undefined;
let instance: InitOutput | undefined;

/**
 * Fetches and instantiates the WebAssembly module, once per page. Later and concurrent calls share
 * the first one's outcome, and their `wasmUrl` is ignored. After a failure the next call starts
 * again.
 *
 * @param wasmUrl address of the module; by default beside this file, for bundlers and CDNs
 * @throws {KvscopeError} `"module-load-failed"`
 */
export function loadModule(wasmUrl?: string | URL): Promise<void> {
  // The bundlers' pattern: only this literal form makes them copy the file and put its final
  // address here.
  loading ??= instantiate(wasmUrl ?? new URL("../wasm/kvscope_bg.wasm", import.meta.url)).catch(
    (error: unknown) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** Bytes of the module's own memory; 0 before it is loaded. */
export function moduleBytes(): number {
  return instance?.memory.buffer.byteLength ?? 0;
}

async function instantiate(address: string | URL): Promise<void> {
  const url = String(address);
  const response = await fetch(address).catch((cause: unknown) => {
    throw failure(`could not be fetched from ${url}`, { url }, cause);
  });
  if (!response.ok) {
    throw failure(`could not be fetched from ${url}: the server answered ${response.status}`, {
      url,
      status: response.status,
    });
  }
  try {
    instance = await init({ module_or_path: response });
  } catch (cause) {
    throw failure(`from ${url} is damaged, or not a kvscope module`, { url }, cause);
  }
}

function failure(problem: string, details: Record<string, unknown>, cause?: unknown): KvscopeError {
  const message = `The WebAssembly module ${problem}. Check the connection and the address, then try again.`;
  return new KvscopeError(
    "module-load-failed",
    message,
    details,
    cause === undefined ? {} : { cause },
  );
}
