//! The model in training: a Llama over whole sequences, without a cache.

use burn::module::{Module, Param};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::module::embedding;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

use crate::batch::HINTS;
use crate::shape::Shape;

/// Token embedding, layers, last norm and output.
#[derive(Module, Debug)]
pub struct Model {
    /// `[vocabulary, width]`
    pub embedding: Param<Tensor<2>>,
    pub layers: Vec<Layer>,
    /// `[width]`
    pub norm: Param<Tensor<1>>,
    /// `[width, vocabulary]`
    pub output: Param<Tensor<2>>,
    /// `[width, HINTS · vocabulary]`: predicts the hints from the first layers, in training only.
    pub hints: Param<Tensor<2>>,
}

/// Logits of a batch.
pub struct Said {
    /// Logits of the tokens that follow those from `first` on,
    /// `[batch · (length − first), vocabulary]`.
    pub next: Tensor<2>,
    /// Logits of the [hints](crate::batch::Batch::hints) of every token but the first,
    /// `[batch · (length − 1) · HINTS, vocabulary]`.
    pub hints: Tensor<2>,
}

/// One layer. Matrices are `[inputs, outputs]`, transposed from the file's.
#[derive(Module, Debug)]
pub struct Layer {
    pub attention_norm: Param<Tensor<1>>,
    pub query: Param<Tensor<2>>,
    pub key: Param<Tensor<2>>,
    pub value: Param<Tensor<2>>,
    pub output: Param<Tensor<2>>,
    pub feed_forward_norm: Param<Tensor<1>>,
    pub gate: Param<Tensor<2>>,
    pub up: Param<Tensor<2>>,
    pub down: Param<Tensor<2>>,
}

/// Mask and rotation of the positions of a batch.
pub struct Positions {
    queries: Rotation,
    keys: Rotation,
    /// 0 where a query may look, and nearly −∞ elsewhere: `[1, 1, group · tokens, tokens]`.
    mask: Tensor<4>,
}

/// Cosines and sines, each `[batch, kv_heads, rows, head_dim]`, and the swap of each pair's
/// elements.
struct Rotation {
    cosines: Tensor<4>,
    sines: Tensor<4>,
    /// `[1, 1, head_dim, head_dim]`: takes each pair (x, y) to (−y, x).
    swap: Tensor<4>,
}

impl Model {
    /// Creates random weights.
    pub fn new(shape: &Shape, device: &Device) -> Self {
        Self {
            embedding: random([shape.vocabulary, shape.width], 0.5, device),
            layers: (0..shape.layers)
                .map(|_| Layer::new(shape, device))
                .collect(),
            norm: ones(shape.width, device),
            output: random([shape.width, shape.vocabulary], 0.02, device),
            hints: random([shape.width, HINTS * shape.vocabulary], 0.02, device),
        }
    }

    /// Runs the model on sequences `[batch, length]`.
    pub fn forward(
        &self,
        shape: &Shape,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        first: usize,
    ) -> Said {
        let [batch, length] = tokens.dims();
        let logits = |hidden: Tensor<3>, first: usize, weight: &Param<Tensor<2>>| {
            let hidden = hidden.slice([0..batch, first..length]);
            let hidden = hidden.reshape([batch * (length - first), shape.width]);
            hidden.matmul(weight.val())
        };
        let mut hidden = embedding(self.embedding.val(), tokens);
        let (early, late) = self.layers.split_at(shape.hint_layers);
        for layer in early {
            hidden = layer.forward(shape, hidden, positions);
        }
        let found = root_norm(hidden.clone(), shape.norm_epsilon);
        let hints = logits(found, 1, &self.hints);
        let count = batch * (length - 1) * HINTS;
        let hints = hints.reshape([count, shape.vocabulary]);
        for layer in late {
            hidden = layer.forward(shape, hidden, positions);
        }
        let hidden = norm(hidden, &self.norm, shape.norm_epsilon);
        Said {
            next: logits(hidden, first, &self.output),
            hints,
        }
    }
}

impl Layer {
    fn new(shape: &Shape, device: &Device) -> Self {
        let queries = shape.query_heads * shape.head_dim;
        let keys = shape.kv_heads * shape.head_dim;
        let matrix = |inputs: usize, outputs: usize| {
            random([inputs, outputs], (inputs as f64).sqrt().recip(), device)
        };
        // Matrices that add to the residual begin as zeros: at first, only the embedding passes
        // through the layers.
        let adding = |inputs: usize, outputs: usize| {
            Param::from_tensor(Tensor::zeros([inputs, outputs], device))
        };
        Self {
            attention_norm: ones(shape.width, device),
            query: matrix(shape.width, queries),
            key: matrix(shape.width, keys),
            value: matrix(shape.width, keys),
            output: adding(queries, shape.width),
            feed_forward_norm: ones(shape.width, device),
            gate: matrix(shape.width, shape.feed_forward),
            up: matrix(shape.width, shape.feed_forward),
            down: adding(shape.feed_forward, shape.width),
        }
    }

    fn forward(&self, shape: &Shape, hidden: Tensor<3>, positions: &Positions) -> Tensor<3> {
        let [batch, length, width] = hidden.dims();
        let rows = [batch * length, width];
        let all = hidden.reshape(rows);
        let input = norm(all.clone(), &self.attention_norm, shape.norm_epsilon);
        let attended = self.attend(shape, input, batch, positions);
        let all = all + attended.matmul(self.output.val());
        let input = norm(all.clone(), &self.feed_forward_norm, shape.norm_epsilon);
        let gate = silu(input.clone().matmul(self.gate.val()));
        let up = input.matmul(self.up.val());
        let all = all + (gate * up).matmul(self.down.val());
        all.reshape([batch, length, width])
    }

    /// `[batch · length, width]` to `[batch · length, query_heads · head_dim]`.
    fn attend(
        &self,
        shape: &Shape,
        input: Tensor<2>,
        batch: usize,
        positions: &Positions,
    ) -> Tensor<2> {
        let length = input.dims()[0] / batch;
        let (kv, dim) = (shape.kv_heads, shape.head_dim);
        let group = shape.query_heads / kv;
        // A group's queries are rows of one matrix, so that keys need not be repeated.
        let queries = input.clone().matmul(self.query.val());
        let queries = queries.reshape([batch, length, kv, group, dim]);
        let queries: Tensor<5> = queries.permute([0, 2, 3, 1, 4]);
        let queries = queries.reshape([batch, kv, group * length, dim]);
        let heads = |matrix: &Param<Tensor<2>>| -> Tensor<4> {
            let heads = input.clone().matmul(matrix.val());
            heads.reshape([batch, length, kv, dim]).swap_dims(1, 2)
        };
        let queries = positions.queries.turn(queries);
        let keys = positions.keys.turn(heads(&self.key));
        let values = heads(&self.value);

        let scores = queries.matmul(keys.transpose());
        let weights = softmax(scores + positions.mask.clone(), 3);
        let attended = weights.matmul(values);
        let attended = attended.reshape([batch, kv, group, length, dim]);
        let attended: Tensor<5> = attended.permute([0, 3, 1, 2, 4]);
        attended.reshape([batch * length, kv * group * dim])
    }
}

impl Positions {
    /// Computes them for `batch` sequences of `length` tokens.
    pub fn new(shape: &Shape, batch: usize, length: usize, device: &Device) -> Self {
        let group = shape.query_heads / shape.kv_heads;
        // Scores are divided by the root of the head's length: the rotation scales the queries.
        let scale = (shape.head_dim as f64).sqrt().recip();
        let allowed = (0..length).flat_map(|query| {
            (0..length).map(move |key| if key <= query { 0.0_f32 } else { -1e9 })
        });
        let mask = TensorData::new(allowed.collect::<Vec<f32>>(), [1, 1, length, length]);
        let mask: Tensor<4> = Tensor::from_data(mask, device);
        Self {
            queries: Rotation::new(shape, [batch, group, length], scale, device),
            keys: Rotation::new(shape, [batch, 1, length], 1.0, device),
            mask: mask.repeat_dim(2, group),
        }
    }
}

impl Rotation {
    fn new(shape: &Shape, [batch, group, length]: [usize; 3], scale: f64, device: &Device) -> Self {
        let dim = shape.head_dim;
        let angles = (0..length).flat_map(|position| {
            (0..dim).map(move |element| {
                let exponent = (element / 2 * 2) as f64 / dim as f64;
                position as f64 * shape.rope_base.powf(-exponent)
            })
        });
        let rows = |value: fn(f64) -> f64| -> Tensor<4> {
            let rows = angles.clone().map(|angle| (value(angle) * scale) as f32);
            let rows = TensorData::new(rows.collect::<Vec<f32>>(), [1, 1, length, dim]);
            let rows: Tensor<4> = Tensor::from_data(rows, device);
            rows.repeat(&[batch, shape.kv_heads, group, 1])
        };
        let mut swap = vec![0.0_f32; dim * dim];
        for pair in 0..dim / 2 {
            let (x, y) = (2 * pair, 2 * pair + 1);
            swap[y * dim + x] = -1.0;
            swap[x * dim + y] = 1.0;
        }
        Self {
            cosines: rows(f64::cos),
            sines: rows(f64::sin),
            swap: Tensor::from_data(TensorData::new(swap, [1, 1, dim, dim]), device),
        }
    }

    fn turn(&self, heads: Tensor<4>) -> Tensor<4> {
        let swapped = heads.clone().matmul(self.swap.clone());
        heads * self.cosines.clone() + swapped * self.sines.clone()
    }
}

/// RMSNorm along the last dimension.
fn norm<const D: usize>(input: Tensor<D>, weight: &Param<Tensor<1>>, epsilon: f64) -> Tensor<D> {
    root_norm(input, epsilon) * weight.val().unsqueeze::<D>()
}

/// RMSNorm without a weight.
fn root_norm<const D: usize>(input: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let mean_square = input.clone().square().mean_dim(D - 1);
    let root = mean_square.add_scalar(epsilon).sqrt();
    input / root
}

fn random(size: [usize; 2], deviation: f64, device: &Device) -> Param<Tensor<2>> {
    let distribution = Distribution::Normal(0.0, deviation);
    Param::from_tensor(Tensor::random(size, distribution, device))
}

fn ones(size: usize, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::ones([size], device))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(tokens: &[i32]) -> Vec<f32> {
        let shape = Shape::trace();
        let device = Device::flex();
        device.seed(1);
        let mut model = Model::new(&shape, &device);
        // A new model's layers add nothing.
        for layer in &mut model.layers {
            layer.output = random([shape.width, shape.width], 0.1, &device);
            layer.down = random([shape.feed_forward, shape.width], 0.1, &device);
        }
        let positions = Positions::new(&shape, 1, tokens.len(), &device);
        let tokens = TensorData::new(tokens.to_vec(), [1, tokens.len()]);
        let said = model.forward(&shape, Tensor::from_data(tokens, &device), &positions, 0);
        said.next.into_data().iter::<f32>().collect()
    }

    #[test]
    fn a_token_sees_those_before_it_alone() {
        let vocabulary = Shape::trace().vocabulary;
        let [short, other] = [logits(&[1, 9, 8, 7]), logits(&[1, 9, 8, 30])];
        assert_eq!(short[..3 * vocabulary], other[..3 * vocabulary]);
        assert_ne!(short[3 * vocabulary..], other[3 * vocabulary..]);
        // And their order.
        let swapped = logits(&[1, 8, 9, 7]);
        assert_ne!(short[3 * vocabulary..], swapped[3 * vocabulary..]);
    }
}
