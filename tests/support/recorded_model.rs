//! Recorded runs as a model, for what takes tokens and not queries, keys and values.
//!
//! A token's embedding has the queries, keys and values of all layers at one position of one run.
//! The projections pick them out. Attention's output is added to elements that no projection reads:
//! the logits.

use kvscope::cache::{CacheType, ScopeCache};
use kvscope::device::Gpu;
use kvscope::formats::BlockFormat;
use kvscope::fused::{FusedDecoder, Pipelines, Tuning};
use kvscope::generate::InputToken;
use kvscope::model::{Llama, LogitRows};

use crate::support::plain_cache::drive::config;
use crate::support::plain_llama::{Turning, frequencies};
use crate::support::recorded::Record;
use crate::support::tiny_model::sizes::{LLAMA, Sizes};
use crate::support::tiny_model::{TinyModel, TinyTensor, run};

/// Factor of a hidden state. Its mean square rounds away beside an epsilon of ¼, so a norm
/// multiplies its input by two. A weight takes both factors back. All are powers of two and round
/// nothing.
const SMALL: f32 = 1.0 / 65_536.0;
const EPSILON: f32 = 0.25;
const NORM_WEIGHT: f32 = 0.5 / SMALL;

/// Index of the part of a layer's elements to which attention is added. Queries, keys and values
/// are before it.
const ATTENDED: usize = 3;

/// Replays `records` on the fused kernels, with their work shared out as `tuning` says.
pub async fn replay(records: &[Record], gpu: &Gpu, tuning: Tuning) {
    for alike in records.chunk_by(|a, b| heads(a) == heads(b)) {
        let file = model(alike).gguf_without_tokenizer().bytes();
        let model = run::load_gguf(&file, gpu.device()).expect("a valid model");
        let pipelines = Pipelines::default();
        let mut first_token = 0;
        for record in alike {
            replay_one(record, first_token, &model, &pipelines, gpu, tuning).await;
            first_token += record.positions() as u32;
        }
    }
}

/// Layers, heads, elements of a head.
fn heads(record: &Record) -> [usize; 3] {
    let rules = &record.rules;
    [rules.layers, rules.kv_heads, rules.head_dim]
}

async fn replay_one(
    record: &Record,
    first_token: u32,
    model: &Llama,
    pipelines: &Pipelines,
    gpu: &Gpu,
    tuning: Tuning,
) {
    let layers = record.rules.layers;
    let tokens: Vec<u32> = (first_token..).take(record.positions()).collect();
    let (prompt, decoded) = tokens.split_at(record.prompt);
    let config = config(&record.rules, CacheType::F32);
    let mut cache = config.init(gpu.device()).expect("a valid record");
    model
        .append(prompt, &mut cache, LogitRows::None)
        .expect("a fitting prompt");
    for layer in 0..layers {
        cache.finish_prefill(layer).expect("an open prompt");
    }
    check_retained(record, &cache, 0).await;
    let decoder = FusedDecoder::tuned(model, pipelines, gpu, &cache, tuning);
    let decoder = decoder.expect("a device that answers");
    let mut decoder = decoder.unwrap_or_else(|| panic!("{}: no kernels", record.name));
    for (step, &token) in decoded.iter().enumerate() {
        let pending = decoder.step_logits(InputToken::Token(token), &mut cache, false);
        let pending = pending.expect("a fitting token").expect("a step in place");
        let logits = pending.await.expect("readable logits");
        let [_, heads, dim] = heads(record);
        record.check_output(&logits[..layers * heads * dim], step, 0);
        check_retained(record, &cache, step + 1).await;
    }
}

async fn check_retained(record: &Record, cache: &ScopeCache, row: usize) {
    for layer in 0..record.rules.layers {
        record.check_retained(cache, row, layer).await;
    }
}

/// A token for every position of every one of `records`, in their order.
fn model(records: &[Record]) -> TinyModel {
    let [layers, heads, head_dim] = heads(&records[0]);
    // Of one part of one layer.
    let size = heads * head_dim;
    let at = |layer: usize, part: usize| (4 * layer + part) * size;
    let sizes = Sizes {
        layers,
        width: at(layers, 0),
        feed_forward: 32,
        query_heads: heads,
        kv_heads: heads,
        head_dim,
        // As many logits as attention gives elements.
        vocabulary: tokens(records).max(layers * size),
        context: 256,
        rotated: head_dim,
        epsilon: EPSILON,
        ..LLAMA
    };
    let tensors = sizes.tensors().into_iter().map(|(name, shape)| {
        let width = shape[shape.len() - 1];
        let mut elements = vec![0.0; shape.iter().product()];
        let mut put = |row: usize, column: usize, element| elements[row * width + column] = element;
        let (layer, part) = match name.strip_prefix("blk.") {
            Some(rest) => {
                let (layer, part) = rest.split_once('.').expect("a layer's tensor");
                (layer.parse().expect("a layer"), part)
            }
            None => (0, name.as_str()),
        };
        match part {
            "token_embd.weight" => {
                for (row, hidden) in records.iter().flat_map(embeddings).enumerate() {
                    for (column, element) in hidden.into_iter().enumerate() {
                        put(row, column, SMALL * element);
                    }
                }
            }
            "attn_q.weight" => (0..size).for_each(|row| put(row, at(layer, 0) + row, 1.0)),
            "attn_k.weight" => (0..size).for_each(|row| put(row, at(layer, 1) + row, 1.0)),
            "attn_v.weight" => (0..size).for_each(|row| put(row, at(layer, 2) + row, 1.0)),
            "attn_output.weight" => {
                (0..size).for_each(|column| put(at(layer, ATTENDED) + column, column, SMALL));
            }
            "output.weight" => {
                for row in 0..layers * size {
                    put(row, at(row / size, ATTENDED) + row % size, 1.0);
                }
            }
            "attn_norm.weight" | "ffn_norm.weight" | "output_norm.weight" => {
                elements.fill(NORM_WEIGHT);
            }
            // A feed-forward that adds nothing.
            "ffn_gate.weight" | "ffn_up.weight" | "ffn_down.weight" => {}
            other => panic!("{other}"),
        }
        TinyTensor {
            name,
            shape,
            format: BlockFormat::F32,
            bytes: elements.iter().flat_map(|it| it.to_le_bytes()).collect(),
            elements,
        }
    });
    TinyModel {
        sizes,
        tensors: tensors.collect(),
    }
}

fn tokens(records: &[Record]) -> usize {
    records.iter().map(Record::positions).sum()
}

/// The hidden states that a record's tokens begin with, each `[layers, 4, heads, head_dim]`, flat.
fn embeddings(record: &Record) -> impl Iterator<Item = Vec<f32>> {
    let [layers, heads, dim] = heads(record);
    // Queries and keys were recorded after RoPE: they are turned back.
    let frequencies = frequencies::plain(LLAMA.base.into(), dim);
    let back = Turning {
        frequencies: frequencies.iter().map(|it| -it).collect(),
        neighbours: true,
    };
    (0..record.positions()).map(move |position| {
        let mut hidden = Vec::with_capacity(4 * layers * heads * dim);
        for layer in 0..layers {
            for which in ['q', 'k', 'v'] {
                for head in 0..heads {
                    let vector = record.vector(which, layer, head, position);
                    if which == 'v' {
                        hidden.extend(vector);
                    } else {
                        let vector = vector.iter().map(|&it| it.into()).collect();
                        let turned = back.turn(vector, position);
                        hidden.extend(turned.iter().map(|&it| it as f32));
                    }
                }
            }
            hidden.resize(hidden.len() + heads * dim, 0.0);
        }
        hidden
    })
}
