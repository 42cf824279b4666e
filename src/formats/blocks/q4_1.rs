//! Q4_1: a scale `d` and a minimum `m` (f16), then 16 bytes. The low nibbles are elements 0 to 15, the high ones 16 to 31;
//! an element is d·q + m.

use super::half_at;

pub(super) const BYTES: usize = 20;

pub(super) fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    std::array::from_fn(|i| {
        let nibble = (block[4 + i % 16] >> (4 * (i / 16))) & 0xf;
        d * f32::from(nibble) + m
    })
}
