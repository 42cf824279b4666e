// The scales of Q2_K, Q3_K and Q6_K: five words per block of 256 elements. Sixteen bytes are those
// of 16 elements each, and then come d and, in Q2_K, dmin.

alias Factors = vec2<f32>;

fn group_factors(group: u32) -> Factors {
    return unpack2x16float(scales[group / 8u * 5u + 4u]);
}

// A word whose upper two bytes are those of a group of 32 elements.
fn upper_scales(group: u32) -> u32 {
    return scales[group / 8u * 5u + group % 8u / 2u] * select(65536u, 1u, group % 2u == 1u);
}
