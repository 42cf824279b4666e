//! The scales and minima of Q4_K and Q5_K: eight of each, of 6 bits, packed into 12 bytes.
//!
//! The lower 6 bits of bytes 0 to 3 are scales 0 to 3. Those of bytes 4 to 7 are minima 0 to 3.
//! Bytes 8 to 11 hold the lower four bits of scales (low nibble) and minima (high nibble) 4 to 7.
//! Their upper two are the top bits of bytes 0 to 3 and 4 to 7.

/// Scale and minimum of group `group`, 0 to 7, each 0 to 63.
pub(super) fn scale_and_minimum(packed: [u8; 12], group: usize) -> (u8, u8) {
    let at = group % 4;
    let (scale, minimum, both) = (packed[at], packed[4 + at], packed[8 + at]);
    if group < 4 {
        (scale & 0x3f, minimum & 0x3f)
    } else {
        (both & 0xf | scale >> 6 << 4, both >> 4 | minimum >> 6 << 4)
    }
}
