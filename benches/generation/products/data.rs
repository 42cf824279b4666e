//! A Q4_1 matrix and a vector.

use half::f16;

pub const ROWS: usize = 3072;
pub const WIDTH: usize = 576;
/// Elements per block.
pub const BLOCK: usize = 32;
pub const BLOCKS: usize = WIDTH / BLOCK;

pub struct Data {
    /// Four words per block: its low nibbles are elements 0 to 15, the high ones 16 to 31.
    pub quants: Vec<u32>,
    /// Scale and minimum of each block, f16.
    pub scales: Vec<u32>,
    pub input: Vec<f32>,
    /// The product of each row with the input.
    pub expected: Vec<f64>,
}

/// The input in 8 bits.
pub struct Quantised {
    pub elements: Vec<i8>,
    /// Scale of each block, and sum of its elements.
    pub blocks: Vec<[f32; 2]>,
}

impl Data {
    pub fn new() -> Self {
        let mut numbers = Numbers(0x2545_f491);
        let quants: Vec<u32> = (0..ROWS * BLOCKS * 4).map(|_| numbers.word()).collect();
        let scales: Vec<[f16; 2]> = (0..ROWS * BLOCKS)
            .map(|_| {
                let scale = 0.01 + 0.01 * numbers.part().abs();
                [f16::from_f32(scale), f16::from_f32(-7.5 * scale)]
            })
            .collect();
        let input: Vec<f32> = (0..WIDTH).map(|_| numbers.part()).collect();
        let expected = (0..ROWS)
            .map(|row| {
                let element = |(at, x): (usize, &f32)| {
                    let block = row * BLOCKS + at / BLOCK;
                    let within = at % BLOCK;
                    let word = quants[4 * block + within % 16 / 4];
                    let nibble = word >> (8 * (within % 4) + 4 * (within / 16)) & 15;
                    let [scale, minimum] = scales[block].map(f64::from);
                    (scale * f64::from(nibble) + minimum) * f64::from(*x)
                };
                input.iter().enumerate().map(element).sum()
            })
            .collect();
        let scales = scales
            .iter()
            .map(|[scale, minimum]| u32::from(scale.to_bits()) | u32::from(minimum.to_bits()) << 16)
            .collect();
        Self {
            quants,
            scales,
            input,
            expected,
        }
    }

    pub fn quantised(&self) -> Quantised {
        let (blocks, _) = self.input.as_chunks::<BLOCK>();
        let scale = |block: &[f32; BLOCK]| {
            let largest = block.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            largest / 127.0
        };
        let elements = blocks.iter().flat_map(|block| {
            let scale = scale(block);
            block.map(|x| (x / scale).round() as i8)
        });
        Quantised {
            elements: elements.collect(),
            blocks: blocks
                .iter()
                .map(|block| [scale(block), block.iter().sum()])
                .collect(),
        }
    }
}

/// Marsaglia's xorshift: any numbers will do, if they are the same each time.
pub struct Numbers(pub u32);

impl Numbers {
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number from -1 to 1.
    pub fn part(&mut self) -> f32 {
        self.word() as f32 / (u32::MAX / 2) as f32 - 1.0
    }
}
