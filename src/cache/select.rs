//! Selection on the device: ranks slots without sorting and without reading anything back.
//!
//! burn sorts GPU tensors on the host. Comparing all pairs is more arithmetic but stays on the
//! device. One eviction per step, the usual case, needs a minimum only.

use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, TensorData};

/// The position of an empty slot, less than any other.
pub(super) const EMPTY: i32 = -1;

/// Above any score.
const ABOVE: f32 = 1.0e30;

/// Candidates that rank before each slot, `[kv_heads, slots]`: those with a greater score or, of
/// equal ones, an earlier position. Without scores, those at earlier positions.
pub(super) fn rank(
    scores: Option<&Tensor<2>>,
    positions: &Tensor<2, Int>,
    candidates: &Tensor<2, Bool>,
) -> Tensor<2, Int> {
    const ELEMENTS: usize = 4 << 20;
    let [heads, slots] = positions.dims();
    // A score that is not a number compares with none, and would leave the ranks with gaps.
    let scores = scores.map(|scores| scores.clone().mask_fill(scores.clone().is_nan(), -1.0));
    let tile = (ELEMENTS / (heads * slots).max(1)).clamp(1, slots.max(1));
    let mut before = Tensor::<2, Int>::zeros([heads, slots], &positions.device());
    for start in (0..slots).step_by(tile) {
        let count = tile.min(slots - start);
        let shape = [heads, slots, count];
        let own = positions.clone().unsqueeze_dim::<3>(2).expand(shape);
        let rival = positions
            .clone()
            .narrow(1, start, count)
            .unsqueeze_dim::<3>(1)
            .expand(shape);
        let earlier = rival.lower(own);
        let beats = match &scores {
            None => earlier,
            Some(scores) => {
                let own = scores.clone().unsqueeze_dim::<3>(2).expand(shape);
                let rival = scores
                    .clone()
                    .narrow(1, start, count)
                    .unsqueeze_dim::<3>(1)
                    .expand(shape);
                let tied = rival.clone().equal(own.clone());
                rival.greater(own).bool_or(tied.bool_and(earlier))
            }
        };
        let counts = candidates
            .clone()
            .narrow(1, start, count)
            .unsqueeze_dim::<3>(1)
            .expand(shape)
            .bool_and(beats);
        before = before + counts.int().sum_dim(2).reshape([heads, slots]);
    }
    before
}

/// Held slots at earlier positions than each held slot's own, `[kv_heads, slots]`, where `seen`
/// tokens have been seen. As [`rank`] without scores, but in time that grows with `seen` alone.
pub(super) fn order(positions: &Tensor<2, Int>, seen: usize) -> Tensor<2, Int> {
    let [heads, _] = positions.dims();
    // One place more than there are positions, for empty slots.
    let empty = positions.clone().lower_elem(0);
    let places = positions.clone().mask_fill(empty, seen as i64);
    let held = Tensor::<2, Int>::zeros([heads, seen + 1], &positions.device()).scatter(
        1,
        places.clone(),
        positions.ones_like(),
        IndexingUpdateOp::Assign,
    );
    held.cumsum(1).gather(1, places).sub_scalar(1)
}

/// Empties every head's lowest slot of those not `barred`: the one with the lowest score. Among
/// equal scores, and without scores, it is the one with the latest position. A head with all slots
/// barred keeps them.
pub(super) fn evict_lowest(
    positions: Tensor<2, Int>,
    scores: Option<&Tensor<2>>,
    barred: Tensor<2, Bool>,
) -> Tensor<2, Int> {
    let others = match scores {
        None => barred,
        Some(scores) => {
            let least = scores
                .clone()
                .mask_fill(barred.clone(), ABOVE)
                .min_dim(1)
                .expand(scores.dims());
            // Not `scores > least` rather than `scores == least`: whatever is not a number is then
            // among the lowest, and still exactly one slot is emptied.
            barred.bool_or(scores.clone().greater(least))
        }
    };
    let shape = positions.dims();
    let latest = positions
        .clone()
        .mask_fill(others, EMPTY)
        .max_dim(1)
        .expand(shape);
    let evicted = positions.clone().equal(latest);
    positions.mask_fill(evicted, EMPTY)
}

/// One whole number per head, repeated for every slot: `[kv_heads, slots]`.
pub(super) fn per_head(numbers: &[usize], like: &Tensor<2, Int>) -> Tensor<2, Int> {
    let [heads, slots] = like.dims();
    let numbers: Vec<i32> = numbers
        .iter()
        .map(|number| i32::try_from(*number).unwrap_or(i32::MAX))
        .collect();
    Tensor::<2, Int>::from_data(TensorData::new(numbers, [heads, 1]), &like.device())
        .expand([heads, slots])
}
