// A group's product in integers where elements are scale * nibble + offset. `group_nibbles` and
// `group_scale` are as in nibble_dot.wgsl.

fn group_product(group: u32, x: Fixed) -> f32 {
    let q = group_nibbles(group);
    let nibbles = vec4<u32>(0x0f0f0f0fu);
    let product = packed_product(q & nibbles, (q >> vec4<u32>(4u)) & nibbles, x);
    let scale = group_scale(group, group_factors(group));
    return x.scale * (scale.x * product + scale.y * (x.totals.x + x.totals.y));
}
