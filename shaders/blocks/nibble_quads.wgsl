// The products of nibble_dot.wgsl, by in_place.wgsl.

struct Places {
    // Low and high nibble of each byte.
    low: vec4<u32>,
    high: vec4<u32>,
    // Sign bit in the topmost byte, whose high nibble less eight is a signed integer.
    sign: vec4<u32>,
    unit: vec4<f32>,
}

fn places_of(member: u32) -> Places {
    let shift = shifts_of(member);
    return Places(
        vec4<u32>(0xfu) << shift,
        vec4<u32>(0xf0u) << shift,
        select(vec4<u32>(0u), vec4<u32>(0x80000000u), is_topmost(shift)),
        units_of(shift),
    );
}

// `turned_product` without flipped bits: every instruction counts here.
fn low_product(q: vec4<u32>, mask: u32, a: f32, b: f32, c: f32, d: f32) -> f32 {
    return f32(i32(q.x & mask)) * a + f32(i32(q.y & mask)) * b
        + f32(i32(q.z & mask)) * c + f32(i32(q.w & mask)) * d;
}

// `topmost` is the part of each half's total that meets the topmost byte.
fn quad_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let q = group_nibbles(group);
    let low = vec4<f32>(
        low_product(q, at.low.x, x0.x, x1.x, x2.x, x3.x),
        low_product(q, at.low.y, x0.y, x1.y, x2.y, x3.y),
        low_product(q, at.low.z, x0.z, x1.z, x2.z, x3.z),
        low_product(q, at.low.w, x0.w, x1.w, x2.w, x3.w),
    );
    let high = turned_products(q, at.high, at.sign, x4, x5, x6, x7);
    let sums = (low + high * 0.0625) * at.unit;
    let scale = group_scale(group);
    return scale.x * ((sums.x + sums.y) + (sums.z + sums.w) + 8.0 * topmost.y)
        + scale.y * (total.x + total.y);
}
