//! Real files against what llama.cpp chose, in the form of `llamacpp_greedy.json`.
//!
//! `cargo xtask parity` runs the ignored tests, with records of the folder that `KVSCOPE_REFERENCE`
//! names. The short ones have a record of their own. Models that not every setup fetches are
//! compared only where they were fetched.

use std::fs;
use std::ops::ControlFlow;

use burn::tensor::Device;
use kvscope::cache::CacheType;
use kvscope::fused::{FusedDecoder, Pipelines};
use kvscope::generate::InputToken;
use kvscope::model::{LogitRows, load_model};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::support::devices;
use crate::support::real_model::{self, RealModel};
use crate::support::tiny_model::run;

/// llama.cpp's choices after a prompt.
#[derive(Deserialize)]
struct Run {
    prompt: String,
    prompt_tokens: Vec<u32>,
    greedy: Vec<u32>,
    margin_nats: Vec<f64>,
    /// llama.cpp's choices with the same weights in f32, fed the same. Each has its distance from
    /// the other. Records may have none.
    #[serde(default)]
    in_f32: Vec<(u32, f64)>,
}

/// The runs of a record that are `model`'s; none, if it has none.
fn runs(record: &str, model: RealModel) -> Vec<Run> {
    let record: Json = serde_json::from_str(record).unwrap();
    let all = model.names().iter().flat_map(|name| {
        let runs = record["models"].get(name)?.clone();
        Some(serde_json::from_value::<Vec<Run>>(runs).unwrap())
    });
    all.flatten().collect()
}

/// Difference of two logits below which rounding may choose either, in nats.
const NEAR_TIE: f64 = 0.05;

fn likeliest(logits: &[f32]) -> u32 {
    let largest = |best: usize, at: usize| if logits[at] > logits[best] { at } else { best };
    (0..logits.len()).reduce(largest).unwrap() as u32
}

/// Compares every choice, fed llama.cpp's tokens, but for near-ties there or here. On the GPU all
/// steps have to be by the fused kernels. Any other choice has to be llama.cpp's in f32.
///
/// llama.cpp rounds the input of its products to 8 bits. That moves margins by up to a quarter of a
/// nat. At the places where the library has near-ties, transformers has them too, in f32.
fn follows(model: RealModel, runs: &[Run], device: &Device) {
    let path = model.file().unwrap_or_else(|missing| panic!("{missing}"));
    let loaded = load_model(&path, device, u64::MAX, |_, _| ControlFlow::Continue(()));
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    let (tokenizer, loaded) = (loaded.tokenizer().unwrap(), loaded.model);
    let (mut choices, mut others) = (0, Vec::new());
    for run in runs {
        let prompt = &run.prompt_tokens;
        assert_eq!(&tokenizer.encode_prompt(&run.prompt).unwrap(), prompt);
        let config = loaded.config().cache().with_cache_type(CacheType::F16);
        let mut cache = config.init(device).unwrap();
        let logits = loaded.append(prompt, &mut cache, LogitRows::Last).unwrap();
        let mut logits = run::read_back(logits);
        for layer in 0..loaded.config().layers {
            cache.finish_prefill(layer).unwrap();
        }
        let mut decoder = (*device != devices::flex()).then(|| {
            let gpu = devices::opened();
            let decoder = FusedDecoder::new(&loaded, &Pipelines::default(), gpu, &cache);
            decoder.unwrap().expect("kernels for the model")
        });
        for (step, (&token, &margin)) in run.greedy.iter().zip(&run.margin_nats).enumerate() {
            let found = likeliest(&logits);
            let own = f64::from(logits[found as usize] - logits[token as usize]);
            let said = format!("{:?}, step {step}: {found}, not {token}", run.prompt);
            let in_f32 = run.in_f32.get(step);
            let is_exact = in_f32.is_some_and(|(exact, _)| *exact == found);
            assert!(
                margin.min(own) < NEAR_TIE || is_exact,
                "{said}, by {own:.4}; there by {margin}; there in f32 {in_f32:?}"
            );
            choices += 1;
            if found != token && margin >= NEAR_TIE {
                let exact = in_f32.map(|(token, by)| format!("; there in f32 {token}, by {by}"));
                let exact = exact.unwrap_or_default();
                others.push(format!(
                    "{said}, by {own:.4} nats; there by {margin:.4}{exact}"
                ));
            }
            logits = match &mut decoder {
                Some(decoder) => {
                    let pending = decoder.step_logits(InputToken::Token(token), &mut cache, false);
                    pollster::block_on(pending.unwrap().expect("a step in place")).unwrap()
                }
                None => run::read_back(loaded.step(token, &mut cache).unwrap()),
            };
        }
    }
    assert!(choices > 0, "no record of {model:?}");
    println!("{model:?}: {choices} choices after {} prompts", runs.len());
    println!(
        "others than those with a margin of {NEAR_TIE} or more: {}",
        others.len()
    );
    others.iter().for_each(|other| println!("  {other}"));
}

/// The runs of the folder that `KVSCOPE_REFERENCE` names. One without a record of the model is
/// passed over: `cargo xtask parity` says which.
fn follows_the_records(model: RealModel, device: &Device) {
    let path = real_model::reference_folder().join("llamacpp_greedy.json");
    let record = fs::read_to_string(&path);
    let record = record.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let runs = runs(&record, model);
    if runs.is_empty() {
        println!("NOT COMPARED: {} has no run of {model:?}", path.display());
        return;
    }
    follows(model, &runs, device);
}

/// A prompt and a few steps, on the GPU.
fn follows_in_short(model: RealModel) {
    let runs = runs(include_str!("greedy.json"), model);
    follows(model, &runs, &devices::gpu());
}

fn follows_in_short_if_fetched(model: RealModel) {
    match model.file() {
        Ok(_) => follows_in_short(model),
        Err(missing) => println!("NOT RUN: {missing}"),
    }
}

macro_rules! parity {
    ($($name:ident: $model:ident),*) => {
        $(mod $name {
            use super::*;

            #[test]
            #[ignore = "`cargo xtask parity` runs it"]
            fn parity_on_tensors_of_the_cpu() {
                follows_the_records(RealModel::$model, &devices::flex());
            }

            #[test]
            #[ignore = "`cargo xtask parity` runs it"]
            fn parity_by_the_kernels() {
                follows_the_records(RealModel::$model, &devices::gpu());
            }
        })*
    };
}

parity!(smollm2: Smollm2, qwen: Qwen, gemma: Gemma);

#[test]
fn smollm2_in_short() {
    follows_in_short(RealModel::Smollm2);
}

#[test]
fn qwen_in_short_only_if_it_was_fetched() {
    follows_in_short_if_fetched(RealModel::Qwen);
}

#[test]
fn gemma_in_short_only_if_it_was_fetched() {
    follows_in_short_if_fetched(RealModel::Gemma);
}
