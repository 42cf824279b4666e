// Elements that are scale * nibble + offset. `group_nibbles` and `group_scale` are as in
// nibble_dot.wgsl. Nibbles stay in place and count as multiples of a power of two: adapters on a
// CPU shift lane by lane.

fn nibbles(word: u32, mask: vec4<u32>, unit: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(vec4<u32>(word) & mask) * unit;
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let q = group_nibbles(group);
    let s = group_scale(group, group_factors(group));
    let m = vec4<f32>(s.y);
    let low = vec4<u32>(0x0000000fu, 0x00000f00u, 0x000f0000u, 0x0f000000u);
    let high = 16u * low;
    // 2^-8 per byte.
    let unit = s.x
        * vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
    let upper = 0.0625 * unit;
    return array<vec4<f32>, 8>(
        nibbles(q.x, low, unit) + m, nibbles(q.y, low, unit) + m,
        nibbles(q.z, low, unit) + m, nibbles(q.w, low, unit) + m,
        nibbles(q.x, high, upper) + m, nibbles(q.y, high, upper) + m,
        nibbles(q.z, high, upper) + m, nibbles(q.w, high, upper) + m,
    );
}
