//! What changes from step to step, as the shaders read it from one uniform: the position, the angles of RoPE, and for
//! every layer what its rule says.

use super::sizes::DecodeSizes;

/// What one layer does at a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LayerStep {
    /// Slots a head that the layer's memory has.
    pub capacity: usize,
    /// Slots a head that may be in use, the first ones.
    pub reach: usize,
    /// Slots that every head loses after the attention.
    pub evicted: usize,
    /// The first position that may be evicted.
    pub from_position: usize,
    /// What is kept because it is new.
    pub recent: RecentSlots,
    /// Whether slots are ranked by their positions instead of their scores.
    pub by_position: bool,
    /// Whether scores are computed.
    pub scored: bool,
    /// How much of the scores of the step before goes into them.
    pub decay: f32,
}

/// The slots that are kept because what they hold is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecentSlots {
    /// Positions from this one on.
    From(usize),
    /// Those that so many held positions stand before: where some of the newest were dropped earlier, no one position says
    /// it for all heads.
    After(usize),
}

impl Default for RecentSlots {
    fn default() -> Self {
        Self::From(0)
    }
}

/// Vectors before the angles.
const HEADER: usize = 1;

/// Where a layer's words begin, in vectors of four.
pub fn first_layer(sizes: &DecodeSizes) -> usize {
    HEADER + sizes.rotated.div_ceil(4)
}

/// Where the angles begin, in vectors of four.
pub fn first_angle() -> usize {
    HEADER
}

/// Vectors of four in all.
pub fn vectors(sizes: &DecodeSizes) -> usize {
    first_layer(sizes) + 2 * sizes.layers
}

/// The words of a step: its `position`, cosine and sine of every pair, what every layer does.
pub fn words(
    sizes: &DecodeSizes,
    position: usize,
    angles: impl Iterator<Item = [f32; 2]>,
    layers: &[LayerStep],
) -> Vec<u32> {
    let mut words = Vec::with_capacity(4 * vectors(sizes));
    words.extend([position as u32, 0, 0, 0]);
    words.extend(angles.flatten().map(f32::to_bits));
    words.resize(4 * first_layer(sizes), 0);
    for layer in layers {
        words.extend([layer.capacity, layer.reach, layer.evicted].map(|word| word as u32));
        words.push(layer.decay.to_bits());
        let flags = u32::from(layer.scored) | u32::from(layer.by_position) << 1;
        let [recent_from, rank] = match layer.recent {
            RecentSlots::From(position) => [position, 0],
            RecentSlots::After(positions) => [0, positions + 1],
        };
        let rule = [layer.from_position, recent_from, rank];
        words.extend(rule.map(|word| word as u32));
        words.push(flags);
    }
    words
}
