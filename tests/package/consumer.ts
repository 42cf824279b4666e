import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CLIENT_PACKAGES, CLIENTS, type Client } from "./clients.ts";
import { moved, PROGRAMS, type Program } from "./programs.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const start = promisify(execFile);

/** Runs `node` with `args`, and gives what it wrote; on failure all of that is in the error. */
export async function node(args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await start(process.execPath, args, { cwd, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`node ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Runs the npm that runs these tests. */
function npm(args: readonly string[], cwd: string): Promise<string> {
  const script = process.env["npm_execpath"];
  if (script === undefined) {
    throw new Error("run these tests by `npm run test:package`: npm itself says where it is");
  }
  return node([script, ...args], cwd);
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/**
 * Someone else's project, in a folder far from this one, with the packed package installed from its
 * tarball.
 */
export interface Consumer {
  readonly folder: string;
  /** The files in the tarball, sorted. */
  readonly tarball: readonly string[];
  readonly remove: () => Promise<void>;
}

/** The blocks of TypeScript in the READMEs that are run, each as a page of this name. */
export const SNIPPETS = {
  index: { readme: "pkg/README.md", block: 0 },
  sessions: { readme: "pkg/README.md", block: 1 },
  repository: { readme: "README.md", block: 0 },
} as const;
export type Snippet = keyof typeof SNIPPETS;

/** The TypeScript of a README's block. A README with a block that is not run is refused. */
export async function readmeSnippet(snippet: Snippet): Promise<string> {
  const { readme, block } = SNIPPETS[snippet];
  const text = await readFile(join(root, readme), "utf8");
  const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
  const run = Object.values(SNIPPETS).filter((other) => other.readme === readme).length;
  const code = blocks[block];
  if (code === undefined || blocks.length !== run) {
    throw new Error(`${readme} has ${blocks.length} blocks of TypeScript, and ${run} are run`);
  }
  return code;
}

/** Names of all scripts: the READMEs' snippets, and other libraries' programs. */
const SNIPPET_NAMES = Object.keys(SNIPPETS) as Snippet[];
const PROGRAM_NAMES = Object.keys(PROGRAMS) as Program[];
export const SCRIPTS = [...SNIPPET_NAMES, ...PROGRAM_NAMES];

const pageOf = (script: string): string =>
  `<!doctype html><title>consumer</title><link rel="icon" href="data:,"><script type="module" src="/src/${script}.ts"></script>`;

/**
 * Packs `pkg`, and installs it with Vite and TypeScript, at this workspace's versions, in an empty
 * project.
 */
export async function createConsumer(): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), "kvscope-consumer-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const packed = await pack(folder);
    const { vite, typescript } = await workspaceVersions();
    await writeProject(folder, {
      "package.json": JSON.stringify({
        private: true,
        type: "module",
        dependencies: { kvscope: `file:${packed.filename}` },
        devDependencies: { vite, typescript },
      }),
      ...Object.fromEntries(SCRIPTS.map((script) => [`${script}.html`, pageOf(script)])),
      ...Object.fromEntries(PROGRAM_NAMES.map((name) => [`src/${name}.ts`, moved(name)])),
      ...Object.fromEntries(
        await Promise.all(
          SNIPPET_NAMES.map(async (name) => [`src/${name}.ts`, await readmeSnippet(name)] as const),
        ),
      ),
    });
    await npm(["install", "--prefer-offline", "--no-audit", "--no-fund"], folder);
    return { folder, tarball: packed.files.map(({ path }) => path).toSorted(), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Packs `pkg` into `folder`. */
async function pack(folder: string): Promise<Packed> {
  const answer = await npm(
    ["pack", "--workspace", "pkg", "--json", "--pack-destination", folder],
    root,
  );
  const [packed] = Object.values(JSON.parse(answer) as Record<string, Packed>);
  if (packed === undefined) {
    throw new Error(`npm pack answered ${answer}`);
  }
  return packed;
}

async function workspaceVersions(): Promise<Record<string, string>> {
  const text = await readFile(join(root, "package.json"), "utf8");
  return (JSON.parse(text) as { devDependencies: Record<string, string> }).devDependencies;
}

/**
 * Project that uses clients of WebLLM, far from this folder. The packed package is in the
 * place of WebLLM's. WebLLM itself is there as `webllm-itself`.
 */
export async function createClientsProject(): Promise<Omit<Consumer, "tarball">> {
  const folder = await mkdtemp(join(tmpdir(), "kvscope-clients-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const { filename } = await pack(folder);
    const { vite } = await workspaceVersions();
    const names = Object.keys(CLIENTS) as Client[];
    await writeProject(folder, {
      "package.json": JSON.stringify({
        private: true,
        type: "module",
        dependencies: {
          "@mlc-ai/web-llm": `file:${filename}`,
          "webllm-itself": "npm:@mlc-ai/web-llm@0.2.86",
          ...CLIENT_PACKAGES,
        },
        devDependencies: { vite },
        overrides: { "@mlc-ai/web-llm": "$@mlc-ai/web-llm" },
      }),
      ...Object.fromEntries(names.map((name) => [`${name}.html`, pageOf(name)])),
      ...Object.fromEntries(names.map((name) => [`src/${name}.ts`, CLIENTS[name]])),
    });
    // The clients have many optional peers, which their programs here do without.
    const flags = ["--ignore-scripts", "--legacy-peer-deps", "--prefer-offline"];
    await npm(["install", ...flags, "--no-audit", "--no-fund"], folder);
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function writeProject(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(join(folder, "src"));
  await Promise.all(
    Object.entries(files).map(([path, text]) => writeFile(join(folder, path), text)),
  );
}
