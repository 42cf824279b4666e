//! TEMP text module
#![allow(missing_docs)]
use crate::weights::gguf::{Metadata, MetadataArray};
use serde::{Deserialize, Serialize};
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence};
use tokenizers::{AddedToken, Tokenizer as Inner};

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TextError {
    #[error("{0}")]
    Other(String),
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
}
impl TextError {
    pub fn code(&self) -> &'static str {
        "tokenizer-malformed"
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controls {
    Read,
    AsText,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Message {
    pub role: String,
    pub content: String,
}
pub struct Tokenizer {
    inner: Inner,
    stops: Vec<u32>,
    template: String,
}
impl Tokenizer {
    pub fn from_gguf(m: &Metadata) -> Result<Self, TextError> {
        let strings = |k: &str| match m.array(k) {
            Ok(Some(MetadataArray::String(s))) => {
                Ok(s.iter().map(str::to_owned).collect::<Vec<_>>())
            }
            _ => Err(TextError::Other(k.to_owned())),
        };
        let tokens = strings("tokenizer.ggml.tokens")?;
        let merges: Vec<(String, String)> = strings("tokenizer.ggml.merges")?
            .iter()
            .filter_map(|s| s.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .collect();
        let types = match m.array("tokenizer.ggml.token_type")? {
            Some(MetadataArray::I32(t)) => t.clone(),
            _ => vec![1; tokens.len()],
        };
        let vocab: std::collections::HashMap<String, u32> =
            tokens.iter().cloned().zip(0..).collect();
        let e = |e: tokenizers::Error| TextError::Other(e.to_string());
        let bpe = BPE::builder()
            .vocab_and_merges(
                vocab
                    .into_iter()
                    .collect::<tokenizers::models::bpe::Vocab>(),
                merges,
            )
            .build()
            .map_err(e)?;
        let mut inner = Inner::new(bpe);
        inner.with_pre_tokenizer(Some(Sequence::new(vec![
            Digits::new(true).into(),
            ByteLevel::new(false, false, true).into(),
        ])));
        inner.with_decoder(Some(ByteLevel::default()));
        let special: Vec<AddedToken> = tokens
            .iter()
            .zip(&types)
            .filter(|(_, t)| **t == 3)
            .map(|(s, _)| AddedToken::from(s.clone(), true).normalized(false))
            .collect();
        inner.add_special_tokens(special).map_err(e)?;
        let stops = m
            .unsigned("tokenizer.ggml.eos_token_id")?
            .map(|v| v as u32)
            .into_iter()
            .collect();
        Ok(Self {
            inner,
            stops,
            template: m
                .text("tokenizer.chat_template")?
                .unwrap_or_default()
                .to_owned(),
        })
    }
    pub fn encode(&self, text: &str, _c: Controls) -> Result<Vec<u32>, TextError> {
        Ok(self
            .inner
            .encode(text, false)
            .map_err(|e| TextError::Other(e.to_string()))?
            .get_ids()
            .to_vec())
    }
    pub fn encode_chat(
        &self,
        messages: &[Message],
        generation: bool,
    ) -> Result<Vec<u32>, TextError> {
        let mut env = minijinja::Environment::new();
        env.set_fuel(Some(100_000));
        let text = env.render_str(&self.template, minijinja::context! { messages => minijinja::Value::from(messages.iter().map(|m| minijinja::context! { role => m.role.as_str(), content => m.content.as_str() }).collect::<Vec<_>>()), add_generation_prompt => generation }).map_err(|e| TextError::Other(e.to_string()))?;
        self.encode(&text, Controls::Read)
    }
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stops
    }
    pub fn detokenizer(&self) -> Detokenizer<'_> {
        Detokenizer {
            inner: &self.inner,
            ids: vec![],
            done: 0,
        }
    }
}
pub struct Detokenizer<'a> {
    inner: &'a Inner,
    ids: Vec<u32>,
    done: usize,
}
impl crate::generate::Spelling for Detokenizer<'_> {
    fn push(&mut self, t: u32) -> String {
        self.ids.push(t);
        let all = self.inner.decode(&self.ids, true).unwrap_or_default();
        if all.ends_with('\u{fffd}') {
            return String::new();
        }
        let new = all.get(self.done..).unwrap_or_default().to_owned();
        self.done = all.len();
        new
    }
    fn finish(&mut self) -> String {
        let all = self.inner.decode(&self.ids, true).unwrap_or_default();
        let new = all.get(self.done..).unwrap_or_default().to_owned();
        self.done = all.len();
        new
    }
}
