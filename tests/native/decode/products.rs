//! A decode step's products, in every tuning, against sums in f64; and the choice of a tuning.

use kvscope::cache::{CacheType, CacheTypes};
use kvscope::device::Readback;
use kvscope::formats::BlockFormat;
use kvscope::formats::planes::PlaneSplitter;
use kvscope::fused::{
    DecodePipeline, DecodeSizes, Features, KernelVariant, MatrixSpec, ShaderSources, Tuning,
};
use kvscope::fused::{FusedDecoder, KnownTunings, Pipelines};
use kvscope::kernels::BoundBuffer;
use pollster::block_on;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::support::devices;
use crate::support::tiny_model::sizes::LLAMA;
use crate::support::tiny_model::{TinyModel, blocks, run};

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
    scale: 1.0,
    rotated: 32,
    interleaved: false,
    biases: false,
    head_norms: false,
    types: CacheTypes {
        keys: CacheType::F16,
        values: CacheType::F16,
    },
    features: Features::LLAMA,
};

macro_rules! shader {
    ($file:literal) => {
        include_str!(concat!("../../../shaders/decode/", $file))
    };
}

/// With a name.
type Input = (&'static str, Vec<f32>);

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

    /// The product with each of `inputs` on the GPU.
    fn products(&self, inputs: &[Input], tuning: Tuning) -> Vec<Vec<f32>> {
        let gpu = devices::opened();
        let (device, queue) = gpu.wgpu();
        let at = SIZES.activations();
        let activations = buffer(&vec![0.0_f32; 4 * at.vectors]);
        let output = buffer(&[0.0_f32; ROWS]);
        let texts = [
            shader!("logits.wgsl"),
            shader!("product.wgsl"),
            shader!("rms.wgsl"),
        ];
        let particular = KernelVariant {
            matrix: Some(MatrixSpec {
                format: self.format,
                height: ROWS,
                groups: WIDTH / 32,
                tile: TILE,
            }),
            tuning,
            ..KernelVariant::default()
        };
        let pipeline =
            DecodePipeline::new(device, "test", &ShaderSources(&texts), &SIZES, &particular);
        let bound = [
            ("quants", &self.quants),
            ("scales", &self.scales),
            ("activations", &activations),
            ("logits", &output),
        ];
        let kernel = pipeline.bind(device, bound).unwrap();
        let bytes = 4 * ROWS as u64;
        let readback = Readback::new(gpu, bytes);
        let product = |(_, input): &Input| {
            let input = bytemuck::cast_slice(input);
            queue.write_buffer(activations.buffer(), 16 * at.weighted as u64, input);
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                kernel.dispatch(&mut pass, [ROWS.div_ceil(TILE) as u32, 1]);
            }
            readback.copy(&mut encoder, output.buffer(), bytes);
            queue.submit([encoder.finish()]);
            let read = block_on(readback.request(bytes).read(gpu)).unwrap();
            let (words, _) = read.as_chunks::<4>();
            words.iter().map(|word| f32::from_le_bytes(*word)).collect()
        };
        inputs.iter().map(product).collect()
    }

    fn check(&self, name: &str, input: &[f32], found: &[f32], tuning: Tuning) {
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

/// Inputs of one size, of very different sizes in one group, with groups of zeros, and at fixed
/// point's limits.
fn inputs(random: &mut ChaCha8Rng) -> [Input; 4] {
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
    // Each is compiled: one format in every way there is, others in one of each kind.
    let joined = Tuning::MODERATE.joining(abilities.subgroup);
    let mut every = Tuning::tried(abilities, BlockFormat::Q4_1);
    every.extend([Tuning::LIGHT, Tuning::SERIAL.in_integers()]);
    let quads = Tuning::SERIAL.in_quads(abilities);
    every.extend([quads, quads.in_integers()]);
    let of_bytes = [
        BlockFormat::Q5_0,
        BlockFormat::Q5_1,
        BlockFormat::Q2_K,
        BlockFormat::Q3_K,
        BlockFormat::Q5_K,
        BlockFormat::Q6_K,
        BlockFormat::IQ4_NL,
        BlockFormat::IQ4_XS,
        BlockFormat::MXFP4,
        BlockFormat::TQ2_0,
    ];
    for (format, ways) in [
        (BlockFormat::Q4_1, every),
        (
            BlockFormat::Q4_0,
            vec![joined, quads, Tuning::LIGHT.in_integers()],
        ),
        (
            BlockFormat::Q4_K,
            vec![Tuning::LIGHT.in_quads(abilities), joined.in_integers()],
        ),
        (
            BlockFormat::Q8_0,
            vec![joined, quads, Tuning::LIGHT.in_integers()],
        ),
    ]
    .into_iter()
    .chain(of_bytes.map(|format| (format, vec![joined, quads, Tuning::LIGHT.in_integers()])))
    {
        let matrix = Matrix::new(format, &mut random);
        for tuning in ways {
            let found = matrix.products(&inputs, tuning);
            for ((name, input), found) in inputs.iter().zip(&found) {
                matrix.check(name, input, found, tuning);
            }
        }
    }
}

/// On whatever adapter this is; what is known is not measured again, and what says nothing of use
/// is.
#[test]
fn the_fastest_way_is_found_once() {
    let gpu = devices::opened();
    let format = BlockFormat::Q4_1;
    let tiny = TinyModel::new(LLAMA, format);
    let model = run::load_gguf(&tiny.gguf().bytes(), &devices::gpu()).unwrap();
    let pipelines = Pipelines::default();
    let choose = |known: &mut KnownTunings| {
        let chosen = FusedDecoder::tune_by_trial(&model, &pipelines, gpu, known);
        let chosen = block_on(chosen).unwrap();
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
