//! The words of a step, which shaders read from one uniform: position, RoPE's angles, and every
//! layer's order.

use super::sizes::DecodeSizes;
use crate::policy::{Order, RankedBy, Recent};

/// One layer's order at a step, and its memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerStep {
    /// Slots per head that the layer's memory has.
    pub capacity: usize,
    /// The layer's order.
    pub order: Order,
}

/// Vectors before the angles.
const HEADER: usize = 1;

/// Offset of the layers' words, in vectors of four.
pub fn first_layer(sizes: &DecodeSizes) -> usize {
    HEADER + sizes.features.ropes * angle_vectors(sizes)
}

/// Offset of the angles of RoPE number `rope`, in vectors of four.
pub fn first_angle(sizes: &DecodeSizes, rope: usize) -> usize {
    HEADER + rope * angle_vectors(sizes)
}

/// Vectors of four for the angles of one RoPE.
fn angle_vectors(sizes: &DecodeSizes) -> usize {
    sizes.rotated.div_ceil(4)
}

/// Start of the numbers that differ between heads, in vectors of four.
pub fn first_heads(sizes: &DecodeSizes) -> usize {
    first_layer(sizes) + 2 * sizes.layers
}

/// Vectors of four per layer for its heads: two words each.
pub fn vectors_per_heads(sizes: &DecodeSizes) -> usize {
    sizes.kv_heads.div_ceil(2)
}

/// Vectors of four in all.
pub fn vectors(sizes: &DecodeSizes) -> usize {
    first_heads(sizes) + sizes.layers * vectors_per_heads(sizes)
}

/// Flag of a layer whose heads have numbers of their own.
const BY_HEAD: u32 = 4;

/// Beginning of a step's words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepHeader {
    /// Position of the token.
    pub position: usize,
    /// The first position with an exact row.
    pub exact_from: usize,
    /// Factor of the token's queries.
    pub query_factor: f32,
}

impl StepHeader {
    /// A header whose token's queries stay as they are.
    pub fn new(position: usize, exact_from: usize) -> Self {
        Self {
            position,
            exact_from,
            query_factor: 1.0,
        }
    }
}

/// The words of a step: its header. Then cosine and sine of every pair, one RoPE after the other,
/// and the order of every layer.
///
/// Heads hold different numbers of slots only after a cache was truncated. Their own numbers come
/// last, so that other steps need not upload them.
pub fn words(
    sizes: &DecodeSizes,
    header: StepHeader,
    angles: impl IntoIterator<Item = Vec<[f32; 2]>>,
    layers: &[LayerStep],
) -> Vec<u32> {
    let mut words = Vec::with_capacity(4 * vectors(sizes));
    let StepHeader {
        position,
        exact_from,
        query_factor,
    } = header;
    let factor = query_factor.to_bits();
    words.extend([position as u32, exact_from as u32, factor, 0]);
    for pairs in angles {
        words.extend(pairs.into_iter().flatten().map(f32::to_bits));
        words.resize(words.len().next_multiple_of(4), 0);
    }
    words.resize(4 * first_layer(sizes), 0);
    for LayerStep { capacity, order } in layers {
        let [evicted, rank] = head_words(order, 0);
        // The shaders read the capacity and the number of slots in use, which is the same.
        words.extend([
            *capacity as u32,
            *capacity as u32,
            evicted,
            order.carry.to_bits(),
        ]);
        let by_position = order.ranked_by == RankedBy::Position;
        let by_head = if heads_differ(order) { BY_HEAD } else { 0 };
        let flags = u32::from(order.scored) | u32::from(by_position) << 1 | by_head;
        let recent_from = match order.recent {
            Recent::From(position) => position as u32,
            Recent::Rank(_) => 0,
        };
        words.extend([order.from_position as u32, recent_from, rank, flags]);
    }
    if layers.iter().any(|layer| heads_differ(&layer.order)) {
        for LayerStep { order, .. } in layers {
            words.extend((0..sizes.kv_heads).flat_map(|head| head_words(order, head)));
            words.resize(words.len().next_multiple_of(4), 0);
        }
    }
    words
}

/// One head's two words. The first is the number of slots that it loses. The second is one more
/// than the positions before its recent ones. It is 0 if a position says where those begin.
fn head_words(order: &Order, head: usize) -> [u32; 2] {
    let of = |numbers: &[usize]| numbers.get(head).copied().unwrap_or(0) as u32;
    let rank = match &order.recent {
        Recent::From(_) => 0,
        Recent::Rank(before) => of(before) + 1,
    };
    [of(&order.evicted), rank]
}

/// True if one head's numbers are not all heads'.
fn heads_differ(order: &Order) -> bool {
    let differ = |numbers: &[usize]| numbers.windows(2).any(|pair| pair[0] != pair[1]);
    let ranks = match &order.recent {
        Recent::From(_) => false,
        Recent::Rank(before) => differ(before),
    };
    ranks || differ(&order.evicted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fused::Features;

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
        types: crate::cache::CacheTypes {
            keys: crate::cache::CacheType::F32,
            values: crate::cache::CacheType::F32,
        },
        scale: 1.0,
        features: Features::LLAMA,
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
        let words = words(&SIZES, StepHeader::new(30, 0), [vec![[1.0, 0.0]]], &layers);
        assert_eq!(words.len(), 4 * first_heads(&SIZES));
        let half = 0.5_f32.to_bits();
        let expected = [
            [64, 64, 3, half, 20, 25, 0, 1],
            [64, 64, 3, 0, 20, 0, 8, 0b11],
        ];
        assert_eq!(words[4 * first_layer(&SIZES)..], expected.concat());
    }

    #[test]
    fn heads_that_differ_have_two_words_each() {
        let order = Order {
            evicted: vec![3, 0],
            recent: Recent::Rank(vec![7, 5]),
            scored: true,
            ..Order::default()
        };
        let layers = [Order::default(), order].map(|order| LayerStep {
            capacity: 64,
            order,
        });
        let words = words(&SIZES, StepHeader::new(30, 0), [], &layers);
        assert_eq!(words.len(), 4 * vectors(&SIZES));
        let layer = [64, 64, 3, 0, 0, 0, 8, 0b101];
        let (before, heads) = words.split_at(4 * first_heads(&SIZES));
        assert_eq!(before[before.len() - 8..], layer);
        assert_eq!(heads, [0, 0, 0, 0, 3, 8, 0, 6]);
    }

    #[test]
    fn an_order_to_do_nothing_is_zeros_after_the_memory() {
        let layers = [(); 2].map(|()| LayerStep {
            capacity: 16,
            ..LayerStep::default()
        });
        let words = words(&SIZES, StepHeader::new(0, 0), [], &layers);
        let layer = [16_u32, 16, 0, 0, 0, 0, 0, 0];
        assert_eq!(words[4 * first_layer(&SIZES)..], [layer, layer].concat());
    }
}
