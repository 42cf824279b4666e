//! Worth of each part of the storage type `h4`. The divergence from rows of f32 is told with all
//! parts, and with one changed.
//!
//! ```sh
//! cargo bench --profile dev --features bench --bench row_parts -- MODEL.gguf... TEXT...
//! ```
//!
//! The first tokens of a text are the prompt, and frames are of these. The next ones are decoded:
//! each sees rows as its cache would hold them. Their logits are compared with those of f32 rows.

#![cfg(not(target_family = "wasm"))]

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use burn::tensor::Tensor;
use kvscope::cache::{CacheOptions, CacheType, ScopeCache, Trial, TrialRows};
use kvscope::engine::{Engine, OpenOptions, Prompt};
use kvscope::eval::Reference;
use kvscope::model::LogitRows;
use pollster::block_on;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Tokens of the prompt, and tokens whose logits are compared.
const PROMPT: usize = 400;
const SCORED: usize = 160;

/// The whole type with a change to keys and values.
fn each(change: impl Fn(&mut TrialRows)) -> Trial {
    with(|it| {
        change(&mut it.keys);
        change(&mut it.values);
    })
}

/// The whole type with a change.
fn with(change: impl FnOnce(&mut Trial)) -> Trial {
    let mut trial = Trial::of_h4();
    change(&mut trial);
    trial
}

/// The whole type, and what is changed of it.
fn trials() -> Vec<(&'static str, Trial)> {
    let newest = |count| each(|it| it.newest = count);
    vec![
        ("`h4`", Trial::of_h4()),
        (
            "keys alone, values in f32",
            with(|it| it.values.cache_type = CacheType::F32),
        ),
        (
            "values alone, keys in f32",
            with(|it| it.keys.cache_type = CacheType::F32),
        ),
        ("without the channel means", with(|it| it.centred = false)),
        (
            "without the factors per channel",
            with(|it| it.balanced = false),
        ),
        ("without H for keys", with(|it| it.keys.turned = false)),
        ("without H for values", with(|it| it.values.turned = false)),
        (
            "with scales by the largest element",
            each(|it| it.least_squares = false),
        ),
        ("without copies of the first 4", each(|it| it.first = 0)),
        ("without copies of the newest", newest(0)),
        ("with copies of the newest 8", newest(8)),
        ("… 24", newest(24)),
        ("… 32", newest(32)),
        (
            "with copies in f16",
            each(|it| it.exact_type = CacheType::F16),
        ),
        (
            "with copies of keys alone",
            with(|it| (it.values.first, it.values.newest) = (0, 0)),
        ),
        ("`h8`", each(|it| it.cache_type = CacheType::H8)),
    ]
}

/// Sums over positions.
#[derive(Clone, Copy, Default)]
struct Sums {
    kl: f64,
    same: usize,
    count: usize,
}

fn main() -> Outcome<()> {
    let files = env::args().skip(1).filter(|it| !it.starts_with("--"));
    let files = files.map(PathBuf::from);
    let (models, texts): (Vec<_>, Vec<_>) =
        files.partition(|it| it.extension().is_some_and(|it| it == "gguf"));
    let trials = trials();
    let mut columns = Vec::new();
    for model in &models {
        let engine = block_on(Engine::open(model, OpenOptions::cpu()))?;
        let mut sums = vec![Sums::default(); trials.len()];
        for text in &texts {
            let tokens = engine.encode(&Prompt::Text(fs::read_to_string(text)?))?;
            let tokens = tokens.get(..PROMPT + SCORED);
            let tokens = tokens.ok_or_else(|| format!("{} is too short", text.display()))?;
            compare(&engine, tokens, &trials, &mut sums)?;
        }
        columns.push(sums);
    }
    let name = |path: &PathBuf| path.file_stem().unwrap_or_default().display().to_string();
    let names = models.iter().map(name);
    println!("| KL, nats; same top token |{}", cells(names));
    println!("| --- |{}", cells(models.iter().map(|_| "---:".to_owned())));
    for (row, (name, _)) in trials.iter().enumerate() {
        let shown = columns.iter().map(|sums| {
            let Sums { kl, same, count } = sums[row];
            let count = count as f64;
            format!("{:.4}; {:.1} %", kl / count, 100.0 * same as f64 / count)
        });
        println!("| {name} |{}", cells(shown));
    }
    Ok(())
}

fn cells(texts: impl Iterator<Item = String>) -> String {
    texts.map(|text| format!(" {text} |")).collect()
}

/// Adds the divergences by each of `trials` to `sums`.
fn compare(
    engine: &Engine,
    tokens: &[u32],
    trials: &[(&str, Trial)],
    sums: &mut [Sums],
) -> Outcome<()> {
    let options = CacheOptions {
        cache_type: Some(CacheType::F32.into()),
        ..CacheOptions::default()
    };
    let mut prompt = engine.cache(&options)?;
    prompt.prepare_forks();
    let model = engine.model();
    let (first, scored) = tokens.split_at(PROMPT);
    model.append(first, &mut prompt, LogitRows::None)?;
    let next = |mut cache: ScopeCache| -> Outcome<Vec<Vec<f32>>> {
        let logits: Tensor<2> = model.append(scored, &mut cache, LogitRows::All)?;
        let [_, vocabulary] = logits.dims();
        let logits: Vec<f32> = logits.try_into_data()?.try_to_vec()?;
        Ok(logits.chunks(vocabulary).map(<[f32]>::to_vec).collect())
    };
    let exact = next(prompt.clone())?.into_iter().map(Reference::new);
    let exact: Vec<Reference> = exact.collect();
    for ((name, trial), sums) in trials.iter().zip(sums) {
        eprintln!("{name}");
        let mut cache = prompt.clone();
        cache.try_rows(*trial);
        for (exact, found) in exact.iter().zip(next(cache)?) {
            let apart = exact.compare(&found, 0);
            sums.kl += apart.kl;
            sums.same += usize::from(apart.agrees);
            sums.count += 1;
        }
    }
    Ok(())
}
