//! Kernels against plain tensors on the same device, for native code and for the browser.

use burn::tensor::{Tensor, TensorData};
use kvscope::gpu::Gpu;
use kvscope::kernels::{KernelError, pack_f16, rms_norm, unpack_f16};

/// Numbers without structure but the same on every machine, between -1 and 1 (a 32-bit linear congruential generator).
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_769).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Widths below, at and above a workgroup's lanes, odd ones too; rows beyond one line of the grid.
pub async fn rms_norm_equals_plain_tensors(gpu: &Gpu) {
    let device = gpu.device();
    for (rows, width) in [(1, 1), (1, 63), (3, 64), (5, 65), (2, 576), (70_000, 3)] {
        let input = Tensor::<2>::from_data(
            TensorData::new(numbers(rows * width, 1), [rows, width]),
            device,
        );
        let weight = Tensor::<1>::from_data(TensorData::new(numbers(width, 2), [width]), device);
        let epsilon = 1e-5;

        let mean = input.clone().square().mean_dim(1);
        let plain = input.clone() / (mean + epsilon).sqrt() * weight.clone().unsqueeze::<2>();
        let fused = rms_norm(input, weight, epsilon).unwrap();

        let difference = gpu.read((plain - fused).abs().max()).await.unwrap();
        let difference = difference.try_to_vec::<f32>().unwrap()[0];
        assert!(
            difference <= 1e-5,
            "rows {rows}, width {width}: off by {difference}"
        );
    }
}

/// A transposed view has other strides than its shape tells: the launcher must not take it for rows.
pub async fn rms_norm_takes_views(gpu: &Gpu) {
    let device = gpu.device();
    let tall = Tensor::<2>::from_data(TensorData::new(numbers(12, 3), [4, 3]), device);
    let wide_copy =
        Tensor::<2>::from_data(gpu.read(tall.clone().transpose()).await.unwrap(), device);
    let weight = Tensor::<1>::ones([4], device);
    let of_view = rms_norm(tall.transpose(), weight.clone(), 1e-5).unwrap();
    let of_copy = rms_norm(wide_copy, weight, 1e-5).unwrap();
    assert_eq!(
        gpu.read(of_view)
            .await
            .unwrap()
            .try_to_vec::<f32>()
            .unwrap(),
        gpu.read(of_copy)
            .await
            .unwrap()
            .try_to_vec::<f32>()
            .unwrap()
    );
}

pub fn rms_norm_refuses_what_does_not_fit(gpu: &Gpu) {
    let input = Tensor::<2>::zeros([2, 4], gpu.device());
    let weight = Tensor::<1>::zeros([3], gpu.device());
    let refused = rms_norm(input, weight, 1e-5).unwrap_err();
    assert!(
        matches!(refused, KernelError::Shape { argument: "weight", ref shape, .. } if shape == &[3]),
        "{refused}"
    );
}

/// Every f16 there is, as f32, must come back as itself, and what lies between two must round as `half` rounds.
pub async fn packed_f16_equals_half(gpu: &Gpu) {
    let mut values: Vec<f32> = (0..=u16::MAX)
        .map(|bits| half::f16::from_bits(bits).to_f32())
        .filter(|value| !value.is_nan())
        .collect();
    // Ties, the last place above and below them, overflow and underflow.
    for bits in (0..0x7c00_u16).step_by(7) {
        let (low, high) = (half::f16::from_bits(bits), half::f16::from_bits(bits + 1));
        if high.is_finite() {
            let tie = (low.to_f32() + high.to_f32()) / 2.0;
            values.extend([tie, tie.next_up(), tie.next_down(), -tie]);
        }
    }
    values.extend([65_519.9, 65_520.0, 1e9, -1e9, 1e-9, 2.9e-8, 3e-8]);
    values.extend(numbers(4_096, 5));
    if values.len() % 2 == 1 {
        values.push(0.0);
    }

    let shape = [values.len() / 2, 2];
    let tensor = Tensor::<2>::from_data(TensorData::new(values.clone(), shape), gpu.device());
    let words = pack_f16(tensor).unwrap();
    let bits = gpu
        .read(words.clone())
        .await
        .unwrap()
        .try_to_vec::<u32>()
        .unwrap();
    for (pair, word) in values.chunks_exact(2).zip(&bits) {
        let expected = [pair[0], pair[1]].map(|value| half::f16::from_f32(value).to_bits());
        let got = [*word as u16, (*word >> 16) as u16];
        assert_eq!(got, expected, "{pair:?}");
    }

    let back = gpu.read(unpack_f16(words).unwrap()).await.unwrap();
    for (value, back) in values.iter().zip(back.try_to_vec::<f32>().unwrap()) {
        assert_eq!(half::f16::from_f32(*value).to_f32(), back);
    }
}
