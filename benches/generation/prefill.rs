//! Prefill of prompts.

use std::ops::ControlFlow;

use kvscope::device::Gpu;
use kvscope::engine::{Engine, Prompt};
use kvscope::generate::GenerateConfig;
use pollster::block_on;
use serde::Serialize;

use crate::Outcome;
use crate::plan::{Plan, Prefill};

/// Cost of one prefill.
#[derive(Serialize)]
pub struct Taken {
    context: usize,
    method: String,
    ms: Vec<f64>,
    /// Most bytes that burn had reserved on the device after any chunk but the last: model, cache
    /// and working space. The last chunk's working space is freed before it can be seen. `None` for
    /// a prompt of one chunk.
    peak_gpu_bytes: Option<u64>,
}

/// Measures every prompt of `plan`, after a warm-up.
pub fn run(plan: &Plan, engine: &Engine, gpu: &Gpu) -> Outcome<Vec<Taken>> {
    if let Some(first) = plan.prefill.first() {
        take(first, engine, gpu)?;
    }
    let mut taken = Vec::new();
    for prefill in &plan.prefill {
        eprintln!("native: prompt of {}, {}", prefill.context, prefill.method);
        let repeats = 0..prefill.repeats;
        let taken_each: Vec<_> = repeats
            .map(|_| take(prefill, engine, gpu))
            .collect::<Outcome<_>>()?;
        taken.push(Taken {
            context: prefill.context,
            method: prefill.method.clone(),
            ms: taken_each.iter().map(|(ms, _)| *ms).collect(),
            peak_gpu_bytes: taken_each.iter().filter_map(|(_, bytes)| *bytes).max(),
        });
    }
    Ok(taken)
}

/// Milliseconds to the logits of the first new token, and the most bytes reserved meanwhile.
fn take(prefill: &Prefill, engine: &Engine, gpu: &Gpu) -> Outcome<(f64, Option<u64>)> {
    let mut cache = engine.cache(&prefill.cache)?;
    let config = GenerateConfig::default().with_max_new_tokens(1);
    let prompt = prompt(prefill.context, engine)?;
    let mut generation = engine.generation(prompt, &mut cache, config)?;
    let mut most_bytes = None;
    block_on(generation.prefill(|done, total| {
        if done < total {
            most_bytes = most_bytes.max(Some(gpu.memory().bytes_reserved));
        }
        ControlFlow::Continue(())
    }))?;
    Ok((generation.summary().prefill_ms, most_bytes))
}

/// A text of exactly `tokens` tokens.
pub fn prompt(tokens: usize, engine: &Engine) -> Outcome<Vec<u32>> {
    let text = " house".repeat(tokens);
    let mut prompt = engine.encode(&Prompt::Text(text))?;
    prompt.truncate(tokens);
    Ok(prompt)
}
