// Two rows per thread, a block of the matrix at a time, in f32. `nibbles` gives four elements of a
// word.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let first = 2u * id.x * BLOCKS;
    var sums = vec2<f32>(0.0);
    for (var k = 0u; k < BLOCKS; k += 1u) {
        let at = 8u * k;
        let x0 = input[at];
        let x1 = input[at + 1u];
        let x2 = input[at + 2u];
        let x3 = input[at + 3u];
        let x4 = input[at + 4u];
        let x5 = input[at + 5u];
        let x6 = input[at + 6u];
        let x7 = input[at + 7u];
        let p = quants[first + k];
        let q = quants[first + BLOCKS + k];
        let a = nibbles(p.x) * x0 + nibbles(p.y) * x1 + nibbles(p.z) * x2 + nibbles(p.w) * x3
            + nibbles(p.x >> 4u) * x4 + nibbles(p.y >> 4u) * x5 + nibbles(p.z >> 4u) * x6
            + nibbles(p.w >> 4u) * x7;
        let b = nibbles(q.x) * x0 + nibbles(q.y) * x1 + nibbles(q.z) * x2 + nibbles(q.w) * x3
            + nibbles(q.x >> 4u) * x4 + nibbles(q.y >> 4u) * x5 + nibbles(q.z >> 4u) * x6
            + nibbles(q.w >> 4u) * x7;
        let ones = vec4<f32>(1.0);
        let total = dot(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7, ones);
        let c = unpack2x16float(scales[first + k]);
        let d = unpack2x16float(scales[first + BLOCKS + k]);
        sums += vec2<f32>(c.x, d.x) * vec2<f32>(dot(a, ones), dot(b, ones))
            + vec2<f32>(c.y, d.y) * total;
    }
    output[2u * id.x] = sums.x;
    output[2u * id.x + 1u] = sums.y;
}
