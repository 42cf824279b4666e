//! An answer's tokens, each through the caches of all policies.

use std::thread;

use crate::Error;
use crate::cache::ScopeCache;
use crate::device::ComputeDevice;
use crate::fused::{FusedDecoder, Pipelines};
use crate::generate::InputToken;
use crate::model::Llama;

/// Steps of several caches that stay at one position.
pub(super) struct Steps<'a> {
    model: &'a Llama,
    device: &'a ComputeDevice,
    /// Threads that share the caches, where tensors compute the steps.
    workers: usize,
    /// One per cache where fused kernels compute the steps; otherwise none.
    decoders: Vec<FusedDecoder>,
}

impl<'a> Steps<'a> {
    /// Steps of `caches`, whose prompts are finished: by fused kernels where they run.
    pub fn new(
        model: &'a Llama,
        device: &'a ComputeDevice,
        workers: usize,
        caches: &[ScopeCache],
    ) -> Result<Self, Error> {
        let mut decoders = Vec::new();
        if let Some(gpu) = device.gpu() {
            // Kernels are compiled once for all.
            let pipelines = Pipelines::default();
            for cache in caches {
                decoders.extend(FusedDecoder::new(model, &pipelines, gpu, cache)?);
            }
            if decoders.len() < caches.len() {
                decoders.clear();
            }
        }
        Ok(Self {
            model,
            device,
            workers: workers.max(1),
            decoders,
        })
    }

    /// Takes `token` into every one of `caches`. The next logits under each,
    /// `[caches, vocabulary]`.
    pub async fn step(&mut self, token: u32, caches: &mut [ScopeCache]) -> Result<Vec<f32>, Error> {
        if self.decoders.is_empty() {
            return self.by_tensors(token, caches).await;
        }
        let mut rows = Vec::new();
        for (decoder, cache) in self.decoders.iter_mut().zip(caches) {
            let pending = decoder.step_logits(InputToken::Token(token), cache, false)?;
            rows.append(&mut match pending {
                Some(logits) => logits.await?,
                None => self.device.read(self.model.step(token, cache)?).await?,
            });
        }
        Ok(rows)
    }

    /// As [`step`](Self::step), by tensors: each thread reads the matrices once for its caches.
    async fn by_tensors(&self, token: u32, caches: &mut [ScopeCache]) -> Result<Vec<f32>, Error> {
        let share = caches.len().div_ceil(self.workers).max(1);
        if share >= caches.len() {
            let logits = self.model.step_each(token, caches)?;
            return Ok(self.device.read(logits).await?);
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
            rows.append(&mut self.device.read(logits).await?);
        }
        Ok(rows)
    }
}
