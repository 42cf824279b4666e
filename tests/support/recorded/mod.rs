//! Runs of the published implementation: what went in, what every head held after each step, and
//! what attention gave.

#[cfg(not(target_family = "wasm"))]
mod files;

use std::collections::HashMap;

use kvscope::cache::ScopeCache;
use safetensors::{Dtype, SafeTensors};

use crate::support::plain_cache::plain::PlainRules;

#[cfg(not(target_family = "wasm"))]
pub use files::all;

/// One recorded run.
pub struct Record {
    pub name: String,
    pub rules: PlainRules,
    pub prompt: usize,
    pub steps: usize,
    tensors: HashMap<String, Vec<f32>>,
    kept: Vec<u8>,
}

impl Record {
    /// From a file's name and bytes.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let (_, header) = SafeTensors::read_metadata(bytes).expect("a safetensors file");
        let metadata = header.metadata().clone().expect("metadata");
        let text = |name: &str| {
            metadata
                .get(name)
                .unwrap_or_else(|| panic!("no {name}"))
                .clone()
        };
        let number = |name: &str| -> usize { text(name).parse().expect("a number") };
        let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
        let tensors = file
            .iter()
            .filter(|(_, view)| view.dtype() == Dtype::F32)
            .map(|(name, view)| {
                let values = view.data().chunks_exact(4);
                let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                (name.to_owned(), values.collect())
            })
            .collect();
        Self {
            name: name.to_owned(),
            prompt: number("prompt"),
            steps: number("steps"),
            rules: PlainRules {
                layers: number("layers"),
                query_heads: number("heads"),
                kv_heads: number("heads"),
                head_dim: number("head_dim"),
                prefill: text("prefill"),
                prefill_budget: number("prefill_budget"),
                window: number("observation_window"),
                kernel: number("kernel"),
                pooling: text("pooling"),
                beta: number("beta"),
                decode: text("decode"),
                decode_budget: number("decode_budget"),
                recent: number("recent"),
                max_new_tokens: number("max_new_tokens"),
                // Of no strategy that is recorded.
                decay: 0.0,
            },
            tensors,
            kept: file.tensor("kept").expect("kept").data().to_vec(),
        }
    }

    /// Positions of prompt and steps together.
    pub fn positions(&self) -> usize {
        self.prompt + self.steps
    }

    /// The `index`-th of equal parts of `count` values of a tensor.
    pub fn part(&self, tensor: &str, index: usize, count: usize) -> &[f32] {
        &self.tensors[tensor][index * count..(index + 1) * count]
    }

    /// The query, key or value, `q`, `k` or `v`, that a head had at `position`: `[head_dim]`.
    pub fn vector(&self, which: char, layer: usize, head: usize, position: usize) -> &[f32] {
        let PlainRules {
            layers,
            kv_heads,
            head_dim,
            ..
        } = self.rules;
        if let Some(step) = position.checked_sub(self.prompt) {
            let index = (step * layers + layer) * kv_heads + head;
            self.part(&format!("decode_{which}"), index, head_dim)
        } else {
            let index = (layer * kv_heads + head) * self.prompt + position;
            self.part(&format!("prompt_{which}"), index, head_dim)
        }
    }

    fn kept(&self, row: usize, layer: usize, head: usize) -> Vec<u32> {
        let width = self.positions();
        let start = ((row * self.rules.layers + layer) * self.rules.kv_heads + head) * width;
        let flags = self.kept[start..start + width].iter().enumerate();
        flags
            .filter(|(_, flag)| **flag == 1)
            .map(|(position, _)| position as u32)
            .collect()
    }

    /// Asserts that `layer` of `cache` holds the record's `row`: 0 after prefill, t + 1 after step
    /// t.
    pub async fn check_retained(&self, cache: &ScopeCache, row: usize, layer: usize) {
        self.check_retained_by(cache, layer, row, layer).await;
    }

    /// Asserts that `layer` of `cache`, unless it has a window, holds the record's `row` of the
    /// layer `of`.
    pub async fn check_retained_by(&self, cache: &ScopeCache, layer: usize, row: usize, of: usize) {
        if cache.config().window(layer).is_some() {
            return;
        }
        let retained = cache.retained(layer).await.expect("readable");
        for (head, retained) in retained.iter().enumerate() {
            let when = match row {
                0 => "after prefill".to_owned(),
                _ => format!("step {}", row - 1),
            };
            assert_eq!(
                retained.positions,
                self.kept(row, of, head),
                "{}, {when}, layer {layer}, head {head}: held here and in the record",
                self.name
            );
        }
    }

    /// That `output` is what attention gave at `step` in layers from `layer` on: `[layers, heads,
    /// head_dim]`, flat.
    pub fn check_output(&self, output: &[f32], step: usize, layer: usize) {
        let rules = &self.rules;
        let size = rules.kv_heads * rules.head_dim;
        let first = (step * rules.layers + layer) * size;
        let expected = &self.tensors["attention_out"][first..first + output.len()];
        for (element, (found, expected)) in output.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() < 1e-4,
                "{}, step {step}, layer {}, head {}: attention is {found} here, {expected} in the record",
                self.name,
                layer + element / size,
                element % size / rules.head_dim
            );
        }
    }
}
