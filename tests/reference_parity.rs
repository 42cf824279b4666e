//! The retained sets and attention outputs of the published implementation, recorded step by step, against the cache's.
//!
//! `KVSCOPE_FIXTURES` names the folder with the records, by default `../shared/fixtures`.

#![cfg(not(target_family = "wasm"))]

mod plain_cache;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use kvscope::cache::{CacheType, ScopeCache};
use plain_cache::devices;
use plain_cache::drive::{config, read, tensor};
use plain_cache::plain::PlainRules;
use safetensors::{Dtype, SafeTensors};

/// One recorded run.
struct Record {
    name: String,
    rules: PlainRules,
    prompt: usize,
    steps: usize,
    tensors: HashMap<String, Vec<f32>>,
    kept: Vec<u8>,
}

fn folder() -> PathBuf {
    std::env::var_os("KVSCOPE_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    )
}

fn records() -> Vec<PathBuf> {
    let folder = folder();
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "no fixtures in {} ({error}): set KVSCOPE_FIXTURES",
            folder.display()
        )
    });
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "{} has no .safetensors files",
        folder.display()
    );
    files
}

impl Record {
    fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("a readable file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let metadata = header.metadata().clone().expect("metadata");
        let text = |name: &str| {
            metadata
                .get(name)
                .unwrap_or_else(|| panic!("no {name}"))
                .clone()
        };
        let number = |name: &str| -> usize { text(name).parse().expect("a number") };
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
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
            name: path
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned(),
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
            },
            tensors,
            kept: file.tensor("kept").expect("kept").data().to_vec(),
        }
    }

    /// The `index`-th of equal parts of `count` values of a tensor.
    fn part(&self, tensor: &str, index: usize, count: usize) -> Vec<f32> {
        self.tensors[tensor][index * count..(index + 1) * count].to_vec()
    }

    fn kept(&self, row: usize, layer: usize, head: usize) -> Vec<u32> {
        let width = self.prompt + self.steps;
        let start = ((row * self.rules.layers + layer) * self.rules.kv_heads + head) * width;
        let flags = self.kept[start..start + width].iter().enumerate();
        flags
            .filter(|(_, flag)| **flag == 1)
            .map(|(position, _)| position as u32)
            .collect()
    }

    async fn check_retained(&self, cache: &ScopeCache, row: usize, layer: usize) {
        let retained = cache.retained(layer).await.expect("readable");
        for (head, retained) in retained.iter().enumerate() {
            let when = match row {
                0 => "after prefill".to_owned(),
                _ => format!("step {}", row - 1),
            };
            assert_eq!(
                retained.positions,
                self.kept(row, layer, head),
                "{}, {when}, layer {layer}, head {head}: held here and in the record",
                self.name
            );
        }
    }

    /// Runs the record with its prompt in pieces of `piece` tokens.
    async fn replay(&self, device: &Device, piece: usize) {
        let rules = &self.rules;
        let (layers, heads, dim) = (rules.layers, rules.kv_heads, rules.head_dim);
        let mut cache = config(rules, CacheType::F32)
            .init(device)
            .expect("a valid record");
        for layer in 0..layers {
            let shape = [heads, self.prompt, dim];
            let [queries, keys, values] = ["prompt_q", "prompt_k", "prompt_v"].map(|name| {
                tensor(
                    self.part(name, layer, heads * self.prompt * dim),
                    shape,
                    device,
                )
            });
            for start in (0..self.prompt).step_by(piece) {
                let count = piece.min(self.prompt - start);
                let [queries, keys, values] =
                    [&queries, &keys, &values].map(|tensor| tensor.clone().narrow(1, start, count));
                cache
                    .append(layer, queries, keys, values)
                    .expect("a fitting piece");
            }
            cache.finish_prefill(layer).expect("an open prompt");
            self.check_retained(&cache, 0, layer).await;
        }
        for step in 0..self.steps {
            for layer in 0..layers {
                let index = step * layers + layer;
                let [query, key, value] = ["decode_q", "decode_k", "decode_v"]
                    .map(|name| tensor(self.part(name, index, heads * dim), [heads, dim], device));
                let output = cache
                    .step(layer, query, key, value)
                    .expect("a fitting token");
                let output = read(output).await;
                let expected = self.part("attention_out", index, heads * dim);
                for (element, (found, expected)) in output.iter().zip(&expected).enumerate() {
                    assert!(
                        (found - expected).abs() < 1e-4,
                        "{}, step {step}, layer {layer}, head {}: attention is {found} here, {expected} in the record",
                        self.name,
                        element / dim
                    );
                }
                self.check_retained(&cache, step + 1, layer).await;
            }
        }
    }
}

#[test]
fn every_record_is_reproduced() {
    for path in records() {
        let record = Record::load(&path);
        pollster::block_on(record.replay(&devices::flex(), record.prompt));
    }
}

#[test]
fn every_record_is_reproduced_on_webgpu() {
    for path in records() {
        let record = Record::load(&path);
        pollster::block_on(record.replay(&devices::gpu(), record.prompt));
    }
}

#[test]
fn prompts_in_pieces_are_reproduced_too() {
    for path in records() {
        let record = Record::load(&path);
        pollster::block_on(record.replay(&devices::flex(), 13));
    }
}
