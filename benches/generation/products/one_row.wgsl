// One row per thread, a word of the matrix at a time, in f32. `nibbles` gives four elements of a
// word.

@group(0) @binding(0) var<storage, read> quants: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = 0.0;
    for (var k = 0u; k < BLOCKS; k += 1u) {
        let block = id.x * BLOCKS + k;
        var products = 0.0;
        var total = vec4<f32>(0.0);
        for (var word = 0u; word < 4u; word += 1u) {
            let q = quants[4u * block + word];
            let x = input[8u * k + word];
            let y = input[8u * k + 4u + word];
            products += dot(nibbles(q), x) + dot(nibbles(q >> 4u), y);
            total += x + y;
        }
        let dm = unpack2x16float(scales[block]);
        sum += dm.x * products + dm.y * dot(total, vec4<f32>(1.0));
    }
    output[id.x] = sum;
}
