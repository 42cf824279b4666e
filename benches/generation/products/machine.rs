//! Naive kernels: the four behind the software adapter's first figures (issue 6), written again,
//! and the fastest of several others. Their input may already be quantised. They neither norm it
//! nor hand results on.

use kvscope::fused::{DecodePipeline, KernelVariant, ShaderSources};
use kvscope::kernels::{BoundBuffer, KernelError};

use super::data::{BLOCKS, Data, ROWS, WIDTH};
use super::{Job, Kind, Timed, filled, ours};

/// Threads per workgroup.
const THREADS: usize = 64;

/// Format of a kernel's input.
#[derive(Clone, Copy)]
enum Input {
    Floats,
    /// Bytes, four per word.
    Bytes,
    /// Bytes, one per word.
    Words,
}

struct Variant {
    name: &'static str,
    texts: &'static [&'static str],
    input: Input,
    rows: usize,
}

const SHIFTED: &str = include_str!("shifted.wgsl");
/// Four elements of a word, without shifts.
pub const MASKED: &str = include_str!("masked.wgsl");
const TWO_ROWS: &str = include_str!("two_rows.wgsl");

const VARIANTS: [Variant; 5] = [
    Variant {
        name: "one row a thread, u32 loads",
        texts: &[SHIFTED, include_str!("one_row.wgsl")],
        input: Input::Floats,
        rows: 1,
    },
    Variant {
        name: "one row a thread, dot4I8Packed",
        texts: &[include_str!("packed_dot.wgsl")],
        input: Input::Bytes,
        rows: 1,
    },
    Variant {
        name: "two rows a thread, vec4<u32> loads",
        texts: &[SHIFTED, TWO_ROWS],
        input: Input::Floats,
        rows: 2,
    },
    Variant {
        name: "two rows a thread, vec4<u32> loads, no shifts",
        texts: &[MASKED, TWO_ROWS],
        input: Input::Floats,
        rows: 2,
    },
    Variant {
        name: "two rows a thread, vec4<i32> products",
        texts: &[include_str!("integers.wgsl")],
        input: Input::Words,
        rows: 2,
    },
];

/// All of them, on `data`.
pub fn jobs(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    data: &Data,
) -> Result<Vec<Job>, KernelError> {
    let storage = wgpu::BufferUsages::STORAGE;
    let quants = filled(device, queue, &data.quants, storage);
    let scales = filled(device, queue, &data.scales, storage);
    let quantised = data.quantised();
    let blocks = filled(device, queue, &quantised.blocks, storage);
    let words: Vec<i32> = quantised.elements.iter().map(|it| i32::from(*it)).collect();
    let job = |variant: &Variant| -> Result<Job, KernelError> {
        let input = match variant.input {
            Input::Floats => filled(device, queue, &data.input, storage),
            Input::Bytes => filled(device, queue, &quantised.elements, storage),
            Input::Words => filled(device, queue, &words, storage),
        };
        let output = filled(device, queue, &[0.0_f32; ROWS], storage);
        let mut bound: Vec<(&str, &BoundBuffer)> = vec![
            ("quants", &quants),
            ("scales", &scales),
            ("input", &input),
            ("output", &output),
        ];
        if !matches!(variant.input, Input::Floats) {
            bound.push(("blocks", &blocks));
        }
        let sizes = format!("const BLOCKS: u32 = {BLOCKS}u;");
        let texts = [&[sizes.as_str()], variant.texts].concat();
        let pipeline = DecodePipeline::new(
            device,
            variant.name,
            &ShaderSources(&texts),
            &ours::SIZES,
            &KernelVariant::default(),
        );
        Ok(Job {
            timed: Timed::new(Kind::Bench, variant.name, ROWS * WIDTH),
            kernel: pipeline.bind(device, bound)?,
            grid: [(ROWS / variant.rows / THREADS) as u32, 1],
            output,
            expected: data.expected.clone(),
            first: 0,
        })
    };
    VARIANTS.iter().map(job).collect()
}
