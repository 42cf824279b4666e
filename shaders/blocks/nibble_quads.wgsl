// As nibble_dot.wgsl, for lanes that have the input from their quad, each its own element first (`from_quad`): a lane takes nibbles
// in that order. Element by element, since adapters that run on a CPU keep in memory what vector after vector leaves in between;
// and high nibbles stay where they are, since those adapters shift lane by lane.

struct Places {
    // The low nibble and the high one of each byte.
    low: vec4<u32>,
    high: vec4<u32>,
    // The sign, in the topmost byte, whose high nibble less eight is a signed integer.
    sign: vec4<u32>,
    // What one is in each byte, inverted.
    unit: vec4<f32>,
}

fn places_of(member: u32) -> Places {
    let shift = 8u * (vec4<u32>(0u, 1u, 2u, 3u) ^ vec4<u32>(member % 4u));
    return Places(
        vec4<u32>(0xfu) << shift,
        vec4<u32>(0xf0u) << shift,
        select(vec4<u32>(0u), vec4<u32>(0x80000000u), shift == vec4<u32>(24u)),
        1.0 / vec4<f32>(vec4<u32>(1u) << shift),
    );
}

fn low_product(q: vec4<u32>, mask: u32, a: f32, b: f32, c: f32, d: f32) -> f32 {
    return f32(i32(q.x & mask)) * a + f32(i32(q.y & mask)) * b + f32(i32(q.z & mask)) * c + f32(i32(q.w & mask)) * d;
}

fn high_product(q: vec4<u32>, mask: u32, sign: u32, a: f32, b: f32, c: f32, d: f32) -> f32 {
    return f32(i32((q.x & mask) ^ sign)) * a + f32(i32((q.y & mask) ^ sign)) * b
        + f32(i32((q.z & mask) ^ sign)) * c + f32(i32((q.w & mask) ^ sign)) * d;
}

// `topmost` is how much of each half's total meets the topmost byte.
fn quad_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let q = group_nibbles(group);
    let a = low_product(q, at.low.x, x0.x, x1.x, x2.x, x3.x);
    let b = low_product(q, at.low.y, x0.y, x1.y, x2.y, x3.y);
    let c = low_product(q, at.low.z, x0.z, x1.z, x2.z, x3.z);
    let d = low_product(q, at.low.w, x0.w, x1.w, x2.w, x3.w);
    let e = high_product(q, at.high.x, at.sign.x, x4.x, x5.x, x6.x, x7.x);
    let f = high_product(q, at.high.y, at.sign.y, x4.y, x5.y, x6.y, x7.y);
    let g = high_product(q, at.high.z, at.sign.z, x4.z, x5.z, x6.z, x7.z);
    let h = high_product(q, at.high.w, at.sign.w, x4.w, x5.w, x6.w, x7.w);
    let sum = ((a + e * 0.0625) * at.unit.x + (b + f * 0.0625) * at.unit.y)
        + ((c + g * 0.0625) * at.unit.z + (d + h * 0.0625) * at.unit.w);
    let scale = group_scale(group);
    return scale.x * (sum + 8.0 * topmost.y) + scale.y * (total.x + total.y);
}
