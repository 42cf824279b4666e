// The products of IQ4_NL and IQ4_XS, by in_place.wgsl. A level is a polynomial's value, rounded.
// The polynomial is of the fourth degree, which is the lowest that comes to within a half of each
// level (0.433). Adapters on a CPU compute it faster than they choose between levels.

struct Places {
    low: vec4<u32>,
    high: vec4<u32>,
    unit: vec4<f32>,
    // Where high nibbles begin.
    first: vec4<f32>,
}

// Half of the largest nibble, less than 0.
const FIRST: f32 = -7.5;

fn places_of(member: u32) -> Places {
    let shift = shifts_of(member);
    return Places(
        vec4<u32>(0xfu) << shift,
        vec4<u32>(0xf0u) << shift,
        units_of(shift),
        // The topmost nibble is less by 8, see below.
        select(vec4<f32>(FIRST), vec4<f32>(FIRST + 8.0), shift == vec4<u32>(24u)),
    );
}

fn level(q: u32, mask: u32, unit: f32, first: f32) -> f32 {
    let x = f32(i32(q & mask)) * unit + first;
    return round(
        (((0.00158604282 * x + 0.078667724) * x - 0.137192704) * x + 11.5172086) * x - 4.30124901
    );
}

fn level_product(
    q: vec4<u32>, mask: u32, unit: f32, first: f32, a: f32, b: f32, c: f32, d: f32,
) -> f32 {
    return level(q.x, mask, unit, first) * a + level(q.y, mask, unit, first) * b
        + level(q.z, mask, unit, first) * c + level(q.w, mask, unit, first) * d;
}

fn quad_dot(
    group: u32, factors: Factors,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let q = quants[group];
    // With its sign bit flipped, the topmost nibble is a signed number.
    let r = q ^ vec4<u32>(0x80000000u);
    let unit = 0.0625 * at.unit;
    let low = level_product(q, at.low.x, at.unit.x, FIRST, x0.x, x1.x, x2.x, x3.x)
        + level_product(q, at.low.y, at.unit.y, FIRST, x0.y, x1.y, x2.y, x3.y)
        + level_product(q, at.low.z, at.unit.z, FIRST, x0.z, x1.z, x2.z, x3.z)
        + level_product(q, at.low.w, at.unit.w, FIRST, x0.w, x1.w, x2.w, x3.w);
    let high = level_product(r, at.high.x, unit.x, at.first.x, x4.x, x5.x, x6.x, x7.x)
        + level_product(r, at.high.y, unit.y, at.first.y, x4.y, x5.y, x6.y, x7.y)
        + level_product(r, at.high.z, unit.z, at.first.z, x4.z, x5.z, x6.z, x7.z)
        + level_product(r, at.high.w, unit.w, at.first.w, x4.w, x5.w, x6.w, x7.w);
    return group_scales(group, factors).x * (low + high);
}
