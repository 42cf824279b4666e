// The scales and minima of Q4_K and Q5_K. In each of four words of `scales` from `first` on are two
// groups' scales and minima, a byte each.

// A group's scale, and its minimum below 0.
fn k_scale(first: u32, group: u32) -> vec2<f32> {
    let pair = scales[first + group % 8u / 2u];
    let own = vec2<u32>(pair * select(65536u, 1u, group % 2u == 1u));
    let raised = vec2<f32>(vec2<i32>(own & vec2<u32>(0x003f0000u, 0x3f000000u)));
    return raised * vec2<f32>(0.0000152587890625, -0.000000059604644775390625);
}
