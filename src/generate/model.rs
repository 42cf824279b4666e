//! What a generation asks of a model, and how it reads what comes back.

use burn::tensor::Tensor;

use super::GenerateError;
use crate::Error;
use crate::cache::ScopeCache;
use crate::device::Gpu;

/// A model that predicts the next token. It keeps nothing of a sequence itself: the cache does.
pub trait LanguageModel {
    /// Positions that it was trained for.
    fn context(&self) -> usize;

    /// Puts a chunk of a prompt into `cache`. Returns the logits of its last token,
    /// `[1, vocabulary]`, or `[0, vocabulary]` if `logits` is false.
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
}

/// Turns tokens into text, never splitting a character.
pub trait Spelling {
    /// The text that is certain after `token`.
    fn push(&mut self, token: u32) -> String;
    /// The text that was not certain yet.
    fn finish(&mut self) -> String;
}

/// Waits for the device and reads its numbers: through `gpu`, which hears of a loss, where the device is one.
pub(super) async fn read<const D: usize>(
    tensor: Tensor<D>,
    gpu: Option<&Gpu>,
) -> Result<Vec<f32>, Error> {
    let failed = |detail: String| GenerateError::Read { detail };
    let data = match gpu {
        Some(gpu) => gpu.read(tensor).await?,
        None => tensor
            .into_data_async()
            .await
            .map_err(|error| failed(error.to_string()))?,
    };
    let numbers = data.convert::<f32>().try_into_vec::<f32>();
    Ok(numbers.map_err(|error| failed(format!("{error:?}")))?)
}
