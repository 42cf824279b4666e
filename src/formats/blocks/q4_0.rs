//! Q4_0: a scale `d` (f16), then 16 bytes. The low nibbles are elements 0 to 15, the high ones 16 to 31; an element is
//! d·(q − 8).

use super::half_at;

pub(super) const BYTES: usize = 18;

pub(super) fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| {
        let nibble = (block[2 + i % 16] >> (4 * (i / 16))) & 0xf;
        d * (f32::from(nibble) - 8.0)
    })
}
