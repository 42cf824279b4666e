//! A decode step's products, in every way of sharing out their work, against sums in f64; and the choice among the ways.

#![cfg(not(target_family = "wasm"))]

#[path = "plain_cache/devices.rs"]
mod devices;
mod gguf_file;
mod plain_llama;
mod safetensors_file;
mod tiny_model;

use kvscope::gpu::Readback;
use kvscope::kernels::BoundBuffer;
use kvscope::kernels::decode::{
    DecodePipeline, DecodeSizes, MatrixText, Particular, Texts, Tuning,
};
use kvscope::model::{Decoder, KnownTunings};
use kvscope::weights::BlockFormat;
use kvscope::weights::planes::PlaneSplitter;
use pollster::block_on;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tiny_model::sizes::LLAMA;
use tiny_model::{TinyModel, blocks, run};

/// Blocks of 256 elements too, and more groups than lanes that share a row.
const WIDTH: usize = 768;
/// No multiple of anything.
const ROWS: usize = 71;
/// Rows of a workgroup.
const TILE: usize = 64;

/// Of the output matrix, with a norm that divides by 1: there are no squares.
const SIZES: DecodeSizes = DecodeSizes {
    layers: 1,
    width: WIDTH,
    feed_forward: 32,
    query_heads: 1,
    kv_heads: 1,
    dim: 32,
    vocabulary: ROWS,
    epsilon: 1.0,
    rotated: 32,
    interleaved: false,
    biases: false,
    head_norms: false,
    packed: true,
};

macro_rules! shader {
    ($file:literal) => {
        include_str!(concat!("../shaders/decode/", $file))
    };
}

struct Matrix {
    format: BlockFormat,
    elements: Vec<f32>,
    quants: BoundBuffer,
    scales: BoundBuffer,
}

impl Matrix {
    /// Elements up to about 1.
    fn new(format: BlockFormat, random: &mut ChaCha8Rng) -> Self {
        let bytes = blocks::random(format, ROWS * WIDTH, 1.0, random);
        let mut splitter = PlaneSplitter::new(format);
        let mut all = splitter.push(&bytes);
        let last = splitter.finish();
        all.quants.extend(last.quants);
        all.scales.extend(last.scales);
        Self {
            format,
            elements: format.dequantise(&bytes).unwrap(),
            quants: buffer(&all.quants),
            scales: buffer(&all.scales),
        }
    }

    /// The product with `input` on the GPU.
    fn product(&self, input: &[f32], tuning: Tuning) -> Vec<f32> {
        let gpu = devices::opened();
        let (device, queue) = gpu.wgpu();
        let at = SIZES.activations();
        let mut activations = vec![0.0_f32; 4 * at.vectors];
        activations[4 * at.weighted..][..WIDTH].copy_from_slice(input);
        let activations = buffer(&activations);
        let output = buffer(&[0.0_f32; ROWS]);
        let texts = [
            shader!("logits.wgsl"),
            shader!("product.wgsl"),
            shader!("rms.wgsl"),
        ];
        let particular = Particular {
            matrix: Some(MatrixText {
                format: self.format,
                height: ROWS,
                groups: WIDTH / 32,
                tile: TILE,
            }),
            tuning,
            ..Particular::default()
        };
        let pipeline = DecodePipeline::new(device, "test", &Texts(&texts), &SIZES, &particular);
        let bound = [
            (0, &self.quants),
            (1, &self.scales),
            (2, &activations),
            (3, &output),
        ];
        let kernel = pipeline.bind(device, &bound);
        let readback = Readback::new(gpu, 4 * ROWS as u64);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            kernel.dispatch(&mut pass, [ROWS.div_ceil(TILE) as u32, 1]);
        }
        readback.copy(&mut encoder, output.buffer(), 4 * ROWS as u64);
        queue.submit([encoder.finish()]);
        let read = block_on(readback.request(4 * ROWS as u64).read(gpu)).unwrap();
        let (words, _) = read.as_chunks::<4>();
        words.iter().map(|word| f32::from_le_bytes(*word)).collect()
    }

    fn check(&self, name: &str, input: &[f32], tuning: Tuning) {
        let found = self.product(input, tuning);
        // The order of summing, in f32.
        let size: f64 = input.iter().map(|x| f64::from(x.abs())).sum();
        let rounding = 4e-6 * size;
        for (row, found) in found.iter().enumerate() {
            let weights = &self.elements[row * WIDTH..][..WIDTH];
            let pairs = weights.iter().zip(input);
            let expected: f64 = pairs.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let groups = weights.chunks(32).zip(input.chunks(32));
            let fixed = groups.map(|(weights, input)| {
                let largest = input.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
                let weights: f64 = weights.iter().map(|w| f64::from(w.abs())).sum();
                weights * f64::from(largest) / 64_000.0
            });
            let most = rounding + if tuning.integers { fixed.sum() } else { 0.0 };
            let off = (f64::from(*found) - expected).abs();
            let format = self.format.name();
            assert!(
                off <= most,
                "{format}, {}, {name}, row {row}: {found} is {off} from {expected}, {most} is allowed",
                tuning.name(),
            );
        }
    }
}

fn buffer<T: bytemuck::NoUninit>(contents: &[T]) -> BoundBuffer {
    let (device, queue) = devices::opened().wgpu();
    let bytes = bytemuck::cast_slice(contents);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.len() as u64,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, bytes);
    BoundBuffer::whole(buffer)
}

/// Inputs of one size, of very different sizes in one group, with groups of nothing, and at the ends of what fixed point has.
fn inputs(random: &mut ChaCha8Rng) -> [(&'static str, Vec<f32>); 4] {
    let even = blocks::numbers(WIDTH, 2.0, random);
    let mut uneven = blocks::numbers(WIDTH, 1e-3, random);
    let mut gaps = vec![0.0; WIDTH];
    for group in 0..WIDTH / 32 {
        uneven[32 * group + group] = if group % 2 == 0 { 700.0 } else { -9.0 };
        if group % 3 == 0 {
            gaps[32 * group + 5] = 1e-35;
            gaps[32 * group + 31 - group] = 0.25;
        }
    }
    let ends = (0..WIDTH).map(|i| if i % 5 < 3 { 3.0 } else { -3.0 });
    [
        ("even", even),
        ("uneven", uneven),
        ("gaps", gaps),
        ("ends", ends.collect()),
    ]
}

#[test]
fn every_way_is_right_within_its_bound() {
    let abilities = devices::opened().shader_abilities();
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let inputs = inputs(&mut random);
    for format in BlockFormat::ALL {
        // Each is compiled: one format in every way there is, the others in one of each kind.
        let ways = match format {
            BlockFormat::Q4_1 => {
                let mut ways = Tuning::tried(abilities, format);
                ways.extend([Tuning::LIGHT, Tuning::SERIAL.in_integers()]);
                ways
            }
            BlockFormat::Q4_0 | BlockFormat::Q4_K | BlockFormat::Q8_0 => {
                let joined = Tuning::MODERATE.joining(abilities.subgroup);
                vec![Tuning::LIGHT, joined, joined.in_integers()]
            }
            // Those that are not multiplied in integers are multiplied all the same.
            _ => vec![Tuning::LIGHT.in_integers()],
        };
        if !matches!(
            format,
            BlockFormat::F32 | BlockFormat::F16 | BlockFormat::BF16
        ) {
            let matrix = Matrix::new(format, &mut random);
            for tuning in ways {
                for (name, input) in &inputs {
                    matrix.check(name, input, tuning);
                }
            }
        }
    }
}

/// On whatever adapter this is; what is known is not measured again, and what says nothing of use is.
#[test]
fn the_fastest_way_is_found_once() {
    let gpu = devices::opened();
    let format = BlockFormat::Q4_1;
    let tiny = TinyModel::new(LLAMA, format);
    let model = run::load_gguf(&tiny.gguf().bytes(), &devices::gpu()).unwrap();
    let choose = |known: &mut KnownTunings| {
        let chosen = block_on(Decoder::tune_by_trial(&model, gpu, known)).unwrap();
        chosen.expect("a model that the kernels are written for")
    };
    let mut known = KnownTunings::from_json("damaged");
    let chosen = choose(&mut known);
    let tried = Tuning::tried(gpu.shader_abilities(), format);
    assert!(tried.contains(&chosen));

    let kept = known.to_json();
    assert!(kept.contains(&gpu.report().name), "{kept}");
    for other in tried {
        let before = format!(r#":"{}""#, chosen.name());
        let after = format!(r#":"{}""#, other.name());
        let mut known = KnownTunings::from_json(&kept.replace(&before, &after));
        assert_eq!(choose(&mut known), other);
    }
    let mut stale = KnownTunings::from_json(&kept.replace(&chosen.name(), "of another day"));
    choose(&mut stale);
    assert!(!stale.to_json().contains("of another day"));
}
