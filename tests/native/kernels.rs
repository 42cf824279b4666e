//! Every WGSL kernel against the same operation in plain burn tensors, on a native adapter.

use kvscope::device::{Gpu, GpuOptions};
use kvscope::kernels::{KernelError, rms_norm};

use crate::support::kernels;

fn gpu() -> Gpu {
    Gpu::open_blocking(GpuOptions::default())
        .expect("a Vulkan, Metal or DX12 adapter, a software one will do")
}

#[test]
fn rms_norm_equals_plain_tensors() {
    pollster::block_on(kernels::rms_norm_equals_plain_tensors(&gpu()));
}

#[test]
fn rms_norm_takes_views() {
    pollster::block_on(kernels::rms_norm_takes_views(&gpu()));
}

#[test]
fn rms_norm_refuses_what_does_not_fit() {
    kernels::rms_norm_refuses_what_does_not_fit(&gpu());
}

#[test]
fn rms_norm_refuses_a_device_without_wgsl() {
    let device = burn::tensor::Device::flex();
    let refused = rms_norm(
        burn::tensor::Tensor::<2>::zeros([2, 4], &device),
        burn::tensor::Tensor::<1>::zeros([4], &device),
        1e-5,
    )
    .unwrap_err();
    assert!(matches!(refused, KernelError::Device { .. }), "{refused}");
}

#[test]
fn packed_f16_equals_half() {
    pollster::block_on(kernels::packed_f16_equals_half(&gpu()));
}

#[test]
fn block_matrix_equals_dequantised() {
    pollster::block_on(kernels::block_matrix_equals_dequantised(&gpu()));
}

#[test]
fn joined_matrices_stay_themselves() {
    pollster::block_on(kernels::joined_matrices_stay_themselves(&gpu()));
}

#[test]
fn rope_turns_pairs() {
    pollster::block_on(kernels::rope_turns_pairs(&gpu()));
}

#[test]
fn attention_equals_its_definition() {
    pollster::block_on(kernels::attention_equals_its_definition(&gpu()));
}

#[test]
fn prompt_attention_equals_its_definition() {
    pollster::block_on(kernels::prompt_attention_equals_its_definition(&gpu()));
}
