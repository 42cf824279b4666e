// Q8_0: `quants` has two vectors per block of signed bytes, `scales` two blocks' scales per word.
// An element is d * q.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn signed_bytes(word: u32) -> vec4<f32> {
    let upper = vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u));
    return vec4<f32>(upper >> vec4<u32>(24u));
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let d = unpack2x16float(scales[group / 2u])[group % 2u];
    let p = quants[2u * group];
    let q = quants[2u * group + 1u];
    return array<vec4<f32>, 8>(
        d * signed_bytes(p.x), d * signed_bytes(p.y), d * signed_bytes(p.z), d * signed_bytes(p.w),
        d * signed_bytes(q.x), d * signed_bytes(q.y), d * signed_bytes(q.z), d * signed_bytes(q.w),
    );
}

// Four elements times 2²⁴: converting a word's upper byte to f32 takes the fewest steps.
fn raised_bytes(word: u32) -> vec4<f32> {
    let upper = (vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) & vec4<u32>(0xff000000u);
    return vec4<f32>(vec4<i32>(upper));
}

fn group_dot(
    group: u32,
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    total: vec2<f32>,
) -> f32 {
    let d = unpack2x16float(scales[group / 2u])[group % 2u];
    let p = quants[2u * group];
    let q = quants[2u * group + 1u];
    let early = fma(raised_bytes(p.x), x0, fma(raised_bytes(p.y), x1,
        fma(raised_bytes(p.z), x2, raised_bytes(p.w) * x3)));
    let late = fma(raised_bytes(q.x), x4, fma(raised_bytes(q.y), x5,
        fma(raised_bytes(q.z), x6, raised_bytes(q.w) * x7)));
    return d * 0.000000059604644775390625 * dot(early + late, vec4<f32>(1.0));
}
