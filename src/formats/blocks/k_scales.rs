//! The scales and minima of Q4_K and Q5_K: eight of each, of 6 bits, packed into 12 bytes. A block
//! begins with scales `d` and, for minima, `dmin` (f16), and then these.
//!
//! The lower 6 bits of bytes 0 to 3 are scales 0 to 3. Those of bytes 4 to 7 are minima 0 to 3.
//! Bytes 8 to 11 hold the lower four bits of scales (low nibble) and minima (high nibble) 4 to 7.
//! Their upper two are the top bits of bytes 0 to 3 and 4 to 7.

use super::format::half_at;

/// The elements of a block: d·scale(g)·q − dmin·minimum(g) for each of group g. `quant` gives q by
/// group and place in it.
pub(super) fn elements<const N: usize>(
    block: &[u8; N],
    quant: impl Fn(usize, usize) -> u8,
) -> [f32; 256] {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let packed = packed(block);
    std::array::from_fn(|i| {
        let (group, within) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(packed, group);
        d * f32::from(scale) * f32::from(quant(group, within)) - dmin * f32::from(minimum)
    })
}

/// Appends `d` and `dmin`, and then 8 times a byte of scale and one of minimum.
pub(super) fn append<const N: usize>(block: &[u8; N], into: &mut Vec<u8>) {
    into.extend(&block[..4]);
    let packed = packed(block);
    for group in 0..8 {
        let (scale, minimum) = scale_and_minimum(packed, group);
        into.extend([scale, minimum]);
    }
}

fn packed<const N: usize>(block: &[u8; N]) -> [u8; 12] {
    std::array::from_fn(|i| block[4 + i])
}

/// Scale and minimum of group `group`, 0 to 7, each 0 to 63.
fn scale_and_minimum(packed: [u8; 12], group: usize) -> (u8, u8) {
    let at = group % 4;
    let (scale, minimum, both) = (packed[at], packed[4 + at], packed[8 + at]);
    if group < 4 {
        (scale & 0x3f, minimum & 0x3f)
    } else {
        (both & 0xf | scale >> 6 << 4, both >> 4 | minimum >> 6 << 4)
    }
}
