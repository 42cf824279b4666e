// TQ2_0: `quants` has half a vector per group of 32 elements, see
// two_bit_fields.wgsl. `scales` has two blocks' scales per word, a block 256 elements. An element
// is d * (q - 1).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group / 16u]);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    return factors[group / 8u % 2u] * vec4<f32>(1.0, 1.0, -1.0, -1.0);
}
