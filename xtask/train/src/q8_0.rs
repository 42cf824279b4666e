//! Q8_0: blocks of 32 elements as a scale and as many signed bytes, as in GGUF files.

use half::f16;

/// Elements that share a scale.
const BLOCK: usize = 32;

/// Rows of elements, each of a length that is a multiple of 32, as blocks.
pub fn quantise(elements: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in elements.chunks(BLOCK) {
        put_block(&mut bytes, block);
    }
    bytes
}

/// 32 elements as a scale and as many signed bytes.
fn put_block(bytes: &mut Vec<u8>, block: &[f32]) {
    let largest = block
        .iter()
        .fold(0.0_f32, |largest, it| largest.max(it.abs()));
    let scale = f16::from_f32(largest / 127.0);
    bytes.extend(scale.to_le_bytes());
    // The rounded scale: readers multiply by that.
    let scale = scale.to_f32();
    bytes.extend(block.iter().map(|element| {
        let quotient = if scale > 0.0 { element / scale } else { 0.0 };
        quotient.round().clamp(-127.0, 127.0) as i8 as u8
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_scale_and_bytes() {
        let mut block = [0.0; 32];
        block[0] = 127.0;
        block[1] = -63.6;
        let mut bytes = Vec::new();
        put_block(&mut bytes, &block);
        assert_eq!(bytes.len(), 34);
        // 1.0 in half precision, lowest byte first.
        assert_eq!(bytes[..2], [0x00, 0x3c]);
        assert_eq!(bytes[2..5], [127, (-64_i8) as u8, 0]);
    }
}
