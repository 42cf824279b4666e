//! Taking a prompt in.

use std::ops::ControlFlow;

use kvscope::engine::{Engine, Prompt};
use kvscope::generate::GenerateConfig;
use pollster::block_on;
use serde::Serialize;

use crate::Outcome;
use crate::plan::{Plan, Prefill};

/// What one took.
#[derive(Serialize)]
pub struct Taken {
    context: usize,
    method: String,
    ms: Vec<f64>,
}

/// Every prompt of `plan`, after one that does not count.
pub fn run(plan: &Plan, engine: &Engine) -> Outcome<Vec<Taken>> {
    if let Some(first) = plan.prefill.first() {
        take(first, engine)?;
    }
    let mut taken = Vec::new();
    for prefill in &plan.prefill {
        eprintln!("native: prompt of {}, {}", prefill.context, prefill.method);
        let repeats = 0..prefill.repeats;
        taken.push(Taken {
            context: prefill.context,
            method: prefill.method.clone(),
            ms: repeats
                .map(|_| take(prefill, engine))
                .collect::<Outcome<_>>()?,
        });
    }
    Ok(taken)
}

/// Milliseconds to the logits of the first new token.
fn take(prefill: &Prefill, engine: &Engine) -> Outcome<f64> {
    let mut cache = engine.cache(&prefill.cache)?;
    let config = GenerateConfig::default().with_max_new_tokens(1);
    let prompt = prompt(prefill.context, engine)?;
    let mut generation = engine.generation(prompt, &mut cache, config)?;
    block_on(generation.prefill(|_, _| ControlFlow::Continue(())))?;
    Ok(generation.summary().prefill_ms)
}

/// A text of just so many tokens.
fn prompt(tokens: usize, engine: &Engine) -> Outcome<Vec<u32>> {
    let text = " lighthouse".repeat(tokens);
    let mut prompt = engine.encode(&Prompt::Text(text))?;
    prompt.truncate(tokens);
    Ok(prompt)
}
