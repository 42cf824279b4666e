// Q5_K: as Q4_K, with two vectors of fifth bits before the eight of the lower four. Bit g of byte i
// is that of element i of group g. An element is d * scale * q - dmin * minimum.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

// Four elements: lower bits in the low nibbles of `word`, fifth bits the lowest bit of each byte of
// `fifth`.
fn fives(word: u32, fifth: u32) -> vec4<f32> {
    let bytes = vec4<u32>(0u, 8u, 16u, 24u);
    let lower = (vec4<u32>(word) >> bytes) & vec4<u32>(15u);
    let upper = ((vec4<u32>(fifth) >> bytes) & vec4<u32>(1u)) << vec4<u32>(4u);
    return vec4<f32>(lower | upper);
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let block = group / 8u;
    let within = group % 8u;
    let dm = k_scale(block, within);
    let d = dm.x;
    let m = vec4<f32>(dm.y);
    let shift = vec4<u32>(4u * (within % 2u));
    let g = quants[10u * block] >> vec4<u32>(within);
    let h = quants[10u * block + 1u] >> vec4<u32>(within);
    let p = quants[10u * block + 2u + within / 2u * 2u] >> shift;
    let q = quants[10u * block + 3u + within / 2u * 2u] >> shift;
    return array<vec4<f32>, 8>(
        d * fives(p.x, g.x) - m, d * fives(p.y, g.y) - m,
        d * fives(p.z, g.z) - m, d * fives(p.w, g.w) - m,
        d * fives(q.x, h.x) - m, d * fives(q.y, h.y) - m,
        d * fives(q.z, h.z) - m, d * fives(q.w, h.w) - m,
    );
}
