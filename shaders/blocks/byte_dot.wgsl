// A group's products where elements are bytes, by byte_weights.wgsl.

fn group_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>,
) -> f32 {
    let q = group_bytes(group);
    let p = q.early;
    let r = q.late;
    let early = fma(raised_bytes(p.x), x0, fma(raised_bytes(p.y), x1,
        fma(raised_bytes(p.z), x2, raised_bytes(p.w) * x3)));
    let late = fma(raised_bytes(r.x), x4, fma(raised_bytes(r.y), x5,
        fma(raised_bytes(r.z), x6, raised_bytes(r.w) * x7)));
    let s = group_scales(group, group_factors(group));
    return 0.000000059604644775390625 * dot(s.x * early + s.y * late, vec4<f32>(1.0))
        + dot(s.zw, total);
}
