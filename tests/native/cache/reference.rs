//! Retained sets and attention outputs of the published implementation, recorded step by step,
//! against the cache's.
//!
//! `KVSCOPE_FIXTURES` names the folder with the records, by default `../shared/fixtures`.

use burn::tensor::Device;
use kvscope::cache::{CacheType, ScopeCacheConfig};

use crate::support::devices;
use crate::support::plain_cache::drive::{config, read, tensor};
use crate::support::recorded;
use crate::support::recorded::Record;

/// Runs the record with its prompt in pieces of `piece` tokens.
async fn replay(record: &Record, device: &Device, piece: usize) {
    let rules = &record.rules;
    let (layers, heads, dim) = (rules.layers, rules.kv_heads, rules.head_dim);
    let mut cache = config(rules, CacheType::F32)
        .init(device)
        .expect("a valid record");
    for layer in 0..layers {
        let shape = [heads, record.prompt, dim];
        let [queries, keys, values] = ["prompt_q", "prompt_k", "prompt_v"].map(|name| {
            tensor(
                record
                    .part(name, layer, heads * record.prompt * dim)
                    .to_vec(),
                shape,
                device,
            )
        });
        for start in (0..record.prompt).step_by(piece) {
            let count = piece.min(record.prompt - start);
            let [queries, keys, values] =
                [&queries, &keys, &values].map(|tensor| tensor.clone().narrow(1, start, count));
            cache
                .append(layer, queries, keys, values)
                .expect("a fitting piece");
        }
        cache.finish_prefill(layer).expect("an open prompt");
        record.check_retained(&cache, 0, layer).await;
    }
    for step in 0..record.steps {
        for layer in 0..layers {
            let index = step * layers + layer;
            let [query, key, value] = ["decode_q", "decode_k", "decode_v"].map(|name| {
                tensor(
                    record.part(name, index, heads * dim).to_vec(),
                    [heads, dim],
                    device,
                )
            });
            let output = cache
                .step(layer, query, key, value)
                .expect("a fitting token");
            let output = read(output).await;
            record.check_output(&output, step, layer);
            record.check_retained(&cache, step + 1, layer).await;
        }
    }
}

/// Runs the record in a model's layers without a window. Two with one come before each, as five do
/// in Gemma 3.
async fn replay_beside_windows(record: &Record, device: &Device) {
    let rules = &record.rules;
    let (heads, dim) = (rules.kv_heads, rules.head_dim);
    let layers = 3 * rules.layers;
    let windows = (0..layers).map(|layer| (layer % 3 < 2).then_some(6));
    let config = ScopeCacheConfig {
        layers,
        ..config(rules, CacheType::F32)
    };
    let mut cache = config
        .with_windows(windows.collect())
        .init(device)
        .expect("a valid record");
    // A layer with a window is fed the same.
    let of = |layer: usize| layer / 3;
    for layer in 0..layers {
        let [queries, keys, values] = ["prompt_q", "prompt_k", "prompt_v"].map(|name| {
            let rows = record.part(name, of(layer), heads * record.prompt * dim);
            tensor(rows.to_vec(), [heads, record.prompt, dim], device)
        });
        let appended = cache.append(layer, queries, keys, values);
        appended.expect("a fitting prompt");
        cache.finish_prefill(layer).expect("an open prompt");
        record.check_retained_by(&cache, layer, 0, of(layer)).await;
    }
    for step in 0..record.steps {
        for layer in 0..layers {
            let [query, key, value] = ["decode_q", "decode_k", "decode_v"].map(|name| {
                let index = step * rules.layers + of(layer);
                let row = record.part(name, index, heads * dim);
                tensor(row.to_vec(), [heads, dim], device)
            });
            let output = cache.step(layer, query, key, value);
            let output = read(output.expect("a fitting token")).await;
            if cache.config().window(layer).is_none() {
                record.check_output(&output, step, of(layer));
            }
            record
                .check_retained_by(&cache, layer, step + 1, of(layer))
                .await;
        }
    }
}

/// No policy touches a layer with a window, and none of the others is another's for it.
#[test]
fn every_record_is_reproduced_beside_layers_with_windows() {
    for record in recorded::all() {
        pollster::block_on(replay_beside_windows(&record, &devices::flex()));
    }
}

#[test]
fn every_record_is_reproduced() {
    for record in recorded::all() {
        pollster::block_on(replay(&record, &devices::flex(), record.prompt));
    }
}

#[test]
fn every_record_is_reproduced_on_webgpu() {
    for record in recorded::all() {
        pollster::block_on(replay(&record, &devices::gpu(), record.prompt));
    }
}

#[test]
fn prompts_in_pieces_are_reproduced_too() {
    for record in recorded::all() {
        pollster::block_on(replay(&record, &devices::flex(), 13));
    }
}
