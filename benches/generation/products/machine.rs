//! Kernels as one would write them down for a start, by which machine.md found out what is fast on its adapter. Their input
//! may have been quantised before, and they neither norm it nor hand their results on.

use kvscope::kernels::BoundBuffer;
use kvscope::kernels::decode::{DecodePipeline, Particular, Texts};

use super::data::{BLOCKS, Data, ROWS, WIDTH};
use super::{Job, Kind, Timed, filled, ours};

/// Threads of a workgroup.
const THREADS: usize = 64;

/// What a kernel's input is.
#[derive(Clone, Copy)]
enum Input {
    Floats,
    /// In bytes, four a word.
    Bytes,
    /// In bytes, each in a word of its own.
    Words,
}

struct Variant {
    name: &'static str,
    text: &'static str,
    input: Input,
    rows: usize,
}

const VARIANTS: [Variant; 4] = [
    Variant {
        name: "one row a thread, u32 loads",
        text: include_str!("one_row.wgsl"),
        input: Input::Floats,
        rows: 1,
    },
    Variant {
        name: "one row a thread, dot4I8Packed",
        text: include_str!("packed_dot.wgsl"),
        input: Input::Bytes,
        rows: 1,
    },
    Variant {
        name: "two rows a thread, vec4<u32> loads",
        text: include_str!("two_rows.wgsl"),
        input: Input::Floats,
        rows: 2,
    },
    Variant {
        name: "two rows a thread, vec4<i32> products",
        text: include_str!("integers.wgsl"),
        input: Input::Words,
        rows: 2,
    },
];

/// All of them, on `data`.
pub fn jobs(device: &wgpu::Device, queue: &wgpu::Queue, data: &Data) -> Vec<Job> {
    let storage = wgpu::BufferUsages::STORAGE;
    let quants = filled(device, queue, &data.quants, storage);
    let scales = filled(device, queue, &data.scales, storage);
    let quantised = data.quantised();
    let blocks = filled(device, queue, &quantised.blocks, storage);
    let words: Vec<i32> = quantised.elements.iter().map(|it| i32::from(*it)).collect();
    let job = |variant: &Variant| {
        let input = match variant.input {
            Input::Floats => filled(device, queue, &data.input, storage),
            Input::Bytes => filled(device, queue, &quantised.elements, storage),
            Input::Words => filled(device, queue, &words, storage),
        };
        let output = filled(device, queue, &[0.0_f32; ROWS], storage);
        let mut bound: Vec<(u32, &BoundBuffer)> =
            vec![(0, &quants), (1, &scales), (2, &input), (3, &output)];
        if !matches!(variant.input, Input::Floats) {
            bound.push((4, &blocks));
        }
        let sizes = format!("const BLOCKS: u32 = {BLOCKS}u;");
        let texts = [sizes.as_str(), variant.text];
        let pipeline = DecodePipeline::new(
            device,
            variant.name,
            &Texts(&texts),
            &ours::SIZES,
            &Particular::default(),
        );
        Job {
            timed: Timed {
                kind: Kind::Bench,
                name: variant.name.to_owned(),
                chosen: false,
                multiply_adds: ROWS * WIDTH,
                ms: Vec::new(),
            },
            kernel: pipeline.bind(device, &bound),
            grid: [(ROWS / variant.rows / THREADS) as u32, 1],
            output,
            expected: data.expected.clone(),
            first: 0,
        }
    };
    VARIANTS.iter().map(job).collect()
}
