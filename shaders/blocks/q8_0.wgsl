// Q8_0: `quants` has two vectors per block of signed bytes, `scales` two blocks' scales per word.
// An element is d * q.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn group_bytes(group: u32) -> GroupBytes {
    return GroupBytes(quants[2u * group], quants[2u * group + 1u]);
}

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group / 2u]);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    let d = factors[group % 2u];
    return vec4<f32>(d, d, 0.0, 0.0);
}
