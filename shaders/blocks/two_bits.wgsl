// The two bits that Q2_K and TQ2_0 have of each element, and Q3_K beside a third. A group's are in
// half of a vector, see src/formats/blocks/groups.rs.

fn two_bits(vector: u32, group: u32) -> vec4<u32> {
    let first = 2u * (group % 2u);
    let q = vec2<u32>(quants[vector][first], quants[vector][first + 1u]);
    let r = q >> vec2<u32>(2u);
    return vec4<u32>(q.x, r.x, q.y, r.y);
}
