//! Matrix-vector products and a step's attention alone: the decode step's kernels in every tuning,
//! and kernels only for comparison.

mod data;
mod formats;
mod machine;
mod ours;
mod texture;

use std::time::Instant;

use kvscope::device::{Gpu, Readback};
use kvscope::engine::Engine;
use kvscope::fused::BoundKernel;
use kvscope::fused::{FusedDecoder, KnownTunings, Tuning};
use kvscope::kernels::BoundBuffer;
use pollster::block_on;
use serde::Serialize;

use crate::Outcome;
use data::Data;
pub use formats::run as formats;

/// Dispatches timed together.
const DISPATCHES: usize = 2;

/// Tolerance of a result, relative to the largest: some kernels have their input in 8 bits.
const CLOSE: f64 = 0.02;

/// A kernel, with the duration of one dispatch in each round.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timed {
    kind: Kind,
    name: String,
    /// The model's decode steps use this on this adapter.
    chosen: bool,
    multiply_adds: usize,
    ms: Vec<f64>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// A kernel that is used nowhere else.
    Bench,
    /// One with its matrix in a texture.
    Texture,
    /// The decode step's product, with its norm and its SiLU.
    Product,
    /// The decode step's attention.
    Attention,
}

impl Timed {
    /// A kernel not yet timed, and not chosen by any step.
    fn new(kind: Kind, name: impl Into<String>, multiply_adds: usize) -> Self {
        Self {
            kind,
            name: name.into(),
            chosen: false,
            multiply_adds,
            ms: Vec::new(),
        }
    }
}

/// A kernel, ready to run.
struct Job {
    timed: Timed,
    kernel: BoundKernel,
    grid: [u32; 2],
    /// Buffer of the results, and their expected values, if they are checked.
    output: BoundBuffer,
    expected: Vec<f64>,
    /// Index of the first result, in f32 of the output.
    first: usize,
}

/// The tuning of the model's decode steps; `None` if the kernels do not take the model.
pub fn chosen(engine: &Engine, gpu: &Gpu) -> Outcome<Option<Tuning>> {
    let (model, pipelines) = (engine.model(), engine.pipelines());
    let known = &mut KnownTunings::default();
    Ok(block_on(FusedDecoder::tune(model, pipelines, gpu, known))?)
}

/// Times every kernel in each of `rounds`.
pub fn run(rounds: usize, gpu: &Gpu, chosen: Option<Tuning>) -> Outcome<Vec<Timed>> {
    if rounds == 0 {
        return Ok(Vec::new());
    }
    let (device, queue) = gpu.wgpu();
    let data = Data::new();
    let mut jobs = machine::jobs(device, queue, &data)?;
    jobs.extend(texture::job(gpu, &data)?);
    jobs.extend(ours::products(gpu, &data, chosen)?);
    jobs.extend(ours::attention(gpu, chosen)?);
    for job in &mut jobs {
        eprintln!("native: {}, once", job.timed.name);
        // The first run compiles.
        job.once(gpu)?;
        job.check(gpu)?;
    }
    for round in 0..rounds {
        eprintln!("native: products, round {}", round + 1);
        for job in &mut jobs {
            let ms = job.once(gpu)?;
            job.timed.ms.push(ms);
        }
    }
    Ok(jobs.into_iter().map(|job| job.timed).collect())
}

impl Job {
    /// Milliseconds per dispatch, among others.
    fn once(&self, gpu: &Gpu) -> Outcome<f64> {
        let (device, queue) = gpu.wgpu();
        let start = Instant::now();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for _ in 0..DISPATCHES {
                self.kernel.dispatch(&mut pass, self.grid);
            }
        }
        queue.submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(start.elapsed().as_secs_f64() * 1000.0 / DISPATCHES as f64)
    }

    /// Fails if the kernel does not compute the expected results.
    fn check(&self, gpu: &Gpu) -> Outcome<()> {
        let (device, queue) = gpu.wgpu();
        let bytes = self.output.buffer().size();
        let readback = Readback::new(gpu, bytes);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        readback.copy(&mut encoder, self.output.buffer(), bytes);
        queue.submit([encoder.finish()]);
        let read = block_on(readback.request(bytes).read(gpu))?;
        let (words, _) = read.as_chunks::<4>();
        let found = words[self.first..]
            .iter()
            .map(|word| f64::from(f32::from_le_bytes(*word)));
        let largest = self
            .expected
            .iter()
            .fold(0.0, |most: f64, it| most.max(it.abs()));
        for (row, (found, expected)) in found.zip(&self.expected).enumerate() {
            let off = (found - expected).abs();
            if off.is_nan() || off > CLOSE * largest {
                let name = &self.timed.name;
                return Err(format!("{name}: row {row} is {found} instead of {expected}").into());
            }
        }
        Ok(())
    }
}

/// A buffer that begins with `contents`.
fn filled<T: bytemuck::NoUninit>(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    contents: &[T],
    usage: wgpu::BufferUsages,
) -> BoundBuffer {
    let bytes = bytemuck::cast_slice(contents);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("kvscope bench"),
        size: bytes.len() as u64,
        usage: usage | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, bytes);
    BoundBuffer::whole(buffer)
}
