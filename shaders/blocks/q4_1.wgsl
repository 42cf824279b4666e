// Q4_1: `quants` has one vector per block, the low nibbles elements 0 to 15, the high ones 16 to
// 31. `scales` has one word per block, the scale and the minimum. An element is d * q + m.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u));
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let dm = unpack2x16float(scales[group]);
    let d = dm.x;
    let m = vec4<f32>(dm.y);
    let q = quants[group];
    return array<vec4<f32>, 8>(
        d * nibbles(q.x) + m, d * nibbles(q.y) + m, d * nibbles(q.z) + m, d * nibbles(q.w) + m,
        d * nibbles(q.x >> 4u) + m, d * nibbles(q.y >> 4u) + m,
        d * nibbles(q.z >> 4u) + m, d * nibbles(q.w >> 4u) + m,
    );
}

fn group_nibbles(group: u32) -> vec4<u32> {
    return quants[group];
}

fn group_scale(group: u32) -> vec2<f32> {
    return unpack2x16float(scales[group]);
}
