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

/// What was measured.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    model: &'a Path,
    /// What ran it.
    adapter: String,
    /// The seed of the first program of each length.
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
    /// The share of right lines.
    exact: f64,
    /// The same, for each line from the first on.
    exact_by_line: Vec<f64>,
    /// The most bytes that the cache held, the mean over programs.
    held_bytes: u64,
    /// The same of a full cache.
    full_bytes: u64,
}

pub fn run(arguments: &TraceArguments) -> Result<Ended, Failure> {
    for &lines in &arguments.lines {
        // Before a model is loaded for it.
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
    println!("lines right  held bytes  full bytes  policy");
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
            // At once, so that what has been measured is there even if the rest is not.
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

/// `None` if it was cancelled.
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
        // A token a character, and the end: what comes later can't be right.
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
        // What a detokenizer still holds belongs to the text.
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
