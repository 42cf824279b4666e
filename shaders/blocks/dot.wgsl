// A group's products with its input, for formats that need whole elements before multiplying.

fn group_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>,
) -> f32 {
    let w = group_weights(group);
    let early = fma(w[0], x0, fma(w[1], x1, fma(w[2], x2, w[3] * x3)));
    let late = fma(w[4], x4, fma(w[5], x5, fma(w[6], x6, w[7] * x7)));
    return dot(early + late, vec4<f32>(1.0));
}
