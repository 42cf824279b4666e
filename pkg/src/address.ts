/**
 * Address of the script that has this code, as far as it is known. A bundle that is no module has
 * no `import.meta.url`. A bundler may also have put a path on its own disk there.
 */
const here: string | undefined = ((): string | undefined => {
  const own: unknown = import.meta.url;
  if (typeof own === "string" && own !== "") {
    return own.startsWith("http") ? own : undefined;
  }
  // Only while a script runs for the first time does the document say which it is.
  const running = typeof document === "undefined" ? undefined : document.currentScript;
  const classic = running instanceof HTMLScriptElement ? running.src : globalThis.location?.href;
  return typeof classic === "string" && classic.startsWith("http") ? classic : undefined;
})();

/** First message to a worker: what only the bundle of its page knows. */
export interface PageAddresses {
  /** Addresses at which the page expects the WebAssembly module. */
  readonly moduleAddresses: readonly string[];
}

/** Name of the folder beside a page in which the package's own folders are looked for. */
const BESIDE_PAGE = "kvscope/";

/** Resolves `path` against the script that has this code: none if that one's address is unknown. */
export function besideScript(path: string): string[] {
  return here === undefined ? [] : [new URL(path, here).href];
}

/** Resolves `path`, as it is in the package, against the page's folder of it: none in a worker. */
export function besidePage(path: string): string[] {
  return typeof document === "undefined"
    ? []
    : [new URL(BESIDE_PAGE + path, document.baseURI).href];
}

/** Addresses at which this page or worker expects the WebAssembly module, the likeliest first. */
export function moduleAddresses(): string[] {
  return [
    ...bundledModule(),
    ...besideScript("kvscope_bg.wasm"),
    ...besidePage("wasm/kvscope_bg.wasm"),
  ];
}

function bundledModule(): string[] {
  try {
    // The bundlers' pattern: only this literal form makes them copy the file and put its final
    // address here.
    return [new URL("../wasm/kvscope_bg.wasm", import.meta.url).href];
  } catch {
    return [];
  }
}

/** True for an answer that has a file: servers often send a page in place of what is missing. */
export function hasFile({ ok, headers }: Response): boolean {
  return ok && headers.get("content-type")?.startsWith("text/html") !== true;
}
