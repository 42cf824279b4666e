// Q4_0: `quants` has one vector per block, the low nibbles elements 0 to 15, the high ones 16 to
// 31. `scales` has two blocks' scales per word. An element is d * (q - 8).

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)) - 8.0;
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let d = unpack2x16float(scales[group / 2u])[group % 2u];
    let q = quants[group];
    return array<vec4<f32>, 8>(
        d * nibbles(q.x), d * nibbles(q.y), d * nibbles(q.z), d * nibbles(q.w),
        d * nibbles(q.x >> 4u), d * nibbles(q.y >> 4u),
        d * nibbles(q.z >> 4u), d * nibbles(q.w >> 4u),
    );
}

fn group_nibbles(group: u32) -> vec4<u32> {
    return quants[group];
}

fn group_scale(group: u32) -> vec2<f32> {
    let d = unpack2x16float(scales[group / 2u])[group % 2u];
    return vec2<f32>(d, -8.0 * d);
}
