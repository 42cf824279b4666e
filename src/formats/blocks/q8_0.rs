//! Q8_0: a scale `d` (f16), then 32 signed bytes. An element is d·q.

use super::half_at;

pub(super) const BYTES: usize = 34;

pub(super) fn elements(block: &[u8; BYTES]) -> [f32; 32] {
    let d = half_at(block, 0);
    std::array::from_fn(|i| d * f32::from(block[2 + i] as i8))
}
