//! Times of fused decode steps on a cache that is filled already. `cargo xtask bench` measures
//! them, natively and in the browser; without the feature `bench` there is none of it.

use web_time::Instant;

use crate::Error;
use crate::cache::ScopeCache;
use crate::device::Gpu;
use crate::engine::Engine;
use crate::fused::{FusedDecoder, StepCounts};
use crate::generate::{InputToken, StepDecoder, StepRequest};

/// The part of a step that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// All of it, each step on the token that the one before chose.
    Whole,
    /// Its matrix products and its attention only. The cache holds nonsense afterwards.
    Bare,
}

/// A timed step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedStep {
    /// The position of the step's token.
    pub position: usize,
    /// Milliseconds from its recording to its result.
    pub ms: f64,
    /// Work asked of the device, by the decoder's own count; all 0 for [`Work::Bare`].
    pub counts: StepCounts,
}

/// Does `count` steps with `cache` and tells `on_step` of each. Returns the number of steps: 0 if
/// the model has no fused or no bare step for such a cache.
///
/// # Errors
///
/// The cache's, the kernels' and the device's.
pub async fn steps(
    engine: &Engine,
    gpu: &Gpu,
    cache: &mut ScopeCache,
    work: Work,
    count: usize,
    mut on_step: impl FnMut(TimedStep),
) -> Result<usize, Error> {
    let Some(mut decoder) = FusedDecoder::new(engine.model(), engine.pipelines(), gpu, cache)?
    else {
        return Ok(0);
    };
    let mut token = 0;
    for done in 0..count {
        let position = cache.position();
        let held = cache.memory().held_bytes;
        let start = Instant::now();
        match work {
            Work::Whole => {
                let input = InputToken::Token(token);
                let Some(pending) = decoder.step(input, cache, StepRequest::default())? else {
                    return Ok(done);
                };
                token = pending.await?.token;
            }
            Work::Bare => {
                let Some(pending) = decoder.bare_step(cache)? else {
                    return Ok(done);
                };
                pending.read(gpu).await?;
            }
        }
        if cache.memory().held_bytes != held {
            // As a generation does: a cache that has grown has left its old memory behind.
            gpu.release_unused().await?;
        }
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        on_step(TimedStep {
            position,
            ms,
            counts: decoder.counts(),
        });
    }
    Ok(count)
}
