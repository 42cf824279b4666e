//! One example under every policy at once.

use std::ops::ControlFlow;
use std::thread;

use burn::tensor::{Device, Tensor};

use super::divergence::Reference;
use super::outcome::{Outcome, Tally};
use crate::Error;
use crate::cache::{CacheError, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig};
use crate::device::Gpu;
use crate::generate::GenerateError;
use crate::model::{Llama, LogitRows};

/// A prompt and its gold answer, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// What should follow it.
    pub answer: Vec<u32>,
}

/// Compares policies with a full cache.
///
/// The prompt is computed once, and [forked](ScopeCache::fork) to what each policy keeps of it: until a prompt is finished,
/// no policy changes what it attends to. The answer's tokens go through the matrices once for all policies.
pub struct Fidelity<'a> {
    model: &'a Llama,
    device: &'a Device,
    gpu: Option<&'a Gpu>,
    chunk: usize,
    workers: usize,
}

impl<'a> Fidelity<'a> {
    /// With a model on the device where it is.
    pub fn new(model: &'a Llama, device: &'a Device) -> Self {
        Self {
            model,
            device,
            gpu: None,
            chunk: 256,
            workers: 1,
        }
    }

    /// Names the GPU that the device belongs to, so that its loss is heard of.
    #[must_use]
    pub fn with_gpu(mut self, gpu: Option<&'a Gpu>) -> Self {
        self.gpu = gpu;
        self
    }

    /// Shares the policies out over so many threads; more than one makes sense on burn's CPU device only, and can't be in
    /// a browser.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Feeds `example` under each of `policies` and compares. `progress` is told after each piece how many tokens of
    /// prompt and answer have been taken; where it breaks, the result is `None`.
    ///
    /// The first token of the answer is not compared: it follows from the prompt alone, which no policy bears on. So of an
    /// answer of T tokens T − 1 positions are.
    ///
    /// # Errors
    ///
    /// Those of the model, the caches and the device. Policies must be for this model, in one cache type, with one
    /// observation window.
    pub async fn run(
        &self,
        example: &Example,
        policies: &[ScopeCacheConfig],
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<Outcome>>, Error> {
        let Some(first) = policies.first() else {
            return Ok(Some(Vec::new()));
        };
        let full = full(first);
        let Some(prompt) = self
            .prompt(&example.prompt, full.clone(), &mut progress)
            .await?
        else {
            return Ok(None);
        };
        // The full cache comes first, and whatever policy is no other is compared with itself.
        let mut all = vec![full];
        let mut rows = Vec::with_capacity(policies.len());
        for policy in policies {
            let rules = (policy.prefill, policy.decode);
            if rules == (PrefillMethod::Full, DecodeStrategy::Full) {
                rows.push(0);
            } else {
                rows.push(all.len());
                all.push(policy.clone());
            }
        }
        let mut caches = fork(&prompt, &all)?;
        drop(prompt);
        self.give_back().await?;

        let vocabulary = self.model.config().vocabulary;
        let mut tallies = vec![Tally::default(); policies.len()];
        for (tally, &row) in tallies.iter_mut().zip(&rows) {
            tally.begin(caches[row].memory());
        }
        for (done, pair) in example.answer.windows(2).enumerate() {
            let logits = self.step(pair[0], &mut caches).await?;
            let row = |row: usize| &logits[row * vocabulary..(row + 1) * vocabulary];
            let full = Reference::new(row(0).to_vec());
            for (tally, &own) in tallies.iter_mut().zip(&rows) {
                let divergence = full.compare(row(own), pair[1]);
                if !(divergence.kl + divergence.loss).is_finite() {
                    let detail = format!("at position {} of the answer", done + 1);
                    return Err(GenerateError::Logits { detail }.into());
                }
                tally.add(divergence, caches[own].memory());
            }
            if progress(example.prompt.len() + done + 1).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(tallies.iter().map(Tally::outcome).collect()))
    }

    /// A cache with the prompt in every layer, not finished; `None` if it was cancelled.
    async fn prompt(
        &self,
        tokens: &[u32],
        config: ScopeCacheConfig,
        progress: &mut impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<ScopeCache>, Error> {
        let mut cache = config.init(self.device).map_err(CacheError::from)?;
        cache.prepare_forks();
        cache.reserve(tokens.len());
        for piece in tokens.chunks(self.chunk) {
            self.model.append(piece, &mut cache, LogitRows::None)?;
            // Whatever is read, the device has then done all that was asked of it before.
            self.read(Tensor::<2>::zeros([1, 1], self.device)).await?;
            if progress(cache.position()).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(cache))
    }

    /// The next logits under every cache, one row after the other.
    async fn step(&self, token: u32, caches: &mut [ScopeCache]) -> Result<Vec<f32>, Error> {
        let share = caches.len().div_ceil(self.workers.max(1)).max(1);
        if share >= caches.len() {
            return self.read(self.model.step_each(token, caches)?).await;
        }
        let stepped = thread::scope(|scope| {
            let parts = caches.chunks_mut(share);
            let running: Vec<_> = parts
                .map(|part| scope.spawn(|| self.model.step_each(token, part)))
                .collect();
            let all = running.into_iter();
            all.map(|thread| {
                let result = thread.join();
                result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<Result<Vec<_>, _>>()
        })?;
        let mut rows = Vec::new();
        for logits in stepped {
            rows.append(&mut self.read(logits).await?);
        }
        Ok(rows)
    }

    async fn read(&self, tensor: Tensor<2>) -> Result<Vec<f32>, Error> {
        let failed = |detail: String| GenerateError::Read { detail };
        let data = match self.gpu {
            Some(gpu) => gpu.read(tensor).await?,
            None => {
                let data = tensor.into_data_async().await;
                data.map_err(|error| failed(error.to_string()))?
            }
        };
        let numbers = data.convert::<f32>().try_into_vec::<f32>();
        Ok(numbers.map_err(|error| failed(format!("{error:?}")))?)
    }

    async fn give_back(&self) -> Result<(), Error> {
        match self.gpu {
            Some(gpu) => Ok(gpu.release_unused().await?),
            None => Ok(()),
        }
    }
}

/// `policy` without its rules.
fn full(policy: &ScopeCacheConfig) -> ScopeCacheConfig {
    let full = policy.clone().with_prefill(PrefillMethod::Full);
    full.with_decode(DecodeStrategy::Full)
}

/// A cache for each of `policies`, of an open prompt. Compressing a prompt takes longer than copying what is left of it, so
/// policies that keep the same of it have that done once.
fn fork(prompt: &ScopeCache, policies: &[ScopeCacheConfig]) -> Result<Vec<ScopeCache>, Error> {
    let mut caches: Vec<ScopeCache> = Vec::with_capacity(policies.len());
    for policy in policies {
        let kept = |cache: &&ScopeCache| cache.config().keeps_as(policy);
        caches.push(match caches.iter().find(kept) {
            Some(finished) => finished.fork(policy.clone())?,
            None => {
                let mut cache = prompt.fork(policy.clone())?;
                for layer in 0..policy.layers {
                    cache.finish_prefill(layer)?;
                }
                cache
            }
        });
    }
    Ok(caches)
}
