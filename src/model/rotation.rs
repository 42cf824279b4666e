//! RoPE on the device: the angles of some tokens' positions, and rotation by them. The formula is
//! in [`rope`](super::rope).

use burn::tensor::{Device, Tensor, TensorData};

use super::rope::{Rope, RopeLayout};
use super::spec::QueryGrowth;
use crate::kernels::{KernelError, rope, runs_wgsl};

/// Rotations of some tokens by each of a model's RoPEs, and their queries' factors.
pub(super) struct Rotations {
    all: Vec<Rotation>,
    /// Factor of each token's query, `[1, tokens, 1]`; `None` if all are 1.
    query_factors: Option<Tensor<3>>,
}

/// Positions of some tokens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Positions {
    /// `count` from `first` on.
    From {
        /// Position of the first token.
        first: usize,
        /// Tokens.
        count: usize,
    },
    /// `count` tokens that are all at `position`.
    Repeated {
        /// Position of all.
        position: usize,
        /// Tokens.
        count: usize,
    },
}

impl Rotations {
    /// Rotations by `ropes` of tokens at `positions`.
    pub fn new(
        ropes: &[Rope],
        growth: Option<QueryGrowth>,
        positions: Positions,
        device: &Device,
    ) -> Self {
        let rotation = |rope| Rotation::new(rope, positions, device);
        let factors = growth.map(|growth| positions.each(|position| growth.factor(position)));
        let factors = factors.filter(|factors| factors.iter().any(|factor| *factor != 1.0));
        Self {
            all: ropes.iter().map(rotation).collect(),
            query_factors: factors.map(|factors| {
                let shape = [1, factors.len(), 1];
                Tensor::from_data(TensorData::new(factors, shape), device)
            }),
        }
    }

    /// Rotates keys by the RoPE of number `rope`, or leaves them as they are.
    ///
    /// # Shapes
    ///
    /// - heads: `[tokens, heads, head_dim]`, f32
    /// - output: `[heads, tokens, head_dim]`, f32
    pub fn keys(&self, rope: Option<usize>, heads: Tensor<3>) -> Result<Tensor<3>, KernelError> {
        match rope.and_then(|rope| self.all.get(rope)) {
            Some(rotation) => rotation.turn(heads),
            None => Ok(heads.swap_dims(0, 1)),
        }
    }

    /// As [`keys`](Self::keys), of queries.
    pub fn queries(&self, rope: Option<usize>, heads: Tensor<3>) -> Result<Tensor<3>, KernelError> {
        let queries = self.keys(rope, heads)?;
        Ok(match &self.query_factors {
            Some(factors) => queries * factors.clone(),
            None => queries,
        })
    }
}

impl Positions {
    fn each<T: Clone>(self, of: impl Fn(usize) -> T) -> Vec<T> {
        match self {
            Self::From { first, count } => (first..first.saturating_add(count)).map(of).collect(),
            Self::Repeated { position, count } => vec![of(position); count],
        }
    }

    fn count(self) -> usize {
        match self {
            Self::From { count, .. } | Self::Repeated { count, .. } => count,
        }
    }
}

/// Rotations of some tokens by one RoPE.
struct Rotation {
    /// Cosines and sines, `[tokens, pairs, 2]`.
    angles: Tensor<3>,
    layout: RopeLayout,
}

impl Rotation {
    fn new(rope: &Rope, positions: Positions, device: &Device) -> Self {
        let (cosines, sines) = match positions {
            Positions::From { first, count } => rope.rows(first, count),
            Positions::Repeated { position, count } => {
                let (cosines, sines) = rope.rows(position, 1);
                (cosines.repeat(count), sines.repeat(count))
            }
        };
        let count = positions.count();
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
    fn turn(&self, heads: Tensor<3>) -> Result<Tensor<3>, KernelError> {
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
