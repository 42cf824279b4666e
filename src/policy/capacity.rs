//! Capacities: the slots to allocate for those that are needed.

/// Tokens by which `layer` of `layers` is ahead in allocating its next block.
///
/// It staggers growth across layers, so that no single step reallocates the whole cache.
pub(super) fn growth_stagger(layer: usize, layers: usize, block: usize) -> usize {
    (layer * block).checked_div(layers).unwrap_or(0)
}

/// Slots to allocate for `needed` and for the `stagger` tokens after them.
///
/// The `prompt_slots` are allocated exactly, the rest in blocks. Never beyond `max_slots`, as long
/// as that is enough.
pub(super) fn capacity(
    needed: usize,
    stagger: usize,
    prompt_slots: usize,
    block: usize,
    max_slots: Option<usize>,
) -> usize {
    let beyond = (needed + stagger).saturating_sub(prompt_slots);
    let blocks = prompt_slots + beyond.next_multiple_of(block.max(1));
    match max_slots {
        Some(most) if needed <= most => blocks.min(most),
        _ => blocks,
    }
}

/// Slots to allocate for an open prompt that needs `needed`, of which `before` were in use when it
/// began.
///
/// Exactly what the `reserved` tokens need, if that is enough; in blocks otherwise.
pub(crate) fn prompt_capacity(
    needed: usize,
    before: usize,
    reserved: usize,
    block: usize,
) -> usize {
    let known = before + reserved;
    if needed <= known {
        known
    } else {
        capacity(needed, 0, 0, block, None)
    }
}
