// Q8_0's products with a group for lanes that have the input from their quad, in the way of nibble_quads.wgsl: of a byte that is not
// the topmost the sign is turned, which adds 128.

struct Places {
    byte: vec4<u32>,
    turned: vec4<u32>,
    // What one is in each byte, inverted.
    unit: vec4<f32>,
}

fn places_of(member: u32) -> Places {
    let shift = 8u * (vec4<u32>(0u, 1u, 2u, 3u) ^ vec4<u32>(member % 4u));
    return Places(
        vec4<u32>(0xffu) << shift,
        select(vec4<u32>(0x80u) << shift, vec4<u32>(0u), shift == vec4<u32>(24u)),
        1.0 / vec4<f32>(vec4<u32>(1u) << shift),
    );
}

fn byte_product(q: vec4<u32>, mask: u32, turned: u32, a: f32, b: f32, c: f32, d: f32) -> f32 {
    return f32(i32((q.x & mask) ^ turned)) * a + f32(i32((q.y & mask) ^ turned)) * b
        + f32(i32((q.z & mask) ^ turned)) * c + f32(i32((q.w & mask) ^ turned)) * d;
}

fn quad_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let p = quants[2u * group];
    let a = byte_product(p, at.byte.x, at.turned.x, x0.x, x1.x, x2.x, x3.x);
    let b = byte_product(p, at.byte.y, at.turned.y, x0.y, x1.y, x2.y, x3.y);
    let c = byte_product(p, at.byte.z, at.turned.z, x0.z, x1.z, x2.z, x3.z);
    let d = byte_product(p, at.byte.w, at.turned.w, x0.w, x1.w, x2.w, x3.w);
    let q = quants[2u * group + 1u];
    let e = byte_product(q, at.byte.x, at.turned.x, x4.x, x5.x, x6.x, x7.x);
    let f = byte_product(q, at.byte.y, at.turned.y, x4.y, x5.y, x6.y, x7.y);
    let g = byte_product(q, at.byte.z, at.turned.z, x4.z, x5.z, x6.z, x7.z);
    let h = byte_product(q, at.byte.w, at.turned.w, x4.w, x5.w, x6.w, x7.w);
    let sum = ((a + e) * at.unit.x + (b + f) * at.unit.y) + ((c + g) * at.unit.z + (d + h) * at.unit.w);
    let added = 128.0 * ((total.x + total.y) - (topmost.x + topmost.y));
    return unpack2x16float(scales[group / 2u])[group % 2u] * (sum - added);
}
