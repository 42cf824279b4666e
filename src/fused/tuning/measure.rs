//! Choosing a tuning by measuring the first layer's gate and up, its largest product, by each
//! candidate. Results differ by rounding only, so nothing but speed depends on the choice.

use web_time::Instant;

use super::store::KnownTunings;
use crate::Error;
use crate::cache::CacheTypes;
use crate::device::{Gpu, Processor, Readback};
use crate::formats::BlockFormat;
use crate::fused::buffers::StepBuffers;
use crate::fused::kernels::Binder;
use crate::fused::report::floats;
use crate::fused::submission::Submission;
use crate::fused::weights::{MatrixBuffers, first_feed_forward, sizes};
use crate::fused::{DecodeSizes, Pipelines, Tuning};
use crate::model::Llama;

/// Dispatches that are timed together.
const DISPATCHES: usize = 8;

/// Rounds that are timed. The fastest counts: whatever else the machine does only slows down.
const ROUNDS: usize = 3;

/// Bytes of matrices below which a model's shaders take longer to compile for a CPU than to run.
const SMALL_MODEL: u64 = 16 << 20;

/// The most by which two results may differ, relative to their root mean square. Rounding is far
/// less; a device with subgroups in another order than ours would be far more.
const CLOSE: f32 = 1e-2;

/// The tuning for the kind of adapter that `gpu` is, without measuring.
pub fn default_tuning(model: &Llama, gpu: &Gpu) -> Tuning {
    if gpu.processor() == Processor::Gpu {
        return Tuning::PARALLEL;
    }
    let tuning = if model.matrix_bytes() < SMALL_MODEL {
        Tuning::LIGHT
    } else {
        Tuning::SERIAL
    };
    if gpu.processor() == Processor::CpuWithQuads {
        tuning.in_quads(gpu.shader_abilities())
    } else {
        tuning
    }
}

/// The fastest tuning on `gpu` for `model`: from `known`, if it has this adapter and format. Else a
/// measurement finds it, and `known` then has it. `None` if the kernels do not support the model.
///
/// # Errors
///
/// The device's.
pub async fn measure_tuning(
    model: &Llama,
    pipelines: &Pipelines,
    gpu: &Gpu,
    known: &mut KnownTunings,
) -> Result<Option<Tuning>, Error> {
    let Some(sizes) = sizes(model, CacheTypes::default()) else {
        return Ok(None);
    };
    let Some(feed_forward) = first_feed_forward(model)? else {
        return Ok(None);
    };
    let format = feed_forward.matrix.shape().format;
    let adapter = adapter(gpu, format);
    let candidates = Tuning::tried(gpu.shader_abilities(), format);
    if let Some(tuning) = known.among(&candidates, &adapter) {
        return Ok(Some(tuning));
    }
    let trial = Trial::new(gpu, pipelines, &sizes, &feed_forward);
    let mut first: Option<Vec<f32>> = None;
    let mut best: Option<(f64, Tuning)> = None;
    for tuning in candidates {
        let (seconds, result) = trial.run(tuning).await?;
        log::debug!("{adapter}: {} takes {seconds} s", tuning.name());
        let first = first.get_or_insert_with(|| result.clone());
        if !agree(first, &result) {
            log::warn!("{adapter}: {} computes something else", tuning.name());
        } else if best.is_none_or(|(least, _)| seconds < least) {
            best = Some((seconds, tuning));
        }
    }
    let tuning = best.map(|(_, tuning)| tuning);
    if let Some(tuning) = tuning {
        known.note(adapter, tuning);
    }
    Ok(tuning)
}

/// Key of a stored tuning: everything that the fastest one depends on.
fn adapter(gpu: &Gpu, format: BlockFormat) -> String {
    let report = gpu.report();
    let abilities = gpu.shader_abilities();
    let (vendor, device) = (report.vendor, report.device);
    format!(
        "{}, {}, {vendor:x}:{device:x}, {}, subgroup {}, integers {}, {}",
        report.name,
        report.backend,
        report.driver,
        abilities.subgroup,
        abilities.integer_products,
        format.name(),
    )
}

/// `true` if two results differ by rounding only, or if the first has nothing to compare with.
fn agree(first: &[f32], other: &[f32]) -> bool {
    let square = first.iter().map(|it| it * it).sum::<f32>() / first.len() as f32;
    let most = CLOSE * square.sqrt();
    let near = |(first, other): (&f32, &f32)| (first - other).abs() <= most;
    !(most.is_finite() && most > 0.0) || first.iter().zip(other).all(near)
}

/// The product that is timed, with its input and output.
struct Trial<'a> {
    gpu: &'a Gpu,
    pipelines: &'a Pipelines,
    sizes: &'a DecodeSizes,
    feed_forward: &'a MatrixBuffers,
    buffers: StepBuffers,
    readback: Readback,
}

impl<'a> Trial<'a> {
    fn new(
        gpu: &'a Gpu,
        pipelines: &'a Pipelines,
        sizes: &'a DecodeSizes,
        feed_forward: &'a MatrixBuffers,
    ) -> Self {
        let (device, queue) = gpu.wgpu();
        let buffers = StepBuffers::new(device, sizes);
        let activations = buffers.activations.buffer();
        queue.write_buffer(activations, 0, bytemuck::cast_slice(&input(sizes)));
        Self {
            readback: Readback::new(gpu, activations.size()),
            gpu,
            pipelines,
            sizes,
            feed_forward,
            buffers,
        }
    }

    /// Seconds of [`DISPATCHES`] dispatches, and the result.
    async fn run(&self, tuning: Tuning) -> Result<(f64, Vec<f32>), Error> {
        let binder = Binder {
            gpu: self.gpu,
            pipelines: self.pipelines,
            sizes: self.sizes,
            tuning,
            buffers: &self.buffers,
        };
        let gate_up = binder.gate_up(self.feed_forward, None)?;
        let activations = &self.buffers.activations;
        let mut least = f64::INFINITY;
        let mut read = Vec::new();
        // The first round compiles.
        for round in 0..=ROUNDS {
            let start = Instant::now();
            let mut submission = Submission::new(self.gpu);
            let mut recorder = submission.record();
            for _ in 0..DISPATCHES {
                recorder.dispatch(&gate_up);
            }
            drop(recorder);
            let bytes = activations.buffer().size();
            let (pending, _) = submission.submit(activations, &self.readback, bytes);
            read = pending.read_with(self.gpu, floats).await?;
            if round > 0 {
                least = least.min(start.elapsed().as_secs_f64());
            }
        }
        let first = 4 * self.sizes.activations().feed_forward;
        let result = read.into_iter().skip(first).take(self.sizes.feed_forward);
        Ok((least, result.collect()))
    }
}

/// Activations with numbers from -1 to 1 as the input. Their sum of squares is one with which the
/// norm changes nothing.
fn input(sizes: &DecodeSizes) -> Vec<f32> {
    let at = sizes.activations();
    let mut input = vec![0.0; 4 * at.vectors];
    let elements = input.iter_mut().skip(4 * at.weighted).take(sizes.width);
    for (i, element) in elements.enumerate() {
        *element = (i * 37 % 201) as f32 / 100.0 - 1.0;
    }
    if let Some(squares) = input.get_mut(4 * at.squares) {
        *squares = sizes.width as f32;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_by_more_than_rounding_is_something_else() {
        let first = [1.0, -2.0, 0.5];
        assert!(agree(&first, &[1.000_1, -2.0, 0.499_9]));
        assert!(!agree(&first, &[1.0, -2.0, 0.4]));
        assert!(!agree(&first, &[1.0, f32::NAN, 0.5]));
        assert!(agree(&[f32::NAN, 1.0], &[2.0, 3.0]));
        assert!(agree(&[0.0, 0.0], &[0.0, 0.0]));
    }
}
