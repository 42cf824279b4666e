// Two rows per thread, a block of the matrix at a time, by integer products. The input is quantised
// to 8 bits before.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read> input: array<vec4<i32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;
// Scale of a block's input, and sum of its elements.
@group(0) @binding(4) var<storage, read> blocks: array<vec2<f32>>;

fn nibbles(word: u32) -> vec4<i32> {
    return vec4<i32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u));
}

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
        let c = unpack2x16float(scales[first + k]);
        let d = unpack2x16float(scales[first + BLOCKS + k]);
        let products =
            blocks[k].x * vec2<f32>(f32(a.x + a.y + a.z + a.w), f32(b.x + b.y + b.z + b.w));
        sums += vec2<f32>(c.x, d.x) * products + vec2<f32>(c.y, d.y) * blocks[k].y;
    }
    output[2u * id.x] = sums.x;
    output[2u * id.x + 1u] = sums.y;
}
