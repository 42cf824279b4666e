// Products of bits that stay in place in their words, for lanes that get the input from their quad.
// A lane's own element comes first (`from_quad`), and it takes bytes in that order. Scalar, not
// vector: adapters on a CPU spill vectors' intermediate results to memory. In place: those adapters
// shift lane by lane.

// Bit offsets of the bytes, in a lane's order.
fn shifts_of(member: u32) -> vec4<u32> {
    return 8u * (vec4<u32>(0u, 1u, 2u, 3u) ^ vec4<u32>(member % 4u));
}

// Factors that replace shifting down.
fn units_of(shift: vec4<u32>) -> vec4<f32> {
    return 1.0 / vec4<f32>(vec4<u32>(1u) << shift);
}

fn kept_product(q: vec4<u32>, mask: u32, a: f32, b: f32, c: f32, d: f32) -> f32 {
    return f32(i32(q.x & mask)) * a + f32(i32(q.y & mask)) * b
        + f32(i32(q.z & mask)) * c + f32(i32(q.w & mask)) * d;
}

// Products, byte by byte, of four words with an input of sixteen elements. Bits outside `mask` are
// dropped. The topmost byte is signed, the others are not.
fn kept_products(
    q: vec4<u32>, mask: vec4<u32>,
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
) -> vec4<f32> {
    return vec4<f32>(
        kept_product(q, mask.x, a.x, b.x, c.x, d.x),
        kept_product(q, mask.y, a.y, b.y, c.y, d.y),
        kept_product(q, mask.z, a.z, b.z, c.z, d.z),
        kept_product(q, mask.w, a.w, b.w, c.w, d.w),
    );
}
