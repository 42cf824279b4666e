//! Saving a session to bytes and loading it from them, to go on after a restart.
//!
//! | bytes | content |
//! | --- | --- |
//! | 8 | `kvsessn` and a zero |
//! | 4 | version of the format |
//! | 4 | length of the header |
//! | header | JSON: model, rules, number of tokens, conversation |
//! | 4 per token | the tokens that the cache has seen |
//! | cache | as [`ScopeCache::save`] has it |
//! | 4 | CRC-32 of everything before |
//!
//! Numbers are little-endian.

use serde::{Deserialize, Serialize};

use super::{Conversation, Engine, Session, SessionError};
use crate::Error;
use crate::cache::{CacheError, CacheOptions, ScopeCache};
use crate::model::Fingerprint;

const MAGIC: &[u8; 8] = b"kvsessn\0";
const VERSION: u32 = 1;
/// Magic, version and the header's length.
const PREAMBLE: usize = 16;
const CHECKSUM: usize = 4;

#[derive(Serialize, Deserialize)]
struct Header {
    model: Fingerprint,
    rules: CacheOptions,
    tokens: usize,
    conversation: Conversation,
}

impl Engine {
    /// Saves a session of this engine to bytes, with the conversation that it holds. Waits for the
    /// device.
    ///
    /// # Errors
    ///
    /// [`ScopeCache::save`]'s.
    pub async fn save_session(
        &self,
        session: &Session,
        conversation: &Conversation,
    ) -> Result<Vec<u8>, Error> {
        let header = Header {
            model: self.model().fingerprint(),
            rules: session.rules().clone(),
            tokens: session.tokens().len(),
            conversation: conversation.clone(),
        };
        let unwritten = |detail: String| CacheError::Read { detail };
        let header = serde_json::to_vec(&header).map_err(|error| unwritten(error.to_string()))?;
        let length = u32::try_from(header.len()).map_err(|error| unwritten(error.to_string()))?;
        let tokens = session.tokens();
        let mut bytes = Vec::with_capacity(PREAMBLE + header.len() + 4 * tokens.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        session.cache().save_into(&mut bytes).await?;
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Loads a session from the bytes of [`save_session`](Self::save_session), with its
    /// conversation. Nothing is computed.
    ///
    /// # Errors
    ///
    /// [`SessionError::Version`], [`SessionError::Corrupt`], [`SessionError::Model`] for a session
    /// of another model, and [`ScopeCache::load`]'s.
    pub fn load_session(&self, bytes: &[u8]) -> Result<(Session, Conversation), Error> {
        let (header, tokens, cache) = open(bytes)?;
        let Header {
            model,
            rules,
            conversation,
            ..
        } = header;
        let expected = self.model().fingerprint();
        if model != expected {
            return Err(SessionError::Model {
                found: model,
                expected,
            }
            .into());
        }
        let cache = ScopeCache::load(cache, &self.device().burn_device())?;
        if cache.position() != tokens.len() {
            return Err(corrupt("its cache has not seen its tokens").into());
        }
        let config = rules.apply(self.model().config().cache());
        let config = config.map_err(CacheError::from)?;
        // Each generation sets this one number by itself.
        let expected_tokens = cache.config().max_new_tokens;
        if config.with_max_new_tokens(expected_tokens) != *cache.config() {
            return Err(corrupt("its cache has not its rules").into());
        }
        let session = Session::from_parts(rules, tokens, cache);
        Ok((session, conversation))
    }
}

/// Header, tokens and the cache's bytes, if the bytes are whole and of this version.
fn open(bytes: &[u8]) -> Result<(Header, Vec<u32>, &[u8]), SessionError> {
    let short = || corrupt("it is too short");
    let (preamble, rest) = bytes.split_at_checked(PREAMBLE).ok_or_else(short)?;
    let (magic, numbers) = preamble.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(corrupt("it does not begin as one"));
    }
    let (version, length) = numbers.split_at(4);
    let version = number(version);
    if version != VERSION {
        return Err(SessionError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let middle = rest.len().checked_sub(CHECKSUM).ok_or_else(short)?;
    let (rest, checksum) = rest.split_at(middle);
    if crc32fast::hash(&bytes[..bytes.len() - CHECKSUM]) != number(checksum) {
        return Err(corrupt("its checksum is wrong"));
    }
    let (header, rest) = rest
        .split_at_checked(number(length) as usize)
        .ok_or_else(|| corrupt("its header is cut off"))?;
    let header: Header = serde_json::from_slice(header)
        .map_err(|error| corrupt(format!("its header can't be read: {error}")))?;
    let (tokens, cache) = header
        .tokens
        .checked_mul(4)
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| corrupt("its tokens are cut off"))?;
    let tokens = tokens.chunks_exact(4).map(number).collect();
    Ok((header, tokens, cache))
}

/// A little-endian number of four bytes, or 0 of any others.
fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

fn corrupt(reason: impl Into<String>) -> SessionError {
    SessionError::Corrupt {
        reason: reason.into(),
    }
}
