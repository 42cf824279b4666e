//! Saving to bytes and loading from them, to resume a chat or to use a prompt again.
//!
//! In an [`Envelope`], the header is the configuration and every layer's numbers on the host. The
//! content has per layer: keys, values, positions (i32), scores (f32), slot by slot; then the frame
//! (f32).

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::config::ScopeCacheConfig;
use super::envelope::{Envelope, Unopened};
use super::error::CacheError;
use super::frame::Frame;
use super::layer::LayerCache;
use super::memory::Account;
use super::rows::{EXACT, ExactRows, PlainRows, Rows, SINKS};
use super::scope_cache::ScopeCache;
use super::select::EMPTY;
use super::storage::CacheType;
use super::store::{self, SlotStore};
use crate::policy::{LayerState, MOST_TOKENS, recent_run};

/// Version 4 has exact rows in [`EXACT`]'s type; in version 3 they were in f16, and more of them.
/// Version 3 has exact rows and frames, in caches of framed types. Version 2 has no `pyramid_beta`
/// and no `strict` among a turn's budgets: they are the policy's.
const VERSION: u32 = 4;
/// The oldest version that can be read.
const OLDEST: u32 = 1;
/// The oldest version whose exact rows can be read.
const OLDEST_EXACT: u32 = 4;
/// Most bytes that JavaScript's numbers count.
const MOST_BYTES: u64 = 1 << 53;
const ENVELOPE: Envelope = Envelope {
    magic: b"kvscope\0",
    versions: OLDEST..=VERSION,
};

#[cfg(target_endian = "big")]
compile_error!("saved caches are little-endian, as WebGPU's memory is");

#[derive(Serialize, Deserialize)]
struct Header {
    config: ScopeCacheConfig,
    layers: Vec<SavedLayer>,
    held: Account,
    full: Account,
    full_capacities: Vec<usize>,
}

/// A layer in the header. Tensors follow in the order of the layers.
#[derive(Serialize, Deserialize)]
struct SavedLayer {
    state: LayerState,
    /// Slots allocated per head, 0 for a layer without memory.
    capacity: usize,
    /// No earlier position has an exact row, but for the first.
    #[serde(default)]
    exact_from: usize,
}

impl ScopeCache {
    /// Saves the cache to bytes. Waits for the device.
    ///
    /// # Errors
    ///
    /// [`CacheError::PrefillOpen`] in the middle of a prompt, [`CacheError::Read`] if the device
    /// does not answer.
    pub async fn save(&self) -> Result<Vec<u8>, CacheError> {
        let mut bytes = Vec::new();
        self.save_into(&mut bytes).await?;
        Ok(bytes)
    }

    /// Appends to `bytes` what [`save`](Self::save) gives. Takes memory for all of it at once.
    ///
    /// # Errors
    ///
    /// Those of [`save`](Self::save), and [`CacheError::Read`] if there is no such memory.
    pub async fn save_into(&self, bytes: &mut Vec<u8>) -> Result<(), CacheError> {
        let begin = bytes.len();
        if let Some(layer) = self
            .layers
            .iter()
            .position(|layer| layer.state.turn.is_some())
        {
            return Err(CacheError::PrefillOpen { layer });
        }
        let (held, full, full_capacities) = self.layers.accounts();
        let header = Header {
            config: self.config.clone(),
            layers: self
                .layers
                .iter()
                .map(|layer| SavedLayer {
                    state: layer.state.clone(),
                    capacity: layer.store.as_ref().map_or(0, SlotStore::capacity),
                    exact_from: layer.exact_from(),
                })
                .collect(),
            held,
            full,
            full_capacities: full_capacities.to_vec(),
        };
        let stores = self.layers.iter().filter_map(|layer| layer.store.as_ref());
        let tensors = stores.map(|store| store::bytes_of(&self.config, store.capacity()).each());
        let begun = ENVELOPE.begin(bytes, &header, tensors.flatten().sum());
        begun.map_err(CacheError::unread)?;
        for store in self.layers.iter().filter_map(|layer| layer.store.as_ref()) {
            for rows in [&store.keys, &store.values] {
                bytes.extend_from_slice(rows.slots.bytes().await?.as_bytes());
                if let Some(exact) = &rows.exact {
                    bytes.extend_from_slice(exact.rows.bytes().await?.as_bytes());
                }
            }
            for positions in store.read_positions().await? {
                bytes.extend_from_slice(bytemuck::cast_slice(&positions));
            }
            let scores = store.read_scores().await?;
            bytes.extend_from_slice(bytemuck::cast_slice(&scores));
            if let Some(frame) = &store.frame {
                let numbers = frame.numbers.to_data_async().await;
                bytes.extend_from_slice(numbers.map_err(CacheError::unread)?.as_bytes());
            }
        }
        ENVELOPE.end(bytes, begin);
        Ok(())
    }

    /// Loads a cache from the bytes of [`save`](Self::save), onto `device`.
    ///
    /// # Errors
    ///
    /// [`CacheError::Version`] for a format that this release does not read, or in which it does
    /// not read the saved type.
    /// [`CacheError::Corrupt`] for bytes that are no whole, unchanged save. [`CacheError::Config`]
    /// if `device` can't hold the saved type.
    pub fn load(bytes: &[u8], device: &Device) -> Result<Self, CacheError> {
        let (header, payload) = open(bytes)?;
        let config = header.config;
        config
            .validate()
            .map_err(|error| corrupt(format!("its configuration is invalid: {error}")))?;
        config.cache_type.check(config.head_dim, device)?;
        if header.layers.len() != config.layers || header.full_capacities.len() != config.layers {
            return Err(corrupt("it has not as many layers as its configuration"));
        }
        if header.held.high.max(header.full.high) > MOST_BYTES {
            return Err(corrupt("it says to have held more than there is"));
        }
        let mut expected = 0_u64;
        for layer in &header.layers {
            check_numbers(layer, &config)?;
            let bytes = store::bytes_of(&config, layer.capacity).each();
            expected = bytes.into_iter().fold(expected, u64::saturating_add);
        }
        // Everything is bounded by what is really there before anything is allocated.
        if expected != payload.len() as u64 {
            return Err(corrupt(format!(
                "it has {} bytes of tensors instead of {expected}",
                payload.len()
            )));
        }

        let mut cache = Self::empty(config);
        let mut rest = payload;
        for (layer, saved) in header.layers.into_iter().enumerate() {
            let loaded = load_layer((layer, saved), &mut rest, &cache.config, device)?;
            cache.change(layer, |cache, _| *cache = loaded)?;
        }
        cache.layers.raise_high_water(header.held, header.full);
        Ok(cache)
    }
}

/// Header and tensors, if the bytes are whole and of a version that can be read.
fn open(bytes: &[u8]) -> Result<(Header, &[u8]), CacheError> {
    let other = |found| CacheError::Version {
        found,
        supported: VERSION,
    };
    let (version, header, payload): (_, Header, _) =
        ENVELOPE.open(bytes).map_err(|unopened| match unopened {
            Unopened::Corrupt(reason) => corrupt(reason),
            Unopened::Version(found) => other(found),
        })?;
    let mut types = header.config.cache_type.each().into_iter();
    if version < OLDEST_EXACT && types.any(|one| one.exact() > 0) {
        return Err(other(version));
    }
    Ok((header, payload))
}

/// Takes a layer's tensors off the front of `rest`, which is known to hold them.
fn load_layer(
    (number, saved): (usize, SavedLayer),
    rest: &mut &[u8],
    config: &ScopeCacheConfig,
    device: &Device,
) -> Result<LayerCache, CacheError> {
    let SavedLayer {
        state,
        capacity,
        exact_from,
    } = saved;
    let mut layer = LayerCache::empty(config);
    if capacity > 0 {
        let mut take = |size: u64| -> Result<Vec<u8>, CacheError> {
            let (taken, left) = usize::try_from(size)
                .ok()
                .and_then(|size| rest.split_at_checked(size))
                .ok_or_else(|| corrupt("its tensors are cut off"))?;
            *rest = left;
            Ok(taken.to_vec())
        };
        let bytes = store::bytes_of(config, capacity);
        let slots = [config.kv_heads, capacity];
        let rows = [config.kv_heads, capacity, config.head_dim];
        let mut rows_of = |cache_type: CacheType| -> Result<Rows, CacheError> {
            let slots = take(store::slot_bytes(config, cache_type, capacity))?;
            let slots = PlainRows::from_bytes(slots, rows, cache_type, device);
            let exact = match cache_type.exact() {
                0 => None,
                ring => {
                    let bytes = take(store::exact_bytes(config, cache_type))?;
                    let shape = [config.kv_heads, SINKS + ring, config.head_dim];
                    Some(ExactRows {
                        rows: PlainRows::from_bytes(bytes, shape, EXACT, device),
                        floor: exact_from,
                    })
                }
            };
            Ok(Rows { slots, exact })
        };
        let keys = rows_of(config.cache_type.keys)?;
        let values = rows_of(config.cache_type.values)?;
        let positions = TensorData::from_bytes_vec(take(bytes.positions)?, slots, DType::I32);
        let scores = TensorData::from_bytes_vec(take(bytes.scores)?, slots, DType::F32);
        let frame = match bytes.frame {
            0 => None,
            size => {
                let shape = [config.kv_heads, 2, config.head_dim];
                let numbers = TensorData::from_bytes_vec(take(size)?, shape, DType::F32);
                Some(Frame {
                    numbers: Tensor::from_data(numbers, device),
                })
            }
        };
        let held = positions.try_to_vec::<i32>().map_err(CacheError::unread)?;
        let split = config.window(number).is_none() && !config.decode.evicts_prompt();
        check_positions(&held, capacity, &state, split)?;
        layer.store = Some(SlotStore::from_parts(
            [keys, values],
            Tensor::from_data(positions, device),
            Tensor::from_data(scores, device),
            frame,
        ));
    }
    layer.state = state;
    Ok(layer)
}

/// Checks a layer's numbers against each other. A checksum tells accidents, this everything else:
/// counts that the host relies on must agree with the slots.
fn check_numbers(layer: &SavedLayer, config: &ScopeCacheConfig) -> Result<(), CacheError> {
    let SavedLayer {
        state,
        capacity,
        exact_from,
    } = layer;
    let budgets = &state.budgets;
    let sane = state.turn.is_none()
        && state.heads.len() == config.kv_heads
        && state.seen <= MOST_TOKENS
        && state.boundary <= state.seen
        && state.prompt_slots <= *capacity
        && *capacity <= 2 * MOST_TOKENS
        && (*capacity > 0 || state.seen == 0)
        && state.heads.iter().all(|head| {
            head.held <= *capacity && head.held <= state.seen && head.prefill <= state.boundary
        })
        && *exact_from <= state.seen
        && state.skipped <= MOST_TOKENS
        && selections_ascend(state)
        && [
            budgets.prefill,
            budgets.window,
            budgets.decode,
            budgets.recent,
            budgets.expected,
        ]
        .iter()
        .all(|budget| *budget <= MOST_TOKENS + 1)
        && (budgets.layers == config.rules(0).layers || state.seen == 0);
    if sane {
        Ok(())
    } else {
        Err(corrupt("a layer's numbers contradict each other"))
    }
}

fn selections_ascend(state: &LayerState) -> bool {
    let mut last = 0;
    state.selections.iter().all(|range| {
        let ascends = last <= range.start && range.start < range.end && range.end <= state.seen;
        last = range.end;
        ascends
    })
}

/// Checks every head's slots against what the layer's numbers say that it holds. `split`: the
/// prompt's slots are as the prefill left them.
fn check_positions(
    slots: &[i32],
    capacity: usize,
    state: &LayerState,
    split: bool,
) -> Result<(), CacheError> {
    for (slots, head) in slots.chunks(capacity.max(1)).zip(&state.heads) {
        let mut held: Vec<usize> = slots
            .iter()
            .filter_map(|slot| usize::try_from(*slot).ok())
            .collect();
        held.sort_unstable();
        let of_prompt = held.iter().filter(|held| **held < state.boundary).count();
        let true_to_count = held.len() == head.held
            && held.last().is_none_or(|last| *last < state.seen)
            && held.windows(2).all(|pair| pair[0] != pair[1])
            && slots.iter().all(|slot| *slot >= EMPTY)
            && (!split || of_prompt == head.prefill)
            && recent_run(slots, state.seen) >= state.recent_run;
        if !true_to_count {
            return Err(corrupt("a head's slots are not what its numbers say"));
        }
    }
    Ok(())
}

fn corrupt(reason: impl Into<String>) -> CacheError {
    CacheError::Corrupt {
        reason: reason.into(),
    }
}
