// Q3_K: `quants` has six vectors per block of 256 elements. Half of one is a group's lower bits,
// see two_bits.wgsl, and a word of the last two its third bits. `scales` is that of
// sixteen_scales.wgsl. An element is d * (scale - 32) * (q - 4).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

const EARLY: u32 = 0x07u;
const LATE: u32 = 0x70u;
const LATE_SHIFT: u32 = 4u;

fn group_fields(group: u32) -> Fields {
    let block = 6u * (group / 8u);
    let within = group % 8u;
    let lower = two_bits(block + within / 2u, group) & vec4<u32>(0x33333333u);
    let third = quants[block + 4u + within / 4u][within % 4u];
    let spread = vec4<u32>(third, 2u * third, 4u * third, third >> 1u);
    let q = lower | (spread & vec4<u32>(0x44444444u));
    return Fields(q, q);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    let ds = factors.x * (scale_pair(group) - 32.0);
    return vec4<f32>(ds, -4.0 * ds);
}
