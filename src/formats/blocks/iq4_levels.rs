//! The levels of IQ4_NL and IQ4_XS, which lie closer together around 0.

use super::format::Products;

/// Levels by number, ggml's `kvalues_iq4nl`.
pub(super) const LEVELS: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// Products of elements that are scale · level. Lanes in quads compute levels as numbers.
pub(super) const PRODUCTS: Products = Products {
    quads: Some(&[wgsl!("in_place.wgsl"), wgsl!("iq4_quads.wgsl")]),
    ..Products::BYTES
};
