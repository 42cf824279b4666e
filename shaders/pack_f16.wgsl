// Two f32 become the halves of a u32, the first one low, rounded to the nearest f16 and to even between two.
// `pack2x16float` would do, but leaves the direction of rounding to the adapter.

struct Shape {
    words: u32,
    // Workgroups on a line of the grid.
    line: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;
@group(0) @binding(2) var<uniform> shape: Shape;

const LANES: u32 = 64;
// The bits of 2^16, from where everything is infinite in f16, and of 2^-14, below which f16 is subnormal.
const TOO_LARGE: u32 = 0x47800000u;
const SMALLEST_NORMAL: u32 = 0x38800000u;
const INFINITE: u32 = 0x7f800000u;

fn to_f16(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 16u) & 0x8000u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude > INFINITE {
        return sign | 0x7e00u;
    }
    if magnitude >= TOO_LARGE {
        return sign | 0x7c00u;
    }
    if magnitude < SMALLEST_NORMAL {
        // Beside 0.5 the last place of f32 is that of a subnormal f16, so the addition does the rounding.
        return sign | (bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - bitcast<u32>(0.5));
    }
    // Rebias the exponent from 127 to 15; what is added below the 13 bits to go rounds, ties by the last bit kept.
    let rounding = 0xfffu + ((magnitude >> 13u) & 1u);
    return sign | ((magnitude - (112u << 23u) + rounding) >> 13u);
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let word = (group.y * shape.line + group.x) * LANES + lane;
    if word < shape.words {
        output[word] = to_f16(input[2u * word]) | (to_f16(input[2u * word + 1u]) << 16u);
    }
}
