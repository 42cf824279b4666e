// One row per thread, by products of four bytes at once with an input quantised to 8 bits.

@group(0) @binding(0) var<storage, read> quants: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
// Eight words of four elements per block.
@group(0) @binding(2) var<storage, read> input: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;
// Scale of a block's input, and sum of its elements.
@group(0) @binding(4) var<storage, read> blocks: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = 0.0;
    for (var k = 0u; k < BLOCKS; k += 1u) {
        let block = id.x * BLOCKS + k;
        var products = 0;
        for (var word = 0u; word < 4u; word += 1u) {
            let q = quants[4u * block + word];
            products += dot4I8Packed(q & 0x0f0f0f0fu, input[8u * k + word]);
            products += dot4I8Packed((q >> 4u) & 0x0f0f0f0fu, input[8u * k + 4u + word]);
        }
        let dm = unpack2x16float(scales[block]);
        sum += dm.x * blocks[k].x * f32(products) + dm.y * blocks[k].y;
    }
    output[id.x] = sum;
}
