//! Conversations of real models in a session, against fresh computation of each turn.
//! `cargo xtask parity` runs them.

use kvscope::cache::CacheOptions;
use kvscope::device::ComputeDevice;
use kvscope::engine::{Conversation, Engine, OpenOptions, Prompt, Session};
use kvscope::generate::GenerateConfig;
use kvscope::text::Message;
use pollster::block_on;

use crate::support::devices;
use crate::support::real_model::RealModel;

const TOPICS: [&str; 20] = [
    "lighthouses",
    "bread",
    "the Moon",
    "bicycles",
    "glass",
    "tides",
    "chess",
    "bees",
    "maps",
    "steel",
    "rice",
    "clocks",
    "owls",
    "paper",
    "salt",
    "trains",
    "violins",
    "deserts",
    "ink",
    "bridges",
];
const QUESTIONS: [&str; 4] = [
    "Tell me one thing about {}.",
    "Why is that so?",
    "Name another.",
    "Which of both came first?",
];
const ANSWER: usize = 8;

/// The tokens and the text of an answer, and how many tokens of the prompt were held.
fn answer(engine: &Engine, session: &mut Session, prompt: &Prompt) -> (Vec<u32>, String, usize) {
    let config = GenerateConfig::default().with_max_new_tokens(ANSWER);
    let mut generation = block_on(engine.resume(session, prompt, config)).unwrap();
    while block_on(generation.next()).unwrap().is_some() {}
    let cached = generation.summary().cached_tokens;
    (
        generation.tokens().to_vec(),
        generation.text().to_owned(),
        cached,
    )
}

fn turns_are_those_of_fresh_computation(model: RealModel) {
    let path = model.file().unwrap_or_else(|missing| panic!("{missing}"));
    let gpu: ComputeDevice = devices::opened().clone().into();
    let engine = block_on(Engine::open(&path, OpenOptions::on(gpu))).unwrap();
    let rules = CacheOptions::default();
    let (mut turns, mut reused) = (0, 0);
    for topic in TOPICS {
        let mut session = engine.session(&rules).unwrap();
        let mut conversation = Conversation::default();
        for question in QUESTIONS {
            conversation = conversation.asked(&question.replace("{}", topic));
            let prompt = Prompt::from(conversation.clone());
            let (tokens, text, cached) = answer(&engine, &mut session, &prompt);
            let mut other = engine.session(&rules).unwrap();
            let (expected, _, none) = answer(&engine, &mut other, &prompt);
            assert_eq!(tokens, expected, "{topic}: {question}");
            assert_eq!(none, 0);
            turns += 1;
            reused += cached;
            conversation.messages.push(Message::new("assistant", text));
        }
    }
    println!("{model:?}: {turns} turns as afresh, with {reused} tokens held from before");
    assert!(reused > 10 * turns);
}

macro_rules! conversations {
    ($($name:ident: $model:ident),*) => {
        $(mod $name {
            use super::*;

            #[test]
            #[ignore = "`cargo xtask parity` runs it"]
            fn parity() {
                turns_are_those_of_fresh_computation(RealModel::$model);
            }
        })*
    };
}

conversations!(smollm2: Smollm2, qwen: Qwen);
