//! Choosing how work is shared out by trying it: the gate and up product of the first layer, the largest of a layer's, in
//! each of the ways there are. What comes out differs in rounding only, so that nothing but speed depends on the choice.

use web_time::Instant;

use super::store::KnownTunings;
use crate::Error;
use crate::cache::CacheType;
use crate::device::{Gpu, Processor, Readback};
use crate::formats::BlockFormat;
use crate::fused::kernels::{Kernel, matrix_spec};
use crate::fused::layer::GATE_UP_TILE;
use crate::fused::{DecodeSizes, KernelVariant, Tuning};
use crate::fused::{planes, storage, weights};
use crate::kernels::BoundBuffer;
use crate::model::Llama;

/// Dispatches that are timed at once, and how often: the fastest counts, as whatever else the machine does only slows down.
const DISPATCHES: usize = 8;
const ROUNDS: usize = 3;

/// Bytes of matrices below which a model's shaders take longer to compile for a CPU than they run.
const SMALL_MODEL: u64 = 16 << 20;

/// In units of the results' root mean square, how far two ways may be apart. Rounding is far less; a device that runs a
/// subgroup's threads in an order of its own would be far more.
const CLOSE: f32 = 1e-2;

/// What suits the kind of adapter that `gpu` is, without having tried anything.
pub fn usual(model: &Llama, gpu: &Gpu) -> Tuning {
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

/// The fastest way on `gpu` for `model`'s first layer, and whether it was found out just now, which takes a measurement once
/// for an adapter and a format. `None` where the kernels are not written for the model.
///
/// # Errors
///
/// The device's.
pub async fn fastest(
    model: &Llama,
    gpu: &Gpu,
    known: &mut KnownTunings,
) -> Result<Option<Tuning>, Error> {
    let Some(sizes) = weights::sizes(model, CacheType::F16) else {
        return Ok(None);
    };
    let Some(feed_forward) = weights::first_feed_forward(model)? else {
        return Ok(None);
    };
    let format = feed_forward.matrix.shape().format;
    let adapter = adapter(gpu, format);
    let tried = Tuning::tried(gpu.shader_abilities(), format);
    if let Some(tuning) = known.among(&tried, &adapter) {
        return Ok(Some(tuning));
    }
    let trial = Trial::new(model, gpu, &sizes, &feed_forward);
    let mut first: Option<Vec<f32>> = None;
    let mut best: Option<(f64, Tuning)> = None;
    for tuning in tried {
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

/// What a choice depends on.
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

/// Whether two results are the same but for rounding. Where the first is no number, or nothing, there is none to compare.
fn agree(first: &[f32], other: &[f32]) -> bool {
    let square = first.iter().map(|it| it * it).sum::<f32>() / first.len() as f32;
    let most = CLOSE * square.sqrt();
    let near = |(first, other): (&f32, &f32)| (first - other).abs() <= most;
    !(most.is_finite() && most > 0.0) || first.iter().zip(other).all(near)
}

/// The product that is timed.
struct Trial<'a> {
    model: &'a Llama,
    gpu: &'a Gpu,
    sizes: &'a DecodeSizes,
    feed_forward: &'a weights::MatrixBuffers,
    activations: BoundBuffer,
    readback: Readback,
}

impl<'a> Trial<'a> {
    fn new(
        model: &'a Llama,
        gpu: &'a Gpu,
        sizes: &'a DecodeSizes,
        feed_forward: &'a weights::MatrixBuffers,
    ) -> Self {
        let (device, queue) = gpu.wgpu();
        let at = sizes.activations();
        let bytes = 16 * at.vectors as u64;
        let activations = storage(device, bytes);
        // Any numbers from -1 to 1 as the input, and such a sum of squares that the norm leaves them as they are.
        let mut input = vec![0.0_f32; 4 * at.vectors];
        let elements = input.iter_mut().skip(4 * at.weighted).take(sizes.width);
        for (i, element) in elements.enumerate() {
            *element = (i * 37 % 201) as f32 / 100.0 - 1.0;
        }
        if let Some(squares) = input.get_mut(4 * at.squares) {
            *squares = sizes.width as f32;
        }
        queue.write_buffer(activations.buffer(), 0, bytemuck::cast_slice(&input));
        Self {
            model,
            gpu,
            sizes,
            feed_forward,
            activations,
            readback: Readback::new(gpu, bytes),
        }
    }

    /// Seconds of [`DISPATCHES`] dispatches, and what came out.
    async fn run(&self, tuning: Tuning) -> Result<(f64, Vec<f32>), Error> {
        let Self { gpu, sizes, .. } = *self;
        let (device, queue) = gpu.wgpu();
        let particular = KernelVariant {
            matrix: Some(matrix_spec(self.feed_forward, GATE_UP_TILE)),
            tuning,
            ..KernelVariant::default()
        };
        let mut bound = planes(self.feed_forward);
        bound.push((2, &self.activations));
        let kernel = self
            .model
            .pipelines
            .get(device, Kernel::GateUp, sizes, particular);
        let kernel = kernel.bind(device, &bound);
        let workgroups = sizes.feed_forward / (GATE_UP_TILE / 2);
        let at = sizes.activations();
        let bytes = 16 * at.vectors as u64;
        let mut least = f64::INFINITY;
        let mut read = Vec::new();
        // The first round compiles.
        for round in 0..=ROUNDS {
            let start = Instant::now();
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for _ in 0..DISPATCHES {
                    kernel.dispatch(&mut pass, [workgroups as u32, 1]);
                }
            }
            self.readback
                .copy(&mut encoder, self.activations.buffer(), bytes);
            queue.submit([encoder.finish()]);
            read = self.readback.request(bytes).read(gpu).await?;
            if round > 0 {
                least = least.min(start.elapsed().as_secs_f64());
            }
        }
        let (words, _) = read.as_chunks::<4>();
        let result = words
            .iter()
            .skip(4 * at.feed_forward)
            .take(sizes.feed_forward);
        let result = result.map(|word| f32::from_le_bytes(*word)).collect();
        Ok((least, result))
    }
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
