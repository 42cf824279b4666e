//! A prompt in chunks gives the cache and the tokens of a whole one, for every prefill method and
//! device.

use std::ops::ControlFlow;

use kvscope::cache::{Budget, CacheType, DecodeStrategy, PrefillMethod, ScopeCacheConfig};
use kvscope::device::ComputeDevice;
use kvscope::generate::{GenerateConfig, Generation, SamplingConfig, Step};

use crate::support::devices;
use crate::support::toy_models::{TOY_VOCABULARY, Table, Toy};

const WINDOW: usize = 4;

fn config(prefill: PrefillMethod) -> ScopeCacheConfig {
    ScopeCacheConfig::new(2, 4, 2, 4)
        .with_cache_type(CacheType::F32)
        .with_prefill(prefill)
        .with_prefill_budget(Budget::Slots(WINDOW + 6))
        .with_observation_window(WINDOW)
        .with_kernel(3)
        .with_decode(DecodeStrategy::Slide)
        .with_decode_budget(Budget::Slots(4))
        .with_recent(2)
}

/// Positions held in every head of every layer after the prompt, the steps after it, and what
/// progress was told.
type Run = (Vec<Vec<i64>>, Vec<Step>, Vec<(usize, usize)>);

fn run(prefill: PrefillMethod, length: usize, chunk: usize, device: &ComputeDevice) -> Run {
    let config = config(prefill);
    let burn_device = device.burn_device();
    let model = Toy::new(&config, &burn_device);
    let mut cache = config.init(&burn_device).unwrap();
    let prompt: Vec<u32> = (0..length)
        .map(|index| (index * index % 47) as u32)
        .collect();
    let empty: &[u8] = b"";
    let options = GenerateConfig::default()
        .with_prefill_chunk(chunk)
        .with_max_new_tokens(12)
        .with_sampling(SamplingConfig::default());
    let table = Table::new(&[empty; TOY_VOCABULARY]);
    let mut progress = Vec::new();
    let mut generation = Generation::new(
        &model,
        device,
        table,
        &[],
        &mut cache,
        prompt.clone(),
        options.clone(),
    )
    .unwrap();
    let note = |done, total| {
        progress.push((done, total));
        ControlFlow::Continue(())
    };
    pollster::block_on(generation.prefill(note)).unwrap();
    let mut steps = Vec::new();
    while let Some(step) = pollster::block_on(generation.next()).unwrap() {
        steps.push(step);
    }

    // The same prompt again, to look at the cache before any step.
    let mut cache = config.init(&burn_device).unwrap();
    let table = Table::new(&[empty; TOY_VOCABULARY]);
    let mut again =
        Generation::new(&model, device, table, &[], &mut cache, prompt, options).unwrap();
    pollster::block_on(again.prefill(|_, _| ControlFlow::Continue(()))).unwrap();
    let held = (0..config.layers)
        .flat_map(|layer| pollster::block_on(cache.retained(layer)).unwrap())
        .map(|head| head.positions.into_iter().map(i64::from).collect())
        .collect();
    (held, steps, progress)
}

fn chunks_are_the_whole(device: &ComputeDevice, lengths: &[usize], chunks: &[usize]) {
    for prefill in PrefillMethod::ALL {
        for length in lengths {
            let (held, steps, _) = run(*prefill, *length, *length, device);
            assert_eq!(steps.len(), 12);
            for chunk in chunks {
                let (chunked_held, chunked_steps, progress) =
                    run(*prefill, *length, *chunk, device);
                let case = format!("{prefill}, {length} tokens in chunks of {chunk}");
                assert_eq!(chunked_held, held, "{case}");
                for (step, whole) in chunked_steps.iter().zip(&steps) {
                    assert_eq!(step.token, whole.token, "{case}, step {}", step.index);
                    assert!(
                        (step.probability - whole.probability).abs() < 1e-4,
                        "{case}"
                    );
                    assert_eq!(
                        (step.position, step.slots),
                        (whole.position, whole.slots),
                        "{case}"
                    );
                }
                let done: Vec<usize> = progress.iter().map(|(done, _)| *done).collect();
                let expected: Vec<usize> = (1..=length.div_ceil(*chunk))
                    .map(|number| (number * chunk).min(*length))
                    .collect();
                assert_eq!(done, expected, "{case}");
                assert!(progress.iter().all(|(_, total)| total == length));
            }
        }
    }
}

#[test]
fn chunks_give_what_the_whole_prompt_gives_on_the_cpu() {
    // 1, 2, chunk − 1, chunk, chunk + 1 and several chunks, around window, budget and each other.
    let lengths = [1, 2, 3, 4, 5, 9, 10, 11, 33];
    chunks_are_the_whole(&ComputeDevice::Cpu, &lengths, &[1, 3, 4, 5, 10, 32]);
}

#[test]
fn chunks_give_what_the_whole_prompt_gives_on_the_gpu() {
    let gpu = devices::opened().clone();
    chunks_are_the_whole(&gpu.into(), &[1, 5, 33], &[4, 10]);
}
