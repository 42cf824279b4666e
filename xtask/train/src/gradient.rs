//! The loss of a batch and its gradient.

use std::panic::resume_unwind;
use std::thread;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};

use crate::batch::Batch;
use crate::model::{Model, Positions};
use crate::shape::Shape;

/// Weight of the hints in the loss.
const HINTS_SHARE: f64 = 0.5;

/// Computes the mean loss of parts of a batch and its gradient. Each part has a thread of its own:
/// burn's CPU back ends do most of their work on one.
pub fn gradient(
    model: &Model,
    shape: &Shape,
    parts: &[Batch],
    device: &Device,
) -> (f32, GradientsParams) {
    let share = (parts.len() as f64).recip();
    let results: Vec<(f32, GradientsParams)> = thread::scope(|scope| {
        let threads: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(move || part_gradient(model, shape, part, share, device)))
            .collect();
        let results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        });
        results.collect()
    });
    let mut accumulator = GradientsAccumulator::new();
    let mut loss = 0.0;
    for (part_loss, gradients) in results {
        loss += part_loss;
        accumulator.accumulate(model, gradients);
    }
    (loss, accumulator.grads())
}

fn part_gradient(
    model: &Model,
    shape: &Shape,
    part: &Batch,
    share: f64,
    device: &Device,
) -> (f32, GradientsParams) {
    // Separate leaves: threads that share some would wait for each other.
    let model = model.clone().fork(device);
    let (loss, next) = loss(&model, shape, part, device);
    let gradients = GradientsParams::from_grads(loss.mul_scalar(share).backward(), &model);
    (next.mul_scalar(share).into_scalar::<f32>(), gradients)
}

/// The mean cross-entropy of the tokens of a batch's answers, ends included, plus a share of the
/// hints'. An operand's value ends its line, some tokens after that line's variable. Without hints
/// the model took long to notice that.
fn loss(model: &Model, shape: &Shape, batch: &Batch, device: &Device) -> (Tensor<1>, Tensor<1>) {
    let positions = Positions::new(shape, batch.size(), batch.length - 1, device);
    let said = model.forward(shape, batch.inputs(device), &positions, batch.first);
    let next = cross_entropy(said.next, batch.targets(device));
    let hints = cross_entropy(said.hints, batch.hints(device));
    (next.clone() + hints.mul_scalar(HINTS_SHARE), next)
}

fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let targets: Tensor<2, Int> = targets.unsqueeze_dim(1);
    log_softmax(logits, 1).gather(1, targets).mean().neg()
}
