// A group's products where elements are scale * nibble + offset. A nibble stays in place in its
// word and counts as a multiple of a power of two. That is undone exactly once per group; shifting
// would cost one more addition per element. `group_nibbles` gives the group's words in the layout
// of Q4_0, `group_scale` scale and offset.

const LOW: vec4<u32> = vec4<u32>(0x0000000fu, 0x00000f00u, 0x000f0000u, 0x0f000000u);
const PLACES: vec4<f32> =
    vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);

fn placed(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(word) & LOW));
}

fn group_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>,
) -> f32 {
    let q = group_nibbles(group);
    let r = q >> vec4<u32>(4u);
    let early = fma(placed(q.x), x0, fma(placed(q.y), x1, fma(placed(q.z), x2, placed(q.w) * x3)));
    let late = fma(placed(r.x), x4, fma(placed(r.y), x5, fma(placed(r.z), x6, placed(r.w) * x7)));
    let scale = group_scale(group, group_factors(group));
    return scale.x * dot(early + late, PLACES) + scale.y * (total.x + total.y);
}
