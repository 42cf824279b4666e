//! `kvscope generate`.

use std::io::Write;
use std::ops::ControlFlow;

use burn::tensor::Device;
use kvscope::Error;
use kvscope::engine::Engine;
use kvscope::generate::{Generation, LanguageModel, Spelling};
use kvscope::gpu::{Gpu, GpuOptions};
use kvscope::model::{LoadedGguf, gguf_files, load_gguf_files};
use kvscope::text::Tokenizer;
use pollster::block_on;

use super::arguments::{GenerateArguments, Place};
use super::failure::Failure;
use super::output::Output;
use super::{progress, summary};

pub fn run(arguments: &GenerateArguments) -> Result<(), Failure> {
    let config = arguments.config();
    config.validate().map_err(Error::from)?;
    arguments.cache.check()?;
    let prompt = arguments.prompt.read()?;

    let engine = open(arguments)?;
    let prompt = engine.encode(&prompt)?;
    let mut cache = engine.cache(&arguments.cache.options())?;
    let mut generation = engine.generation(prompt, &mut cache, config)?;
    write(&mut generation, arguments.json)
}

/// The model, loaded onto the device.
fn open(arguments: &GenerateArguments) -> Result<Engine, Failure> {
    let gpu = match arguments.device {
        Place::Gpu => Some(Gpu::open_blocking(GpuOptions::default()).map_err(Error::from)?),
        Place::Cpu => None,
    };
    let device = gpu
        .as_ref()
        .map_or_else(Device::flex, |gpu| gpu.device().clone());

    let bar = progress::bytes();
    let loaded = load_gguf_files(&gguf_files(&arguments.model), &device, |progress| {
        bar.set_length(progress.file_end.unwrap_or(progress.read_bytes));
        bar.set_position(progress.read_bytes);
    });
    bar.finish_and_clear();
    let LoadedGguf { model, header } = loaded?;

    let tokenizer = Tokenizer::from_gguf(&header.metadata).map_err(Error::from)?;
    let engine = Engine::new(model, tokenizer, device);
    Ok(match gpu {
        Some(gpu) => engine.with_gpu(gpu),
        None => engine,
    })
}

/// Runs the generation to its end and writes what comes. Whatever ends it, what there is has been written.
fn write<M: LanguageModel, S: Spelling>(
    generation: &mut Generation<'_, M, S>,
    json: bool,
) -> Result<(), Failure> {
    let mut output = Output::new(std::io::stdout().lock(), json);
    let bar = progress::tokens();
    let prefilled = block_on(generation.prefill(|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    }));
    bar.finish_and_clear();
    let ended = match prefilled {
        Ok(()) => write_steps(generation, &mut output),
        Err(error) => Err(error.into()),
    };
    let rest = generation.rest();
    let figures = generation.summary();
    let written = output.end(&rest, generation.text(), &figures);
    if !json {
        eprintln!("\n{}", summary::Lines(&figures));
    }
    ended.and(written)
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
