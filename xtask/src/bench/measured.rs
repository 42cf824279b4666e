//! Measurements of `benches/generation` and `tests/bench`, and the figures computed from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Results of one half, native or browser.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub prefill: Vec<Prefill>,
    pub spots: Vec<Spot>,
    /// Native half only.
    #[serde(default)]
    pub products: Vec<Product>,
    /// Native half only.
    #[serde(default)]
    pub formats: Vec<OfFormat>,
    /// Native half only.
    #[serde(default)]
    pub turns: Option<Turns>,
    /// Browser half only.
    #[serde(default)]
    pub wllama: Vec<Wllama>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prefill {
    pub context: u32,
    pub method: String,
    pub ms: Vec<f64>,
    /// Most bytes of GPU buffers that existed at once meanwhile; natively burn's, after any chunk
    /// but the last.
    pub peak_gpu_bytes: Option<u64>,
    /// Memory of the module afterwards.
    pub wasm_bytes: Option<u64>,
}

/// A conversation that a session holds.
#[derive(Deserialize)]
pub struct Turns {
    pub held: u32,
    pub added: u32,
    pub resumed_ms: Vec<f64>,
    pub alone_ms: Vec<f64>,
    pub afresh_ms: Vec<f64>,
    /// Milliseconds of the steps of each of many turns.
    pub steps_ms: Vec<Vec<f64>>,
    pub held_bytes: Vec<u64>,
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
    /// Milliseconds of each counted step, in each round.
    pub ms: Vec<Vec<f64>>,
    pub bare_ms: Vec<Vec<f64>>,
    /// Counts of each counted step, in one round.
    #[serde(default)]
    pub counts: Vec<Counts>,
    /// Kernels of all these steps, by the pipeline's label.
    #[serde(default)]
    pub kernels: BTreeMap<String, Kernel>,
    /// Bytes of the GPU buffers that existed during these steps; natively burn's.
    pub gpu_bytes: Option<u64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Decode,
    Selection,
    Curve,
    Storage,
}

/// Work requested of WebGPU. The browser counts calls of WebGPU's objects. The native decoder
/// counts its own, with other names for bytes, and no created objects.
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
    /// Columns in the order of the table.
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

/// Dispatches of one kernel.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
pub struct Kernel {
    pub dispatches: u64,
    /// Bytes of the buffers bound to it, summed over dispatches.
    pub bytes: u64,
}

/// A kernel alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    pub kind: ProductKind,
    pub name: String,
    /// Decode steps use this on this adapter.
    pub chosen: bool,
    pub multiply_adds: u64,
    /// Milliseconds per dispatch, in each round.
    pub ms: Vec<f64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ProductKind {
    /// A kernel that is used nowhere else.
    Bench,
    /// One with its matrix in a texture.
    Texture,
    /// A decode step's product.
    Product,
    /// A decode step's attention.
    Attention,
}

/// Both products of a block format.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfFormat {
    pub format: String,
    /// Multiply-adds of a vector's product; a prompt has as many per token.
    pub multiply_adds: u64,
    pub tokens: u64,
    /// Milliseconds of each round.
    pub vector_ms: Vec<f64>,
    pub prompt_ms: Vec<f64>,
}

/// llama.cpp's steps at one context.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wllama {
    pub context: u32,
    pub prefill_ms: f64,
    /// Milliseconds of each step, in each round.
    pub ms: Vec<Vec<f64>>,
}

/// Milliseconds of a step.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub struct StepMs {
    /// Mean over the steps of each step's best over the rounds. Disturbances of the machine only
    /// ever add time, and a strategy's occasional selections stay included.
    pub best: f64,
    /// Median of all steps in all rounds.
    pub median: f64,
    /// Least of all steps.
    pub min: f64,
}

impl StepMs {
    /// Computes the figures; `None` without measurements.
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

/// Each step's best over the rounds.
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
