// Q4_1: `quants` has one vector per block, the low nibbles elements 0 to 15, the high ones 16 to
// 31. `scales` has one word per block, the scale and the minimum. An element is d * q + m.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn group_nibbles(group: u32) -> vec4<u32> {
    return quants[group];
}

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group]);
}

fn group_scale(group: u32, factors: Factors) -> vec2<f32> {
    return factors;
}
