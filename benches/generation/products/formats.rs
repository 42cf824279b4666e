//! Products of every block format: those of a decode step, and those of a prompt.

use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use kvscope::device::Gpu;
use kvscope::formats::BlockFormat;
use kvscope::formats::planes::{PlanePiece, PlaneSplitter};
use kvscope::fused::{
    DecodePipeline, DecodeSizes, KernelVariant, MatrixSpec, ShaderSources, Tuning,
};
use kvscope::kernels::{BlockMatrix, MatrixShape};
use pollster::block_on;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::Serialize;

use super::{CLOSE, Job, Kind, Timed, filled, ours};
use crate::Outcome;

#[path = "../../../tests/support/tiny_model/blocks.rs"]
mod blocks;

/// Rows, and elements of a row, which are whole blocks in every format.
const ROWS: usize = 3072;
const WIDTH: usize = 768;

/// Tokens of the prompt.
const TOKENS: usize = 128;

/// Rounds of decode steps per round of prompts, which take tens of times as long.
const SELDOM: usize = 4;

/// Rows per workgroup of gate and up.
const TILE: usize = 32;

/// A format, with the milliseconds of each round.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfFormat {
    format: &'static str,
    /// Multiply-adds of a vector's product; a prompt has as many per token.
    multiply_adds: usize,
    tokens: usize,
    vector_ms: Vec<f64>,
    prompt_ms: Vec<f64>,
}

/// Both products of a format, ready to run.
struct Pair {
    vector: Job,
    prompt: Prompt,
}

/// The product of a prompt.
struct Prompt {
    matrix: BlockMatrix,
    input: Tensor<2>,
    /// The last token's results.
    expected: Vec<f64>,
    ms: Vec<f64>,
}

/// Times every format in each of `rounds`; `chosen` is how decode steps divide their work.
pub fn run(rounds: usize, gpu: &Gpu, chosen: Option<Tuning>) -> Outcome<Vec<OfFormat>> {
    if rounds == 0 {
        return Ok(Vec::new());
    }
    let mut random = ChaCha8Rng::seed_from_u64(18);
    let input = blocks::numbers(TOKENS * WIDTH, 1.0, &mut random);
    let mut pairs = Vec::new();
    for format in BlockFormat::ALL {
        eprintln!("native: products of {}, once", format.name());
        let pair = Pair::new(format, &input, gpu, chosen, &mut random)?;
        // The first run compiles.
        pair.vector.once(gpu)?;
        pair.vector.check(gpu)?;
        pair.prompt.check()?;
        pairs.push((format, pair));
    }
    for round in 0..rounds {
        eprintln!("native: products by format, round {}", round + 1);
        for (_, pair) in &mut pairs {
            let ms = pair.vector.once(gpu)?;
            pair.vector.timed.ms.push(ms);
            if round % SELDOM == 0 {
                let ms = pair.prompt.once()?;
                pair.prompt.ms.push(ms);
            }
        }
    }
    let each = pairs.into_iter().map(|(format, pair)| OfFormat {
        format: format.name(),
        multiply_adds: ROWS * WIDTH,
        tokens: TOKENS,
        vector_ms: pair.vector.timed.ms,
        prompt_ms: pair.prompt.ms,
    });
    Ok(each.collect())
}

impl Pair {
    fn new(
        format: BlockFormat,
        input: &[f32],
        gpu: &Gpu,
        chosen: Option<Tuning>,
        random: &mut ChaCha8Rng,
    ) -> Outcome<Self> {
        let bytes = blocks::random(format, ROWS * WIDTH, 1.0, random);
        let elements = format.dequantise(&bytes)?;
        let mut splitter = PlaneSplitter::new(format);
        let pieces = [splitter.push(&bytes), splitter.finish()];
        let last = &input[(TOKENS - 1) * WIDTH..];
        let expected: Vec<f64> = elements
            .chunks(WIDTH)
            .map(|row| {
                let pairs = row.iter().zip(last);
                pairs.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
            })
            .collect();
        Ok(Self {
            vector: vector(format, &pieces, last, &expected, gpu, chosen)?,
            prompt: Prompt::new(format, pieces, input, expected, gpu)?,
        })
    }
}

/// Gate and up of a layer.
fn vector(
    format: BlockFormat,
    pieces: &[PlanePiece],
    input: &[f32],
    expected: &[f64],
    gpu: &Gpu,
    chosen: Option<Tuning>,
) -> Outcome<Job> {
    let sizes = DecodeSizes {
        width: WIDTH,
        feed_forward: ROWS / 2,
        ..ours::SIZES
    };
    let (device, queue) = gpu.wgpu();
    let storage = wgpu::BufferUsages::STORAGE;
    let plane = |of: fn(&PlanePiece) -> &[u32]| pieces.iter().map(of).collect::<Vec<_>>().concat();
    let quants = filled(device, queue, &plane(|piece| &piece.quants), storage);
    let scales = plane(|piece| &piece.scales);
    let at = sizes.activations();
    let mut activations = vec![0.0; 4 * at.vectors];
    activations[4 * at.weighted..][..WIDTH].copy_from_slice(input);
    let activations = filled(device, queue, &activations, storage);
    let mut bound = vec![("quants", &quants), ("activations", &activations)];
    let scales = (!scales.is_empty()).then(|| filled(device, queue, &scales, storage));
    bound.extend(scales.iter().map(|scales| ("scales", scales)));
    let variant = KernelVariant {
        matrix: Some(MatrixSpec {
            format,
            height: ROWS,
            groups: WIDTH / super::data::BLOCK,
            tile: TILE,
        }),
        tuning: chosen.unwrap_or_default(),
        ..KernelVariant::default()
    };
    let pipeline = DecodePipeline::new(
        device,
        "gate_up",
        &ShaderSources(&ours::GATE_UP),
        &sizes,
        &variant,
    );
    Ok(Job {
        timed: Timed::new(Kind::Product, format.name(), ROWS * WIDTH),
        kernel: pipeline.bind(device, bound)?,
        grid: [(ROWS / TILE) as u32, 1],
        expected: ours::gated(expected),
        first: 4 * at.feed_forward,
        output: activations,
    })
}

impl Prompt {
    fn new(
        format: BlockFormat,
        pieces: [PlanePiece; 2],
        input: &[f32],
        expected: Vec<f64>,
        gpu: &Gpu,
    ) -> Outcome<Self> {
        let shape = MatrixShape {
            format,
            rows: ROWS,
            width: WIDTH,
        };
        let mut matrix = BlockMatrix::empty(shape, gpu.device())?;
        pieces.into_iter().for_each(|piece| matrix.write(piece));
        let input = TensorData::new(input.to_vec(), [TOKENS, WIDTH]);
        Ok(Self {
            matrix,
            input: Tensor::from_data(input, gpu.device()),
            expected,
            ms: Vec::new(),
        })
    }

    /// The last token's results.
    fn product(&self) -> Outcome<Vec<f32>> {
        let product = self.matrix.product(self.input.clone())?;
        let last = product.slice([TOKENS - 1..TOKENS, 0..ROWS]);
        let data = block_on(last.into_data_async())?;
        Ok(data.try_to_vec()?)
    }

    fn once(&self) -> Outcome<f64> {
        let start = Instant::now();
        self.product()?;
        Ok(start.elapsed().as_secs_f64() * 1000.0)
    }

    fn check(&self) -> Outcome<()> {
        let found = self.product()?;
        let largest = self
            .expected
            .iter()
            .fold(0.0, |most: f64, it| most.max(it.abs()));
        for (row, (found, expected)) in found.iter().zip(&self.expected).enumerate() {
            let off = (f64::from(*found) - expected).abs();
            if off.is_nan() || off > CLOSE * largest {
                let format = self.matrix.shape().format.name();
                return Err(format!("{format}: row {row} is {found}, not {expected}").into());
            }
        }
        Ok(())
    }
}
