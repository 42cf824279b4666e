// Products of bits that stay where they stand in their words, for lanes that have the input from their quad, each its own element
// first (`from_quad`): a lane takes bytes in that order. Element by element, since adapters that run on a CPU keep in memory what
// vector after vector leaves in between; and in place, since those adapters shift lane by lane.

// Where the bytes begin, in a lane's order.
fn shifts_of(member: u32) -> vec4<u32> {
    return 8u * (vec4<u32>(0u, 1u, 2u, 3u) ^ vec4<u32>(member % 4u));
}

fn is_topmost(shift: vec4<u32>) -> vec4<bool> {
    return shift == vec4<u32>(24u);
}

// What to multiply by instead of shifting down.
fn units_of(shift: vec4<u32>) -> vec4<f32> {
    return 1.0 / vec4<f32>(vec4<u32>(1u) << shift);
}

fn turned_product(q: vec4<u32>, mask: u32, turned: u32, a: f32, b: f32, c: f32, d: f32) -> f32 {
    return f32(i32((q.x & mask) ^ turned)) * a + f32(i32((q.y & mask) ^ turned)) * b
        + f32(i32((q.z & mask) ^ turned)) * c + f32(i32((q.w & mask) ^ turned)) * d;
}

// Byte by byte, what four words' bits within `mask`, those of `turned` the other way round, make of an input of sixteen elements.
fn turned_products(
    q: vec4<u32>, mask: vec4<u32>, turned: vec4<u32>,
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
) -> vec4<f32> {
    return vec4<f32>(
        turned_product(q, mask.x, turned.x, a.x, b.x, c.x, d.x),
        turned_product(q, mask.y, turned.y, a.y, b.y, c.y, d.y),
        turned_product(q, mask.z, turned.z, a.z, b.z, c.z, d.z),
        turned_product(q, mask.w, turned.w, a.w, b.w, c.w, d.w),
    );
}
