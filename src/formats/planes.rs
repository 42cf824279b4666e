//! Layout of a quantised tensor on the GPU: its blocks' bytes, rearranged into two planes. Shaders
//! then load whole vectors. `shaders/blocks` has the other side of this, a format's `Planes` the
//! ranges of bytes. Nothing is lost, and nothing is dequantised.

use std::ops::Range;

use super::BlockFormat;

/// Words of each plane for `elements` elements of `format`, which are whole blocks:
/// `[quants, scales]`.
pub fn plane_words(format: BlockFormat, elements: usize) -> [usize; 2] {
    let units = (elements / format.block_elements()).div_ceil(format.planes().unit);
    unit_words(format).map(|words| units * words)
}

/// True if `elements` elements of `format`, which are whole blocks, leave no word of a plane partly
/// filled.
pub fn fills_units(format: BlockFormat, elements: usize) -> bool {
    (elements / format.block_elements()).is_multiple_of(format.planes().unit)
}

/// Words of each plane per unit.
fn unit_words(format: BlockFormat) -> [usize; 2] {
    let planes = format.planes();
    [planes.quants, planes.scales].map(|ranges| {
        let words = ranges.iter().map(|it| (planes.unit * it.len()).div_ceil(4));
        words.sum()
    })
}

/// Some words of both planes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanePiece {
    /// Place of the first word of `quants` in its plane.
    pub first_quant: usize,
    /// Words of the first plane.
    pub quants: Vec<u32>,
    /// Place of the first word of `scales` in its plane.
    pub first_scale: usize,
    /// Words of the second plane.
    pub scales: Vec<u32>,
}

/// Rearranges a tensor's bytes as they arrive, in chunks of any size.
#[derive(Debug)]
pub struct PlaneSplitter {
    format: BlockFormat,
    /// The beginning of a unit whose end has not arrived.
    begun: Vec<u8>,
    /// Units that have been handed on.
    units: usize,
}

impl PlaneSplitter {
    /// A splitter at the start of a tensor of `format`.
    pub fn new(format: BlockFormat) -> Self {
        Self {
            format,
            begun: Vec::new(),
            units: 0,
        }
    }

    /// The units that are complete with `bytes`.
    pub fn push(&mut self, bytes: &[u8]) -> PlanePiece {
        let unit_bytes = self.unit_bytes();
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
            self.put(&rest[..whole], &mut piece);
            self.begun.extend_from_slice(&rest[whole..]);
        }
        piece
    }

    /// The last unit, filled up with zeros, if the tensor's blocks are not whole units.
    pub fn finish(mut self) -> PlanePiece {
        let mut piece = self.piece();
        if !self.begun.is_empty() {
            let mut begun = std::mem::take(&mut self.begun);
            begun.resize(self.unit_bytes(), 0);
            self.put(&begun, &mut piece);
        }
        piece
    }

    fn unit_bytes(&self) -> usize {
        self.format.planes().unit * self.format.block_bytes()
    }

    fn piece(&self) -> PlanePiece {
        let [quants, scales] = unit_words(self.format);
        PlanePiece {
            first_quant: self.units * quants,
            first_scale: self.units * scales,
            ..PlanePiece::default()
        }
    }

    /// Hands on whole units.
    fn put(&mut self, units: &[u8], piece: &mut PlanePiece) {
        let planes = self.format.planes();
        let [quants, scales] = unit_words(self.format);
        let mut arranged = Vec::new();
        let (units, block) = match &planes.arranged {
            Some(order) => {
                arranged.reserve(units.len() / self.format.block_bytes() * order.bytes);
                (order.append)(units, &mut arranged);
                (arranged.as_slice(), order.bytes)
            }
            None => (units, self.format.block_bytes()),
        };
        let units = units.chunks_exact(planes.unit * block);
        self.units += units.len();
        piece.quants.reserve(units.len() * quants);
        piece.scales.reserve(units.len() * scales);
        for unit in units {
            for range in planes.quants {
                gather(unit, block, range, &mut piece.quants);
            }
            for range in planes.scales {
                gather(unit, block, range, &mut piece.scales);
            }
        }
    }
}

/// Appends to `plane` the bytes in `range` of each of the unit's blocks, and zeros up to a whole
/// word. A block has `block` bytes.
fn gather(unit: &[u8], block: usize, range: &Range<usize>, plane: &mut Vec<u32>) {
    let parts = unit.chunks_exact(block).map(|block| &block[range.clone()]);
    if range.len() == block && unit.len().is_multiple_of(4) {
        words(unit, plane);
    } else if range.len().is_multiple_of(4) {
        parts.for_each(|part| words(part, plane));
    } else {
        let (mut word, mut filled) = (0, 0);
        for byte in parts.flatten() {
            word |= u32::from(*byte) << (8 * filled);
            filled += 1;
            if filled == 4 {
                plane.push(word);
                (word, filled) = (0, 0);
            }
        }
        if filled > 0 {
            plane.push(word);
        }
    }
}

fn words(bytes: &[u8], plane: &mut Vec<u32>) {
    let (words, _) = bytes.as_chunks::<4>();
    plane.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
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

    /// Every bit of a block is in one of the planes, so that nothing is lost.
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
