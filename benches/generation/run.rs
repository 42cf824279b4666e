//! Decode steps at every spot, in rounds: the machine's other load affects all spots of a group
//! alike.

use kvscope::cache::ScopeCache;
use kvscope::device::Gpu;
use kvscope::engine::Engine;
use kvscope::fused::StepCounts;
use kvscope::measure::{self, TimedStep, Work};
use pollster::block_on;
use serde::Serialize;

use crate::spots::{Kind, Spot};
use crate::{Outcome, widen};

/// A spot and its measurements.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured<'a> {
    #[serde(flatten)]
    spot: &'a Spot,
    /// Bytes of the cache when measuring began.
    cache_bytes: u64,
    /// Milliseconds of each counted step, in each round; empty without a fused step.
    ms: Vec<Vec<f64>>,
    /// Milliseconds of bare steps.
    bare_ms: Vec<Vec<f64>>,
    /// Device work of each counted step, in the last round.
    counts: Vec<StepCounts>,
    /// Most bytes that burn had reserved on the device during these steps: model and cache.
    gpu_bytes: u64,
}

pub fn all<'a>(spots: &'a [Spot], engine: &Engine, gpu: &Gpu) -> Outcome<Vec<Measured<'a>>> {
    let mut measured = Vec::new();
    for group in spots.chunk_by(|one, other| one.in_group_of(other)) {
        let mut of_group: Vec<_> = group.iter().map(Measured::new).collect();
        let rounds = group.iter().map(|spot| spot.rounds).max().unwrap_or(0);
        for round in 0..rounds {
            for spot in &mut of_group {
                spot.say(round);
                spot.round(engine, gpu)?;
            }
        }
        measured.extend(of_group);
    }
    Ok(measured)
}

impl<'a> Measured<'a> {
    fn new(spot: &'a Spot) -> Self {
        Self {
            spot,
            cache_bytes: 0,
            ms: Vec::new(),
            bare_ms: Vec::new(),
            counts: Vec::new(),
            gpu_bytes: 0,
        }
    }

    fn say(&self, round: usize) {
        let Spot {
            policy, context, ..
        } = self.spot;
        eprintln!("native: {policy} at {context}, round {}", round + 1);
    }

    fn round(&mut self, engine: &Engine, gpu: &Gpu) -> Outcome<()> {
        let saved = widen::to_model(self.spot, engine.model().config())?;
        let mut cache = ScopeCache::load(&saved, gpu.device())?;
        drop(saved);
        self.cache_bytes = cache.memory().held_bytes;
        let mut most_bytes = 0;
        let mut timed = |work| -> Outcome<Vec<TimedStep>> {
            let mut all = Vec::new();
            let count = self.spot.warm + self.spot.steps;
            let steps = measure::steps(engine, gpu, &mut cache, work, count, |step| {
                all.push(step);
                most_bytes = gpu.memory().bytes_reserved.max(most_bytes);
            });
            block_on(steps)?;
            Ok(all.split_off(self.spot.warm.min(all.len())))
        };
        let ms = |steps: &[TimedStep]| steps.iter().map(|step| step.ms).collect();
        let whole = timed(Work::Whole)?;
        self.ms.push(ms(&whole));
        self.counts = whole.iter().map(|step| step.counts).collect();
        if self.spot.kind == Kind::Decode {
            self.bare_ms.push(ms(&timed(Work::Bare)?));
        }
        self.gpu_bytes = self.gpu_bytes.max(most_bytes);
        drop(cache);
        block_on(gpu.release_unused())?;
        Ok(())
    }
}
