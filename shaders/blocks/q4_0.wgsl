// Q4_0: `quants` has one vector per block, the low nibbles elements 0 to 15, the high ones 16 to
// 31. `scales` has two blocks' scales per word. An element is d * (q - 8).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn group_nibbles(group: u32) -> vec4<u32> {
    return quants[group];
}

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group / 2u]);
}

fn group_scale(group: u32, factors: Factors) -> vec2<f32> {
    return factors[group % 2u] * vec2<f32>(1.0, -8.0);
}
