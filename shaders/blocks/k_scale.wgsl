// The scales and minima of Q4_K and Q5_K. A block's first word of `scales` is d and dmin; the next
// three are 12 bytes. The lower 6 bits of bytes 0 to 3 are scales 0 to 3; of bytes 4 to 7, minima 0
// to 3. Bytes 8 to 11 hold the lower four bits of scales (low nibble) and minima (high nibble) 4 to
// 7. Their upper two are the top bits of bytes 0 to 7.

// d * scale and dmin * minimum of group `within` of block `block`.
fn k_scale(block: u32, within: u32) -> vec2<f32> {
    let first = 4u * block;
    let byte = 8u * (within % 4u);
    let scale = (scales[first + 1u] >> byte) & 255u;
    let minimum = (scales[first + 2u] >> byte) & 255u;
    let both = (scales[first + 3u] >> byte) & 255u;
    let early = vec2<u32>(scale & 63u, minimum & 63u);
    let late = vec2<u32>(
        (both & 15u) | ((scale >> 6u) << 4u),
        (both >> 4u) | ((minimum >> 6u) << 4u),
    );
    return unpack2x16float(scales[first]) * vec2<f32>(select(late, early, within < 4u));
}
