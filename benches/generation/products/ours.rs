//! The kernels of a decode step: gate and up, the largest product of a layer, and the attention.

use kvscope::cache::{CacheType, CacheTypes};
use kvscope::device::Gpu;
use kvscope::formats::BlockFormat;
use kvscope::fused::{
    DecodePipeline, DecodeSizes, Features, KernelVariant, LayerStep, MatrixSpec, SPLIT,
    ShaderSources, StepHeader, Tuning, step_words,
};
use kvscope::kernels::KernelError;

use super::data::{BLOCKS, Data, Numbers, ROWS, WIDTH};
use super::{Job, Kind, Timed, filled};

/// Sizes of a layer of SmolLM2-135M.
pub const SIZES: DecodeSizes = DecodeSizes {
    layers: 1,
    width: WIDTH,
    feed_forward: ROWS / 2,
    query_heads: 9,
    kv_heads: 3,
    dim: 64,
    vocabulary: 32,
    // Without squares to sum, the norm then divides by 1.
    epsilon: 1.0,
    scale: 0.125,
    rotated: 64,
    interleaved: false,
    biases: false,
    head_norms: false,
    types: CacheTypes {
        keys: CacheType::F16,
        values: CacheType::F16,
    },
    features: Features::LLAMA,
};

/// Slots attended to.
const SLOTS: usize = 1024;

/// Rows per workgroup of gate and up.
const TILE: usize = 32;

macro_rules! shader {
    ($file:literal) => {
        include_str!(concat!("../../../shaders/decode/", $file))
    };
}

const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE;

/// The texts of the kernel for gate and up.
pub const GATE_UP: [&str; 3] = [
    shader!("gate_up.wgsl"),
    shader!("product.wgsl"),
    shader!("rms.wgsl"),
];

/// SiLU of gate times up, from the products of the rows of both.
pub fn gated(products: &[f64]) -> Vec<f64> {
    let (gate, up) = products.split_at(products.len() / 2);
    let pairs = gate.iter().zip(up);
    pairs
        .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
        .collect()
}

/// Gate and up, in every way that the device can do.
pub fn products(gpu: &Gpu, data: &Data, chosen: Option<Tuning>) -> Result<Vec<Job>, KernelError> {
    let (device, queue) = gpu.wgpu();
    let at = SIZES.activations();
    let quants = filled(device, queue, &data.quants, STORAGE);
    let scales = filled(device, queue, &data.scales, STORAGE);
    let mut input = vec![0.0; 4 * at.vectors];
    input[4 * at.weighted..][..WIDTH].copy_from_slice(&data.input);
    let expected = gated(&data.expected);
    let texts = ShaderSources(&GATE_UP);
    let job = |tuning: Tuning| -> Result<Job, KernelError> {
        let particular = KernelVariant {
            matrix: Some(MatrixSpec {
                format: BlockFormat::Q4_1,
                height: ROWS,
                groups: BLOCKS,
                tile: TILE,
            }),
            tuning,
            ..KernelVariant::default()
        };
        let activations = filled(device, queue, &input, STORAGE);
        let bound = [
            ("quants", &quants),
            ("scales", &scales),
            ("activations", &activations),
        ];
        let pipeline = DecodePipeline::new(device, "gate_up", &texts, &SIZES, &particular);
        Ok(Job {
            timed: timed(Kind::Product, tuning, chosen, ROWS * WIDTH),
            kernel: pipeline.bind(device, bound)?,
            grid: [(ROWS / TILE) as u32, 1],
            output: activations,
            expected: expected.clone(),
            first: 4 * at.feed_forward,
        })
    };
    let mut ways = Tuning::PLAIN.to_vec();
    let abilities = gpu.shader_abilities();
    let tried = Tuning::tried(abilities, BlockFormat::Q4_1);
    let serial = [
        Tuning::SERIAL.in_integers(),
        Tuning::SERIAL.in_quads(abilities),
    ];
    for tuning in tried.into_iter().chain(serial) {
        if !ways.contains(&tuning) {
            ways.push(tuning);
        }
    }
    ways.into_iter().map(job).collect()
}

/// Attention, in every way.
pub fn attention(gpu: &Gpu, chosen: Option<Tuning>) -> Result<Vec<Job>, KernelError> {
    let (device, queue) = gpu.wgpu();
    let mut numbers = Numbers(0x1234_5678);
    let mut halves = |count: usize| -> Vec<half::f16> {
        let number = |_| half::f16::from_f32(numbers.part());
        (0..count).map(number).collect()
    };
    let rows = SIZES.kv_heads * SLOTS;
    let keys = filled(device, queue, &halves(rows * SIZES.dim), STORAGE);
    let values = filled(device, queue, &halves(rows * SIZES.dim), STORAGE);
    let positions: Vec<i32> = (0..rows as i32).collect();
    let positions = filled(device, queue, &positions, STORAGE);
    let activations: Vec<f32> = (0..4 * SIZES.activations().vectors)
        .map(|_| numbers.part())
        .collect();
    let activations = filled(device, queue, &activations, STORAGE);
    let splits = SLOTS / SPLIT;
    let partials = vec![0.0_f32; SIZES.kv_heads * splits * SIZES.partial()];
    let partials = filled(device, queue, &partials, STORAGE);
    let logits = vec![0.0_f32; SIZES.query_heads * SLOTS];
    let logits = filled(device, queue, &logits, STORAGE);
    let layer = LayerStep {
        capacity: SLOTS,
        ..LayerStep::default()
    };
    let uniform = wgpu::BufferUsages::UNIFORM;
    let step = step_words(&SIZES, StepHeader::new(SLOTS, 0), [], &[layer]);
    let step = filled(device, queue, &step, uniform);
    let place = filled(device, queue, &[0, SLOTS as u32, 0, 0], uniform);
    let bound = [
        ("keys", &keys),
        ("values", &values),
        ("positions", &positions),
        ("activations", &activations),
        ("partials", &partials),
        ("logits", &logits),
        ("step", &step),
        ("place", &place),
    ];
    let texts = ShaderSources(&[shader!("attend.wgsl")]);
    let job = |tuning: Tuning| -> Result<Job, KernelError> {
        let particular = KernelVariant {
            tuning,
            ..KernelVariant::default()
        };
        let pipeline = DecodePipeline::new(device, "attend", &texts, &SIZES, &particular);
        // Each query with each key, each weight with each value.
        let multiply_adds = 2 * SIZES.query_heads * SLOTS * SIZES.dim;
        Ok(Job {
            timed: timed(Kind::Attention, tuning, chosen, multiply_adds),
            kernel: pipeline.bind(device, bound)?,
            grid: [splits as u32, SIZES.kv_heads as u32],
            output: partials.clone(),
            // Tests of whole steps check the results.
            expected: Vec::new(),
            first: 0,
        })
    };
    let mut ways = Tuning::PLAIN.to_vec();
    // Those that differ in their products only.
    ways.dedup_by_key(|it| (it.attention_threads, it.slots_per_thread));
    let quads = Tuning::SERIAL.in_quads(gpu.shader_abilities());
    if !ways.contains(&quads) {
        ways.push(quads);
    }
    ways.into_iter().map(job).collect()
}

fn timed(kind: Kind, tuning: Tuning, chosen: Option<Tuning>, multiply_adds: usize) -> Timed {
    Timed {
        chosen: chosen == Some(tuning),
        ..Timed::new(kind, tuning.name(), multiply_adds)
    }
}
