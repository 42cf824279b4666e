//! A model's text inside a memory budget: `cargo run --release --example generate -- MODEL "Tell me a story."`

use std::io::Write;
use std::ops::ControlFlow;

use kvscope::Error;
use kvscope::cache::{BudgetOption, CacheOptions, DecodeOptions, PrefillOptions};
use kvscope::cache::{DecodeStrategy, PrefillMethod};
use kvscope::device::{Gpu, GpuOptions};
use kvscope::engine::{Engine, Prompt};
use kvscope::fused::KnownTunings;
use kvscope::generate::{GenerateConfig, SamplingConfig};
use kvscope::model::load_model;
use kvscope::text::Message;

async fn tell(model: &str, question: &str) -> Result<(), Error> {
    let gpu = Gpu::open(GpuOptions::default()).await?;
    let limit = gpu.report().limits.max_storage_buffer_binding_size;
    let on = |_, _| ControlFlow::Continue(());
    let loaded = load_model(model.as_ref(), gpu.device(), limit, on)?;
    let tokenizer = loaded.tokenizer()?;
    // Writes to the GPU have no answer: their errors come here.
    gpu.settle().await?;
    let engine = Engine::new(loaded.model, tokenizer, gpu.device().clone()).with_gpu(gpu);
    // Fastest kernels for this GPU; a program that keeps `KnownTunings` measures once only.
    engine.tune(&mut KnownTunings::default()).await?;

    // Of the prompt what its last queries attend to, and of the answer what the newest token does: SCOPE's slide.
    let options = CacheOptions {
        prefill: PrefillOptions {
            method: PrefillMethod::SnapKv,
            budget: Some(BudgetOption::Slots(2048)),
            ..PrefillOptions::default()
        },
        decode: DecodeOptions {
            strategy: DecodeStrategy::Slide,
            budget: Some(BudgetOption::Slots(64)),
            recent: Some(32),
            ..DecodeOptions::default()
        },
        ..CacheOptions::default()
    };
    let prompt = engine.encode(&Prompt::Chat(vec![Message::new("user", question)]))?;
    let mut cache = engine.cache(&options)?;
    let config = GenerateConfig::default()
        .with_max_new_tokens(128)
        .with_sampling(SamplingConfig::default().with_temperature(0.7));
    let mut generation = engine.generation(prompt, &mut cache, config)?;
    while let Some(step) = generation.next().await? {
        print!("{}", step.text);
        // A closed terminal is no reason to stop thinking.
        let _ = std::io::stdout().flush();
    }
    let memory = generation.summary().memory;
    let (held, full) = (memory.held_bytes, memory.full_bytes);
    println!("\n{held} bytes of cache; a full one would have {full}");
    Ok(())
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(question)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: generate MODEL QUESTION");
        return Ok(());
    };
    pollster::block_on(tell(&model, &question))
}
