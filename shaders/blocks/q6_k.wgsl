// Q6_K: `quants` has twelve vectors per block of 256 elements. Eight have the lower four bits, four
// the upper two. `scales` has five words per block, sixteen signed bytes, each the scale of 16
// elements, and then d. An element is d * scale * (q - 32). src/formats/blocks/q6_k.rs describes
// the layout of the bits.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

// Four elements: lower bits in the low nibbles of `word`, upper ones the two lowest of each byte of
// `upper`.
fn sixes(word: u32, upper: u32) -> vec4<f32> {
    let bytes = vec4<u32>(0u, 8u, 16u, 24u);
    let lower_bits = (vec4<u32>(word) >> bytes) & vec4<u32>(15u);
    let upper_bits = ((vec4<u32>(upper) >> bytes) & vec4<u32>(3u)) << vec4<u32>(4u);
    return vec4<f32>(lower_bits | upper_bits) - 32.0;
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let block = group / 8u;
    let within = group % 8u;
    let half = within / 4u;
    let quarter = within % 4u;

    let pair = scales[5u * block + within / 2u] >> (16u * (within % 2u));
    let d = unpack2x16float(scales[5u * block + 4u]).x;
    let a = d * f32(i32(pair << 24u) >> 24u);
    let b = d * f32(i32(pair << 16u) >> 24u);

    let lower = 12u * block + 4u * half + quarter % 2u * 2u;
    let upper = 12u * block + 8u + 2u * half;
    let nibble = vec4<u32>(quarter / 2u * 4u);
    let two = vec4<u32>(2u * quarter);
    let p = quants[lower] >> nibble;
    let q = quants[lower + 1u] >> nibble;
    let g = quants[upper] >> two;
    let h = quants[upper + 1u] >> two;
    return array<vec4<f32>, 8>(
        a * sixes(p.x, g.x), a * sixes(p.y, g.y), a * sixes(p.z, g.z), a * sixes(p.w, g.w),
        b * sixes(q.x, h.x), b * sixes(q.y, h.y), b * sixes(q.z, h.z), b * sixes(q.w, h.w),
    );
}
