//! Kernels against plain tensors on the same device, for native code and for the browser.

use burn::tensor::{DType, Int, Tensor, TensorData};
use kvscope::cache::CacheType;
use kvscope::device::Gpu;
use kvscope::formats::BlockFormat;
use kvscope::formats::planes::PlaneSplitter;
use kvscope::kernels::{
    BlockMatrix, KernelError, MatrixShape, StoredRows, attention_output, attention_probabilities,
    pack_rows, prompt_attention, prompt_scores, rms_norm, rope, unpack_rows,
};

/// Numbers without structure but the same on every machine, between -1 and 1 (a 32-bit linear
/// congruential generator).
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_769).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Widths below, at and above a workgroup's lanes, odd ones too; rows beyond one line of the grid.
pub async fn rms_norm_equals_plain_tensors(gpu: &Gpu) {
    let device = gpu.device();
    for (rows, width) in [(1, 1), (1, 63), (3, 64), (5, 65), (2, 576), (70_000, 3)] {
        let input = Tensor::<2>::from_data(
            TensorData::new(numbers(rows * width, 1), [rows, width]),
            device,
        );
        let weight = Tensor::<1>::from_data(TensorData::new(numbers(width, 2), [width]), device);
        let epsilon = 1e-5;

        let mean = input.clone().square().mean_dim(1);
        let plain = input.clone() / (mean + epsilon).sqrt() * weight.clone().unsqueeze::<2>();
        let fused = rms_norm(input, weight, epsilon).unwrap();

        let difference = gpu.read((plain - fused).abs().max()).await.unwrap();
        let difference = difference.try_to_vec::<f32>().unwrap()[0];
        assert!(
            difference <= 1e-5,
            "rows {rows}, width {width}: off by {difference}"
        );
    }
}

/// A transposed view has other strides than its shape tells: the launcher must not take it for
/// rows.
pub async fn rms_norm_takes_views(gpu: &Gpu) {
    let device = gpu.device();
    let tall = Tensor::<2>::from_data(TensorData::new(numbers(12, 3), [4, 3]), device);
    let wide_copy =
        Tensor::<2>::from_data(gpu.read(tall.clone().transpose()).await.unwrap(), device);
    let weight = Tensor::<1>::ones([4], device);
    let of_view = rms_norm(tall.transpose(), weight.clone(), 1e-5).unwrap();
    let of_copy = rms_norm(wide_copy, weight, 1e-5).unwrap();
    assert_eq!(
        gpu.read(of_view)
            .await
            .unwrap()
            .try_to_vec::<f32>()
            .unwrap(),
        gpu.read(of_copy)
            .await
            .unwrap()
            .try_to_vec::<f32>()
            .unwrap()
    );
}

pub fn rms_norm_refuses_what_does_not_fit(gpu: &Gpu) {
    let input = Tensor::<2>::zeros([2, 4], gpu.device());
    let weight = Tensor::<1>::zeros([3], gpu.device());
    let refused = rms_norm(input, weight, 1e-5).unwrap_err();
    assert!(
        matches!(refused, KernelError::Shape { argument: "weight", ref shape, .. } if shape == &[3]),
        "{refused}"
    );
}

/// Every f16 there is, as f32, must come back as itself. Numbers between two must round as `half`
/// rounds.
pub async fn packed_f16_equals_half(gpu: &Gpu) {
    let mut values: Vec<f32> = (0..=u16::MAX)
        .map(|bits| half::f16::from_bits(bits).to_f32())
        .filter(|value| !value.is_nan())
        .collect();
    // Ties, the last place above and below them, overflow and underflow.
    for bits in (0..0x7c00_u16).step_by(7) {
        let (low, high) = (half::f16::from_bits(bits), half::f16::from_bits(bits + 1));
        if high.is_finite() {
            let tie = (low.to_f32() + high.to_f32()) / 2.0;
            values.extend([tie, tie.next_up(), tie.next_down(), -tie]);
        }
    }
    values.extend([65_519.9, 65_520.0, 1e9, -1e9, 1e-9, 2.9e-8, 3e-8]);
    values.extend(numbers(4_096, 5));
    if values.len() % 2 == 1 {
        values.push(0.0);
    }

    let shape = [values.len() / 2, 2];
    let tensor = Tensor::<2>::from_data(TensorData::new(values.clone(), shape), gpu.device());
    let format = CacheType::F16.row_format();
    let words = pack_rows(tensor, format).unwrap();
    let bits = gpu
        .read(words.clone())
        .await
        .unwrap()
        .try_to_vec::<u32>()
        .unwrap();
    for (pair, word) in values.chunks_exact(2).zip(&bits) {
        let expected = [pair[0], pair[1]].map(|value| half::f16::from_f32(value).to_bits());
        let got = [*word as u16, (*word >> 16) as u16];
        assert_eq!(got, expected, "{pair:?}");
    }

    let back = gpu
        .read(unpack_rows(words, 2, format).unwrap())
        .await
        .unwrap();
    for (value, back) in values.iter().zip(back.try_to_vec::<f32>().unwrap()) {
        assert_eq!(half::f16::from_f32(*value).to_f32(), back);
    }
}

/// Blocks whose bits are without structure, with scales that keep the elements small.
pub fn blocks(format: BlockFormat, count: usize, seed: u32) -> Vec<u8> {
    let scale_places: &[usize] = match format {
        BlockFormat::F32 | BlockFormat::F16 | BlockFormat::BF16 => {
            let elements = numbers(count * format.block_elements(), seed);
            return elements.iter().flat_map(|x| plain(format, *x)).collect();
        }
        BlockFormat::Q4_0 | BlockFormat::Q5_0 | BlockFormat::Q8_0 => &[0],
        BlockFormat::Q4_1 | BlockFormat::Q5_1 | BlockFormat::Q4_K | BlockFormat::Q5_K => &[0, 2],
        BlockFormat::Q2_K => &[80, 82],
        BlockFormat::Q3_K => &[108],
        BlockFormat::Q6_K => &[208],
        BlockFormat::IQ4_NL | BlockFormat::IQ4_XS => &[0],
        BlockFormat::TQ2_0 => &[64],
        // Its scale is an exponent, set below.
        BlockFormat::MXFP4 => &[],
    };
    let bits = numbers(count * format.block_bytes(), seed);
    let mut bytes: Vec<u8> = bits.iter().map(|x| (x.to_bits() >> 8) as u8).collect();
    let scales = numbers(2 * count, seed + 1);
    for (block, scales) in bytes
        .chunks_exact_mut(format.block_bytes())
        .zip(scales.chunks_exact(2))
    {
        for (place, scale) in scale_places.iter().zip(scales) {
            let scale = half::f16::from_f32(scale / 64.0);
            block[*place..place + 2].copy_from_slice(&scale.to_le_bytes());
        }
        if format == BlockFormat::MXFP4 {
            block[0] = 118 + block[0] % 8;
        }
    }
    bytes
}

fn plain(format: BlockFormat, element: f32) -> Vec<u8> {
    match format {
        BlockFormat::F16 => half::f16::from_f32(element).to_le_bytes().to_vec(),
        BlockFormat::BF16 => half::bf16::from_f32(element).to_le_bytes().to_vec(),
        _ => element.to_le_bytes().to_vec(),
    }
}

fn block_matrix(gpu: &Gpu, shape: MatrixShape, bytes: &[u8]) -> BlockMatrix {
    let mut matrix = BlockMatrix::empty(shape, gpu.device()).unwrap();
    let mut splitter = PlaneSplitter::new(shape.format);
    // Pieces that end inside blocks.
    for piece in bytes.chunks(1_001) {
        matrix.write(splitter.push(piece));
    }
    matrix.write(splitter.finish());
    matrix
}

/// Matrices of one format, joined into one pair of planes, give the same as alone, for one token
/// and several. Those of different formats stay apart.
pub async fn joined_matrices_stay_themselves(gpu: &Gpu) {
    let width = 64;
    for format in [BlockFormat::F16, BlockFormat::Q4_1, BlockFormat::Q8_0] {
        let matrix = |rows: usize| {
            let shape = MatrixShape {
                format,
                rows,
                width,
            };
            let bytes = blocks(format, rows * width / format.block_elements(), rows as u32);
            block_matrix(gpu, shape, &bytes)
        };
        let alone = [matrix(1040), matrix(1030), matrix(12)];
        let joined = BlockMatrix::joined(alone.to_vec(), u64::MAX);
        assert!(joined[1].follows(&joined[0]) && joined[2].follows(&joined[1]));
        assert!(!joined[2].follows(&joined[0]) && !joined[0].follows(&joined[1]));
        for tokens in [1, 5, 17] {
            for (alone, joined) in alone.iter().zip(&joined) {
                assert_eq!(alone.shape(), joined.shape());
                assert_eq!(alone.bytes(), joined.bytes());
                let input = TensorData::new(numbers(tokens * width, 3), [tokens, width]);
                let input = Tensor::from_data(input, gpu.device());
                let expected = gpu
                    .read(alone.product(input.clone()).unwrap())
                    .await
                    .unwrap();
                let found = gpu.read(joined.product(input).unwrap()).await.unwrap();
                assert_eq!(
                    found.try_to_vec::<f32>().unwrap(),
                    expected.try_to_vec::<f32>().unwrap()
                );
            }
        }
        let most = BlockMatrix::largest_plane(MatrixShape {
            rows: 2082,
            ..alone[0].shape()
        });
        let apart = BlockMatrix::joined(alone.to_vec(), most - 1);
        assert!(!apart[1].follows(&apart[0]));
    }
}

/// Every format, rows and tokens that do and don't fill tiles, against products in f64 of what
/// plain Rust dequantises.
pub async fn block_matrix_equals_dequantised(gpu: &Gpu) {
    for format in BlockFormat::ALL {
        let block = format.block_elements().max(32);
        // From 2^16 elements and 16 tokens on, adapters that run on a CPU dequantise the matrix
        // first; from 32 tokens on, where rows come in eights, there is a product of its own for
        // those with quads, in steps of 96, 64 or 32 elements.
        let large = |across: usize| (1 << 16) / (across * block) + 5;
        for (across, rows, tokens) in [
            (3, 1, 1),
            (3, 7, 1),
            (3, 70, 1),
            (3, 5, 2),
            (3, 33, 31),
            (3, 64, 33),
            (3, large(3), 29),
            (3, large(3).next_multiple_of(16), 37),
            (4, large(4).next_multiple_of(16) + 8, 37),
            (5, large(5).next_multiple_of(16), 33),
        ] {
            let width = across * block;
            let shape = MatrixShape {
                format,
                rows,
                width,
            };
            let bytes = blocks(format, rows * width / format.block_elements(), 11);
            let weights = format.dequantise(&bytes).unwrap();
            let matrix = block_matrix(gpu, shape, &bytes);
            let input = numbers(tokens * width, 13);

            let tensor = TensorData::new(input.clone(), [tokens, width]);
            let product = matrix.product(Tensor::from_data(tensor, gpu.device()));
            let product = gpu.read(product.unwrap()).await.unwrap();
            for (at, got) in product.try_to_vec::<f32>().unwrap().into_iter().enumerate() {
                let (token, row) = (at / rows, at % rows);
                let terms = weights[row * width..][..width]
                    .iter()
                    .zip(&input[token * width..][..width])
                    .map(|(w, x)| f64::from(*w) * f64::from(*x));
                let (sum, size) = terms.fold((0.0, 0.0), |(s, a), x| (s + x, a + x.abs()));
                let off = (f64::from(got) - sum).abs();
                assert!(
                    off <= 2e-6 * size,
                    "{format:?} {rows}x{width}, token {token}, row {row}: {got}, not {sum}"
                );
            }

            let wanted: Vec<u32> = (0..tokens as u32).map(|i| i * 7 % rows as u32).collect();
            let tensor = TensorData::new(wanted.clone(), [tokens]);
            let tensor = Tensor::<1, Int>::from_data(tensor, (gpu.device(), DType::U32));
            let got = gpu.read(matrix.rows(tensor).unwrap()).await.unwrap();
            let got = got.try_to_vec::<f32>().unwrap();
            for (row, got) in wanted.iter().zip(got.chunks_exact(width)) {
                let row = &weights[*row as usize * width..][..width];
                for (got, expected) in got.iter().zip(row) {
                    // A product may be rounded before the sum or not.
                    let off = (got - expected).abs();
                    assert!(
                        off <= 1e-6 * (1.0 + expected.abs()),
                        "{format:?}: {got} {expected}"
                    );
                }
            }
        }
    }
}

/// Both layouts of the pairs, all of a head or part of it, against the definition.
pub async fn rope_turns_pairs(gpu: &Gpu) {
    let (tokens, heads) = (3, 5);
    for (dim, pairs) in [(2, 1), (8, 4), (64, 32), (10, 3), (6, 0)] {
        for neighbours in [true, false] {
            let input = numbers(tokens * heads * dim, 3);
            let turns = numbers(tokens * pairs, 4);
            let angles = turns.iter().flat_map(|a| [a.cos(), a.sin()]).collect();
            let rotated = rope(
                Tensor::from_data(
                    TensorData::new(input.clone(), [tokens, heads, dim]),
                    gpu.device(),
                ),
                Tensor::from_data(
                    TensorData::new::<f32, _>(angles, [tokens, pairs, 2]),
                    gpu.device(),
                ),
                neighbours,
            );
            let rotated = gpu.read(rotated.unwrap()).await.unwrap();
            let rotated = rotated.try_to_vec::<f32>().unwrap();
            for token in 0..tokens {
                for head in 0..heads {
                    let before = &input[(token * heads + head) * dim..][..dim];
                    let after = &rotated[(head * tokens + token) * dim..][..dim];
                    let mut expected = before.to_vec();
                    for pair in 0..pairs {
                        let (i, j) = match neighbours {
                            true => (2 * pair, 2 * pair + 1),
                            false => (pair, pair + pairs),
                        };
                        let (sin, cos) = turns[token * pairs + pair].sin_cos();
                        expected[i] = before[i] * cos - before[j] * sin;
                        expected[j] = before[j] * cos + before[i] * sin;
                    }
                    for (got, expected) in after.iter().zip(&expected) {
                        assert!((got - expected).abs() < 1e-5, "dim {dim}, pairs {pairs}");
                    }
                }
            }
        }
    }
}

/// Grouped heads, head sizes up to the largest, more slots than lanes, empty and unseen slots, and
/// windows, against f64.
pub async fn attention_equals_its_definition(gpu: &Gpu) {
    for (heads, group, count, slots, dim, window) in [
        (1, 1, 1, 1, 4, None),
        (3, 3, 1, 65, 64, None),
        (2, 4, 5, 130, 32, None),
        (2, 1, 7, 64, 256, Some(20)),
        (1, 3, 3, 300, 12, Some(3)),
        (5, 2, 9, 33, 80, Some(1000)),
    ] {
        let rows = group * count;
        let queries = numbers(heads * rows * dim, 1);
        let keys = numbers(heads * slots * dim, 2);
        let values = numbers(heads * slots * dim, 3);
        // Every fifth slot is empty, the others in no order; the queries stand in the last
        // positions.
        let positions: Vec<i32> = (0..heads * slots)
            .map(|at| match at % slots * 7 % slots {
                place if slots > 5 && place % 5 == 4 => -1,
                place => place as i32,
            })
            .collect();
        let first = (slots - count.min(slots)) as i32;

        let tensor = |values: &[f32], shape: [usize; 3]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), gpu.device())
        };
        let places = TensorData::new(positions.clone(), [heads, slots]);
        let places = Tensor::<2, Int>::from_data(places, (gpu.device(), DType::I32));
        let probabilities = attention_probabilities(
            tensor(&queries, [heads * group, count, dim]),
            tensor(&keys, [heads, slots, dim]),
            places,
            first,
            window,
        )
        .unwrap();
        let output = attention_output(probabilities.clone(), tensor(&values, [heads, slots, dim]));
        let probabilities = gpu.read(probabilities).await.unwrap().try_to_vec::<f32>();
        let (probabilities, output) = (probabilities.unwrap(), output.unwrap());
        let output = gpu.read(output).await.unwrap().try_to_vec::<f32>().unwrap();

        for row in 0..heads * rows {
            let head = row / rows;
            let own = &queries[row * dim..][..dim];
            let seen = |slot: usize| {
                let position = positions[head * slots + slot];
                let own = first + (row % count) as i32;
                position >= 0 && position <= own && in_window(own - position, window)
            };
            let weight = |slot: usize| {
                let key = &keys[(head * slots + slot) * dim..][..dim];
                let pairs = own.iter().zip(key);
                let dot: f64 = pairs.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                (dot / (dim as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = (0..slots)
                .map(|slot| if seen(slot) { weight(slot) } else { 0.0 })
                .collect();
            let sum: f64 = weights.iter().sum();
            let mut expected = vec![0.0; dim];
            for (slot, weight) in weights.iter().enumerate() {
                let got = f64::from(probabilities[row * slots + slot]);
                assert!((got - weight / sum).abs() < 1e-5, "row {row}, slot {slot}");
                for (i, sum_of_values) in expected.iter_mut().enumerate() {
                    let value = f64::from(values[(head * slots + slot) * dim + i]);
                    *sum_of_values += weight / sum * value;
                }
            }
            for (got, expected) in output[row * dim..][..dim].iter().zip(&expected) {
                let off = (f64::from(*got) - expected).abs();
                assert!(off < 1e-5, "row {row}: {got}, not {expected}");
            }
        }
    }
}

/// A piece of a prompt, with or without slots before it.
struct PromptPiece {
    heads: usize,
    group: usize,
    queries: usize,
    slots: usize,
    capacity: usize,
    dim: usize,
    cache_type: CacheType,
    window: Option<usize>,
}

/// True if a query sees what stands `distance` positions before it.
fn in_window(distance: i32, window: Option<usize>) -> bool {
    window.is_none_or(|window| (distance as usize) < window)
}

/// Pieces at the start and in the middle of a prompt, against the definition in f64. Kernels that
/// keep keys at hand get too few rows, just enough, and more than one block. There are odd lengths,
/// grouped heads, windows, and slots that are empty, in no order or beyond those in use. In f32 and
/// f16.
pub async fn prompt_attention_equals_its_definition(gpu: &Gpu) {
    use CacheType::{F16, F32};
    for (heads, group, queries, slots, capacity, dim, cache_type, window) in [
        (2, 1, 5, 21, 24, 8, F32, None),
        (1, 1, 48, 48, 48, 32, F32, None),
        (3, 3, 37, 101, 130, 64, F16, None),
        (2, 2, 65, 65, 70, 96, F32, None),
        (1, 4, 33, 200, 200, 128, F16, None),
        (2, 3, 64, 300, 333, 24, F16, None),
        (1, 2, 260, 16_401, 16_416, 32, F32, None),
        (3, 3, 37, 101, 130, 64, F16, Some(16)),
        (1, 4, 33, 200, 200, 128, F16, Some(50)),
        (2, 2, 65, 300, 333, 24, F32, Some(1)),
        (1, 2, 60, 700, 700, 64, F16, Some(70)),
        (1, 4, 5, 40, 40, 256, F16, None),
        (1, 4, 33, 200, 200, 256, F16, Some(50)),
    ] {
        prompt_piece_equals_its_definition(
            gpu,
            PromptPiece {
                heads,
                group,
                queries,
                slots,
                capacity,
                dim,
                cache_type,
                window,
            },
        )
        .await;
    }
}

async fn prompt_piece_equals_its_definition(gpu: &Gpu, piece: PromptPiece) {
    let PromptPiece {
        heads,
        group,
        queries: count,
        slots,
        capacity,
        dim,
        cache_type,
        window,
    } = piece;
    let rows = group * count;
    let queries: Vec<f32> = numbers(heads * rows * dim, 1)
        .iter()
        .map(|query| query * 4.0)
        .collect();
    let keys = numbers(heads * capacity * dim, 2);
    let values = numbers(heads * capacity * dim, 3);
    // The piece stands at the end; of what was there before it, one in five is missing and the rest
    // is in no order.
    let before = slots - count;
    let positions: Vec<i32> = (0..heads * capacity)
        .map(|at| match at % capacity {
            slot if slot >= before => slot as i32,
            slot if slot % 5 == 3 => -1,
            slot => (before - 1 - slot) as i32,
        })
        .collect();
    let scored = numbers(heads * capacity, 4);

    let device = gpu.device();
    let tensor = |values: &[f32], shape: [usize; 3]| {
        Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), device)
    };
    let format = cache_type.row_format();
    let stored = |values: &[f32]| {
        let rows = tensor(values, [heads, capacity, dim]);
        match cache_type {
            CacheType::F32 => StoredRows::of_f32(rows, format).unwrap(),
            _ => StoredRows::new(pack_rows(rows, format).unwrap(), dim, format).unwrap(),
        }
    };
    let places = TensorData::new(positions.clone(), [heads, capacity]);
    let places = Tensor::<2, Int>::from_data(places, (device, DType::I32));
    let asked = tensor(&queries, [heads * group, count, dim]);
    let (output, stats) = prompt_attention(
        asked.clone(),
        stored(&keys),
        stored(&values),
        places.clone(),
        (slots, before, window),
    )
    .unwrap();
    let scores = Tensor::<2>::from_data(TensorData::new(scored.clone(), [heads, capacity]), device);
    let scores = prompt_scores(asked, stored(&keys), places, stats, scores, (slots, before));
    let output = gpu.read(output).await.unwrap().try_to_vec::<f32>().unwrap();
    let scores = gpu.read(scores.unwrap()).await.unwrap();
    let scores = scores.try_to_vec::<f32>().unwrap();

    let as_stored = |value: f32| match cache_type {
        CacheType::F16 => half::f16::from_f32(value).to_f64(),
        _ => f64::from(value),
    };
    let mut sums: Vec<f64> = scored.iter().copied().map(f64::from).collect();
    for row in 0..heads * rows {
        let head = row / rows;
        let own = &queries[row * dim..][..dim];
        let weights: Vec<f64> = (0..slots)
            .map(|slot| {
                let position = positions[head * capacity + slot];
                let newest = (before + row % count) as i32;
                if position < 0 || position > newest || !in_window(newest - position, window) {
                    return 0.0;
                }
                let key = &keys[(head * capacity + slot) * dim..][..dim];
                let pairs = own.iter().zip(key);
                let dot: f64 = pairs.map(|(q, k)| f64::from(*q) * as_stored(*k)).sum();
                (dot / (dim as f64).sqrt()).exp()
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        let mut expected = vec![0.0; dim];
        for (slot, weight) in weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > 0.0)
        {
            let at = head * capacity + slot;
            sums[at] += weight / sum / group as f64;
            for (sum_of_values, value) in expected.iter_mut().zip(&values[at * dim..]) {
                *sum_of_values += weight / sum * as_stored(*value);
            }
        }
        for (got, expected) in output[row * dim..][..dim].iter().zip(&expected) {
            let off = (f64::from(*got) - expected).abs();
            assert!(
                off < 1e-4,
                "{slots} slots, row {row}: {got}, not {expected}"
            );
        }
    }
    if window.is_some() {
        return; // nobody scores such layers
    }
    for (slot, (got, expected)) in scores.iter().zip(&sums).enumerate() {
        let off = (f64::from(*got) - expected).abs();
        assert!(
            off < 1e-4,
            "{slots} slots, score {slot}: {got}, not {expected}"
        );
    }
}
