//! Models of the Llama family, small enough to be made and computed by a test. They have two layers
//! and random weights, in every block format, as GGUF and as safetensors. `plain_llama` computes
//! the truth.

pub mod blocks;
pub mod gguf;
pub mod hugging_face;
pub mod plain;
pub mod run;
pub mod sizes;
pub mod tokenizer;

use kvscope::formats::BlockFormat;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use sizes::Sizes;

/// A model: its sizes, and its tensors under their names in GGUF files.
#[derive(Debug, Clone)]
pub struct TinyModel {
    pub sizes: Sizes,
    pub tensors: Vec<TinyTensor>,
}

/// A tensor as a file has it, and what that means.
#[derive(Debug, Clone)]
pub struct TinyTensor {
    pub name: String,
    /// The dimension whose elements are neighbours last.
    pub shape: Vec<usize>,
    pub format: BlockFormat,
    pub bytes: Vec<u8>,
    /// The dequantised elements of the bytes.
    pub elements: Vec<f32>,
}

impl TinyModel {
    /// With its matrices in `format`; vectors are F32, as in every file.
    pub fn new(sizes: Sizes, format: BlockFormat) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(412_13649);
        let mut tensors = Vec::new();
        for (name, shape) in sizes.tensors() {
            let count = shape.iter().product();
            let (format, bytes) = match shape[..] {
                // Products keep the size of their input: elements of a sum of n terms have to be
                // about √(3/n).
                [_, inputs] if name != "token_embd.weight" => {
                    let most = (3.0 / inputs as f32).sqrt();
                    (format, blocks::random(format, count, most, &mut random))
                }
                [_, _] => (format, blocks::random(format, count, 1.0, &mut random)),
                _ => (BlockFormat::F32, sizes.vector(&name, count, &mut random)),
            };
            let elements = format.dequantise(&bytes).unwrap();
            assert_eq!(elements.len(), count);
            tensors.push(TinyTensor {
                name,
                shape,
                format,
                bytes,
                elements,
            });
        }
        Self { sizes, tensors }
    }

    pub fn tensor(&self, name: &str) -> Option<&TinyTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}
