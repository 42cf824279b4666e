//! Sequences that an engine holds, from which requests go on.

use super::{Engine, Prompt};
use crate::Error;
use crate::cache::{CacheError, CacheOptions, ScopeCache};
use crate::generate::{GenerateConfig, Generation};
use crate::model::Llama;
use crate::text::{Detokenizer, Tokenizer};

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
        let pairs = self.tokens.iter().zip(prompt);
        let common = pairs.take_while(|(held, new)| held == new).count();
        let length = common.min(prompt.len().saturating_sub(1));
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
}
