//! How the GPU has a quantised tensor: the bits of its blocks, rearranged into two planes, so that shaders load whole
//! vectors. `shaders/blocks` has the other side of this. Nothing is lost, and nothing is dequantised.
//!
//! | format | a unit | its words in `quants` | its words in `scales` |
//! | --- | --- | --- | --- |
//! | F32 | 1 element | 1 | – |
//! | F16, BF16 | 2 elements | 1 | – |
//! | Q4_0 | 2 blocks | 8 | 1: both d |
//! | Q4_1 | 1 block | 4 | 1: d, m |
//! | Q5_0 | 1 block | 4 | 2: d and nothing, fifth bits |
//! | Q5_1 | 1 block | 4 | 2: d and m, fifth bits |
//! | Q8_0 | 2 blocks | 16 | 1: both d |
//! | Q4_K | 1 block | 32 | 4: d and dmin, scales and minima |
//! | Q5_K | 1 block | 40: fifth bits, the others | 4: d and dmin, scales and minima |
//! | Q6_K | 1 block | 48: lower bits, upper bits | 5: scales, d and nothing |

use super::BlockFormat;

/// How many blocks make a unit, and its words in each plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unit {
    blocks: usize,
    quants: usize,
    scales: usize,
}

fn unit(format: BlockFormat) -> Unit {
    let (blocks, quants, scales) = match format {
        BlockFormat::F32 => (1, 1, 0),
        BlockFormat::F16 | BlockFormat::BF16 => (2, 1, 0),
        BlockFormat::Q4_0 => (2, 8, 1),
        BlockFormat::Q4_1 => (1, 4, 1),
        BlockFormat::Q5_0 | BlockFormat::Q5_1 => (1, 4, 2),
        BlockFormat::Q8_0 => (2, 16, 1),
        BlockFormat::Q4_K => (1, 32, 4),
        BlockFormat::Q5_K => (1, 40, 4),
        BlockFormat::Q6_K => (1, 48, 5),
    };
    Unit {
        blocks,
        quants,
        scales,
    }
}

/// How many words each plane has for `elements` elements of `format`, which are whole blocks: `[quants, scales]`.
pub fn plane_words(format: BlockFormat, elements: usize) -> [usize; 2] {
    let unit = unit(format);
    let units = (elements / format.block_elements()).div_ceil(unit.blocks);
    [units * unit.quants, units * unit.scales]
}

/// Whether `elements` elements of `format`, which are whole blocks, leave no word of a plane partly filled.
pub fn fills_units(format: BlockFormat, elements: usize) -> bool {
    (elements / format.block_elements()).is_multiple_of(unit(format).blocks)
}

/// Some words of both planes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanePiece {
    /// The place of the first word of `quants` in its plane.
    pub first_quant: usize,
    /// Words of the first plane.
    pub quants: Vec<u32>,
    /// The place of the first word of `scales` in its plane.
    pub first_scale: usize,
    /// Words of the second plane.
    pub scales: Vec<u32>,
}

/// Rearranges a tensor's bytes as they come, in pieces of any size.
#[derive(Debug)]
pub struct PlaneSplitter {
    format: BlockFormat,
    /// The beginning of a unit whose end has not come.
    begun: Vec<u8>,
    /// Units that have been handed on.
    units: usize,
}

impl PlaneSplitter {
    /// At the start of a tensor of `format`.
    pub fn new(format: BlockFormat) -> Self {
        Self {
            format,
            begun: Vec::new(),
            units: 0,
        }
    }

    /// The units that are complete with `bytes`.
    pub fn push(&mut self, bytes: &[u8]) -> PlanePiece {
        let unit_bytes = unit(self.format).blocks * self.format.block_bytes();
        let missing = (unit_bytes - self.begun.len()).min(bytes.len());
        let (end, rest) = match self.begun.len() {
            0 => (&bytes[..0], bytes),
            _ => bytes.split_at(missing),
        };
        let mut piece = self.piece();
        self.begun.extend_from_slice(end);
        if self.begun.len() == unit_bytes {
            let begun = std::mem::take(&mut self.begun);
            self.put(&begun, &mut piece);
        }
        if self.begun.is_empty() {
            let whole = rest.len() - rest.len() % unit_bytes;
            for unit in rest[..whole].chunks_exact(unit_bytes) {
                self.put(unit, &mut piece);
            }
            self.begun.extend_from_slice(&rest[whole..]);
        }
        piece
    }

    /// The last unit, filled up with zeros, if the tensor's blocks are not whole units.
    pub fn finish(mut self) -> PlanePiece {
        let mut piece = self.piece();
        if !self.begun.is_empty() {
            let mut begun = std::mem::take(&mut self.begun);
            begun.resize(unit(self.format).blocks * self.format.block_bytes(), 0);
            self.put(&begun, &mut piece);
        }
        piece
    }

    fn piece(&self) -> PlanePiece {
        let unit = unit(self.format);
        PlanePiece {
            first_quant: self.units * unit.quants,
            first_scale: self.units * unit.scales,
            ..PlanePiece::default()
        }
    }

    fn put(&mut self, unit: &[u8], piece: &mut PlanePiece) {
        self.units += 1;
        let (quants, scales) = (&mut piece.quants, &mut piece.scales);
        let second = unit.len() / 2;
        match self.format {
            BlockFormat::F32 | BlockFormat::F16 | BlockFormat::BF16 => words(unit, quants),
            BlockFormat::Q4_0 | BlockFormat::Q8_0 => {
                words(&unit[2..second], quants);
                words(&unit[second + 2..], quants);
                scales.push(halves(unit, 0, second));
            }
            BlockFormat::Q4_1 => {
                words(&unit[..4], scales);
                words(&unit[4..], quants);
            }
            BlockFormat::Q5_0 => {
                scales.push(u32::from(half(unit, 0)));
                words(&unit[2..6], scales);
                words(&unit[6..], quants);
            }
            BlockFormat::Q5_1 => {
                words(&unit[..8], scales);
                words(&unit[8..], quants);
            }
            BlockFormat::Q4_K | BlockFormat::Q5_K => {
                words(&unit[..16], scales);
                words(&unit[16..], quants);
            }
            BlockFormat::Q6_K => {
                words(&unit[..192], quants);
                words(&unit[192..208], scales);
                scales.push(u32::from(half(unit, 208)));
            }
        }
    }
}

fn words(bytes: &[u8], plane: &mut Vec<u32>) {
    let (words, _) = bytes.as_chunks::<4>();
    plane.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
}

fn half(unit: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([unit[at], unit[at + 1]])
}

fn halves(unit: &[u8], low: usize, high: usize) -> u32 {
    u32::from(half(unit, low)) | u32::from(half(unit, high)) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count)
            .map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect()
    }

    /// Pieces of every size give the planes of the whole, as many words as announced, in order.
    #[test]
    fn pieces_give_the_planes_of_the_whole() {
        for format in BlockFormat::ALL {
            let blocks = 5;
            let elements = blocks * format.block_elements();
            let tensor = bytes(blocks * format.block_bytes());
            let whole = planes(format, &tensor, tensor.len());
            let lengths = [whole[0].len(), whole[1].len()];
            assert_eq!(lengths, plane_words(format, elements), "{format:?}");
            for size in 1..tensor.len().min(80) {
                assert_eq!(planes(format, &tensor, size), whole, "{format:?} by {size}");
            }
        }
    }

    /// Every byte of a block is in one of the planes, so that nothing is lost.
    #[test]
    fn every_bit_of_a_block_reaches_a_plane() {
        for format in BlockFormat::ALL {
            let tensor = vec![0; 2 * format.block_bytes()];
            let nothing = planes(format, &tensor, tensor.len());
            for bit in 0..8 * tensor.len() {
                let mut tensor = tensor.clone();
                tensor[bit / 8] = 1 << (bit % 8);
                let planes = planes(format, &tensor, tensor.len());
                let ones: u32 = planes.iter().flatten().map(|word| word.count_ones()).sum();
                assert_eq!(ones, 1, "{format:?}, bit {bit}");
                assert_ne!(planes, nothing);
            }
        }
    }

    fn planes(format: BlockFormat, tensor: &[u8], size: usize) -> [Vec<u32>; 2] {
        let mut splitter = PlaneSplitter::new(format);
        let mut planes = [Vec::new(), Vec::new()];
        let mut add = |piece: PlanePiece| {
            let [quants, scales] = &mut planes;
            assert_eq!(
                (quants.len(), scales.len()),
                (piece.first_quant, piece.first_scale)
            );
            quants.extend(piece.quants);
            scales.extend(piece.scales);
        };
        for piece in tensor.chunks(size) {
            add(splitter.push(piece));
        }
        add(splitter.finish());
        planes
    }
}
