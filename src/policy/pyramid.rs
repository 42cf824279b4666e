//! Layer budgets of the pyramids (PyramidKV, Cai et al., arXiv 2406.02069). A fixed total is
//! divided so that it falls evenly from the first layer to the last.

/// The budget of layer `layer` of `layers`: `largest` less its share of the fall to `smallest`.
fn fall(largest: usize, smallest: usize, layer: usize, layers: usize) -> usize {
    let step = largest.saturating_sub(smallest) / layers.max(1);
    largest.saturating_sub(layer * step)
}

/// Positions that layer `layer` keeps before the observation window.
///
/// `before` is the number of positions there, `mean` what every layer keeps without the pyramid. M
/// and m are the largest and the smallest layer's budget: m = mean div β, M = 2·mean − m. If the
/// prompt has fewer than M positions, M is their number and m makes up for it. A prompt shorter
/// than twice the mean has no pyramid: every layer keeps the mean.
pub(super) fn prefill(
    mean: usize,
    beta: usize,
    prompt: usize,
    before: usize,
    layer: usize,
    layers: usize,
) -> usize {
    if prompt < 2 * mean {
        return mean;
    }
    let smallest = mean / beta.max(1);
    let largest = 2 * mean - smallest;
    if largest >= before {
        fall(before, (2 * mean).saturating_sub(before), layer, layers)
    } else {
        fall(largest, smallest, layer, layers)
    }
}

/// C_l of PyramidInfer's decoding: positions older than the recent ones that layer `layer` holds,
/// the prompt's included. `mean` is A + β1; the smallest layer gets half of it.
pub(super) fn decode(mean: usize, layer: usize, layers: usize) -> usize {
    let smallest = mean / 2;
    fall(2 * mean - smallest, smallest, layer, layers)
}
