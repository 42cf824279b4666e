//! The loop over a scripted model: its ends, its reports, and the state after an end.

use std::ops::ControlFlow;

use kvscope::Error;
use kvscope::cache::{Budget, DecodeStrategy, ScopeCache};
use kvscope::device::ComputeDevice;
use kvscope::generate::{
    Cancel, FinishReason, GenerateConfig, GenerateError, Generation, SamplingConfig, Step,
};
use pollster::block_on;

use crate::support::toy_models::{Scripted, Table, failure, small_cache, small_config};

/// Token 7 ends a turn; 5 and 6 are the halves of an é.
const TABLE: [&[u8]; 8] = [b"a", b"b", b"c", b" ", b"stop", b"\xc3", b"\xa9", b"<end>"];
const END_OF_TURN: [u32; 1] = [7];

fn generation<'a>(
    model: &'a Scripted,
    cache: &'a mut ScopeCache,
    prompt: usize,
    config: GenerateConfig,
) -> Result<Generation<'a, Scripted, Table>, Error> {
    let prompt = vec![0; prompt];
    Generation::new(
        model,
        &ComputeDevice::Cpu,
        Table::new(&TABLE),
        &END_OF_TURN,
        cache,
        prompt,
        config,
    )
}

fn steps(generation: &mut Generation<'_, Scripted, Table>) -> Vec<Step> {
    std::iter::from_fn(|| block_on(generation.next()).unwrap()).collect()
}

fn texts(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.text.as_str()).collect()
}

fn config() -> GenerateConfig {
    GenerateConfig::default().with_prefill_chunk(4)
}

#[test]
fn it_ends_after_the_tokens_that_were_asked_for() {
    let model = Scripted::new(&[0, 1, 2]);
    let mut cache = small_cache();
    let mut generation =
        generation(&model, &mut cache, 10, config().with_max_new_tokens(5)).unwrap();
    let steps = steps(&mut generation);

    assert_eq!(texts(&steps), ["a", "b", "c", "a", "b"]);
    assert_eq!(generation.text(), "abcab");
    assert_eq!(generation.tokens(), [0, 1, 2, 0, 1]);
    assert_eq!(*model.pieces.borrow(), [4, 4, 2]);
    assert_eq!(*model.stepped.borrow(), [0, 1, 2, 0]);
    for (index, step) in steps.iter().enumerate() {
        assert_eq!((step.index, step.position), (index, 10 + index));
        assert_eq!((step.slots.prefill, step.slots.decode), (10, index));
        // Two layers of one head each.
        assert_eq!(step.slots.held, 2 * (10 + index));
        assert!(!step.past_context);
        assert!(step.memory.held_bytes > 0);
    }
    // The softmax of a 5 and seven 0s.
    let likely = 5_f32.exp() / (5_f32.exp() + 7.0);
    assert!((steps[0].probability - likely).abs() < 1e-6);

    let summary = generation.summary();
    assert_eq!((summary.prompt_tokens, summary.new_tokens), (10, 5));
    assert_eq!(summary.finish, Some(FinishReason::Length));
    assert_eq!(summary.memory, steps[4].memory);
    assert_eq!(block_on(generation.next()).unwrap(), None);
    assert_eq!(generation.rest(), "");
    assert_eq!(cache.position(), 14);
    assert_eq!(cache.config().max_new_tokens, 5);
}

#[test]
fn a_token_that_ends_a_turn_ends_it_and_is_not_in_the_text() {
    let model = Scripted::new(&[0, 1, 7, 2]);
    let mut cache = small_cache();
    let mut first = generation(&model, &mut cache, 3, config()).unwrap();
    let reported = steps(&mut first);
    assert_eq!(texts(&reported), ["a", "b", ""]);
    assert_eq!(first.tokens(), [0, 1, 7]);
    assert_eq!(first.summary().finish, Some(FinishReason::StopToken));

    let model = Scripted::new(&[0, 1, 7, 2]);
    let mut cache = small_cache();
    let past = config().with_ignore_eos(true).with_max_new_tokens(4);
    let mut second = generation(&model, &mut cache, 3, past).unwrap();
    assert_eq!(texts(&steps(&mut second)), ["a", "b", "<end>", "c"]);

    let model = Scripted::new(&[0, 1, 7, 2]);
    let mut cache = small_cache();
    let own = config().with_ignore_eos(true).with_stop_tokens(vec![1]);
    let mut third = generation(&model, &mut cache, 3, own).unwrap();
    assert_eq!(texts(&steps(&mut third)), ["a", ""]);
}

#[test]
fn a_stop_string_ends_it_and_is_not_in_the_text() {
    let model = Scripted::new(&[0, 3, 4, 0]);
    let mut cache = small_cache();
    let stop = config().with_stop(vec![" st".to_owned(), "xyz".to_owned()]);
    let mut generation = generation(&model, &mut cache, 3, stop).unwrap();
    assert_eq!(texts(&steps(&mut generation)), ["a", "", ""]);
    assert_eq!(generation.text(), "a");
    assert_eq!(generation.tokens(), [0, 3, 4]);
    assert_eq!(generation.summary().finish, Some(FinishReason::StopString));
    assert_eq!(generation.rest(), "");
}

#[test]
fn what_was_held_back_comes_with_the_last_step() {
    // A space could begin the stop string, half an é is no character.
    for (script, expected) in [
        (vec![0, 3, 7], ["a", "", " "]),
        (vec![0, 3, 1], ["a", "", " b"]),
        (vec![0, 3, 3], ["a", "", "  "]),
        (vec![0, 3, 5], ["a", "", " \u{fffd}"]),
        (vec![0, 5, 6], ["a", "", "é"]),
        (vec![0, 5, 7], ["a", "", "\u{fffd}"]),
    ] {
        let model = Scripted::new(&script);
        let mut cache = small_cache();
        let stop = config()
            .with_stop(vec![" st".to_owned()])
            .with_max_new_tokens(3);
        let mut generation = generation(&model, &mut cache, 3, stop).unwrap();
        let steps = steps(&mut generation);
        assert_eq!(texts(&steps), expected);
        assert_eq!(generation.text(), expected.concat());
    }
}

#[test]
fn a_cancelled_generation_keeps_what_it_has() {
    let model = Scripted::new(&[0, 3, 1]);
    let mut cache = small_cache();
    let cancel = Cancel::new();
    let stop = config().with_stop(vec![" st".to_owned()]);
    let mut generation = generation(&model, &mut cache, 3, stop)
        .unwrap()
        .with_cancel(cancel.clone());
    block_on(generation.next()).unwrap();
    let second = block_on(generation.next()).unwrap().unwrap();
    assert_eq!(second.text, "");
    cancel.cancel();
    assert_eq!(block_on(generation.next()).unwrap(), None);
    assert_eq!(generation.summary().finish, Some(FinishReason::Cancelled));
    assert_eq!(generation.text(), "a");
    assert_eq!(generation.rest(), " ");
    assert_eq!(generation.text(), "a ");
    assert_eq!(generation.tokens(), [0, 3]);
    assert_eq!(cache.position(), 4);
}

#[test]
fn a_cancelled_prompt_leaves_the_cache_with_what_it_held() {
    let model = Scripted::new(&[0]);
    let mut cache = small_cache();
    let mut first = generation(&model, &mut cache, 5, config().with_max_new_tokens(2)).unwrap();
    steps(&mut first);
    let held = |cache: &ScopeCache| {
        [0, 1].map(|layer| {
            block_on(cache.retained(layer)).unwrap()[0]
                .positions
                .clone()
        })
    };
    let before = (cache.position(), held(&cache));

    let asked = Cancel::new();
    asked.cancel();
    let mut refused = generation(&model, &mut cache, 20, config())
        .unwrap()
        .with_cancel(asked);
    assert_eq!(block_on(refused.next()).unwrap(), None);
    assert_eq!(refused.summary().finish, Some(FinishReason::Cancelled));

    let mut told = Vec::new();
    let mut broken = generation(&model, &mut cache, 20, config()).unwrap();
    block_on(broken.prefill(|done, total| {
        told.push((done, total));
        if done < 8 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }))
    .unwrap();
    assert_eq!(block_on(broken.next()).unwrap(), None);
    let summary = broken.summary();
    assert_eq!(summary.finish, Some(FinishReason::Cancelled));
    assert_eq!(
        (summary.new_tokens, summary.prefill_tokens_per_second),
        (0, 0.0)
    );
    assert_eq!(told, [(4, 20), (8, 20)]);
    assert_eq!((cache.position(), held(&cache)), before);
}

#[test]
fn after_an_error_everything_up_to_it_is_there() {
    let model = Scripted::new(&[0, 1, 2]);
    // In the first layer the token is in the cache then, in the second it is not.
    model.fails.set(Some((2, 1)));
    let mut cache = small_cache();
    let mut generation = generation(&model, &mut cache, 3, config()).unwrap();
    block_on(generation.next()).unwrap();
    block_on(generation.next()).unwrap();
    assert_eq!(block_on(generation.next()).unwrap_err(), failure());
    assert_eq!(block_on(generation.next()).unwrap(), None);
    assert_eq!(generation.text(), "ab");
    assert_eq!(generation.tokens(), [0, 1]);
    assert_eq!(generation.summary().finish, None);
    for layer in 0..2 {
        assert_eq!(cache.held(layer).unwrap()[0].held, 4);
    }
}

#[test]
fn logits_that_are_not_numbers_are_an_error() {
    let mut model = Scripted::new(&[0]);
    model.likely = f32::NAN;
    let mut cache = small_cache();
    let mut generation = generation(&model, &mut cache, 3, config()).unwrap();
    let error = block_on(generation.next()).unwrap_err();
    assert_eq!(error.code(), "logits-invalid");
    assert_eq!(block_on(generation.next()).unwrap(), None);
    assert_eq!(generation.summary().new_tokens, 0);
}

#[test]
fn prompts_that_can_not_be_are_refused() {
    let mut model = Scripted::new(&[0]);
    model.context = 12;
    let mut cache = small_cache();
    let error = generation(&model, &mut cache, 0, config()).err().unwrap();
    assert_eq!(error, GenerateError::EmptyPrompt.into());
    let error = generation(&model, &mut cache, 13, config()).err().unwrap();
    assert_eq!(error.code(), "prompt-too-long");
    let message = error.to_string();
    assert!(
        message.contains("13") && message.contains("12"),
        "{message}"
    );
    assert!(generation(&model, &mut cache, 12, config()).is_ok());
}

#[test]
fn under_a_bounded_cache_it_goes_on_past_the_context() {
    let mut model = Scripted::new(&[0]);
    model.context = 12;
    let mut cache = small_config()
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(3))
        .with_recent(2)
        .init(&burn::tensor::Device::flex())
        .unwrap();
    let mut generation =
        generation(&model, &mut cache, 10, config().with_max_new_tokens(30)).unwrap();
    let steps = steps(&mut generation);
    assert_eq!(steps.len(), 30);
    for step in &steps {
        assert_eq!(step.past_context, step.position >= 12);
        assert!(step.slots.decode <= 3);
    }
    let summary = generation.summary();
    assert!(summary.past_context);
    assert_eq!(summary.finish, Some(FinishReason::Length));
    assert_eq!(cache.position(), 39);
}

#[test]
fn a_wrong_field_is_named() {
    let model = Scripted::new(&[0]);
    for (config, named) in [
        (config().with_max_new_tokens(0), "max_new_tokens is 0"),
        (config().with_prefill_chunk(0), "prefill_chunk is 0"),
        (config().with_prefill_chunk(4097), "prefill_chunk is 4097"),
        (
            config().with_stop(vec![String::new()]),
            "stop is a string of 0 bytes",
        ),
        (
            config().with_stop_tokens(vec![0; 1025]),
            "stop_tokens is 1025 tokens",
        ),
        (
            config().with_sampling(SamplingConfig::default().with_top_p(2.0)),
            "top_p is 2",
        ),
    ] {
        let mut cache = small_cache();
        let error = generation(&model, &mut cache, 1, config).err().unwrap();
        assert_eq!(error.code(), "invalid-config");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn steps_and_summaries_have_javascripts_names() {
    let model = Scripted::new(&[0, 7]);
    let mut cache = small_cache();
    let mut generation = generation(&model, &mut cache, 3, config()).unwrap();
    let steps = steps(&mut generation);
    let step = serde_json::to_value(&steps[0]).unwrap();
    assert_eq!(step["text"], "a");
    assert_eq!(step["pastContext"], false);
    assert_eq!(step["slots"]["prefill"], 3);
    assert!(step["memory"]["heldBytes"].is_u64() && step["elapsedMs"].is_f64());
    let summary = serde_json::to_value(generation.summary()).unwrap();
    assert_eq!(summary["finish"], "stop-token");
    assert_eq!(summary["promptTokens"], 3);
}
