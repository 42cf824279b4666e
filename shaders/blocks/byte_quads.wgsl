// Q8_0's products with a group by in_place.wgsl. Bytes below the topmost have their sign flipped,
// which adds 128.

struct Places {
    byte: vec4<u32>,
    turned: vec4<u32>,
    unit: vec4<f32>,
}

fn places_of(member: u32) -> Places {
    let shift = shifts_of(member);
    return Places(
        vec4<u32>(0xffu) << shift,
        select(vec4<u32>(0x80u) << shift, vec4<u32>(0u), is_topmost(shift)),
        units_of(shift),
    );
}

// `topmost` is the part of each half's total that meets the topmost byte.
fn quad_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>, topmost: vec2<f32>, at: Places,
) -> f32 {
    let early = turned_products(quants[2u * group], at.byte, at.turned, x0, x1, x2, x3);
    let late = turned_products(quants[2u * group + 1u], at.byte, at.turned, x4, x5, x6, x7);
    let sums = (early + late) * at.unit;
    let added = 128.0 * ((total.x + total.y) - (topmost.x + topmost.y));
    let d = unpack2x16float(scales[group / 2u])[group % 2u];
    return d * ((sums.x + sums.y) + (sums.z + sums.w) - added);
}
