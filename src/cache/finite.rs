//! The search for keys and values that are no finite numbers.
//!
//! Nothing looks for them at a step. One of them spoils the step's logits, which the host sees
//! anyway; only then is their cause searched for.

use super::buffers::read_floats;
use super::error::CacheError;
use super::layer::LayerCache;
use super::scope_cache::ScopeCache;

/// Both kinds of rows, in the order of a cache's types.
const ROWS: [&str; 2] = ["keys", "values"];

impl ScopeCache {
    /// Checks that all keys and values are finite numbers, as their types store them. Waits for the
    /// device, and reads everything back: for after an error.
    ///
    /// # Errors
    ///
    /// [`CacheError::NotFinite`] with the first layer that has others, and the earliest position in
    /// it. [`CacheError::Read`].
    pub async fn check_finite(&self) -> Result<(), CacheError> {
        for (layer, cache) in self.layers.iter().enumerate() {
            if let Some((kind, position)) = cache.not_finite().await? {
                return Err(CacheError::NotFinite {
                    layer,
                    rows: ROWS[kind],
                    position,
                    cache_type: self.config.cache_type.each()[kind],
                });
            }
        }
        Ok(())
    }
}

impl LayerCache {
    /// The first rows that are not finite: their kind among [`ROWS`], and their position if a slot
    /// has it.
    async fn not_finite(&self) -> Result<Option<(usize, Option<usize>)>, CacheError> {
        let Some(store) = &self.store else {
            return Ok(None);
        };
        // All keys of a prompt depend on its frame.
        if let Some(frame) = &store.frame {
            let numbers = read_floats(&frame.numbers).await?;
            if !numbers.iter().all(|number| number.is_finite()) {
                return Ok(Some((0, None)));
            }
        }
        let positions = store.read_positions().await?.concat();
        let mut found = Vec::new();
        for (kind, rows) in [&store.keys, &store.values].into_iter().enumerate() {
            let finite = rows.slots.are_finite().await?;
            let slots = positions.iter().zip(finite);
            let wrong = slots.filter(|(_, finite)| !finite);
            found.extend(wrong.map(|(position, _)| (kind, usize::try_from(*position).ok())));
        }
        // An evicted row may be in an empty slot still: it is the cause if no other is.
        let first = |(_, position): &(_, Option<usize>)| position.unwrap_or(usize::MAX);
        Ok(found.into_iter().min_by_key(first))
    }
}
