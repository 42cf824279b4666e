//! One example under every policy at once.

use std::ops::ControlFlow;

use super::divergence::Reference;
use super::outcome::{Outcome, Tally};
use super::steps::Steps;
use crate::Error;
use crate::cache::{
    CacheError, ConfigError, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};
use crate::device::ComputeDevice;
use crate::generate::GenerateError;
use crate::model::{Llama, LogitRows};

/// A prompt and its gold answer, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The answer that should follow it.
    pub answer: Vec<u32>,
}

/// Compares policies with a full cache.
///
/// The prompt is computed once, and [forked](ScopeCache::fork) to the slots that each policy keeps.
/// Until a prompt is finished, no policy changes what it attends to.
///
/// On the CPU, tensors compute the answer's tokens, and a token goes through the matrices once for
/// all policies. On a GPU the kernels of a generation compute them, [`crate::fused`], one policy
/// after the other.
///
/// The full cache is in f16, whatever the types of the policies. Only policies in f32 are compared
/// with one in f32: a prompt's rows are not computed in both.
pub struct Fidelity<'a> {
    model: &'a Llama,
    device: &'a ComputeDevice,
    chunk: usize,
    workers: usize,
}

impl<'a> Fidelity<'a> {
    /// Compares policies of a model that is on `device`.
    pub fn new(model: &'a Llama, device: &'a ComputeDevice) -> Self {
        Self {
            model,
            device,
            chunk: 256,
            workers: 1,
        }
    }

    /// Sets the number of threads that share the policies, 1 by default. More make sense on the CPU
    /// only, and don't exist in a browser.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Feeds `example` under each of `policies` and compares. After each chunk and each token,
    /// `progress` is told how many tokens have been taken. If it breaks, the result is `None`.
    ///
    /// The answer's first token is not compared: it follows from the prompt alone, before any
    /// policy acts. So an answer of T tokens has T − 1 positions.
    ///
    /// # Errors
    ///
    /// Those of the model, the caches and the device. Policies must be for this model, with one
    /// observation window, and all in f32 or none.
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
        check_types(&full, policies)?;
        let Some(prompt) = self
            .prompt(&example.prompt, full.clone(), &mut progress)
            .await?
        else {
            return Ok(None);
        };
        // The full cache comes first; a policy that changes nothing is compared with itself.
        let full_type = full.cache_type;
        let mut all = vec![full];
        let mut rows = Vec::with_capacity(policies.len());
        for policy in policies {
            let rules = (policy.prefill, policy.decode, policy.cache_type);
            if rules == (PrefillMethod::Full, DecodeStrategy::Full, full_type) {
                rows.push(0);
            } else {
                rows.push(all.len());
                all.push(policy.clone());
            }
        }
        let mut caches = fork(&prompt, &all)?;
        drop(prompt);
        self.device.release_unused().await?;

        let vocabulary = self.model.config().vocabulary;
        let mut steps = Steps::new(self.model, self.device, self.workers, &caches)?;
        let mut tallies = vec![Tally::default(); policies.len()];
        for (tally, &row) in tallies.iter_mut().zip(&rows) {
            tally.begin(caches[row].memory());
        }
        for (done, pair) in example.answer.windows(2).enumerate() {
            let logits = steps.step(pair[0], &mut caches).await?;
            let row = |row: usize| &logits[row * vocabulary..(row + 1) * vocabulary];
            let full = Reference::new(row(0).to_vec());
            for (tally, &own) in tallies.iter_mut().zip(&rows) {
                let divergence = full.compare(row(own), pair[1]);
                if !(divergence.kl + divergence.loss).is_finite() {
                    caches[0].check_finite().await?;
                    caches[own].check_finite().await?;
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
        let device = self.device.burn_device();
        let mut cache = config.init(&device).map_err(CacheError::from)?;
        cache.prepare_forks();
        cache.reserve(tokens.len());
        for piece in tokens.chunks(self.chunk) {
            self.model.append(piece, &mut cache, LogitRows::None)?;
            self.device.settle().await?;
            if progress(cache.position()).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(cache))
    }
}

/// `policy` without its rules and without quantisation.
fn full(policy: &ScopeCacheConfig) -> ScopeCacheConfig {
    let full = policy.clone().with_prefill(PrefillMethod::Full);
    full.with_decode(DecodeStrategy::Full)
        .with_cache_type(policy.cache_type.of_prompt())
}

/// Refuses policies whose prompt has not the rows of `full`.
fn check_types(full: &ScopeCacheConfig, policies: &[ScopeCacheConfig]) -> Result<(), CacheError> {
    let own = full.cache_type;
    let mut types = policies.iter().map(|policy| policy.cache_type);
    match types.find(|types| types.of_prompt() != own) {
        None => Ok(()),
        Some(other) => {
            let allowed = format!("one whose prompt is in {own}, as the first policy's");
            Err(ConfigError::new("cache_type", other, allowed).into())
        }
    }
}

/// A cache for each of `policies`, of an open prompt. Compressing a prompt takes longer than
/// copying the result. So it is done once for all policies that keep the same.
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
