//! Sampling against a plain implementation that sorts everything, known answers, and the
//! distribution itself.

use kvscope::generate::{GenerateConfig, GenerateError, LogitBias, Sampler, SamplingConfig};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The steps of transformers, and then the token at which the cumulative probability passes `u`.
/// The history from `answer` on is no prompt.
fn plain(
    logits: &[f32],
    config: &SamplingConfig,
    bias: &[LogitBias],
    history: &[u32],
    answer: usize,
    u: f64,
) -> u32 {
    let mut logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    let first = match config.repetition_window {
        0 => 0,
        window => history.len().saturating_sub(window),
    };
    for (token, logit) in logits.iter_mut().enumerate() {
        let is_token = |it: &u32| *it == token as u32;
        let own = bias.iter().filter(|it| is_token(&it.token));
        *logit += own.map(|it| f64::from(it.bias)).sum::<f64>();
        if history[first..].contains(&(token as u32)) {
            let penalty = f64::from(config.repetition_penalty);
            *logit = if *logit > 0.0 {
                *logit / penalty
            } else {
                *logit * penalty
            };
        }
        let count = history[answer..].iter().filter(|it| is_token(it)).count();
        if count > 0 {
            *logit -= f64::from(config.frequency_penalty) * count as f64;
            *logit -= f64::from(config.presence_penalty);
        }
    }
    let mut ranked: Vec<usize> = (0..logits.len())
        .filter(|token| logits[*token].is_finite())
        .collect();
    ranked.sort_by(|a, b| logits[*b].partial_cmp(&logits[*a]).unwrap());
    if config.temperature == 0.0 {
        return ranked[0] as u32;
    }
    if config.top_k > 0 {
        ranked.truncate(config.top_k);
    }
    let softmax = |tokens: &[usize]| -> Vec<f64> {
        let temperature = f64::from(config.temperature);
        let weight = |token: &usize| ((logits[*token] - logits[tokens[0]]) / temperature).exp();
        let weights: Vec<f64> = tokens.iter().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    if config.top_p < 1.0 {
        let mut sum = 0.0;
        let mut before = softmax(&ranked).into_iter().map(|p| {
            sum += p;
            sum - p
        });
        ranked.retain(|_| before.next().unwrap() < f64::from(config.top_p));
    }
    let p = softmax(&ranked);
    let least = f64::from(config.min_p) * p[0];
    let mut likely = p.into_iter().map(|p| p >= least);
    ranked.retain(|_| likely.next().unwrap());

    let mut left: Vec<(usize, f64)> = ranked.iter().copied().zip(softmax(&ranked)).collect();
    left.sort_by_key(|(token, _)| *token);
    let mut sum = 0.0;
    let passed = left.iter().find(|(_, p)| {
        sum += p;
        sum > u
    });
    passed.or(left.last()).unwrap().0 as u32
}

/// The sampler's random numbers, by the documented way from the seed.
fn random_numbers(seed: u64) -> impl Iterator<Item = f64> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    std::iter::repeat_with(move || (random.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0)
}

fn any_config() -> impl Strategy<Value = SamplingConfig> {
    // Eighths, of which sums are exact.
    let eighths = || (-16..=16_i8).prop_map(|it| f32::from(it) / 8.0);
    let penalties = prop_oneof![Just((0.0, 0.0)), (eighths(), eighths())];
    (
        prop_oneof![Just(0.0_f32), 0.05..3.0_f32],
        prop_oneof![Just(0), 1..40_usize],
        prop_oneof![Just(1.0_f32), 0.01..1.0_f32],
        prop_oneof![Just(0.0_f32), 0.0..1.0_f32],
        prop_oneof![Just(1.0_f32), 0.5..2.0_f32],
        0..20_usize,
        penalties,
        any::<u64>(),
    )
        .prop_map(
            |(temperature, top_k, top_p, min_p, penalty, window, (frequency, presence), seed)| {
                SamplingConfig::default()
                    .with_temperature(temperature)
                    .with_top_k(top_k)
                    .with_top_p(top_p)
                    .with_min_p(min_p)
                    .with_repetition_penalty(penalty)
                    .with_repetition_window(window)
                    .with_frequency_penalty(frequency)
                    .with_presence_penalty(presence)
                    .with_seed(seed)
            },
        )
}

/// Logits with many equal ones, signed zeros and some that forbid their token.
fn any_logits() -> impl Strategy<Value = Vec<f32>> {
    let logit = prop_oneof![
        9 => (-20..=20_i8).prop_map(|quarters| f32::from(quarters) / 4.0),
        1 => Just(-0.0_f32),
        1 => Just(f32::NEG_INFINITY),
    ];
    prop::collection::vec(logit, 1..600).prop_map(|mut logits| {
        logits[0] = logits[0].max(-5.0);
        logits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_chooses_as_the_plain_implementation_does(
        config in any_config(),
        logits in any_logits(),
        history in prop::collection::vec(0..700_u32, 0..40),
        bias in prop::collection::vec((0..700_u32, -400..=400_i16), 0..5),
        part in 0..=40_usize,
        likeliest in 0..30_usize,
    ) {
        let quarters = |(token, bias)| LogitBias { token, bias: f32::from(bias) / 4.0 };
        let bias: Vec<_> = bias.into_iter().map(quarters).collect();
        let answer = part.min(history.len());
        let mut sampler = Sampler::new(config.clone())
            .unwrap()
            .with_bias(bias.clone())
            .after_prompt(answer)
            .with_likeliest(likeliest);
        for u in random_numbers(config.seed).take(8) {
            let sampled = sampler.sample(&logits, &history).unwrap();
            let expected = plain(&logits, &config, &bias, &history, answer, u);
            prop_assert_eq!(sampled.token, expected);
            let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
            let expected = f64::from(logits[sampled.token as usize]).exp() / sum;
            prop_assert!((f64::from(sampled.probability) - expected).abs() < 1e-6);
            prop_assert!((f64::from(sampled.logprob) - expected.ln()).abs() < 1e-4);
            let mut ranked: Vec<u32> = (0..logits.len() as u32).collect();
            ranked.retain(|token| logits[*token as usize].is_finite());
            ranked.sort_by(|a, b| logits[*b as usize].partial_cmp(&logits[*a as usize]).unwrap());
            ranked.truncate(likeliest);
            let found = sampled.likeliest;
            prop_assert_eq!(found.iter().map(|it| it.token).collect::<Vec<_>>(), ranked);
            for it in found {
                let expected = f64::from(logits[it.token as usize]) - sum.ln();
                prop_assert!((f64::from(it.logprob) - expected).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn no_logits_make_it_panic(
        config in any_config(),
        logits in prop::collection::vec(any::<f32>(), 0..50),
        history in prop::collection::vec(any::<u32>(), 0..10),
    ) {
        let unusable = logits.iter().any(|logit| logit.is_nan() || *logit == f32::INFINITY)
            || logits.iter().all(|logit| *logit == f32::NEG_INFINITY);
        match Sampler::new(config).unwrap().sample(&logits, &history) {
            Ok(sampled) => {
                prop_assert!(!unusable);
                prop_assert!(logits[sampled.token as usize].is_finite());
                prop_assert!((0.0..=1.0).contains(&sampled.probability));
            }
            Err(error) => {
                prop_assert!(unusable, "{}", error);
                prop_assert_eq!(error.code(), "logits-invalid");
            }
        }
    }
}

/// More tokens in the nucleus than are ranked at first, and more than are ranked then.
#[test]
fn a_wide_nucleus_is_the_plain_one() {
    let logits: Vec<f32> = (0..20_000_u64)
        .map(|token| (token * 7919 % 20_000) as f32 / 20_000.0)
        .collect();
    for (top_p, temperature) in [(0.02, 1.0), (0.3, 0.5), (0.9, 2.0), (0.999, 1.0)] {
        let config = SamplingConfig::default()
            .with_temperature(temperature)
            .with_top_p(top_p)
            .with_seed(3);
        let mut sampler = Sampler::new(config.clone()).unwrap();
        for u in random_numbers(3).take(4) {
            let sampled = sampler.sample(&logits, &[]).unwrap();
            assert_eq!(sampled.token, plain(&logits, &config, &[], &[], 0, u));
        }
    }
}

/// The tokens were computed by a ChaCha8 in Python, from RFC 8439's description, with 8 rounds. The
/// seed is the first eight bytes of an otherwise empty key. Of each 64 bits, 53 count.
#[test]
fn draws_are_the_known_ones() {
    let known: [(u64, [u32; 12]); 2] = [
        (0, [214, 161, 59, 30, 65, 25, 1, 66, 81, 173, 170, 107]),
        (42, [89, 73, 126, 94, 211, 17, 125, 68, 119, 204, 152, 211]),
    ];
    for (seed, expected) in known {
        let config = SamplingConfig::default()
            .with_temperature(1.0)
            .with_seed(seed);
        let mut sampler = Sampler::new(config).unwrap();
        let tokens = expected.map(|_| sampler.sample(&[0.5; 256], &[]).unwrap().token);
        assert_eq!(tokens, expected);
    }
}

/// Chi-squared over many draws: with 5 degrees of freedom it is above 30 once in 70,000 seeds.
#[test]
fn tokens_come_as_often_as_is_likely() {
    const DRAWS: usize = 50_000;
    let logits = [1.0_f32, -1.0, 0.5, 2.0, 0.0, -0.5];
    for temperature in [0.7_f32, 1.0, 1.8] {
        let config = SamplingConfig::default()
            .with_temperature(temperature)
            .with_seed(11);
        let mut sampler = Sampler::new(config).unwrap();
        let mut counts = [0_usize; 6];
        for _ in 0..DRAWS {
            counts[sampler.sample(&logits, &[]).unwrap().token as usize] += 1;
        }
        let weights = logits.map(|logit| f64::from(logit / temperature).exp());
        let sum: f64 = weights.iter().sum();
        let chi_squared: f64 = counts
            .iter()
            .zip(weights)
            .map(|(count, weight)| {
                let expected = DRAWS as f64 * weight / sum;
                (*count as f64 - expected).powi(2) / expected
            })
            .sum();
        assert!(
            chi_squared < 30.0,
            "chi-squared is {chi_squared} for {counts:?}"
        );
    }
}

#[test]
fn greedy_takes_the_first_of_the_largest_after_the_penalty() {
    let greedy = SamplingConfig::default();
    let mut sampler = Sampler::new(greedy.clone()).unwrap();
    assert_eq!(
        sampler.sample(&[1.0, 3.0, 3.0], &[1, 1, 1]).unwrap().token,
        1
    );

    let mut penalised = Sampler::new(greedy.clone().with_repetition_penalty(1.5)).unwrap();
    assert_eq!(penalised.sample(&[1.0, 3.0, 3.0], &[1]).unwrap().token, 2);
    assert_eq!(penalised.sample(&[-1.0, -1.2], &[0]).unwrap().token, 1);

    let window = greedy
        .with_repetition_penalty(1.5)
        .with_repetition_window(2);
    let mut forgetful = Sampler::new(window).unwrap();
    assert_eq!(
        forgetful
            .sample(&[1.0, 3.0, 2.5], &[1, 0, 0])
            .unwrap()
            .token,
        1
    );
    assert_eq!(
        forgetful
            .sample(&[1.0, 3.0, 2.5], &[0, 1, 0])
            .unwrap()
            .token,
        2
    );
}

#[test]
fn a_wrong_field_is_named() {
    let default = SamplingConfig::default;
    for (config, name, found) in [
        (default().with_temperature(-1.0), "temperature", "-1"),
        (default().with_temperature(f32::NAN), "temperature", "NaN"),
        (default().with_top_p(0.0), "top_p", "0"),
        (default().with_top_p(1.5), "top_p", "1.5"),
        (default().with_min_p(-0.1), "min_p", "-0.1"),
        (
            default().with_repetition_penalty(0.0),
            "repetition_penalty",
            "0",
        ),
        (
            default().with_repetition_penalty(f32::INFINITY),
            "repetition_penalty",
            "inf",
        ),
    ] {
        let error = Sampler::new(config).unwrap_err();
        assert_eq!(error.code(), "invalid-config");
        let GenerateError::Config { field, value, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!((field, value.as_str()), (name, found));
    }
}

#[test]
fn a_configuration_may_leave_fields_out_but_not_invent_any() {
    let some: SamplingConfig = serde_json::from_str(r#"{"topK": 40, "minP": 0.05}"#).unwrap();
    assert_eq!(
        some,
        SamplingConfig::default().with_top_k(40).with_min_p(0.05)
    );
    assert!(serde_json::from_str::<SamplingConfig>(r#"{"topk": 40}"#).is_err());
}

/// The penalties of frequency and presence see the answer alone, that of repetition the prompt too.
#[test]
fn the_prompt_is_passed_over_by_the_penalties_of_the_answer() {
    let chosen = |config: SamplingConfig, history: &[u32]| {
        let sampler = Sampler::new(config).unwrap().after_prompt(2);
        sampler
            .clone()
            .sample(&[1.0, 3.0, 2.5], history)
            .unwrap()
            .token
    };
    let presence = SamplingConfig::default().with_presence_penalty(1.0);
    assert_eq!(chosen(presence.clone(), &[1, 1]), 1);
    assert_eq!(chosen(presence.clone(), &[1, 1, 1]), 2);
    assert_eq!(chosen(presence, &[1, 1, 1, 2]), 1);
    // 3 − 2·0.5 against 2.5, then 2.5 − 0.5.
    let frequency = SamplingConfig::default().with_frequency_penalty(0.5);
    assert_eq!(chosen(frequency.clone(), &[0, 0, 1]), 1);
    assert_eq!(chosen(frequency.clone(), &[0, 0, 1, 1]), 2);
    assert_eq!(chosen(frequency, &[0, 0, 1, 1, 2]), 1);
}

#[test]
fn wrong_biases_and_too_many_logprobs_are_named() {
    let bias = |bias| vec![LogitBias { token: 7, bias }];
    for (config, field) in [
        (
            GenerateConfig::default().with_logit_bias(bias(100.5)),
            "logit_bias",
        ),
        (
            GenerateConfig::default().with_logit_bias(bias(f32::NAN)),
            "logit_bias",
        ),
        (
            GenerateConfig::default().with_top_logprobs(21),
            "top_logprobs",
        ),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    let right = GenerateConfig::default().with_logit_bias(bias(-100.0));
    assert_eq!(right.with_top_logprobs(20).validate(), Ok(()));
}
