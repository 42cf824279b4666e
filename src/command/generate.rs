//! `kvscope generate`.

use std::io::Write;
use std::ops::ControlFlow;

use kvscope::Error;
use kvscope::generate::{FinishReason, Generation, LanguageModel, Spelling, Summary};
use pollster::block_on;

use super::arguments::GenerateArguments;
use super::failure::Failure;
use super::open::open;
use super::output::Output;
use super::{interrupt, progress, summary};

/// End of a generation that did not fail.
pub enum Ended {
    /// By itself, or because nobody reads any more.
    Whole,
    /// By Ctrl-C.
    Cancelled,
}

pub fn run(arguments: &GenerateArguments) -> Result<Ended, Failure> {
    let config = arguments.config();
    config.validate().map_err(Error::from)?;
    arguments.cache.check()?;
    let prompt = arguments.prompt.read()?;

    // Only now: waiting for a prompt from a terminal is ended by the signal itself.
    let cancel = interrupt::cancel_on_interrupt();
    let engine = open(&arguments.model.path, arguments.model.device, &cancel)?;
    let mut cache = engine.cache(&arguments.cache.options())?;
    let generation = engine.continuation(&prompt, &mut cache, config)?;
    let mut generation = generation.with_cancel(cancel);
    let mut output = Output::new(std::io::stdout().lock(), arguments.json);
    let figures = write(&mut generation, &mut output)?;
    Ok(match figures.finish {
        Some(FinishReason::Cancelled) => Ended::Cancelled,
        _ => Ended::Whole,
    })
}

/// Runs the generation to its end and writes what comes. Whatever ends it, what there is has been
/// written.
pub fn write<M: LanguageModel, S: Spelling>(
    generation: &mut Generation<'_, M, S>,
    output: &mut Output<impl Write>,
) -> Result<Summary, Failure> {
    let ended = prefill(generation).and_then(|()| write_steps(generation, output));
    let rest = generation.rest();
    let figures = generation.summary();
    let written = output.end(&rest, generation.text(), &figures);
    if !output.is_json() {
        eprintln!("\n{}", summary::Lines(&figures));
    }
    ended.and(written)?;
    Ok(figures)
}

/// Takes the prompt in, with its progress.
pub fn prefill<M: LanguageModel, S: Spelling>(
    generation: &mut Generation<'_, M, S>,
) -> Result<(), Failure> {
    let bar = progress::tokens();
    let prefilled = block_on(generation.prefill(|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    }));
    bar.finish_and_clear();
    Ok(prefilled?)
}

fn write_steps<M: LanguageModel, S: Spelling>(
    generation: &mut Generation<'_, M, S>,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    while let Some(step) = block_on(generation.next()).map_err(Failure::from)? {
        output.step(&step)?;
        if output.closed() {
            break;
        }
    }
    Ok(())
}
