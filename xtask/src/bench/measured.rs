//! What `benches/generation` and `tests/bench` have measured, and the figures made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One half's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub prefill: Vec<Prefill>,
    pub spots: Vec<Spot>,
    /// The native half's only.
    #[serde(default)]
    pub products: Vec<Product>,
    /// The browser's only.
    #[serde(default)]
    pub wllama: Vec<Wllama>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prefill {
    pub context: u32,
    pub method: String,
    pub ms: Vec<f64>,
    /// The most bytes of GPU buffers that existed at once meanwhile; natively those of burn, after any chunk but the last.
    pub peak_gpu_bytes: Option<u64>,
    /// The module's own memory afterwards.
    pub wasm_bytes: Option<u64>,
}

/// Steps of a policy from some position on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spot {
    pub kind: Kind,
    pub policy: String,
    pub context: u32,
    pub position: u32,
    pub held: u32,
    pub warm: u32,
    pub steps: u32,
    pub selections: u32,
    pub cache_bytes: u64,
    /// Of each step that counts, in each round.
    pub ms: Vec<Vec<f64>>,
    pub bare_ms: Vec<Vec<f64>>,
    /// Of each step that counts, in one round.
    #[serde(default)]
    pub counts: Vec<Counts>,
    /// Over all of these steps, by the pipeline's label.
    #[serde(default)]
    pub kernels: BTreeMap<String, Kernel>,
    /// Bytes of the GPU buffers that existed during these steps; natively those of burn.
    pub gpu_bytes: Option<u64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Decode,
    Selection,
    Curve,
}

/// What was asked of WebGPU: in the browser counted at its own objects, natively by the decoder, which has names of its own
/// for bytes and does not count what is made.
#[derive(Deserialize, Serialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub dispatches: u64,
    pub submissions: u64,
    #[serde(alias = "uploadedBytes")]
    pub bytes_uploaded: u64,
    #[serde(alias = "readBytes")]
    pub bytes_read_back: u64,
    pub buffers: Option<u64>,
    pub bind_groups: Option<u64>,
    pub shader_modules: Option<u64>,
    pub pipelines: Option<u64>,
}

impl Counts {
    /// In the order of the table.
    pub fn columns(&self) -> [Option<u64>; 8] {
        [
            Some(self.dispatches),
            Some(self.submissions),
            Some(self.bytes_uploaded),
            Some(self.bytes_read_back),
            self.buffers,
            self.bind_groups,
            self.shader_modules,
            self.pipelines,
        ]
    }
}

/// The dispatches of one kernel.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
pub struct Kernel {
    pub dispatches: u64,
    /// Of the buffers bound to it, each time.
    pub bytes: u64,
}

/// A kernel by itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    pub kind: ProductKind,
    pub name: String,
    /// Whether decode steps do it this way on this adapter.
    pub chosen: bool,
    pub multiply_adds: u64,
    /// Of one dispatch, in each round.
    pub ms: Vec<f64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ProductKind {
    /// Used nowhere but here.
    Bench,
    /// The same, with its matrix in a texture.
    Texture,
    /// A decode step's product.
    Product,
    /// A decode step's attention.
    Attention,
}

/// llama.cpp's steps at one context.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wllama {
    pub context: u32,
    pub prefill_ms: f64,
    /// Of each step, in each round.
    pub ms: Vec<Vec<f64>>,
}

/// Milliseconds of a step.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub struct StepMs {
    /// Over the steps, the mean of the best that each took in any round: what disturbs the machine only ever adds, and
    /// a strategy that selects now and then has these steps in it.
    pub best: f64,
    /// Of all steps in all rounds.
    pub median: f64,
    /// The least of them.
    pub min: f64,
}

impl StepMs {
    /// `None` where nothing was measured.
    pub fn of(rounds: &[Vec<f64>]) -> Option<Self> {
        let best = best(rounds);
        if best.is_empty() {
            return None;
        }
        let mut all: Vec<f64> = rounds.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        Some(Self {
            best: best.iter().sum::<f64>() / best.len() as f64,
            median: all[all.len() / 2],
            min: all[0],
        })
    }

    pub fn tokens_per_second(self) -> f64 {
        1000.0 / self.best
    }
}

/// The best of each step in any round.
pub fn best(rounds: &[Vec<f64>]) -> Vec<f64> {
    let steps = rounds.iter().map(Vec::len).min().unwrap_or(0);
    let of_step = |step: usize| rounds.iter().map(move |round| round[step]);
    (0..steps)
        .map(|step| of_step(step).fold(f64::INFINITY, f64::min))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_round_does_not_count() {
        let found = StepMs::of(&[vec![2.0, 90.0], vec![80.0, 4.0]]).expect("steps");
        assert_eq!([found.best, found.median, found.min], [3.0, 80.0, 2.0]);
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        assert!(StepMs::of(&[]).is_none());
        assert!(StepMs::of(&[Vec::new()]).is_none());
    }
}
