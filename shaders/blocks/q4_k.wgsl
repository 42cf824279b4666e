// Q4_K: `quants` has eight vectors per block of 256 elements. Two vectors hold a pair of groups of
// 32, even in the low nibbles, odd in the high. `scales` has four words per block: d and dmin, then
// the groups' scales and minima of 6 bits (see k_scale.wgsl). An element is d * scale * q - dmin *
// minimum.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u));
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let block = group / 8u;
    let within = group % 8u;
    let dm = k_scale(block, within);
    let d = dm.x;
    let m = vec4<f32>(dm.y);
    let shift = vec4<u32>(4u * (within % 2u));
    let p = quants[8u * block + within / 2u * 2u] >> shift;
    let q = quants[8u * block + within / 2u * 2u + 1u] >> shift;
    return array<vec4<f32>, 8>(
        d * nibbles(p.x) - m, d * nibbles(p.y) - m, d * nibbles(p.z) - m, d * nibbles(p.w) - m,
        d * nibbles(q.x) - m, d * nibbles(q.y) - m, d * nibbles(q.z) - m, d * nibbles(q.w) - m,
    );
}

// A group's nibbles here are in the order of eight words of four. Two of these words, of the group
// and its neighbour, share a word in Q4_0's layout.
fn group_nibbles(group: u32) -> vec4<u32> {
    let block = group / 8u;
    let within = group % 8u;
    let shift = vec4<u32>(4u * (within % 2u));
    let first = 8u * block + within / 2u * 2u;
    let p = (quants[first] >> shift) & vec4<u32>(0x0f0f0f0fu);
    let q = (quants[first + 1u] >> shift) & vec4<u32>(0x0f0f0f0fu);
    return p | (q << vec4<u32>(4u));
}

fn group_scale(group: u32) -> vec2<f32> {
    let dm = k_scale(group / 8u, group % 8u);
    return vec2<f32>(dm.x, -dm.y);
}
