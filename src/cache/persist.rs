//! Saving to bytes and loading from them, so that a chat can be resumed and a prompt used again.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `kvscope` and a zero |
//! | 4 | the format's version |
//! | 4 | the header's length |
//! | header | JSON: the configuration and what the host knows of every layer |
//! | layers | for each: keys, values, positions (i32), scores (f32), as they lie in memory |
//! | 4 | CRC-32 of everything before |
//!
//! Numbers are little-endian.

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::layer::LayerCache;
use super::memory::Account;
use super::resume;
use super::retained::unread;
use super::rows::{Rows, check_storable};
use super::scope_cache::ScopeCache;
use super::store::{self, SlotStore};
use crate::policy::LayerState;

const MAGIC: &[u8; 8] = b"kvscope\0";
/// Version 2 has no `pyramid_beta` and no `strict` among a turn's budgets: they are the policy's.
const VERSION: u32 = 2;
/// The oldest version that can be read.
const OLDEST: u32 = 1;
/// Magic, version and the header's length.
const PREAMBLE: usize = 16;
const CHECKSUM: usize = 4;

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

/// A layer in the header. Its tensors follow in the order of the layers.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedLayer {
    pub state: LayerState,
    /// Slots allocated a head, 0 for a layer without memory.
    pub capacity: usize,
}

impl ScopeCache {
    /// The cache as bytes. Waits for the device.
    ///
    /// # Errors
    ///
    /// [`CacheError::PrefillOpen`] in the middle of a prompt, [`CacheError::Read`].
    pub async fn save(&self) -> Result<Vec<u8>, CacheError> {
        if let Some(layer) = self
            .layers
            .iter()
            .position(|layer| layer.state.turn.is_some())
        {
            return Err(CacheError::PrefillOpen { layer });
        }
        let header = Header {
            config: self.config.clone(),
            layers: self
                .layers
                .iter()
                .map(|layer| SavedLayer {
                    state: layer.state.clone(),
                    capacity: layer.store.as_ref().map_or(0, SlotStore::capacity),
                })
                .collect(),
            held: self.held,
            full: self.full,
            full_capacities: self.full_capacities.clone(),
        };
        let header = serde_json::to_vec(&header).map_err(unread)?;
        let mut bytes = Vec::with_capacity(PREAMBLE + header.len() + CHECKSUM);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(header.len()).map_err(unread)?.to_le_bytes());
        bytes.extend_from_slice(&header);
        for store in self.layers.iter().filter_map(|layer| layer.store.as_ref()) {
            for rows in [&store.keys, &store.values] {
                bytes.extend_from_slice(rows.bytes().await?.as_bytes());
            }
            let positions = super::retained::read_ints(&store.positions).await?;
            bytes.extend_from_slice(bytemuck::cast_slice(&positions));
            let scores = super::retained::read_scores(&store.scores).await?;
            bytes.extend_from_slice(bytemuck::cast_slice(&scores));
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// The cache that [`save`](Self::save) made `bytes` of, on `device`.
    ///
    /// # Errors
    ///
    /// [`CacheError::Version`] for a format this release does not read, [`CacheError::Corrupt`] for anything else that
    /// such bytes can't be, [`CacheError::Config`] where `device` can't hold the saved type.
    pub fn load(bytes: &[u8], device: &Device) -> Result<Self, CacheError> {
        let (header, payload) = open(bytes)?;
        let config = header.config;
        config
            .validate()
            .map_err(|error| corrupt(format!("its configuration is invalid: {error}")))?;
        check_storable(config.cache_type, config.head_dim, device)?;
        if header.layers.len() != config.layers || header.full_capacities.len() != config.layers {
            return Err(corrupt("it has not as many layers as its configuration"));
        }
        let mut expected = 0_u64;
        for layer in &header.layers {
            resume::check_numbers(layer, &config)?;
            let sizes = store::sizes_of(&config, layer.capacity);
            expected = sizes.into_iter().fold(expected, u64::saturating_add);
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
            cache.layers[layer] = load_layer(saved, &mut rest, &cache.config, device)?;
            cache.settle(layer, store::Sizes::default(), false);
        }
        cache.held.high = header.held.high.max(cache.held.now);
        cache.full.high = header.full.high.max(cache.full.now);
        Ok(cache)
    }
}

/// Header and tensors, if the bytes are whole and of this version.
fn open(bytes: &[u8]) -> Result<(Header, &[u8]), CacheError> {
    let (preamble, rest) = bytes
        .split_at_checked(PREAMBLE)
        .ok_or_else(|| corrupt("it is too short"))?;
    let (magic, numbers) = preamble.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(corrupt("it does not begin as one"));
    }
    let (version, length) = numbers.split_at(4);
    let version = number(version);
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(CacheError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let (rest, checksum) = rest
        .len()
        .checked_sub(CHECKSUM)
        .and_then(|middle| rest.split_at_checked(middle))
        .ok_or_else(|| corrupt("it is too short"))?;
    if crc32fast::hash(&bytes[..bytes.len() - CHECKSUM]) != number(checksum) {
        return Err(corrupt("its checksum is wrong"));
    }
    let (header, payload) = rest
        .split_at_checked(number(length) as usize)
        .ok_or_else(|| corrupt("its header is cut off"))?;
    let header = serde_json::from_slice(header)
        .map_err(|error| corrupt(format!("its header can't be read: {error}")))?;
    Ok((header, payload))
}

/// Takes a layer's tensors off the front of `rest`, which is known to hold them.
fn load_layer(
    saved: SavedLayer,
    rest: &mut &[u8],
    config: &ScopeCacheConfig,
    device: &Device,
) -> Result<LayerCache, CacheError> {
    let SavedLayer { state, capacity } = saved;
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
        let [keys, values, positions, scores, _] = store::sizes_of(config, capacity);
        let slots = [config.kv_heads, capacity];
        let rows = [config.kv_heads, capacity, config.head_dim];
        let keys = Rows::from_bytes(take(keys)?, rows, config.cache_type, device);
        let values = Rows::from_bytes(take(values)?, rows, config.cache_type, device);
        let positions = TensorData::from_bytes_vec(take(positions)?, slots, DType::I32);
        let scores = TensorData::from_bytes_vec(take(scores)?, slots, DType::F32);
        let held = positions.try_to_vec::<i32>().map_err(unread)?;
        resume::check_positions(&held, capacity, &state, config)?;
        layer.store = Some(SlotStore {
            keys,
            values,
            positions: Tensor::from_data(positions, device),
            scores: Tensor::from_data(scores, device),
        });
    }
    layer.state = state;
    Ok(layer)
}

/// A little-endian number of four bytes, or 0 of any others.
fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

pub(super) fn corrupt(reason: impl Into<String>) -> CacheError {
    CacheError::Corrupt {
        reason: reason.into(),
    }
}
