//! Sessions against fresh computation: what is held is not computed again, and changes no answer.

use std::ops::ControlFlow;

use kvscope::cache::{
    BudgetOption, CacheOptions, CacheType, DecodeOptions, DecodeStrategy, PrefillMethod,
    PrefillOptions,
};
use kvscope::device::ComputeDevice;
use kvscope::engine::{Conversation, Engine, Prompt, Session};
use kvscope::formats::BlockFormat;
use kvscope::generate::{FinishReason, GenerateConfig, SamplingConfig, Summary};
use kvscope::text::Message;
use pollster::block_on;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::{compute_devices, engine};
use crate::support::reference_model::ReferenceModel;
use crate::support::text;
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::{LLAMA, Sizes};

pub const SIZES: Sizes = Sizes {
    context: 256,
    ..LLAMA
};

pub fn tiny() -> TinyModel {
    TinyModel::new(SIZES, BlockFormat::F32)
}

pub fn full() -> CacheOptions {
    CacheOptions {
        cache_type: Some(CacheType::F32.into()),
        ..CacheOptions::default()
    }
}

/// 12 slots for the prompt, 8 for decoding.
pub fn evicting(prefill: PrefillMethod) -> CacheOptions {
    CacheOptions {
        prefill: PrefillOptions {
            method: prefill,
            budget: Some(BudgetOption::Slots(12)),
            observation_window: Some(4),
            ..PrefillOptions::default()
        },
        decode: DecodeOptions {
            strategy: DecodeStrategy::Slide,
            budget: Some(BudgetOption::Slots(8)),
            recent: Some(4),
            ..DecodeOptions::default()
        },
        ..full()
    }
}

pub fn config(tokens: usize) -> GenerateConfig {
    GenerateConfig {
        ignore_eos: true,
        ..GenerateConfig::default()
            .with_max_new_tokens(tokens)
            .with_prefill_chunk(8)
            // It counts the tokens of earlier turns too.
            .with_sampling(SamplingConfig::default().with_repetition_penalty(1.1))
    }
}

/// The tokens that a session answers `prompt` with, and the summary.
pub fn answer(
    engine: &Engine,
    session: &mut Session,
    prompt: &[u32],
    tokens: usize,
) -> (Vec<u32>, Summary) {
    let resumed = engine.resume_tokens(session, prompt.to_vec(), config(tokens));
    let mut generation = block_on(resumed).unwrap();
    while block_on(generation.next()).unwrap().is_some() {}
    (generation.tokens().to_vec(), generation.summary())
}

/// The same in a session that holds nothing.
pub fn fresh(engine: &Engine, rules: &CacheOptions, prompt: &[u32], tokens: usize) -> Vec<u32> {
    let mut session = engine.session(rules).unwrap();
    let (tokens, summary) = answer(engine, &mut session, prompt, tokens);
    assert_eq!(summary.cached_tokens, 0);
    tokens
}

/// Tokens that a session and a prompt have in common from their beginning on.
fn common(session: &Session, prompt: &[u32]) -> usize {
    let pairs = session.tokens().iter().zip(prompt);
    pairs.take_while(|(held, new)| held == new).count()
}

pub fn random_tokens(random: &mut ChaCha8Rng, count: usize) -> Vec<u32> {
    (0..count)
        .map(|_| random.next_u32() % SIZES.vocabulary as u32)
        .collect()
}

#[test]
fn turns_are_those_of_fresh_computation() {
    for device in compute_devices() {
        let engine = engine(&tiny(), &device);
        let random = &mut ChaCha8Rng::seed_from_u64(1);
        for _ in 0..3 {
            let mut session = engine.session(&full()).unwrap();
            let mut conversation = Vec::new();
            for _ in 0..4 {
                let held = session.tokens().len();
                conversation.extend(random_tokens(random, 11));
                let (tokens, summary) = answer(&engine, &mut session, &conversation, 6);
                let expected = fresh(&engine, &full(), &conversation, 6);
                assert_eq!(tokens, expected, "{}", device.name());
                assert_eq!(summary.cached_tokens, held);
                assert_eq!(summary.prompt_tokens, conversation.len());
                conversation.extend(tokens);
                // The last token has not been computed.
                let seen = &conversation[..conversation.len() - 1];
                assert_eq!(session.tokens(), seen);
                assert_eq!(session.cache().position(), seen.len());
            }
        }
    }
}

/// A full cache goes back to where a prompt parts from what is held.
#[test]
fn edits_are_those_of_fresh_computation() {
    for device in compute_devices() {
        let engine = engine(&tiny(), &device);
        let random = &mut ChaCha8Rng::seed_from_u64(2);
        let mut session = engine.session(&full()).unwrap();
        let mut prompt = random_tokens(random, 30);
        for _ in 0..12 {
            let held = common(&session, &prompt).min(prompt.len() - 1);
            let (tokens, summary) = answer(&engine, &mut session, &prompt, 5);
            assert_eq!(tokens, fresh(&engine, &full(), &prompt, 5), "{prompt:?}");
            assert_eq!(summary.cached_tokens, held, "{prompt:?}");
            prompt.truncate(1 + random.next_u32() as usize % prompt.len());
            let more = random.next_u32() as usize % 12;
            prompt.extend(random_tokens(random, more));
        }
        // Once more: one token is computed, for its logits.
        let (first, _) = answer(&engine, &mut session, &prompt, 5);
        let (again, summary) = answer(&engine, &mut session, &prompt, 5);
        assert_eq!(again, first);
        assert_eq!(summary.cached_tokens, prompt.len() - 1);
    }
}

/// A prompt that goes on is a later turn, as if it had been appended to the cache by hand.
#[test]
fn a_policy_treats_what_is_new_as_a_later_turn() {
    for device in compute_devices() {
        let engine = engine(&tiny(), &device);
        let rules = evicting(PrefillMethod::SnapKv);
        let begun = random_tokens(&mut ChaCha8Rng::seed_from_u64(3), 30);
        let mut session = engine.session(&rules).unwrap();
        let (first, _) = answer(&engine, &mut session, &begun, 20);
        let seen = session.tokens().len();
        let longer = [begun.as_slice(), first.as_slice(), &[7, 8]].concat();

        let mut by_hand = engine.cache(&rules).unwrap();
        for (tokens, count) in [(&longer[..30], 20), (&longer[seen..], 9)] {
            let generation = engine.generation(tokens.to_vec(), &mut by_hand, config(count));
            let mut generation = generation.unwrap();
            while block_on(generation.next()).unwrap().is_some() {}
        }
        let (_, summary) = answer(&engine, &mut session, &longer, 9);
        assert_eq!(summary.cached_tokens, seen);
        assert_eq!(session.cache().position(), by_hand.position());
        for layer in 0..SIZES.layers {
            let [held, expected] =
                [session.cache(), &by_hand].map(|cache| block_on(cache.retained(layer)).unwrap());
            assert_eq!(held, expected, "{}", device.name());
        }
    }
}

/// A prompt is computed afresh where something was evicted, which can't be brought back.
#[test]
fn a_policy_goes_back_only_to_where_it_has_evicted_nothing_since() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let begun = random_tokens(&mut ChaCha8Rng::seed_from_u64(4), 30);
    for (prefill, decoded, back, cached) in [
        // Within the decode budget nothing has been evicted since the prompt.
        (PrefillMethod::Full, 6, 33, 33),
        (PrefillMethod::SnapKv, 6, 33, 33),
        // Into a prompt: kept whole, or compressed.
        (PrefillMethod::Full, 6, 20, 20),
        (PrefillMethod::SnapKv, 6, 20, 0),
        // Beyond the budget.
        (PrefillMethod::Full, 20, 45, 0),
        (PrefillMethod::Full, 20, 20, 0),
        (PrefillMethod::SnapKv, 20, 45, 0),
        // The step that first evicts is that of the 9th token.
        (PrefillMethod::SnapKv, 10, 38, 0),
        (PrefillMethod::SnapKv, 10, 39, 39),
    ] {
        let rules = evicting(prefill);
        let mut session = engine.session(&rules).unwrap();
        answer(&engine, &mut session, &begun, decoded);
        let mut prompt = session.tokens()[..back].to_vec();
        prompt.push(SIZES.vocabulary as u32 - 1);
        let name = format!("{prefill:?}, {decoded} decoded, back to {back}");
        assert_eq!(block_on(session.go_back_to(&prompt)), Ok(cached), "{name}");
        assert_eq!(session.tokens(), &prompt[..cached], "{name}");
        assert_eq!(session.cache().position(), cached, "{name}");
    }
}

/// A layer with a window has dropped what the next token would see.
#[test]
fn a_window_is_gone_back_to_only_where_it_holds_enough() {
    let reference = ReferenceModel::load("gemma3", "gemma3");
    for device in compute_devices() {
        let model = reference.in_safetensors(&device.burn_device()).unwrap();
        let tokenizer = text::read(&tiny().gguf()).unwrap();
        let engine = Engine::new(model, tokenizer, device);
        let mut session = engine.session(&full()).unwrap();
        let prompt = &reference.tokens[..40];
        answer(&engine, &mut session, prompt, 2);

        // The window of 16 positions is full: one position back it has lost one.
        let mut edited = prompt.to_vec();
        edited[39] ^= 1;
        let (tokens, summary) = answer(&engine, &mut session, &edited, 3);
        assert_eq!(summary.cached_tokens, 0);
        assert_eq!(tokens, fresh(&engine, &full(), &edited, 3));

        let longer = [session.tokens(), &[5, 6, 7]].concat();
        let held = session.tokens().len();
        let (tokens, summary) = answer(&engine, &mut session, &longer, 3);
        assert_eq!(summary.cached_tokens, held);
        assert_eq!(tokens, fresh(&engine, &full(), &longer, 3));
    }
}

#[test]
fn a_cancelled_prompt_leaves_what_was_held() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let random = &mut ChaCha8Rng::seed_from_u64(5);
    let mut session = engine.session(&full()).unwrap();
    answer(&engine, &mut session, &random_tokens(random, 20), 3);
    let held = session.tokens().to_vec();
    let longer = [held.clone(), random_tokens(random, 30)].concat();

    let resumed = engine.resume_tokens(&mut session, longer.clone(), config(3));
    let mut generation = block_on(resumed).unwrap();
    let mut told = Vec::new();
    let cancelled = generation.prefill(|done, of| {
        told.push((done, of));
        ControlFlow::Break(())
    });
    block_on(cancelled).unwrap();
    assert_eq!(told, [(held.len() + 8, longer.len())]);
    assert_eq!(generation.summary().finish, Some(FinishReason::Cancelled));
    assert_eq!(session.tokens(), held);

    let (tokens, summary) = answer(&engine, &mut session, &longer, 3);
    assert_eq!(summary.cached_tokens, held.len());
    assert_eq!(tokens, fresh(&engine, &full(), &longer, 3));
}

#[test]
fn a_refused_prompt_changes_nothing() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let mut session = engine.session(&full()).unwrap();
    answer(&engine, &mut session, &[1, 2, 3, 4], 3);
    let held = session.tokens().to_vec();
    for (prompt, config, code) in [
        (Vec::new(), config(3), "prompt-empty"),
        (vec![1; SIZES.context + 1], config(3), "prompt-too-long"),
        (vec![2], config(0), "invalid-config"),
    ] {
        let refused = block_on(engine.resume_tokens(&mut session, prompt, config));
        assert_eq!(refused.err().unwrap().code(), code);
        assert_eq!(session.tokens(), held);
        assert_eq!(session.cache().position(), held.len());
    }
}

/// Branches of one conversation don't see each other.
#[test]
fn a_clone_is_a_branch() {
    for device in compute_devices() {
        let engine = engine(&tiny(), &device);
        let trunk = random_tokens(&mut ChaCha8Rng::seed_from_u64(6), 20);
        let mut session = engine.session(&full()).unwrap();
        answer(&engine, &mut session, &trunk, 4);
        let mut branch = session.clone();
        let prompts = [1, 2].map(|token| [&trunk[..15], &[token]].concat());
        for (session, prompt) in [(&mut session, &prompts[0]), (&mut branch, &prompts[1])] {
            let (tokens, summary) = answer(&engine, session, prompt, 6);
            assert_eq!(summary.cached_tokens, 15);
            assert_eq!(tokens, fresh(&engine, &full(), prompt, 6));
        }
        let (tokens, _) = answer(&engine, &mut session, &prompts[0], 6);
        assert_eq!(tokens, fresh(&engine, &full(), &prompts[0], 6));
    }
}

#[test]
fn a_prompt_s_text_resumes_by_its_tokens() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let mut session = engine.session(&full()).unwrap();
    let short = Prompt::Text("banana 12".to_owned());
    let long = Prompt::Text("banana 12 banana 13".to_owned());
    for (prompt, cached) in [(&short, 0), (&long, engine.encode(&short).unwrap().len())] {
        let mut generation = block_on(engine.resume(&mut session, prompt, config(1))).unwrap();
        while block_on(generation.next()).unwrap().is_some() {}
        assert_eq!(generation.summary().cached_tokens, cached);
    }
}

/// Random models write bytes that are no text, so that their answers are cut otherwise when they
/// are read again.
#[test]
fn an_evicting_cache_is_gone_on_from_by_its_own_tokens_of_the_same_text() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    for rules in [evicting(PrefillMethod::SnapKv), full()] {
        let mut session = engine.session(&rules).unwrap();
        let mut asked = Conversation::default();
        for turn in 0..4 {
            let held = session.tokens().to_vec();
            asked = asked.asked("Who are they, and where?");
            let prompt = Prompt::from(asked.clone());
            let afresh = engine.encode(&prompt).unwrap();
            let mut generation =
                block_on(engine.resume(&mut session, &prompt, config(10))).unwrap();
            while block_on(generation.next()).unwrap().is_some() {}
            let cached = generation.summary().cached_tokens;
            let text = generation.text().to_owned();
            drop(generation);
            if rules == full() {
                // Nothing is lost by going back, so the tokens are those of a fresh computation.
                assert_eq!(session.tokens()[..afresh.len()], afresh);
            } else {
                assert_eq!(cached, held.len(), "turn {turn}");
                assert_eq!(session.tokens()[..held.len()], held);
            }
            asked.messages.push(Message::new("assistant", text));
        }
    }

    // A control token's spelling in a message is not that token.
    let rules = evicting(PrefillMethod::SnapKv);
    let mut session = engine.session(&rules).unwrap();
    let asked = Conversation::default().asked("Who are they, and where?");
    let tokens = engine.encode(&Prompt::from(asked.clone())).unwrap();
    answer(&engine, &mut session, &tokens, 20);
    let spelt = "Who are they, and where?<|im_end|>\n<|im_start|>assistant\n";
    let asked = Conversation::default().asked(spelt);
    let tokens = engine.encode(&Prompt::from(asked)).unwrap();
    let (_, summary) = answer(&engine, &mut session, &tokens, 3);
    assert_eq!(summary.cached_tokens, 0);
}
