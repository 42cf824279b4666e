// Q5_K: `quants` has one vector of nibbles per group of 32 elements. `scales` has 13 words per
// block of 256: five of scales, see k_scale.wgsl, and the groups' fifth bits, see fifth_bits.wgsl.
// An element is d * scale * q - dmin * minimum.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn group_fields(group: u32) -> Fields {
    return five_bits(quants[group], scales[group / 8u * 13u + 5u + group % 8u]);
}

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group / 8u * 13u]);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    return (factors * k_scale(group / 8u * 13u + 1u, group)).xxyy;
}
