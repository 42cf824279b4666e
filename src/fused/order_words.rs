//! The words of a step, as the shaders read them from one uniform: the position, the angles of
//! RoPE, and every layer's order.

use super::sizes::DecodeSizes;
use crate::policy::{Order, RankedBy, Recent};

/// One layer's order at a step, and its memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerStep {
    /// Slots per head that the layer's memory has.
    pub capacity: usize,
    /// The order. All heads hold the same number of slots: what it says of the first holds for all.
    pub order: Order,
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
    for LayerStep { capacity, order } in layers {
        // The shaders read the capacity and the number of slots in use, which is the same.
        words.extend([*capacity, *capacity, first(&order.evicted)].map(|word| word as u32));
        words.push(order.carry.to_bits());
        let by_position = order.ranked_by == RankedBy::Position;
        let flags = u32::from(order.scored) | u32::from(by_position) << 1;
        let [recent_from, rank] = match &order.recent {
            Recent::From(position) => [*position, 0],
            Recent::Rank(before) => [0, first(before) + 1],
        };
        let rule = [order.from_position, recent_from, rank];
        words.extend(rule.map(|word| word as u32));
        words.push(flags);
    }
    words
}

/// The first head's number.
fn first(numbers: &[usize]) -> usize {
    numbers.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: DecodeSizes = DecodeSizes {
        layers: 2,
        width: 32,
        feed_forward: 32,
        query_heads: 4,
        kv_heads: 2,
        dim: 8,
        vocabulary: 32,
        epsilon: 1.0,
        rotated: 2,
        interleaved: false,
        biases: false,
        head_norms: false,
        rows: crate::cache::CacheType::F32.row_format(),
        scale: 1.0,
    };

    #[test]
    fn orders_become_eight_words_per_layer() {
        let slide = Order {
            evicted: vec![3, 3],
            from_position: 20,
            recent: Recent::From(25),
            carry: 0.5,
            scored: true,
            ..Order::default()
        };
        let sinks = Order {
            recent: Recent::Rank(vec![7, 7]),
            ranked_by: RankedBy::Position,
            carry: 0.0,
            ..slide.clone()
        };
        let step = |order| LayerStep {
            capacity: 64,
            order,
        };
        let layers = [step(slide), step(sinks)];
        let words = words(&SIZES, 30, std::iter::once([1.0, 0.0]), &layers);
        assert_eq!(words.len(), 4 * vectors(&SIZES));
        let half = 0.5_f32.to_bits();
        let expected = [
            [64, 64, 3, half, 20, 25, 0, 1],
            [64, 64, 3, 0, 20, 0, 8, 0b11],
        ];
        assert_eq!(words[4 * first_layer(&SIZES)..], expected.concat());
    }

    #[test]
    fn an_order_to_do_nothing_is_zeros_after_the_memory() {
        let layers = [(); 2].map(|()| LayerStep {
            capacity: 16,
            ..LayerStep::default()
        });
        let words = words(&SIZES, 0, std::iter::empty(), &layers);
        let layer = [16_u32, 16, 0, 0, 0, 0, 0, 0];
        assert_eq!(words[4 * first_layer(&SIZES)..], [layer, layer].concat());
    }
}
