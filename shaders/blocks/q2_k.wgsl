// Q2_K: `quants` has half a vector per group of 32 elements, see
// two_bit_fields.wgsl. `scales` is that of sixteen_scales.wgsl: a byte has a scale (low nibble) and
// a minimum (high nibble). An element is d * scale * q - dmin * minimum.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    let pair = vec4<u32>(upper_scales(group));
    let nibbles = pair & vec4<u32>(0x000f0000u, 0x0f000000u, 0x00f00000u, 0xf0000000u);
    // 2^-16, 2^-24, -2^-20 and -2^-28: what the nibbles are multiples of.
    let units = vec4<f32>(
        0.0000152587890625, 0.000000059604644775390625,
        -0.00000095367431640625, -0.0000000037252902984619140625,
    );
    return factors.xxyy * (vec4<f32>(nibbles) * units);
}
