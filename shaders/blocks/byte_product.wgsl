// A group's product in integers, for elements that are bytes, by byte_weights.wgsl.

fn group_product(group: u32, x: Fixed) -> f32 {
    let q = group_bytes(group);
    let s = group_scales(group, group_factors(group));
    // Exact: each product is less than 2²², and there are 16.
    let early = 256 * packed_dot(q.early, x.upper0) + packed_dot(q.early, x.lower0);
    let late = 256 * packed_dot(q.late, x.upper1) + packed_dot(q.late, x.lower1);
    return x.scale * (s.x * f32(early) + s.y * f32(late) + dot(s.zw, x.totals));
}
