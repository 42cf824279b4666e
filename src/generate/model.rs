//! A generation's view of a model and of a tokenizer.

use burn::tensor::Tensor;

use super::StepDecoder;
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::Gpu;

/// A model that predicts the next token after a cache's. It keeps nothing of a sequence itself.
pub trait LanguageModel {
    /// Positions that it was trained for.
    fn context(&self) -> usize;

    /// Puts a prompt's chunk into `cache` and returns logits: the last token's, `[1, vocabulary]`,
    /// or with `logits` false nobody's, `[0, vocabulary]`.
    ///
    /// # Errors
    ///
    /// The model's own.
    fn append(
        &self,
        tokens: &[u32],
        cache: &mut ScopeCache,
        logits: bool,
    ) -> Result<Tensor<2>, Error>;

    /// Puts a decoded token into `cache` and returns the logits of the next, `[vocabulary]`.
    ///
    /// # Errors
    ///
    /// The model's own.
    fn step(&self, token: u32, cache: &mut ScopeCache) -> Result<Tensor<1>, Error>;

    /// A decoder whose steps with caches like `cache` are one submission to `gpu` each, if the
    /// model has one.
    ///
    /// # Errors
    ///
    /// The model's own.
    fn decoder(
        &self,
        _gpu: &Gpu,
        _cache: &ScopeCache,
    ) -> Result<Option<Box<dyn StepDecoder>>, Error> {
        Ok(None)
    }

    /// Tokens in the vocabulary; needed where [`decoder`](Self::decoder) gives one.
    fn vocabulary(&self) -> usize {
        0
    }
}

/// Turns tokens into text, never splitting a character.
pub trait Spelling {
    /// The text that is certain after `token`.
    fn push(&mut self, token: u32) -> String;
    /// The rest of the text.
    fn finish(&mut self) -> String;
}
