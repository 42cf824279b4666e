// Nibbles as fields.wgsl has them, of formats that have `group_nibbles` and `group_scale`.

const EARLY: u32 = 0x0fu;
const LATE: u32 = 0xf0u;
const LATE_SHIFT: u32 = 4u;

struct Fields {
    early: vec4<u32>,
    late: vec4<u32>,
}

fn group_fields(group: u32) -> Fields {
    let q = group_nibbles(group);
    return Fields(q, q);
}

fn group_scales(group: u32, factors: Factors) -> vec4<f32> {
    return group_scale(group, factors).xxyy;
}
