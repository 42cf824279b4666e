//! The real model against records of another implementation in f32.
//!
//! `KVSCOPE_REFERENCE` names the folder with the records, by default `../shared/reference`; every
//! `ref_*.json` in it is tested. The model is the one that `cargo xtask model` fetches.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use kvscope::cache::{CacheType, ScopeCache};
use kvscope::device::Gpu;
use kvscope::fused::{FusedDecoder, Pipelines};
use kvscope::generate::InputToken;
use kvscope::model::{Llama, LoadedModel, LogitRows, load_model};
use kvscope::text::Controls;

use crate::support::devices;
use crate::support::real_model;
use crate::support::real_model::{Recorded, Reference};

const PIECE: usize = 32;

struct Loaded {
    model: Llama,
    device: Device,
    /// The GPU, if steps are by the fused kernels.
    gpu: Option<&'static Gpu>,
    /// The kernels that all runs share.
    pipelines: Pipelines,
}

fn load(device: &Device) -> LoadedModel {
    let progress = |_, _| ControlFlow::Continue(());
    load_model(&real_model::file(), device, u64::MAX, progress).expect("the real model loads")
}

impl Loaded {
    fn on(device: Device, gpu: Option<&'static Gpu>) -> Self {
        let model = load(&device).model;
        Self {
            model,
            device,
            gpu,
            pipelines: Pipelines::default(),
        }
    }

    fn cache(&self, cache_type: CacheType) -> ScopeCache {
        let config = self.model.config().cache().with_cache_type(cache_type);
        config.init(&self.device).expect("a cache for the model")
    }

    /// Prefills `tokens` a piece at a time. Hands `each` the logits of whole pieces from position
    /// `first` on.
    fn prefill(
        &self,
        tokens: &[u32],
        cache_type: CacheType,
        first: usize,
        mut each: impl FnMut(usize, &[f32]),
    ) -> ScopeCache {
        let mut cache = self.cache(cache_type);
        for (index, piece) in tokens.chunks(PIECE).enumerate() {
            if (index + 1) * PIECE <= first {
                let appended = self.model.append(piece, &mut cache, LogitRows::None);
                appended.expect("a piece");
                continue;
            }
            let logits = self.model.append(piece, &mut cache, LogitRows::All);
            let logits = logits.expect("logits");
            let [rows, vocabulary] = logits.dims();
            assert_eq!(rows, piece.len());
            for (row, logits) in read(logits).chunks_exact(vocabulary).enumerate() {
                each(index * PIECE + row, logits);
            }
        }
        for layer in 0..self.model.config().layers {
            cache.finish_prefill(layer).expect("a prompt to finish");
        }
        cache
    }
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.try_into_data().expect("readable logits");
    data.try_to_vec().expect("f32")
}

fn greedy(logits: &[f32]) -> u32 {
    let best = logits
        .iter()
        .enumerate()
        .reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.expect("logits").0 as u32
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The prompt's last four positions, then every greedy choice that was no near-tie, fed the
/// recorded tokens.
fn follows(
    loaded: &Loaded,
    cache_type: CacheType,
    name: &str,
    run: &Recorded,
    logits: &[Vec<f32>],
) {
    let tokens = &run.prompt_ids;
    let first = tokens.len() - logits.len();
    let mut last = Vec::new();
    let mut cache = loaded.prefill(tokens, cache_type, first, |position, got| {
        if let Some(recorded) = position.checked_sub(first) {
            let cosine = cosine(got, &logits[recorded]);
            assert!(
                cosine > 0.9999,
                "{name}: position {position}: cosine {cosine}"
            );
        }
        if position + 1 == tokens.len() {
            last = got.to_vec();
        }
    });
    let mut decoder = loaded.gpu.map(|gpu| {
        let decoder = FusedDecoder::new(&loaded.model, &loaded.pipelines, gpu, &cache);
        let decoder = decoder.expect("a device that answers");
        decoder.expect("kernels for the real model")
    });
    for (step, (&token, &margin)) in run.greedy_ids.iter().zip(&run.margin).enumerate() {
        let choice = greedy(&last);
        assert!(
            choice == token || margin <= 0.1,
            "{name}: step {step}: {choice}, not {token}, whose margin was {margin}"
        );
        last = match &mut decoder {
            Some(decoder) => fused(decoder, token, &mut cache),
            None => read(loaded.model.step(token, &mut cache).expect("a step")),
        };
    }
}

/// A step by the fused kernels.
fn fused(decoder: &mut FusedDecoder, token: u32, cache: &mut ScopeCache) -> Vec<f32> {
    let pending = decoder.step_logits(InputToken::Token(token), cache, false);
    let pending = pending.expect("a step").expect("a step in place");
    pollster::block_on(pending).expect("readable logits")
}

/// The mean loss of a text, each token's given those before it.
fn loses_as_much(loaded: &Loaded, cache_type: CacheType, reference: &Reference) {
    let ids = &reference.nll.ids;
    let mut sum = 0.0;
    loaded.prefill(ids, cache_type, 0, |position, logits| {
        if let Some(&next) = ids.get(position + 1) {
            let most = logits.iter().copied().fold(f32::MIN, f32::max);
            let exps = logits.iter().map(|logit| f64::from(logit - most).exp());
            let logit = f64::from(logits[next as usize] - most);
            sum += exps.sum::<f64>().ln() - logit;
        }
    });
    let (mean, recorded) = (sum / (ids.len() - 1) as f64, reference.nll.mean_nll);
    assert!(
        (mean / recorded - 1.0).abs() < 0.005,
        "{}: mean loss {mean}, not {recorded}",
        reference.name
    );
}

fn agrees(loaded: &Loaded, cache_type: CacheType) {
    for reference in real_model::references() {
        for (index, run) in reference.generation.iter().enumerate() {
            let name = format!("{}, generation {index}", reference.name);
            follows(loaded, cache_type, &name, run, &reference.logits[index]);
        }
        loses_as_much(loaded, cache_type, &reference);
    }
}

#[test]
fn the_kernels_agree_with_an_f16_cache() {
    let gpu = devices::opened();
    agrees(&Loaded::on(gpu.device().clone(), Some(gpu)), CacheType::F16);
}

#[test]
fn plain_tensors_agree_with_an_f32_cache() {
    agrees(&Loaded::on(devices::flex(), None), CacheType::F32);
}

#[test]
fn the_tokens_are_equal() {
    let tokenizer = load(&devices::flex()).tokenizer();
    let tokenizer = tokenizer.expect("its tokenizer");
    for reference in real_model::references() {
        let texts = reference.tokenizer.iter().map(|it| (&it.text, &it.ids));
        let prompts = reference.generation.iter();
        let prompts = prompts.map(|it| (&it.prompt, &it.prompt_ids));
        let loss = [(&reference.nll.text, &reference.nll.ids)];
        let all = texts.chain(prompts).chain(loss);
        for (text, ids) in all.filter(|(text, _)| !real_model::has_other_digits(text)) {
            let encoded = tokenizer.encode(text, Controls::Read).expect("tokens");
            assert_eq!(&encoded, ids, "{}: {text:?}", reference.name);
        }
    }
}
