// Q5_1: `quants` has one vector per block with the lower four bits. Low nibbles are elements 0 to
// 15, high ones 16 to 31. `scales` has two words per block, scale and minimum, and then the fifth
// bits, bit i that of element i. An element is d * q + m.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

// Four elements: lower bits in the low nibbles of `word`, fifth bits the lowest of `fifth`.
fn fives(word: u32, fifth: u32) -> vec4<f32> {
    let lower = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let upper = ((vec4<u32>(fifth) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u)) << vec4<u32>(4u);
    return vec4<f32>(lower | upper);
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let dm = unpack2x16float(scales[2u * group]);
    let d = dm.x;
    let m = vec4<f32>(dm.y);
    let h = scales[2u * group + 1u];
    let q = quants[group];
    return array<vec4<f32>, 8>(
        d * fives(q.x, h) + m, d * fives(q.y, h >> 4u) + m,
        d * fives(q.z, h >> 8u) + m, d * fives(q.w, h >> 12u) + m,
        d * fives(q.x >> 4u, h >> 16u) + m, d * fives(q.y >> 4u, h >> 20u) + m,
        d * fives(q.z >> 4u, h >> 24u) + m, d * fives(q.w >> 4u, h >> 28u) + m,
    );
}
