//! Sessions in JavaScript.

use serde::{Deserialize, Serialize};
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument};

use crate::cache::CacheOptions;
use crate::engine::Conversation;

/// A session to save, and the conversation in it.
#[derive(Debug, Clone, Serialize, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionToSave {
    /// Number of the session.
    pub session: u32,
    /// Rules of its cache, for a session that holds nothing.
    #[serde(default)]
    #[tsify(optional)]
    pub cache: CacheOptions,
    /// Its conversation.
    pub conversation: Conversation,
}

/// A session that has been loaded.
#[derive(Debug, Clone, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
#[tsify(hashmap_as_object)]
pub struct SavedSession {
    /// Rules of its cache.
    pub cache: CacheOptions,
    /// Tokens that its cache has seen.
    pub tokens: usize,
    /// Bytes that its cache holds.
    pub held_bytes: u64,
    /// Its conversation.
    pub conversation: Conversation,
}

/// A conversation with a question of the user's.
#[wasm_bindgen]
pub fn asked(conversation: Ts<Conversation>, question: &str) -> Result<Ts<Conversation>, JsValue> {
    let conversation = conversation
        .to_rust()
        .map_err(|error| invalid_argument(&format!("`conversation`: {error}")))?;
    let asked = conversation.asked(question);
    asked.into_ts().map_err(conversion)
}
