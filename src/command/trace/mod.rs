//! `kvscope eval trace`: accuracy on the trace task under every policy.

mod table;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use kvscope::Error;
use kvscope::engine::{Engine, Prompt};
use kvscope::eval::trace::{Program, Tally};
use kvscope::generate::{Cancel, FinishReason, GenerateConfig};
use pollster::block_on;
use serde::Serialize;

use super::arguments::TraceArguments;
use super::failure::Failure;
use super::generate::Ended;
use super::open::open;
use super::policies::{Compared, compared};
use super::{file, interrupt, progress, readme};

/// Results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    model: &'a Path,
    /// Adapter that ran it.
    adapter: String,
    /// Seed of the first program of each length.
    seed: u64,
    results: Vec<Measured<'a>>,
}

/// One policy on programs of one length.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured<'a> {
    policy: &'a str,
    lines: usize,
    programs: u64,
    /// Share of right lines.
    exact: f64,
    /// Share for each line, from the first on.
    exact_by_line: Vec<f64>,
    /// Most bytes that the cache held, averaged over programs.
    held_bytes: u64,
    /// Most bytes of a full cache in f16, averaged too.
    full_bytes: u64,
}

pub fn run(arguments: &TraceArguments) -> Result<Ended, Failure> {
    for &lines in &arguments.lines {
        // Checked before a model is loaded.
        Program::random(lines, arguments.seed)?;
    }
    let policies = compared(&arguments.policies)?;
    let place = arguments.readme.place("trace");
    if let Some((path, section)) = place {
        readme::check(path, section)?;
    }
    let begun = Instant::now();
    let cancel = interrupt::cancel_on_interrupt();
    let engine = open(&arguments.model, arguments.device, &cancel)?;
    let mut report = Report {
        model: &arguments.model,
        adapter: engine.device().name().to_owned(),
        seed: arguments.seed,
        results: Vec::new(),
    };
    println!("lines right  held bytes  f16 bytes   policy");
    for &lines in &arguments.lines {
        for policy in &policies {
            let Some(measured) = measure(&engine, policy, lines, arguments, &cancel)? else {
                return Ok(Ended::Cancelled);
            };
            println!(
                "{lines:5} {:.3} {:11} {:11}  {}",
                measured.exact, measured.held_bytes, measured.full_bytes, measured.policy
            );
            report.results.push(measured);
            // After each row, so that a failure loses no results.
            if let Some(path) = &arguments.output {
                file::replace_json(path, &report).map_err(Failure::Output)?;
            }
        }
    }
    if let Some((path, section)) = place {
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        readme::put(path, section, &table::markdown(&report, minutes))?;
    }
    Ok(Ended::Whole)
}

/// Measures a policy; `None` if cancelled.
fn measure<'a>(
    engine: &Engine,
    policy: &'a Compared,
    lines: usize,
    arguments: &TraceArguments,
    cancel: &Cancel,
) -> Result<Option<Measured<'a>>, Failure> {
    let bar = progress::programs(arguments.programs);
    let mut tally = Tally::default();
    let (mut held, mut full) = (0, 0);
    for number in 0..arguments.programs {
        let program = Program::random(lines, arguments.seed.wrapping_add(number))?;
        let prompt = engine.encode(&Prompt::Text(program.prompt()))?;
        // A token per character, and the end: anything later can't be right.
        let tokens = program.answer().len() + 1;
        let model = engine.model().config().cache();
        let cache = policy.config(model, prompt.len(), tokens);
        let device = engine.device().burn_device();
        let cache = cache.and_then(|cache| Ok(cache.init(&device)?));
        let mut cache = cache.map_err(Error::from)?;
        let config = GenerateConfig::default().with_max_new_tokens(tokens);
        let generation = engine.generation(prompt, &mut cache, config)?;
        let mut generation = generation.with_cancel(cancel.clone());
        block_on(async {
            generation.prefill(|_, _| ControlFlow::Continue(())).await?;
            while generation.next().await?.is_some() {}
            Ok::<(), Error>(())
        })?;
        // Text that the detokenizer still holds.
        generation.rest();
        let summary = generation.summary();
        if summary.finish == Some(FinishReason::Cancelled) {
            bar.finish_and_clear();
            return Ok(None);
        }
        tally.add(&program.grade(generation.text()));
        held += summary.memory.held_high_water;
        full += summary.memory.full_high_water;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let programs = arguments.programs.max(1);
    Ok(Some(Measured {
        policy: &policy.name,
        lines,
        programs: arguments.programs,
        exact: tally.share(),
        exact_by_line: tally.by_line(),
        held_bytes: held / programs,
        full_bytes: full / programs,
    }))
}
