// The products of byte_dot.wgsl, by in_place.wgsl.

struct Places {
    byte: vec4<u32>,
    unit: vec4<f32>,
}

fn places_of(member: u32) -> Places {
    let shift = shifts_of(member);
    return Places(vec4<u32>(0xffu) << shift, units_of(shift));
}

// Signs of the bytes below the topmost. Flipped, they make those 128 more, and never negative.
const SIGNS: u32 = 0x00808080u;

// `topmost` is the part of each half's total that meets the topmost byte.
fn quad_dot(
    group: u32, factors: Factors,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let q = group_bytes(group);
    let early = kept_products(q.early ^ vec4<u32>(SIGNS), at.byte, x0, x1, x2, x3);
    let late = kept_products(q.late ^ vec4<u32>(SIGNS), at.byte, x4, x5, x6, x7);
    let added = 128.0 * (total - topmost);
    let s = group_scales(group, factors);
    let sums = (s.x * early + s.y * late) * at.unit;
    return (sums.x + sums.y) + (sums.z + sums.w)
        + ((s.z * total.x - s.x * added.x) + (s.w * total.y - s.y * added.y));
}
