//! Device loss in the middle of a generation.

use kvscope::cache::ScopeCacheConfig;
use kvscope::device::{ComputeDevice, Gpu, GpuOptions};
use kvscope::generate::{GenerateConfig, Generation};
use pollster::block_on;

use crate::support::toy_models::{TOY_VOCABULARY, Table, Toy};

#[test]
fn what_was_generated_outlives_the_device() {
    let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
    let config = ScopeCacheConfig::new(2, 4, 2, 4);
    let model = Toy::new(&config, gpu.device());
    let mut cache = config.init(gpu.device()).unwrap();
    let same: &[u8] = b"x";
    let device = ComputeDevice::from(gpu.clone());
    let spelling = Table::new(&[same; TOY_VOCABULARY]);
    let mut generation = Generation::new(
        &model,
        &device,
        spelling,
        &[],
        &mut cache,
        vec![1, 2, 3],
        GenerateConfig::default(),
    )
    .unwrap();
    block_on(generation.next()).unwrap();
    block_on(generation.next()).unwrap();

    gpu.destroy();
    let error = block_on(generation.next()).unwrap_err();
    assert_eq!(error.code(), "device-lost");
    assert_eq!(block_on(generation.next()).unwrap(), None);
    assert_eq!(generation.text(), "xx");
    assert_eq!(generation.tokens().len(), 2);
    assert_eq!(generation.summary().finish, None);
}
