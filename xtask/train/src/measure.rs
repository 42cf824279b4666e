//! Speed of burn's CPU back ends in training this model.

use std::iter::once;
use std::time::Instant;

use anyhow::Result;
use burn::tensor::Device;

use crate::batch::Batch;
use crate::eval::trace::Program;
use crate::gradient::gradient;
use crate::model::Model;
use crate::shape::Shape;
use crate::trainer::optimizer;

/// Steps per kind, of which the fastest counts.
const STEPS: u64 = 4;

/// Prints tokens per second on each back end, for short and long programs, with one thread or two.
pub fn measure(tokens: usize) -> Result<()> {
    let shape = Shape::trace();
    for (name, device) in devices() {
        let device = device.autodiff();
        for (lines, threads) in [(4, 1), (4, 2), (16, 1), (16, 2), (48, 1), (48, 2)] {
            let mut model = Model::new(&shape, &device);
            let mut optimizer = optimizer();
            let literals = Program::usual_literals(lines);
            let length = Batch::new(lines, literals, once(0))?.length;
            let size = (tokens / length / threads).max(1) as u64;
            let parts = (0..threads as u64)
                .map(|part| Batch::new(lines, literals, part * size..(part + 1) * size))
                .collect::<Result<Vec<_>, _>>()?;
            let (mut fastest, mut stepping) = (f64::MAX, f64::MAX);
            for _ in 0..STEPS {
                let begun = Instant::now();
                let (_, gradients) = gradient(&model, &shape, &parts, &device);
                fastest = fastest.min(begun.elapsed().as_secs_f64());
                let begun = Instant::now();
                model = optimizer.step(1e-3, model, gradients);
                stepping = stepping.min(begun.elapsed().as_secs_f64());
            }
            let all = size as usize * threads * length;
            println!(
                "{name}, {lines} lines, {threads} threads: {all} tokens in {:.0} ms, {:.0} tokens/s; optimizer {:.0} ms",
                fastest * 1e3,
                all as f64 / fastest,
                stepping * 1e3
            );
        }
    }
    Ok(())
}

/// burn's CPU back ends that this was built with.
fn devices() -> Vec<(&'static str, Device)> {
    vec![
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
    ]
}
