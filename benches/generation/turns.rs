//! Turns of a conversation that a session holds.

use std::ops::ControlFlow;

use kvscope::engine::{Engine, Session};
use kvscope::generate::GenerateConfig;
use pollster::block_on;
use serde::Serialize;

use crate::Outcome;
use crate::plan::{Plan, Turns};
use crate::prefill::prompt;

/// Tokens that each of many turns adds, and generates.
const ADDED: usize = 8;
const STEPS: usize = 6;

/// Cost of a turn's prompt, and of steps after many turns.
#[derive(Serialize)]
pub struct Taken {
    held: usize,
    added: usize,
    /// Milliseconds for the added tokens, after those held.
    resumed_ms: Vec<f64>,
    /// … with nothing before them.
    alone_ms: Vec<f64>,
    /// … with all before them computed too.
    afresh_ms: Vec<f64>,
    /// Milliseconds of each turn's steps, without the first, and the bytes held then.
    steps_ms: Vec<Vec<f64>>,
    held_bytes: Vec<u64>,
}

/// Measures the conversation of `plan`, if it has one.
pub fn run(plan: &Plan, engine: &Engine) -> Outcome<Option<Taken>> {
    let Some(turns) = &plan.turns else {
        return Ok(None);
    };
    eprintln!("native: a turn of {} after {}", turns.added, turns.held);
    let whole = prompt(turns.held + turns.added, engine)?;
    let (first, added) = whole.split_at(turns.held);
    let full = Default::default();
    let mut trunk = engine.session(&full)?;
    take(engine, &mut trunk, first)?;
    let [mut resumed_ms, mut alone_ms, mut afresh_ms] = [const { Vec::new() }; 3];
    for _ in 0..turns.repeats {
        resumed_ms.push(take(engine, &mut trunk.clone(), &whole)?);
        alone_ms.push(take(engine, &mut engine.session(&full)?, added)?);
    }
    afresh_ms.push(take(engine, &mut engine.session(&full)?, &whole)?);
    let (steps_ms, held_bytes) = along(turns, engine)?;
    Ok(Some(Taken {
        held: turns.held,
        added: turns.added,
        resumed_ms,
        alone_ms,
        afresh_ms,
        steps_ms,
        held_bytes,
    }))
}

/// Milliseconds to the logits of the first new token.
fn take(engine: &Engine, session: &mut Session, prompt: &[u32]) -> Outcome<f64> {
    let config = GenerateConfig::default().with_max_new_tokens(1);
    let resumed = engine.resume_tokens(session, prompt.to_vec(), config);
    let mut generation = block_on(resumed)?;
    block_on(generation.prefill(|_, _| ControlFlow::Continue(())))?;
    Ok(generation.summary().prefill_ms)
}

/// Steps of each of many turns under a budget, and the bytes held after each.
fn along(turns: &Turns, engine: &Engine) -> Outcome<(Vec<Vec<f64>>, Vec<u64>)> {
    let mut session = engine.session(&turns.cache)?;
    let added = prompt(ADDED, engine)?;
    let mut conversation = Vec::new();
    let (mut steps_ms, mut held_bytes) = (Vec::new(), Vec::new());
    let config = GenerateConfig {
        ignore_eos: true,
        ..GenerateConfig::default().with_max_new_tokens(STEPS)
    };
    for _ in 0..turns.count {
        conversation.extend_from_slice(&added);
        let resumed = engine.resume_tokens(&mut session, conversation.clone(), config.clone());
        let mut generation = block_on(resumed)?;
        let mut ms = Vec::new();
        while let Some(step) = block_on(generation.next())? {
            ms.push(step.elapsed_ms);
        }
        conversation.extend_from_slice(generation.tokens());
        held_bytes.push(generation.summary().memory.held_bytes);
        steps_ms.push(ms.split_off(1));
    }
    Ok((steps_ms, held_bytes))
}
