// MXFP4: `quants` has one vector per block, the low nibbles elements 0 to 15, the high ones 16 to
// 31. `scales` has four blocks' exponents per word. An element is 2^(e - 128) * level(q), with a
// level twice the float that the nibble is.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

alias Factors = u32;

const EARLY: u32 = 0x7fu;
const LATE: u32 = 0x7fu;
const LATE_SHIFT: u32 = 0u;

// Four times the levels of the low nibbles of all bytes, and 64. From bit 0 on a nibble has its
// sign, the upper bit of the exponent, the mantissa, the lower bit of the exponent. The levels are
// 0, 1, 2, 3, 4, 6, 8, 12, and the same less than 0. They are put together from products of bits,
// none of which has to be shifted down.
fn levels_of(q: vec4<u32>) -> vec4<u32> {
    let twice = q + q;
    let four = twice + twice;
    let odd = twice & q & vec4<u32>(0x04040404u);
    let upper = four & q & vec4<u32>(0x08080808u);
    let level = (q & vec4<u32>(0x0c0c0c0cu)) + ((four + four) & vec4<u32>(0x10101010u))
        + (odd + (upper + ((odd + odd) & upper)));
    let negative = (q & vec4<u32>(0x01010101u)) * vec4<u32>(127u);
    let middle = vec4<u32>(0x40404040u);
    let more = middle + level;
    return more ^ ((more ^ (middle - level)) & negative);
}

fn group_fields(group: u32) -> Fields {
    let q = quants[group];
    return Fields(levels_of(q), levels_of(q >> vec4<u32>(4u)));
}

// The exponents of four blocks.
fn group_factors(group: u32) -> Factors {
    return scales[group / 4u];
}

// 2^(e - 128). The smallest two are subnormal floats, which an adapter may take for 0.
fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    let raised = factors * vec4<u32>(0x01000000u, 0x00010000u, 0x00000100u, 1u)[group % 4u];
    let e = i32(f32(i32(raised & 0x7f000000u)) * 0.000000059604644775390625)
        + select(0, 128, (raised & 0x80000000u) != 0u);
    let subnormal = select(0x00200000, 0x00400000, e == 1);
    let d = bitcast<f32>(select((e - 1) * 0x00800000, subnormal, e < 2));
    return d * vec4<f32>(0.25, 0.25, -16.0, -16.0);
}
