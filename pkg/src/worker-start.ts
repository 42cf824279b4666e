import { besidePage, besideScript, hasFile } from "./address.js";
import { KvscopeError } from "./error.js";

/** A script that may be the worker's, with the options that start it. */
interface WorkerScript {
  readonly address: string;
  readonly options: WorkerOptions;
}

const MODULE: WorkerOptions = { type: "module", name: "kvscope" };

/** The start of the package's own worker, from one of the places where its script may be. */
export class WorkerStart {
  readonly #scripts: readonly WorkerScript[];
  #tried = 0;

  /** Creates a start that tries `scripts` in their order. */
  constructor(scripts: readonly WorkerScript[]) {
    this.#scripts = scripts;
  }

  /** Starts the next script, unless none is left. It may not be there; then the worker fails. */
  next(): Worker | undefined {
    while (this.#tried < this.#scripts.length) {
      const script = this.#scripts[this.#tried];
      this.#tried += 1;
      try {
        return script && start(script);
      } catch {
        // Refused by the browser: perhaps not from another address.
      }
    }
    return undefined;
  }

  /** Finds out why no script started. */
  async failure(): Promise<KvscopeError> {
    const tried = await Promise.all(
      this.#scripts.map(async ({ address: url }) => ({ url, problem: await problemAt(url) })),
    );
    const present = tried.find(({ problem }) => problem === undefined);
    const message =
      present === undefined
        ? `The engine's worker did not start, for its script is not at ${tried
            .map(({ url, problem }) => `${url} (${problem})`)
            .join(
              ", nor at ",
            )}. Copy \`dist/worker.js\` and \`wasm/kvscope_bg.wasm\` of the package ` +
          "beside the bundle, or start the worker by the option `createWorker`."
        : `The engine's worker did not start, though its script is at ${present.url}. The page's ` +
          "content security policy may forbid it; see the console for why.";
    return new KvscopeError("worker-failed", message, { tried });
  }
}

/** Begins the start of the package's worker. */
export function startWorker(): WorkerStart {
  const bundled = bundledScript();
  const addresses = [
    ...(bundled === undefined ? besideScript("worker.js") : inPackage(bundled.address)),
    ...besidePage("dist/worker.js"),
  ];
  const others = [...new Set(addresses)].filter((address) => address !== bundled?.address);
  return new WorkerStart([
    ...(bundled === undefined ? [] : [bundled]),
    ...others.map((address) => ({ address, options: MODULE })),
  ]);
}

/** Stands in for `Worker`, to learn how a worker would be started. */
class Recorder implements WorkerScript {
  readonly address: string;
  readonly options: WorkerOptions;

  constructor(address: string | URL, options: WorkerOptions = {}) {
    this.address = new URL(address, globalThis.location.href).href;
    this.options = options;
  }
}

/** The worker's script as the page's bundler placed it, or as it lies beside this file. */
function bundledScript(): WorkerScript | undefined {
  const constructor = globalThis.Worker;
  /* oxlint-disable typescript/no-unsafe-type-assertion -- only the line below calls the recorder */
  try {
    globalThis.Worker = Recorder as unknown as typeof Worker;
    // The bundlers' pattern: only this literal form makes them bundle the worker and put its final
    // address here. It does not tell that address, and a page can't start a script of another
    // origin. Nothing else runs while the constructor is another.
    return new Worker(new URL("./worker.js", import.meta.url), {
      type: "module",
      name: "kvscope",
    }) as unknown as Recorder;
  } catch {
    return undefined; // no address in a bundle that is no module, or a page that is frozen
  } finally {
    Reflect.set(globalThis, "Worker", constructor);
  }
  /* oxlint-enable typescript/no-unsafe-type-assertion */
}

/** The worker's addresses in a CDN's copy of the package, for a bundle that the CDN made of it. */
function inPackage(bundled: string): string[] {
  return isForeign(bundled)
    ? ["./dist/worker.js", "../dist/worker.js"].map((path) => new URL(path, bundled).href)
    : [];
}

function isForeign(address: string): boolean {
  return address.startsWith("http") && new URL(address).origin !== globalThis.location.origin;
}

function start({ address, options }: WorkerScript): Worker {
  if (!isForeign(address)) {
    return new Worker(address, options);
  }
  // Browsers start workers of the page's own origin only, but such a worker may load from anywhere.
  const text = JSON.stringify(address);
  const script = options.type === "module" ? `import ${text};` : `importScripts(${text});`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(url, options);
  // The script has been fetched once the worker answers or fails.
  for (const news of ["message", "error"]) {
    worker.addEventListener(news, () => URL.revokeObjectURL(url), { once: true });
  }
  return worker;
}

/** Reason that the script at `url` is not there, if it is not. */
async function problemAt(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return hasFile(response) ? undefined : response.ok ? "a page" : String(response.status);
  } catch {
    return "no answer";
  }
}
