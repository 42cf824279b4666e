//! Retained sets and attention outputs of the published implementation, recorded step by step,
//! against the cache's.
//!
//! `KVSCOPE_FIXTURES` names the folder with the records, by default `../shared/fixtures`.

use burn::tensor::Device;
use kvscope::cache::CacheType;

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
