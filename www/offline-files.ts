import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const here = (path: string): URL => new URL(path, import.meta.url);

/** Writes `service-worker.js` with the list of all built files, and a version that changes when any of them does. */
export function offlineFiles(): Plugin {
  return {
    name: "offline-files",
    apply: "build",
    enforce: "post", // after everything that adds files
    async generateBundle(_, bundle) {
      const version = createHash("sha256");
      const entries = await readdir(here("public"), { recursive: true, withFileTypes: true });
      const root = fileURLToPath(here("public"));
      const open = entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => relative(root, join(parentPath, name)).replaceAll("\\", "/"));
      for (const contents of await Promise.all(open.map((file) => readFile(here(`public/${file}`))))) {
        version.update(contents);
      }
      for (const built of Object.values(bundle)) {
        version.update(built.type === "chunk" ? built.code : built.source);
      }
      // models.json may be the host's own: the worker asks for it by name.
      const files = [...Object.keys(bundle), ...open].filter((file) => !["models.json", "index.html"].includes(file));
      const source = await readFile(here("service-worker.js"), "utf8");
      this.emitFile({
        type: "asset",
        fileName: "service-worker.js",
        source: source
          .replace("${VERSION}", version.digest("hex").slice(0, 16))
          .replace("FILES.map", `${JSON.stringify(files.toSorted())}.map`),
      });
    },
  };
}
