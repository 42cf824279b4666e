//! Saving a session to bytes and loading it from them, to go on after a restart.
//!
//! In an [`Envelope`], the header is the model, the rules, the number of tokens and the
//! conversation. The content is the tokens that the cache has seen, four bytes each, and the cache
//! as [`ScopeCache::save`] has it.

use serde::{Deserialize, Serialize};

use super::{Conversation, Engine, Session, SessionError};
use crate::Error;
use crate::cache::envelope::{Envelope, Unopened, number};
use crate::cache::{CacheError, CacheOptions, ScopeCache};
use crate::model::Fingerprint;

const VERSION: u32 = 1;
const ENVELOPE: Envelope = Envelope {
    magic: b"kvsessn\0",
    versions: VERSION..=VERSION,
};

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
        let tokens = session.tokens();
        let mut bytes = Vec::new();
        let begun = ENVELOPE.begin(&mut bytes, &header, 4 * tokens.len() as u64);
        begun.map_err(|error| CacheError::Read {
            detail: error.to_string(),
        })?;
        bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        session.cache().save_into(&mut bytes).await?;
        ENVELOPE.end(&mut bytes, 0);
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
    let (_, header, rest): (_, Header, _) =
        ENVELOPE.open(bytes).map_err(|unopened| match unopened {
            Unopened::Corrupt(reason) => corrupt(reason),
            Unopened::Version(found) => SessionError::Version {
                found,
                supported: VERSION,
            },
        })?;
    let (tokens, cache) = header
        .tokens
        .checked_mul(4)
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| corrupt("its tokens are cut off"))?;
    let tokens = tokens.chunks_exact(4).map(number).collect();
    Ok((header, tokens, cache))
}

fn corrupt(reason: impl Into<String>) -> SessionError {
    SessionError::Corrupt {
        reason: reason.into(),
    }
}
