// A group's product in integers, for elements that are signed bytes, as Q8_0's.

fn group_product(group: u32, x: Fixed) -> f32 {
    let d = unpack2x16float(scales[group / 2u])[group % 2u];
    return d * x.scale * packed_product(quants[2u * group], quants[2u * group + 1u], x);
}
