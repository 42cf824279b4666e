// Makes dist/worker.js a script of its own, without imports: it can be copied and started anywhere.
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
// wasm-bindgen's own address of the module is never used. Bundlers would look there for the file.
const UNUSED = "module_or_path = new URL('kvscope_bg.wasm', import.meta.url);";

const withoutUnusedAddress = {
  name: "without-unused-address",
  transform(code, id) {
    if (id !== path("wasm/kvscope.js")) return undefined;
    const parts = code.split(UNUSED);
    if (parts.length !== 2) throw new Error("wasm/kvscope.js names the module's address in another way now");
    return { code: parts.join('throw new Error("the module has no address");'), map: null };
  },
};

await build({
  input: path("dist/worker.js"),
  plugins: [withoutUnusedAddress],
  logLevel: "warn",
  output: { file: path("dist/worker.js"), format: "esm" },
});
