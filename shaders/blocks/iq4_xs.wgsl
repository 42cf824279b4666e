// IQ4_XS: `quants` has one vector per group of 32 elements, the low nibbles elements 0 to 15, the
// high ones 16 to 31. `scales` has three words per block of 256: d, and then the groups' scales, a
// byte each. An element is d * (scale - 32) * level(q).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group / 8u * 3u]);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    let within = group % 8u;
    let raised = scales[group / 8u * 3u + 1u + within / 4u]
        * vec4<u32>(0x01000000u, 0x00010000u, 0x00000100u, 1u)[within % 4u];
    let scale = f32(i32(raised & 0x3f000000u)) * 0.000000059604644775390625 - 32.0;
    let d = factors.x * scale;
    return vec4<f32>(d, d, 0.0, 0.0);
}
