#!/usr/bin/env bash
# WGSL's `pack2x16float` on SwiftShader is neither rounding to nearest nor rounding towards zero.
#
# Seen with Dawn (npm `webgpu` 0.6.2) on Chromium's SwiftShader (driver 5.0.0), 2026-11-30:
# - Normal results, -0 and ties of subnormal results round to the nearest, ties to even.
# - Just above a tie, a subnormal result goes down: 2^-25 + 2^-38 gives 0x0000, where the nearest
#   f16 is 0x0001.
# - The finite 1e9 gives 0xffff and infinity 0x7fff, which are NaNs. 65520 gives infinity, 0x7c00.
#
# WGSL permits all of it: the direction of rounding is the implementation's, and a value outside
# binary16's finite range gives an indeterminate result (https://www.w3.org/TR/WGSL/).
# So a program that wants the same bits on every adapter has to round by itself.
#
# Needs Node and npm, and SwiftShader as a Vulkan driver: SWIFTSHADER names its JSON file, by
# default the one of Debian's Chromium. Fails if any of these results changes.
set -euo pipefail
driver=${SWIFTSHADER:-/usr/lib/chromium/vk_swiftshader_icd.json}
[ -f "$driver" ] || { echo "no SwiftShader at $driver: set SWIFTSHADER" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --ignore-scripts --no-audit --no-fund --prefix . webgpu@0.6.2
cat > packed.mjs <<'JS'
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const gpu = create([]);
const adapter = await gpu.requestAdapter();
const { vendor, description } = adapter.info;
console.log(`webgpu 0.6.2, ${vendor}, ${description}`);
if (!/swiftshader/i.test(adapter.info.vendor + adapter.info.architecture)) {
  console.log("the adapter is not SwiftShader");
  process.exit(2);
}
// Numbers, the nearest f16 with ties to even (IEEE 754), and the results on SwiftShader.
const rows = [
  [-0, 0x8000, 0x8000],
  [1 + 2 ** -11, 0x3c00, 0x3c00],
  [1 + 2 ** -11 + 2 ** -20, 0x3c01, 0x3c01],
  [1 + 3 * 2 ** -11, 0x3c02, 0x3c02],
  [2 ** -25, 0x0000, 0x0000],
  [2 ** -25 + 2 ** -38, 0x0001, 0x0000],
  [-(2 ** -25) - 2 ** -38, 0x8001, 0x8000],
  [3 * 2 ** -25, 0x0002, 0x0002],
  [1.341109395980311e-6, 0x0017, 0x0016],
  [65504, 0x7bff, 0x7bff],
  [65520, 0x7c00, 0x7c00],
  [1e9, 0x7c00, 0xffff],
  [Infinity, 0x7c00, 0x7fff],
];
const device = await adapter.requestDevice();
const code = `
  @group(0) @binding(0) var<storage, read> numbers: array<f32>;
  @group(0) @binding(1) var<storage, read_write> packed: array<u32>;
  @compute @workgroup_size(1)
  fn main(@builtin(workgroup_id) id: vec3<u32>) {
    packed[id.x] = pack2x16float(vec2<f32>(numbers[id.x], 0.0));
  }`;
const size = 4 * rows.length;
const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
const numbers = device.createBuffer({ size, usage: STORAGE | COPY_DST });
const packed = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
const copy = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
device.queue.writeBuffer(numbers, 0, Float32Array.from(rows, ([number]) => number));
const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
const pipeline = device.createComputePipeline({ layout: "auto", compute });
const entries = [numbers, packed].map((buffer, binding) => ({ binding, resource: { buffer } }));
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
pass.dispatchWorkgroups(rows.length);
pass.end();
encoder.copyBufferToBuffer(packed, 0, copy, 0, size);
device.queue.submit([encoder.finish()]);
await copy.mapAsync(GPUMapMode.READ);
const found = new Uint32Array(copy.getMappedRange());
const hex = (bits) => `0x${bits.toString(16).padStart(4, "0")}`;
let changed = 0;
rows.forEach(([number, nearest, seen], i) => {
  const value = found[i] & 0xffff;
  const same = value === seen ? "" : `, CHANGED: it was ${hex(seen)}`;
  const text = Object.is(number, -0) ? "-0" : String(number);
  console.log(`${text.padStart(24)}: nearest ${hex(nearest)}, packed ${hex(value)}${same}`);
  changed += value === seen ? 0 : 1;
});
process.exit(changed === 0 ? 0 : 1);
JS
XDG_RUNTIME_DIR=$folder VK_ICD_FILENAMES=$driver node packed.mjs
