// Writes the library's catalogue of policies as a module of literals: the page shows it before it
// has the WebAssembly module, which is megabytes.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { initSync, policies } from "../pkg/wasm/kvscope.js";

initSync({ module: await readFile(new URL("../pkg/wasm/kvscope_bg.wasm", import.meta.url)) });
const parts = Object.entries(policies()).map(([name, part]) => [name.toUpperCase(), JSON.stringify(part, null, 2)]);
const folder = new URL("generated/", import.meta.url);
const write = (name, lines) => writeFile(new URL(name, folder), lines.join(""));

await mkdir(folder, { recursive: true });
// One constant per part: bundlers drop those that the page does not use.
await write(
  "catalogue.js",
  parts.map(([name, value]) => `export const ${name} = ${value};\n`),
);
// JSON is also the type of its own literals.
await write(
  "catalogue.d.ts",
  parts.map(([name, value]) => `export declare const ${name}: ${value};\n`),
);
