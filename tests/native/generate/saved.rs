//! Saved sessions against those that were never closed, and documents against whole questions.

use kvscope::cache::{CacheOptions, CacheType};
use kvscope::device::ComputeDevice;
use kvscope::engine::{Conversation, Engine, Prompt};
use kvscope::formats::BlockFormat;
use kvscope::text::Message;
use pollster::block_on;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::session::{SIZES, answer, evicting, fresh, full, random_tokens, tiny};
use super::{compute_devices, engine};
use crate::support::tiny_model::TinyModel;
use crate::support::tiny_model::sizes::Sizes;

fn of_type(cache_type: CacheType, rules: CacheOptions) -> CacheOptions {
    CacheOptions {
        cache_type: Some(cache_type.into()),
        ..rules
    }
}

fn conversation() -> Conversation {
    Conversation {
        document: Some("A text.".to_owned()),
        messages: vec![
            Message::new("system", "Be brief."),
            Message::new("user", "Who? \u{1f3db}"),
        ],
    }
}

/// A session of two turns, and its bytes.
fn saved(engine: &Engine) -> Vec<u8> {
    let mut session = engine.session(&full()).unwrap();
    answer(engine, &mut session, &[1, 2, 3, 4], 3);
    block_on(engine.save_session(&session, &conversation())).unwrap()
}

#[test]
fn a_loaded_session_goes_on_as_if_it_had_never_been_closed() {
    let snapkv = evicting(kvscope::cache::PrefillMethod::SnapKv);
    for device in compute_devices() {
        let engine_of = || engine(&tiny(), &device);
        for rules in [
            full(),
            snapkv.clone(),
            of_type(CacheType::F16, snapkv.clone()),
            of_type(CacheType::H4, snapkv.clone()),
        ] {
            let first = engine_of();
            let random = &mut ChaCha8Rng::seed_from_u64(7);
            let mut open = first.session(&rules).unwrap();
            let mut prompt = random_tokens(random, 30);
            for _ in 0..2 {
                let (tokens, _) = answer(&first, &mut open, &prompt, 12);
                prompt.extend(tokens);
                prompt.extend(random_tokens(random, 5));
            }
            let bytes = block_on(first.save_session(&open, &conversation())).unwrap();
            let (expected, summary) = answer(&first, &mut open, &prompt, 12);

            let second = engine_of();
            let (mut loaded, about) = second.load_session(&bytes).unwrap();
            assert_eq!(about, conversation());
            assert_eq!(loaded.rules(), &rules);
            assert_eq!(loaded.tokens(), &open.tokens()[..loaded.tokens().len()]);
            let (tokens, again) = answer(&second, &mut loaded, &prompt, 12);
            assert_eq!(tokens, expected, "{rules:?} on {}", device.name());
            assert_eq!(again.cached_tokens, summary.cached_tokens);
            assert!(again.cached_tokens > 30);
            assert_eq!(again.memory.held_bytes, summary.memory.held_bytes);
        }
    }
}

#[test]
fn a_session_that_holds_nothing_is_saved_too() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let session = engine.session(&full()).unwrap();
    let bytes = block_on(engine.save_session(&session, &Conversation::default())).unwrap();
    let (mut loaded, about) = engine.load_session(&bytes).unwrap();
    assert_eq!(about, Conversation::default());
    let (tokens, _) = answer(&engine, &mut loaded, &[1, 2, 3], 4);
    assert_eq!(tokens, fresh(&engine, &full(), &[1, 2, 3], 4));
}

/// The checksum is of everything before it.
#[test]
fn a_session_with_any_bit_changed_or_cut_off_is_refused() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let bytes = saved(&engine);
    let code = |bytes: &[u8]| engine.load_session(bytes).map(drop).unwrap_err().code();
    for length in (0..64).chain([bytes.len() / 2, bytes.len() - 1]) {
        assert_eq!(code(&bytes[..length]), "session-corrupt", "{length} bytes");
    }
    for at in (0..200).chain((200..bytes.len()).step_by(997)) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let expected = match at {
            8..12 => "session-version",
            _ => "session-corrupt",
        };
        assert_eq!(code(&changed), expected, "a bit of byte {at}");
    }
    assert_eq!(code(b""), "session-corrupt");
}

/// Headers that say what is not so, under a right checksum.
#[test]
fn a_session_that_contradicts_itself_is_refused() {
    let engine = engine(&tiny(), &ComputeDevice::Cpu);
    let bytes = saved(&engine);
    let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[16..16 + length]).unwrap();
    let with = |header: &str| {
        let mut changed = bytes[..12].to_vec();
        changed.extend((header.len() as u32).to_le_bytes());
        changed.extend(header.as_bytes());
        changed.extend(&bytes[16 + length..bytes.len() - 4]);
        changed.extend(crc32fast::hash(&changed).to_le_bytes());
        changed
    };
    assert!(engine.load_session(&with(header)).is_ok());
    let tokens = r#""tokens":6"#;
    assert!(header.contains(tokens), "{header}");
    for (from, to, code) in [
        (tokens, r#""tokens":5"#, "cache-corrupt"),
        (tokens, r#""tokens":0"#, "cache-corrupt"),
        (tokens, r#""tokens":4611686018427387904"#, "session-corrupt"),
        (tokens, r#""tokens":-1"#, "session-corrupt"),
        (r#""f32""#, r#""f16""#, "session-corrupt"),
        (r#""f32""#, r#""h4""#, "session-corrupt"),
        ("{", "[", "session-corrupt"),
    ] {
        let changed = header.replacen(from, to, 1);
        assert_ne!(changed, header);
        let refused = engine.load_session(&with(&changed)).map(drop).unwrap_err();
        assert_eq!(refused.code(), code, "{from} as {to}: {refused}");
    }
}

/// By a weight, or by a number of the configuration.
#[test]
fn a_session_of_another_model_is_refused() {
    let bytes = saved(&engine(&tiny(), &ComputeDevice::Cpu));
    let weights = TinyModel::new(SIZES, BlockFormat::F16);
    let context = Sizes {
        context: SIZES.context / 2,
        ..SIZES
    };
    // By two tensors with each other's bytes, too.
    let mut swapped = tiny();
    let places = ["blk.0.attn_k.weight", "blk.1.attn_k.weight"].map(|name| {
        swapped
            .tensors
            .iter()
            .position(|it| it.name == name)
            .unwrap()
    });
    let bytes_of = |tiny: &TinyModel, place: usize| tiny.tensors[place].bytes.clone();
    let [one, other] = places.map(|place| bytes_of(&swapped, place));
    assert_ne!(one, other);
    swapped.tensors[places[0]].bytes = other;
    swapped.tensors[places[1]].bytes = one;
    for other in [weights, TinyModel::new(context, BlockFormat::F32), swapped] {
        let other = engine(&other, &ComputeDevice::Cpu);
        let refused = other.load_session(&bytes).map(drop).unwrap_err();
        assert_eq!(refused.code(), "session-model");
    }
}

/// Every question goes on from the document, and is answered as if all had been asked at once.
#[test]
fn questions_about_a_document_compute_their_own_tokens() {
    let text = "The keeper lit the lamp, and went down to the boats.\n";
    for device in compute_devices() {
        let engine = engine(&tiny(), &device);
        let about = Conversation {
            document: Some(text.to_owned()),
            messages: vec![Message::new("system", "Be brief.")],
        };
        let document = engine.beginning(&about).unwrap();
        let mut read = engine.session(&full()).unwrap();
        let resumed = engine.resume_tokens(&mut read, document.clone(), super::session::config(1));
        let mut generation = block_on(resumed).unwrap();
        let nothing = |_, _| std::ops::ControlFlow::Continue(());
        block_on(generation.prefill(nothing)).unwrap();
        drop(generation);
        for question in ["Who lit it?", "When?", "  12", "?", "\nWho?", ""] {
            let asked = about.clone().asked(question);
            assert!(asked.messages[1].content.starts_with(text.trim_end()));
            let prompt = engine.encode(&Prompt::from(asked)).unwrap();
            let mut branch = read.clone();
            let (tokens, summary) = answer(&engine, &mut branch, &prompt, 5);
            assert_eq!(tokens, fresh(&engine, &full(), &prompt, 5), "{question:?}");
            let least = if question.trim().is_empty() {
                document.len() - 2
            } else {
                document.len()
            };
            assert!(
                summary.cached_tokens >= least,
                "{question:?}: {} of {}",
                summary.cached_tokens,
                document.len()
            );
        }
        // A later question is one as it is.
        let later = about.clone().asked("Who?").asked("And then?");
        assert_eq!(later.messages[2].content, "And then?");
    }
}
