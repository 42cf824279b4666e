// Q6_K: `quants` has twelve vectors per block of 256 elements: one of nibbles per group of 32, and
// then half of one per group, with two more bits. src/formats/blocks/groups.rs says which. `scales`
// is that of sixteen_scales.wgsl. An element is d * scale * (q - 32).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

const EARLY: u32 = 0x3fu;
const LATE: u32 = 0xfcu;
const LATE_SHIFT: u32 = 2u;

fn group_fields(group: u32) -> Fields {
    let block = 12u * (group / 8u);
    let within = group % 8u;
    let q = quants[block + within];
    let vector = block + 8u + within / 2u;
    let first = 2u * (within % 2u);
    let p = vec2<u32>(quants[vector][first], quants[vector][first + 1u]);
    let r = p >> vec2<u32>(4u);
    let uppermost = p.xxyy * vec4<u32>(1u, 4u, 1u, 4u);
    let lowest = vec4<u32>(4u * p.x, r.x, 4u * p.y, r.y);
    return Fields(
        (q & vec4<u32>(0x0f0f0f0fu)) | (uppermost & vec4<u32>(0x30303030u)),
        (q & vec4<u32>(0xf0f0f0f0u)) | (lowest & vec4<u32>(0x0c0c0c0cu)),
    );
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    let ds = factors.x * scale_pair(group);
    return vec4<f32>(ds, -32.0 * ds);
}
