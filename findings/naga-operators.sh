#!/usr/bin/env bash
# naga accepts operators side by side that WGSL's grammar keeps apart, such as `a | b << 4u`.
#
# Seen with naga 30.0.1 (crates.io) and with Dawn (npm `webgpu` 0.6.2), 2026-11-30:
# - naga accepts all expressions below but the last, which is not whole.
# - Dawn accepts the first two alone. Of the third it says: "mixing '|' and '<<' requires
#   parenthesis".
#
# Dawn is right: an operand of `|`, `&`, `^`, `<<` or `>>` is a unary expression, or a chain of the
# same bitwise operator (https://www.w3.org/TR/WGSL/#operator-precedence-associativity). The open
# issue is https://github.com/gfx-rs/wgpu/issues/4536.
# So a shader that a native program of wgpu runs may be refused by browsers.
#
# Needs Node, npm and cargo, and SwiftShader as a Vulkan driver: SWIFTSHADER names its JSON file, by
# default the one of Debian's Chromium. Fails if any of these verdicts changes.
set -euo pipefail
driver=${SWIFTSHADER:-/usr/lib/chromium/vk_swiftshader_icd.json}
[ -f "$driver" ] || { echo "no SwiftShader at $driver: set SWIFTSHADER" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --ignore-scripts --no-audit --no-fund --prefix . webgpu@0.6.2
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "operators"
version = "0.0.0"
edition = "2024"

[dependencies]
naga = { version = "=30.0.1", features = ["wgsl-in"] }

[workspace]
TOML
# Prints a verdict for each shader that comes as a line, its own newlines as tabs.
cat > src/main.rs <<'RS'
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn main() {
    for line in std::io::stdin().lines() {
        let text = line.expect("UTF-8").replace('\t', "\n");
        let is_accepted = naga::front::wgsl::parse_str(&text).is_ok_and(|module| {
            let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
            validator.validate(&module).is_ok()
        });
        println!("{}", if is_accepted { "accepted" } else { "refused" });
    }
}
RS
cargo build --quiet --target-dir target
cat > operators.mjs <<'JS'
import { spawnSync } from "node:child_process";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const gpu = create([]);
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();
// Expressions, and the verdicts of naga and of Dawn.
const rows = [
  ["a | (b << 4u)", "accepted", "accepted"],
  ["a | b | c", "accepted", "accepted"],
  ["a | b << 4u", "accepted", "refused"],
  ["a << 4u | b", "accepted", "refused"],
  ["a & b << 4u", "accepted", "refused"],
  ["a ^ b >> 4u", "accepted", "refused"],
  ["a + b << 4u", "accepted", "refused"],
  ["a << b + 1u", "accepted", "refused"],
  ["a | b & c", "accepted", "refused"],
  ["a |", "refused", "refused"],
];
const shaderOf = (expression) => `
  @group(0) @binding(0) var<storage, read_write> words: array<u32>;
  @compute @workgroup_size(1)
  fn main() {
    let a = words[0];
    let b = words[1];
    let c = words[2];
    words[3] = ${expression};
  }`;
async function byDawn(expression) {
  device.pushErrorScope("validation");
  const shader = device.createShaderModule({ code: shaderOf(expression) });
  const { messages } = await shader.getCompilationInfo();
  await device.popErrorScope();
  const [error] = messages.filter(({ type }) => type === "error");
  return [error === undefined ? "accepted" : "refused", error?.message ?? ""];
}
const input = rows.map(([expression]) => shaderOf(expression).replaceAll("\n", "\t")).join("\n");
const { stdout } = spawnSync("target/debug/operators", { input, encoding: "utf8" });
const byNaga = stdout.trim().split("\n");
let changed = 0;
for (const [i, [expression, ...seen]] of rows.entries()) {
  const [dawn, message] = await byDawn(expression);
  const found = [byNaga[i], dawn];
  const same = found.join() === seen.join();
  const note = same ? "" : `, CHANGED: it was ${seen.join(", ")}`;
  console.log(`${expression.padEnd(14)} naga ${found[0]}, Dawn ${found[1]} ${message}${note}`);
  changed += same ? 0 : 1;
}
process.exit(changed === 0 ? 0 : 1);
JS
XDG_RUNTIME_DIR=$folder VK_ICD_FILENAMES=$driver node operators.mjs
