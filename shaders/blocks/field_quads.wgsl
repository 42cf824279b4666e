// The products of byte_dot.wgsl, by in_place.wgsl, of the fields of fields.wgsl.

struct Places {
    early: vec4<u32>,
    late: vec4<u32>,
    unit: vec4<f32>,
}

fn places_of(member: u32) -> Places {
    let shift = shifts_of(member);
    return Places(vec4<u32>(EARLY) << shift, vec4<u32>(LATE) << shift, units_of(shift));
}

// The sign bit, if a late field has it. Once flipped, the topmost late field is a signed number:
// less by `TURNED` than it was.
const SIGN: u32 = (LATE & 0x80u) << 24u;
const LATE_UNIT: f32 = 1.0 / f32(1u << LATE_SHIFT);
const TURNED: f32 = f32(LATE & 0x80u) * LATE_UNIT;

// `topmost` is the part of each half's total that meets the topmost byte.
fn quad_dot(
    group: u32, factors: Factors,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let q = group_fields(group);
    let early = kept_products(q.early, at.early, x0, x1, x2, x3);
    let late = kept_products(q.late ^ vec4<u32>(SIGN), at.late, x4, x5, x6, x7);
    let s = group_scales(group, factors);
    let sums = (s.x * early + (s.y * LATE_UNIT) * late) * at.unit;
    return (sums.x + sums.y) + (sums.z + sums.w)
        + (s.z * total.x + s.w * total.y + (s.y * TURNED) * topmost.y);
}
