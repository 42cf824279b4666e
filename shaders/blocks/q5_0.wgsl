// Q5_0: `quants` has one vector of nibbles per block. `scales` has two words per block, the scale
// and then the fifth bits, see fifth_bits.wgsl. An element is d * (q - 16).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn group_fields(group: u32) -> Fields {
    return five_bits(quants[group], scales[2u * group + 1u]);
}

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[2u * group]);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    return factors.x * vec4<f32>(1.0, 1.0, -16.0, -16.0);
}
