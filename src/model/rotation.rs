//! RoPE on the device: the angles of some tokens' positions, and rotation by them. The formula is
//! in [`rope`](super::rope).

use burn::tensor::{Device, Tensor, TensorData};

use super::rope::{Rope, RopeLayout};
use crate::kernels::{KernelError, rope, runs_wgsl};

/// Rotations of some tokens; every layer uses the same.
pub(super) struct Rotation {
    /// Cosines and sines, `[tokens, pairs, 2]`.
    angles: Tensor<3>,
    layout: RopeLayout,
}

impl Rotation {
    /// Rotations of `count` tokens from position `first` on.
    pub fn new(rope: &Rope, first: usize, count: usize, device: &Device) -> Self {
        Self::of_rows(rope, rope.rows(first, count), count, device)
    }

    /// Rotations of `count` tokens that are all at `position`.
    pub fn repeated(rope: &Rope, position: usize, count: usize, device: &Device) -> Self {
        let (cosines, sines) = rope.rows(position, 1);
        let rows = (cosines.repeat(count), sines.repeat(count));
        Self::of_rows(rope, rows, count, device)
    }

    fn of_rows(
        rope: &Rope,
        (cosines, sines): (Vec<f32>, Vec<f32>),
        count: usize,
        device: &Device,
    ) -> Self {
        let pairs = cosines.len() / count.max(1);
        let angles = cosines.into_iter().zip(sines).flat_map(<[f32; 2]>::from);
        let angles = TensorData::new(angles.collect::<Vec<f32>>(), [count, pairs, 2]);
        Self {
            angles: Tensor::from_data(angles, device),
            layout: rope.layout(),
        }
    }

    /// Rotates heads, each token by its position.
    ///
    /// # Shapes
    ///
    /// - heads: `[tokens, heads, head_dim]`, f32
    /// - output: `[heads, tokens, head_dim]`, f32
    pub fn turn(&self, heads: Tensor<3>) -> Result<Tensor<3>, KernelError> {
        let neighbours = self.layout == RopeLayout::Interleaved;
        if runs_wgsl(&heads.device()) {
            return rope(heads, self.angles.clone(), neighbours);
        }
        let [tokens, count, dim] = heads.dims();
        let [_, pairs, _] = self.angles.dims();
        let heads = heads.swap_dims(0, 1);
        let all = [0..count, 0..tokens];
        let part = |range| heads.clone().slice([all[0].clone(), all[1].clone(), range]);
        let rest = part(2 * pairs..dim);
        // Pairs lie along the last dimension but one, or the last: [heads, tokens, pairs, 2] or
        // [heads, tokens, 2, pairs].
        let turned = part(0..2 * pairs);
        let (shape, along) = if neighbours {
            ([count, tokens, pairs, 2], 3)
        } else {
            ([count, tokens, 2, pairs], 2)
        };
        let turned: Tensor<4> = turned.reshape(shape);
        let element = |i| -> Tensor<4> { turned.clone().narrow(along, i, 1) };
        let mut one = shape;
        one[along] = 1;
        one[0] = 1;
        let angle = |i| -> Tensor<4> { self.angles.clone().narrow(2, i, 1).reshape(one) };
        let (x, y, cosine, sine) = (element(0), element(1), angle(0), angle(1));
        let first = x.clone() * cosine.clone() - y.clone() * sine.clone();
        let second = y * cosine + x * sine;
        let turned = Tensor::cat(vec![first, second], along).reshape([count, tokens, 2 * pairs]);
        Ok(Tensor::cat(vec![turned, rest], 2))
    }
}
