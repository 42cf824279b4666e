//! Sequences that an engine holds, from which requests go on.

use super::{Engine, Prompt};
use crate::Error;
use crate::cache::{CacheError, CacheOptions, ScopeCache};
use crate::generate::{GenerateConfig, Generation};
use crate::model::Llama;
use crate::text::{Detokenizer, Tokenizer};

/// A byte that no text in UTF-8 has.
const NO_TEXT: u8 = 0xff;

/// A sequence that an engine holds: its tokens, and their cache.
///
/// [`Engine::resume`] computes only what a prompt has beyond it. Where everything is kept, the
/// answer is that of a fresh computation, but for the rounding of sums. Under other rules the
/// prompt's new part is a later turn.
///
/// A clone is a branch: it shares the tensors until one of the two writes to them.
#[derive(Debug, Clone)]
pub struct Session {
    rules: CacheOptions,
    tokens: Vec<u32>,
    cache: ScopeCache,
}

impl Session {
    /// A session of what was saved: rules, and a cache that has seen `tokens`.
    pub(super) fn from_parts(rules: CacheOptions, tokens: Vec<u32>, cache: ScopeCache) -> Self {
        Self {
            rules,
            tokens,
            cache,
        }
    }

    /// Rules of the cache.
    pub fn rules(&self) -> &CacheOptions {
        &self.rules
    }

    /// The tokens that the cache has seen, evicted or not.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The cache.
    pub fn cache(&self) -> &ScopeCache {
        &self.cache
    }

    /// Goes back to the longest beginning of `prompt` from which it can be computed, and returns
    /// that beginning's length. At least one token of `prompt` is left to compute.
    ///
    /// Nothing is held afterwards if the cache has evicted something since: what was evicted
    /// can't be brought back.
    ///
    /// # Errors
    ///
    /// [`CacheError::Read`](crate::cache::CacheError::Read). Nothing is changed then.
    pub async fn go_back_to(&mut self, prompt: &[u32]) -> Result<usize, Error> {
        let length = self.common(prompt).min(prompt.len().saturating_sub(1));
        if length == self.cache.position() {
            return Ok(length);
        }
        if !self.cache.evicted_after(length) {
            match self.cache.truncate(length).await {
                Ok(()) => {
                    self.tokens.truncate(length);
                    return Ok(length);
                }
                Err(CacheError::Window { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.cache.reset();
        self.tokens.clear();
        Ok(0)
    }

    /// Number of tokens that begin both the held ones and `prompt`.
    fn common(&self, prompt: &[u32]) -> usize {
        let pairs = self.tokens.iter().zip(prompt);
        pairs.take_while(|(held, new)| held == new).count()
    }
}

impl Engine {
    /// An empty session, with the rules of `options`.
    ///
    /// # Errors
    ///
    /// As [`cache`](Self::cache).
    pub fn session(&self, options: &CacheOptions) -> Result<Session, Error> {
        Ok(Session {
            rules: options.clone(),
            tokens: Vec::new(),
            cache: self.cache(options)?,
        })
    }

    /// Prepares to continue `prompt` as [`continuation`](Self::continuation) does, from what
    /// `session` holds of it: see [`Session::go_back_to`]. The session then holds the prompt and
    /// what is generated, however the generation ends.
    ///
    /// # Errors
    ///
    /// Those of [`continuation`](Self::continuation) and [`Session::go_back_to`]. Nothing is
    /// changed then.
    pub async fn resume<'a>(
        &'a self,
        session: &'a mut Session,
        prompt: &Prompt,
        config: GenerateConfig,
    ) -> Result<Generation<'a, Llama, Detokenizer<&'a Tokenizer>>, Error> {
        let tokens = self.encode(prompt)?;
        let tokens = match prompt {
            Prompt::Text(_) | Prompt::Chat(_) | Prompt::Templated(_) => {
                self.in_held_tokens(session, tokens)
            }
            Prompt::Tokens(_) => tokens,
        };
        let generation = self.resume_tokens(session, tokens, config).await?;
        Ok(self.spelt_after(prompt, generation))
    }

    /// As [`resume`](Self::resume), for the tokens of a prompt. The text keeps its first space.
    ///
    /// # Errors
    ///
    /// Those of [`generation`](Self::generation) and [`Session::go_back_to`]. Nothing is changed
    /// then.
    pub async fn resume_tokens<'a>(
        &'a self,
        session: &'a mut Session,
        prompt: Vec<u32>,
        config: GenerateConfig,
    ) -> Result<Generation<'a, Llama, Detokenizer<&'a Tokenizer>>, Error> {
        config.check_prompt(prompt.len(), self.model.config().context)?;
        session.go_back_to(&prompt).await?;
        let generation = self.generation(prompt, &mut session.cache, config)?;
        Ok(generation.after(&mut session.tokens))
    }

    /// `prompt`, in the held tokens as far as their text goes, where the cache can't go back.
    ///
    /// A tokenizer may cut an answer otherwise than the model wrote it. Held tokens of the same
    /// text are what the answer was made of. The alternative is to compute all anew.
    fn in_held_tokens(&self, session: &Session, prompt: Vec<u32>) -> Vec<u32> {
        let common = session.common(&prompt);
        let (held, new) = (&session.tokens[common..], &prompt[common..]);
        if held.is_empty() || !session.cache.evicted_after(common) {
            return prompt;
        }
        let shown = self.shown(held);
        let mut written = Vec::with_capacity(shown.len());
        for (index, token) in new.iter().enumerate() {
            self.write(*token, &mut written);
            if written.len() >= shown.len() {
                return if written == shown {
                    [&session.tokens, &new[index + 1..]].concat()
                } else {
                    prompt
                };
            }
        }
        prompt
    }

    /// The text of tokens as a reader has seen it: bytes that are no text are U+FFFD.
    fn shown(&self, tokens: &[u32]) -> Vec<u8> {
        let mut shown = Vec::new();
        for part in tokens.chunk_by(|one, other| self.is_text(*one) && self.is_text(*other)) {
            let mut bytes = Vec::new();
            part.iter().for_each(|token| self.write(*token, &mut bytes));
            match part {
                [control] if !self.is_text(*control) => shown.extend(bytes),
                _ => shown.extend_from_slice(String::from_utf8_lossy(&bytes).as_bytes()),
            }
        }
        shown
    }

    /// Writes the bytes of a token; those of a token that is no text are no text's.
    fn write(&self, token: u32, bytes: &mut Vec<u8>) {
        let text = self.tokenizer.token_bytes(token);
        match text.filter(|_| self.is_text(token)) {
            Some(text) => bytes.extend(text),
            None => {
                bytes.push(NO_TEXT);
                bytes.extend(token.to_le_bytes());
            }
        }
    }

    /// `true` for tokens that are neither control tokens nor beyond the vocabulary.
    fn is_text(&self, token: u32) -> bool {
        !self.tokenizer.is_control(token) && self.tokenizer.token_bytes(token).is_some()
    }
}
