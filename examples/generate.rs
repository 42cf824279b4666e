//! A model's text inside a memory budget:
//! `cargo run --release --example generate -- MODEL "Tell me a story."`

use std::io::Write;

use kvscope::Error;
use kvscope::cache::{BudgetOption, CacheOptions, DecodeOptions, PrefillOptions};
use kvscope::cache::{DecodeStrategy, PrefillMethod};
use kvscope::engine::{Engine, OpenOptions, Prompt};
use kvscope::generate::{GenerateConfig, SamplingConfig};
use kvscope::text::Message;

async fn tell(model: &str, question: &str) -> Result<(), Error> {
    let engine = Engine::open(model, OpenOptions::default()).await?;

    // Keeps what the prompt's last queries attend to, and by SCOPE's slide what each new token
    // does.
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
    let prompt = Prompt::Chat(vec![Message::new("user", question)]);
    let mut cache = engine.cache(&options)?;
    let config = GenerateConfig::default()
        .with_max_new_tokens(128)
        .with_sampling(SamplingConfig::default().with_temperature(0.7));
    let mut generation = engine.continuation(&prompt, &mut cache, config)?;
    while let Some(step) = generation.next().await? {
        print!("{}", step.text);
        // A closed terminal is no reason to stop.
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
