//! Random blocks of every format: their bits are random, their scales are such that elements have a
//! given size.

use half::{bf16, f16};
use kvscope::formats::BlockFormat;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// Uniform between −`most` and `most`.
pub fn numbers(count: usize, most: f32, random: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count)
        .map(|_| most * (2.0 * unit(random) - 1.0))
        .collect()
}

/// `count` elements of about −`most` to `most`.
pub fn random(format: BlockFormat, count: usize, most: f32, random: &mut ChaCha8Rng) -> Vec<u8> {
    assert!(count.is_multiple_of(format.block_elements()));
    let blocks = 0..count / format.block_elements();
    blocks.flat_map(|_| block(format, most, random)).collect()
}

fn block(format: BlockFormat, most: f32, random: &mut ChaCha8Rng) -> Vec<u8> {
    // Blocks of different scales, so that taking a neighbour's shows.
    let size = most * (0.5 + 0.5 * unit(random));
    let float = size * (2.0 * unit(random) - 1.0);
    let mut block = vec![0; format.block_bytes()];
    random.fill_bytes(&mut block);
    let mut put = |at: usize, number: f32| {
        block[at..at + 2].copy_from_slice(&f16::from_f32(number).to_le_bytes());
    };
    match format {
        BlockFormat::F32 => return float.to_le_bytes().to_vec(),
        BlockFormat::F16 => return f16::from_f32(float).to_le_bytes().to_vec(),
        BlockFormat::BF16 => return bf16::from_f32(float).to_le_bytes().to_vec(),
        // d · (q − 8), d · (q − 16), d · q
        BlockFormat::Q4_0 => put(0, size / 8.0),
        BlockFormat::Q5_0 => put(0, size / 16.0),
        BlockFormat::Q8_0 => put(0, size / 128.0),
        // d · q + m
        BlockFormat::Q4_1 => {
            put(0, size / 7.5);
            put(2, -size);
        }
        BlockFormat::Q5_1 => {
            put(0, size / 15.5);
            put(2, -size);
        }
        // d · scale · q − dmin · minimum, scale and minimum 0 to 63
        BlockFormat::Q4_K => {
            put(0, size / 63.0 / 7.5);
            put(2, size / 63.0);
        }
        BlockFormat::Q5_K => {
            put(0, size / 63.0 / 15.5);
            put(2, size / 63.0);
        }
        // d · scale · (q − 32), scale −128 to 127
        BlockFormat::Q6_K => put(208, size / 128.0 / 32.0),
        // d · scale · q − dmin · minimum, scale and minimum 0 to 15
        BlockFormat::Q2_K => {
            put(80, size / 15.0 / 1.5);
            put(82, size / 15.0);
        }
        // d · (scale − 32) · (q − 4)
        BlockFormat::Q3_K => put(108, size / 32.0 / 4.0),
        // d · level(q), levels −127 to 113
        BlockFormat::IQ4_NL => put(0, size / 127.0),
        // d · (scale − 32) · level(q)
        BlockFormat::IQ4_XS => put(0, size / 32.0 / 127.0),
        // d · (q − 1)
        BlockFormat::TQ2_0 => put(64, size / 2.0),
        // 2^(e − 128) · level(q), levels −12 to 12
        BlockFormat::MXFP4 => block[0] = (128.0 + (size / 12.0).log2().floor()) as u8,
    }
    block
}

/// 0 to 1, without 1.
fn unit(random: &mut ChaCha8Rng) -> f32 {
    (random.next_u32() >> 8) as f32 / (1 << 24) as f32
}
