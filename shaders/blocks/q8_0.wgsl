// Q8_0: `quants` has two vectors a block of signed bytes, `scales` two blocks' scales a word. An element is d * q.

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
