//! Checks of tensors from callers, before anything is changed.

use burn::tensor::{DType, Device, Tensor};

use super::config::ScopeCacheConfig;
use super::error::CacheError;
use super::prompt::PromptChunk;
use super::step::Token;
use crate::policy::MOST_TOKENS;

/// Checks that a chunk's tensors fit each other and the cache, and returns its tokens.
pub(super) fn chunk(
    chunk: &PromptChunk,
    config: &ScopeCacheConfig,
    device: Option<&Device>,
) -> Result<usize, CacheError> {
    let [_, count, _] = chunk.queries.dims();
    let tokens = count.max(1);
    let queries = [config.query_heads, tokens, config.head_dim];
    let keys = [config.kv_heads, tokens, config.head_dim];
    tensor("queries", &chunk.queries, queries, device)?;
    let device = device.cloned().unwrap_or_else(|| chunk.queries.device());
    tensor("keys", &chunk.keys, keys, Some(&device))?;
    tensor("values", &chunk.values, keys, Some(&device))?;
    Ok(count)
}

/// Checks that a token's tensors fit the cache.
pub(super) fn token(
    token: &Token,
    config: &ScopeCacheConfig,
    device: Option<&Device>,
) -> Result<(), CacheError> {
    let key = [config.kv_heads, config.head_dim];
    let query = [config.query_heads, config.head_dim];
    tensor("query", &token.query, query, device)?;
    tensor("key", &token.key, key, device)?;
    tensor("value", &token.value, key, device)
}

/// Checks that a sequence of `seen` tokens may get `new` more.
pub(super) fn length(seen: usize, new: usize) -> Result<(), CacheError> {
    let tokens = seen.saturating_add(new);
    if tokens <= MOST_TOKENS {
        Ok(())
    } else {
        Err(CacheError::TooLong {
            tokens,
            most: MOST_TOKENS,
        })
    }
}

fn tensor<const D: usize>(
    name: &'static str,
    tensor: &Tensor<D>,
    expected: [usize; D],
    device: Option<&Device>,
) -> Result<(), CacheError> {
    if tensor.dims() != expected {
        return Err(CacheError::Shape {
            tensor: name,
            found: tensor.dims().to_vec(),
            expected: format!("{expected:?}"),
        });
    }
    if let DType::QFloat(_) = tensor.dtype() {
        return Err(CacheError::Type {
            tensor: name,
            found: tensor.dtype().name().to_owned(),
        });
    }
    match device {
        Some(device) if tensor.device() != *device => Err(CacheError::Device {
            tensor: name,
            found: format!("{:?}", tensor.device()),
            expected: format!("{device:?}"),
        }),
        _ => Ok(()),
    }
}
