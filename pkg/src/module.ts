import init, { type InitOutput } from "../wasm/kvscope.js";
import { hasFile, moduleAddresses } from "./address.js";
import { KvscopeError } from "./error.js";

let loading: Promise<void> | undefined;
let instance: InitOutput | undefined;

/**
 * Fetches and instantiates the WebAssembly module, once per page. Later and concurrent calls share
 * the first one's outcome, and their arguments are ignored. After a failure the next call starts
 * again.
 *
 * @param wasmUrl address of the module; by default where bundlers, CDNs or the user put it
 * @param pages where the page of a worker expects the module
 * @throws {KvscopeError} `"module-load-failed"`
 */
export function loadModule(wasmUrl?: string | URL, pages: readonly string[] = []): Promise<void> {
  loading ??= instantiate(wasmUrl === undefined ? likeliest(pages) : [String(wasmUrl)]).catch(
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

/** Addresses to try: those of this script's bundle and its page's, then those beside them. */
function likeliest(pages: readonly string[]): string[] {
  const own = moduleAddresses();
  return [...new Set([...own.slice(0, 1), ...pages.slice(0, 1), ...own, ...pages])];
}

async function instantiate(addresses: readonly string[]): Promise<void> {
  const response = await firstOf(addresses);
  try {
    instance = await init({ module_or_path: response });
  } catch (cause) {
    const { url } = response;
    throw failure(`from ${url} is damaged, or not a kvscope module`, CHECK, { url }, cause);
  }
}

/** Fetches the first of `addresses` that has a file. */
async function firstOf(addresses: readonly string[]): Promise<Response> {
  const missing: { url: string; problem: string; status?: number; cause?: unknown }[] = [];
  for (const url of addresses) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the later ones are for want of the earlier
      const response = await fetch(url);
      if (hasFile(response)) {
        return response;
      }
      const { status, ok } = response;
      const problem = `the server answered ${ok ? "a page" : status}`;
      missing.push({ url, problem, status });
      if (!ok && status !== 404 && status !== 410) {
        break; // It is there, and can't be had now.
      }
    } catch (cause) {
      missing.push({ url, problem: "no answer", cause });
    }
  }
  const [first] = missing;
  const places = missing.map(({ url, problem }) => `${url} (${problem})`).join(", nor from ");
  const { url, status, cause } = first ?? {};
  const advice =
    missing.length > 1
      ? "Copy `wasm/kvscope_bg.wasm` of the package to the first of these, or name its address by the option `wasmUrl`."
      : CHECK;
  const tried = missing.length > 1 ? { tried: missing.map(({ url: at }) => at) } : {};
  throw failure(
    `could not be fetched from ${places}`,
    advice,
    { url, ...(status === undefined ? {} : { status }), ...tried },
    cause,
  );
}

const CHECK = "Check the connection and the address, then try again.";

function failure(
  problem: string,
  advice: string,
  details: Record<string, unknown>,
  cause?: unknown,
): KvscopeError {
  return new KvscopeError(
    "module-load-failed",
    `The WebAssembly module ${problem}. ${advice}`,
    details,
    cause === undefined ? {} : { cause },
  );
}
