//! Training: steps, evaluations and checkpoints until the last step.

use std::time::Instant;

use anyhow::Result;
use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, AdjustLrFn, ModuleOptimizer, MuonConfig};
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};

use crate::Options;
use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, Folder, Point};
use crate::evaluate::evaluate;
use crate::gradient::gradient;
use crate::model::Model;
use crate::random::Random;
use crate::shape::Shape;

/// Parts of a batch, each on a thread.
const PARTS: usize = 2;
/// Steps over which the learning rate rises at first.
const WARM_UP: usize = 50;
/// Steps between evaluations; a checkpoint follows each.
const EVALUATE_EVERY: usize = 50;
/// Lines of held-out programs per evaluation.
const EVALUATED_LINES: usize = 192;

/// Trains until the options' number of steps.
pub fn train(options: &Options) -> Result<()> {
    let shape = Shape::trace();
    let device = Device::flex().autodiff();
    let folder = Folder::new(&options.folder)?;
    let resumed = if options.restart {
        None
    } else {
        folder.read()?
    };
    let mut model = {
        device.clone().inner().seed(options.seed);
        Model::new(&shape, &device)
    };
    let mut optimizer = optimizer();
    let mut state = Checkpoint::new(options.seed);
    if let Some(checkpoint) = resumed {
        (model, optimizer) = folder.load(model, optimizer)?;
        state = checkpoint;
    }

    let progress = ProgressBar::new(options.steps as u64);
    progress.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} steps, {elapsed} gone, {eta} to go {msg}",
    )?);
    progress.set_position(state.step as u64);
    progress.reset_eta();

    let mut losses = Vec::new();
    let mut begun = Instant::now();
    while state.step < options.steps {
        let parts = batches(&mut state, options.tokens)?;
        let (loss, gradients) = gradient(&model, &shape, &parts, &device);
        let rate = rate(options, state.step);
        model = optimizer.step(rate, model, gradients);
        losses.push(loss);
        state.step += 1;
        state.tokens += parts
            .iter()
            .map(|part| part.size() * part.length)
            .sum::<usize>() as u64;
        progress.inc(1);

        if state.step.is_multiple_of(EVALUATE_EVERY) || state.step == options.steps {
            let lines = state.curriculum.longest;
            let seeds =
                (0..EVALUATED_LINES.div_ceil(lines) as u64).map(|i| (state.step as u64) << 20 | i);
            let accuracy = evaluate(&model, &shape, lines, seeds, &device)?;
            state.seconds += begun.elapsed().as_secs_f64();
            begun = Instant::now();
            let point = Point {
                step: state.step,
                seconds: state.seconds,
                tokens: state.tokens,
                longest: lines,
                rate,
                loss: losses.iter().sum::<f32>() / losses.len().max(1) as f32,
                accuracy,
            };
            losses.clear();
            progress.suspend(|| println!("{point}"));
            state.curve.push(point);
            state.curriculum.advance(accuracy.lines);
            folder.write(&shape, &model, &optimizer, &state)?;
        }
    }
    progress.finish();
    Ok(())
}

/// Muon (Jordan 2024) for the layers' matrices, AdamW for the embedding, the output and the norms.
pub fn optimizer() -> ModuleOptimizer {
    let matrices = ParamGroup::from_predicate("layers").exclude(ParamGroup::from_predicate("norm"));
    let muon = MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW);
    let adam = AdamWConfig::new().with_beta_2(0.98).with_epsilon(1e-8);
    adam.init().with_group(matrices, muon.build(), None)
}

/// The learning rate of a step.
fn rate(options: &Options, step: usize) -> f64 {
    let warm = (step + 1) as f64 / WARM_UP as f64;
    let left = (options.steps - step) as f64 / options.cool_down.max(1) as f64;
    options.rate * warm.min(left).clamp(0.02, 1.0)
}

/// The programs of the next step.
fn batches(state: &mut Checkpoint, tokens: usize) -> Result<Vec<Batch>> {
    // Held-out programs have seeds below 2^63.
    let first = 1 << 63 | state.seed << 40;
    let (lines, literals) = state
        .curriculum
        .draw(&mut Random::new(first | state.step as u64));
    let length = Batch::new(lines, literals, std::iter::once(0))?.length;
    let size = (tokens / length / PARTS).max(1) as u64;
    let parts = (0..PARTS).map(|_| {
        let seeds = state.sequences..state.sequences + size;
        state.sequences += size;
        Batch::new(lines, literals, seeds.map(|number| first | number))
    });
    Ok(parts.collect::<Result<_, _>>()?)
}
