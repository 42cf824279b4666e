//! No outside input makes the cache panic: configurations, tensors, calls in the wrong order.

use burn::tensor::{Device, Tensor};
use kvscope::cache::{
    Budget, CacheError, CacheType, DecodeStrategy, PrefillMethod, ScopeCache, ScopeCacheConfig,
};

use crate::support::devices;

fn small() -> ScopeCacheConfig {
    ScopeCacheConfig::new(2, 4, 2, 8)
        .with_prefill(PrefillMethod::SnapKv)
        .with_prefill_budget(Budget::Slots(12))
        .with_observation_window(4)
        .with_decode(DecodeStrategy::Adaptive)
        .with_decode_budget(Budget::Slots(6))
        .with_recent(2)
}

#[test]
fn invalid_fields_are_named_with_their_value() {
    let cases = [
        (ScopeCacheConfig::new(0, 4, 2, 8), "layers", "0"),
        (ScopeCacheConfig::new(1, 0, 1, 8), "query_heads", "0"),
        (ScopeCacheConfig::new(1, 4, 0, 8), "kv_heads", "0"),
        (ScopeCacheConfig::new(1, 4, 3, 8), "kv_heads", "3"),
        (ScopeCacheConfig::new(1, 2, 4, 8), "kv_heads", "4"),
        (ScopeCacheConfig::new(1, 4, 2, 0), "head_dim", "0"),
        (
            ScopeCacheConfig::new(usize::MAX, 4, 2, 8),
            "layers",
            "18446744073709551615",
        ),
        (
            small().with_observation_window(0),
            "observation_window",
            "0",
        ),
        (small().with_observation_window(12), "prefill_budget", "12"),
        (small().with_kernel(4), "kernel", "4"),
        (small().with_pyramid_beta(0), "pyramid_beta", "0"),
        (
            small().with_prefill_budget(Budget::Slots(0)),
            "prefill_budget",
            "0",
        ),
        (
            small().with_prefill_budget(Budget::OfPrompt(0.0)),
            "prefill_budget",
            "0",
        ),
        (
            small().with_prefill_budget(Budget::OfPrompt(f32::NAN)),
            "prefill_budget",
            "NaN",
        ),
        (
            small().with_prefill_budget(Budget::OfPrompt(1.5)),
            "prefill_budget",
            "1.5",
        ),
        (
            small().with_prefill_budget(Budget::OfExpected(0.5)),
            "prefill_budget",
            "0.5 of the expected new tokens",
        ),
        (
            small().with_decode_budget(Budget::Slots(2)),
            "decode_budget",
            "2",
        ),
        (
            small().with_decode_budget(Budget::OfExpected(-0.1)),
            "decode_budget",
            "-0.1",
        ),
        (small().with_max_new_tokens(0), "max_new_tokens", "0"),
        (small().with_block(0), "block", "0"),
        (small().with_decay(-0.5), "decay", "-0.5"),
        (small().with_decay(f32::NAN), "decay", "NaN"),
    ];
    for (config, field, value) in cases {
        let error = config.init(&Device::flex()).expect_err(field);
        assert_eq!((error.field, error.value.as_str()), (field, value));
        assert!(error.to_string().contains(&error.allowed));
    }
}

#[test]
fn heads_that_rounded_rows_do_not_have_are_named() {
    for device in [devices::flex(), devices::gpu()] {
        for cache_type in [CacheType::H8, CacheType::H4] {
            for head_dim in [8, 40, 288] {
                let config = ScopeCacheConfig::new(2, 4, 2, head_dim).with_cache_type(cache_type);
                let error = config.init(&device).expect_err("no such rows");
                assert_eq!(
                    (error.field, error.value.as_str()),
                    ("head_dim", &*head_dim.to_string())
                );
                assert!(error.to_string().contains(cache_type.name()), "{error}");
            }
        }
    }
}

#[test]
fn what_a_strategy_does_not_use_does_not_matter() {
    let recent = small().with_recent(100);
    assert!(recent.validate().is_err());
    for decode in [DecodeStrategy::Full, DecodeStrategy::Tova] {
        assert_eq!(recent.clone().with_decode(decode).validate(), Ok(()));
    }
    // A plain sliding window: nothing but recent positions.
    let window = small().with_decode_budget(Budget::Slots(2));
    assert_eq!(window.with_decode(DecodeStrategy::Slide).validate(), Ok(()));
}

#[test]
fn configurations_read_and_write_the_papers_names() {
    let config = small().with_prefill_budget(Budget::OfPrompt(0.25));
    let text = serde_json::to_string(&config).expect("serialisable");
    assert_eq!(
        serde_json::from_str::<ScopeCacheConfig>(&text).expect("its own text"),
        config
    );

    let text = r#"{"layers":2,"query_heads":4,"kv_heads":2,"head_dim":8,"prefill":"pyramidkv","decode":"discontinuous",
        "prefill_budget":{"of_prompt":0.25},"pooling":"avgpool","cache_type":"f32"}"#;
    let read: ScopeCacheConfig = serde_json::from_str(text).expect("known names");
    assert_eq!(read.prefill, PrefillMethod::PyramidKv);
    assert_eq!(read.decode, DecodeStrategy::Discontinuous);
    assert_eq!(read.prefill_budget, Budget::OfPrompt(0.25));
    assert_eq!(
        read.decode_budget,
        ScopeCacheConfig::new(1, 1, 1, 1).decode_budget
    );

    let names = |all: &[&str], text: &str| all.iter().all(|name| text.contains(name));
    let unknown = serde_json::from_str::<ScopeCacheConfig>(&text.replace("pyramidkv", "pyramid"));
    let message = unknown.expect_err("no such method").to_string();
    assert!(names(
        &[
            "full",
            "streamingllm",
            "h2o",
            "snapkv",
            "pyramidkv",
            "pyramidinfer"
        ],
        &message
    ));
    assert!(serde_json::from_str::<ScopeCacheConfig>(&text.replace("pooling", "polling")).is_err());
}

#[test]
fn fractions_become_slots_when_the_prompt_is_known() {
    let config = ScopeCacheConfig::new(1, 1, 1, 4)
        .with_prefill(PrefillMethod::StreamingLlm)
        .with_prefill_budget(Budget::OfPrompt(0.25))
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::OfExpected(0.5))
        .with_recent(2)
        .with_max_new_tokens(20);
    let mut cache = config.init(&Device::flex()).expect("valid");
    let zeros = || Tensor::<3>::zeros([1, 83, 4], &Device::flex());
    cache
        .append(0, zeros(), zeros(), zeros())
        .expect("a prompt");
    cache.finish_prefill(0).expect("an open prompt");
    assert_eq!(
        cache.held(0).expect("a layer")[0].held,
        20,
        "a quarter of 83, rounded down"
    );
    for _ in 0..20 {
        let zeros = || Tensor::<2>::zeros([1, 4], &Device::flex());
        cache.step(0, zeros(), zeros(), zeros()).expect("a token");
    }
    assert_eq!(
        cache.held(0).expect("a layer")[0].decode(),
        10,
        "half of 20"
    );
    // The second prompt's quarter is of everything seen, not of what is held.
    let zeros = || Tensor::<3>::zeros([1, 41, 4], &Device::flex());
    cache
        .append(0, zeros(), zeros(), zeros())
        .expect("a prompt");
    cache.finish_prefill(0).expect("an open prompt");
    assert_eq!(cache.held(0).expect("a layer")[0].held, (83 + 20 + 41) / 4);
}

fn fed() -> ScopeCache {
    let mut cache = small().init(&Device::flex()).expect("valid");
    let any = |heads| Tensor::<3>::ones([heads, 20, 8], &Device::flex());
    for layer in 0..2 {
        cache
            .append(layer, any(4), any(2), any(2))
            .expect("a prompt");
        cache.finish_prefill(layer).expect("an open prompt");
    }
    cache
}

#[test]
fn tensors_that_do_not_fit_change_nothing() {
    let mut cache = fed();
    let before = (cache.memory(), cache.position());
    let prompt = |heads, count, dim| Tensor::<3>::zeros([heads, count, dim], &Device::flex());
    let token = |heads, dim| Tensor::<2>::zeros([heads, dim], &Device::flex());
    let codes = [
        cache
            .append(0, prompt(4, 0, 8), prompt(2, 0, 8), prompt(2, 0, 8))
            .map(drop),
        cache
            .append(0, prompt(3, 5, 8), prompt(2, 5, 8), prompt(2, 5, 8))
            .map(drop),
        cache
            .append(0, prompt(4, 5, 8), prompt(2, 6, 8), prompt(2, 5, 8))
            .map(drop),
        cache
            .append(0, prompt(4, 5, 8), prompt(2, 5, 8), prompt(2, 5, 9))
            .map(drop),
        cache
            .step(0, token(2, 8), token(2, 8), token(2, 8))
            .map(drop),
        cache
            .step(0, token(4, 8), token(2, 7), token(2, 8))
            .map(drop),
        cache
            .step(0, token(4, 8), token(2, 8), token(1, 8))
            .map(drop),
    ];
    for result in codes {
        assert_eq!(
            result.expect_err("a tensor that does not fit").code(),
            "cache-shape"
        );
    }
    assert_eq!((cache.memory(), cache.position()), before);
}

#[test]
fn tensors_of_another_device_are_refused() {
    let mut cache = fed();
    let token = |heads, device: &Device| Tensor::<2>::zeros([heads, 8], device);
    let (here, there) = (Device::flex(), devices::gpu());
    let error = cache.step(0, token(4, &here), token(2, &there), token(2, &here));
    assert_eq!(error.expect_err("two devices").code(), "cache-device");
}

#[test]
fn calls_in_the_wrong_order_are_refused() {
    let token = |heads| Tensor::<2>::ones([heads, 8], &Device::flex());
    let prompt = |heads| Tensor::<3>::ones([heads, 3, 8], &Device::flex());
    let mut cache = small().init(&Device::flex()).expect("valid");
    let step = cache.step(0, token(4), token(2), token(2));
    assert_eq!(
        step.expect_err("no prompt"),
        CacheError::NoPrompt { layer: 0 }
    );
    assert_eq!(
        cache.finish_prefill(1),
        Err(CacheError::NoPrompt { layer: 1 })
    );
    assert_eq!(
        cache.finish_prefill(2),
        Err(CacheError::Layer {
            layer: 2,
            layers: 2
        })
    );
    cache
        .append(0, prompt(4), prompt(2), prompt(2))
        .expect("a prompt");
    let step = cache.step(0, token(4), token(2), token(2));
    assert_eq!(
        step.expect_err("a prompt is open"),
        CacheError::PrefillOpen { layer: 0 }
    );
    let saved = pollster::block_on(cache.save());
    assert_eq!(
        saved.expect_err("a prompt is open"),
        CacheError::PrefillOpen { layer: 0 }
    );
}

#[test]
fn values_that_are_no_numbers_do_not_upset_the_counts() {
    let mut cache = fed();
    for step in 0..30 {
        let value = if step % 3 == 0 {
            f32::NAN
        } else {
            f32::INFINITY
        };
        for layer in 0..2 {
            let token = |heads| Tensor::<2>::full([heads, 8], value, &Device::flex());
            cache
                .step(layer, token(4), token(2), token(2))
                .expect("a token");
            let retained = pollster::block_on(cache.retained(layer)).expect("readable");
            for (held, retained) in cache.held(layer).expect("a layer").iter().zip(retained) {
                assert_eq!(held.held, retained.positions.len(), "step {step}");
            }
        }
    }
}
