//! Choosing how work is shared out by trying it: the gate and up product of the first layer, the largest of a layer's, in
//! each of the ways there are. What comes out differs in rounding only, so that nothing but speed depends on the choice.

use std::sync::{Mutex, PoisonError};

use web_time::Instant;

use super::super::llama::Llama;
use super::layer::GATE_UP_TILE;
use super::pipelines::{Kernel, text_of};
use super::{REPORT_BYTES, planes, storage, weights};
use crate::Error;
use crate::cache::CacheType;
use crate::gpu::{Gpu, Readback};
use crate::kernels::decode::{DecodeSizes, Particular, Tuning};

/// Dispatches that are timed at once, and how often: the fastest counts, as whatever else the machine does only slows down.
const DISPATCHES: usize = 8;
const ROUNDS: usize = 3;

/// What was found for an adapter, by its name and the matrix it was tried on.
static KNOWN: Mutex<Vec<(String, Tuning)>> = Mutex::new(Vec::new());

/// Bytes of matrices below which a model's shaders take longer to compile for a CPU than they run.
const SMALL_MODEL: u64 = 16 << 20;

/// What suits the kind of adapter that `gpu` is, without having tried anything.
pub fn usual(model: &Llama, gpu: &Gpu) -> Tuning {
    if !gpu.report().is_software() {
        Tuning::PARALLEL
    } else if model.matrix_bytes() < SMALL_MODEL {
        Tuning::LIGHT
    } else {
        Tuning::SERIAL
    }
}

/// The fastest way on `gpu` for `model`'s first layer; found once for an adapter and a format. `None` where the kernels are
/// not written for the model.
///
/// # Errors
///
/// The device's.
pub async fn fastest(model: &Llama, gpu: &Gpu) -> Result<Option<Tuning>, Error> {
    let Some(sizes) = weights::sizes(model, CacheType::F16) else {
        return Ok(None);
    };
    let Some(feed_forward) = weights::first_feed_forward(model)? else {
        return Ok(None);
    };
    let report = gpu.report();
    if report.is_software() {
        // Compiling what is to be tried would take longer there than it can save.
        return Ok(Some(usual(model, gpu)));
    }
    let format = feed_forward.matrix.shape().format.name();
    let adapter = [&report.name, &report.backend, format]
        .map(str::to_owned)
        .join(" ");
    let known = |adapter: &str| {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .find(|(name, _)| name == adapter)
            .map(|(_, tuning)| *tuning)
    };
    if let Some(tuning) = known(&adapter) {
        return Ok(Some(tuning));
    }
    let mut best: Option<(f64, Tuning)> = None;
    for tuning in Tuning::TRIED {
        let seconds = time(model, gpu, &sizes, &feed_forward, tuning).await?;
        log::debug!("{adapter}: {tuning:?} takes {seconds} s");
        if best.is_none_or(|(least, _)| seconds < least) {
            best = Some((seconds, tuning));
        }
    }
    let tuning = best.map(|(_, tuning)| tuning);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.extend(tuning.map(|tuning| (adapter, tuning)));
    Ok(tuning)
}

/// Seconds of [`DISPATCHES`] dispatches.
async fn time(
    model: &Llama,
    gpu: &Gpu,
    sizes: &DecodeSizes,
    feed_forward: &weights::MatrixBuffers,
    tuning: Tuning,
) -> Result<f64, Error> {
    let (device, queue) = gpu.wgpu();
    let activations = storage(device, 16 * sizes.activations().vectors as u64);
    let particular = Particular {
        matrix: Some(text_of(feed_forward, GATE_UP_TILE)),
        tuning,
        ..Particular::default()
    };
    let mut bound = planes(feed_forward);
    bound.push((2, &activations));
    let kernel = model
        .pipelines
        .get(device, Kernel::GateUp, sizes, particular);
    let kernel = kernel.bind(device, &bound);
    let workgroups = sizes.feed_forward / (GATE_UP_TILE / 2);
    let readback = Readback::new(gpu, REPORT_BYTES);
    let mut least = f64::INFINITY;
    // The first round compiles.
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for _ in 0..DISPATCHES {
                kernel.dispatch(&mut pass, [workgroups as u32, 1]);
            }
        }
        readback.copy(&mut encoder, activations.buffer(), REPORT_BYTES);
        queue.submit([encoder.finish()]);
        readback.request(REPORT_BYTES).read(gpu).await?;
        if round > 0 {
            least = least.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(least)
}
