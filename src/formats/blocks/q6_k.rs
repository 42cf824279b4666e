//! Q6_K: 128 bytes with the lower four bits, 64 with the upper two, 16 signed scales of 8 bits, a scale `d` (f16).
//!
//! Each half of the block (128 elements) has 64 bytes of lower and 32 of upper bits. Its quarters of 32 elements take
//! their lower bits from the low nibbles of the first 32 bytes, those of the second 32, the high nibbles of the first,
//! those of the second; and quarter k its upper bits from bits 2k and 2k+1. Each scale is that of 16 elements in a row;
//! an element is d·scale·(q − 32).

use super::half_at;

pub(super) const BYTES: usize = 210;

pub(super) fn elements(block: &[u8; BYTES]) -> [f32; 256] {
    let d = half_at(block, 208);
    std::array::from_fn(|i| {
        let (half, quarter, within) = (i / 128, i % 128 / 32, i % 32);
        let lower = block[half * 64 + quarter % 2 * 32 + within] >> (4 * (quarter / 2)) & 0xf;
        let upper = block[128 + half * 32 + within] >> (2 * quarter) & 3;
        let scale = block[192 + i / 16] as i8;
        d * f32::from(scale) * (f32::from(lower | upper << 4) - 32.0)
    })
}
