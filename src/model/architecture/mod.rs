//! The architectures that run, one per file: its names, its tensors, its layers.
//!
//! An architecture is one file here and one line of the list below. Sizes are read by
//! [`LlamaConfig`], whose keys are common to all. `docs/adding.md` adds one.

mod names;

pub use names::Naming;

use super::config::{GgufKeys, JsonFields, LlamaConfig};
use super::error::ModelError;
use super::rope::RopeLayout;
use super::spec::LayerSpec;
use super::weight::Weight;
use names::{BIASES, ENDS, LAYER, TensorNames};

/// Declares the architectures: per architecture its file, its variant, its summary.
macro_rules! architectures {
    ($($file:ident :: $variant:ident = $summary:literal,)+) => {
        $(mod $file;)+

        /// An architecture of the Llama family.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Architecture {
            $(#[doc = $summary] $variant,)+
        }

        impl Architecture {
            /// All architectures, in the order in which messages name them.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// Contents of the architecture's file.
            pub(super) fn spec(self) -> &'static ArchitectureSpec {
                match self {
                    $(Self::$variant => &$file::ARCHITECTURE,)+
                }
            }
        }
    };
}

architectures! {
    llama::Llama = "Llama, and what is built like it: SmolLM2, TinyLlama, Llama 3.x, Mistral.",
    qwen2::Qwen2 = "Qwen2: queries, keys and values have biases.",
    qwen3::Qwen3 = "Qwen3: queries and keys are normed, head by head.",
    gemma3::Gemma3 = "Gemma 3's text models: norms before and after, windows, GELU.",
    mistral3::Mistral3 = "Ministral 3: queries grow with the position.",
    smollm3::SmolLm3 = "SmolLM3: each fourth layer has no RoPE.",
    phi3::Phi3 = "Phi-3 and Phi-4-mini: joined matrices, part of a head rotated, LongRoPE.",
    granite::Granite = "Granite 3: scales of embedding, attention, residual and logits.",
    granite4::Granite4 = "Granite 4 without experts and Mamba layers: Granite 3, other names.",
    olmo2::Olmo2 = "OLMo 2: norms after, and norms of all queries and of all keys.",
}

/// An architecture, whole.
pub(super) struct ArchitectureSpec {
    /// Name in a GGUF file's `general.architecture`, and before its keys.
    pub name: &'static str,
    /// Names in `config.json`'s `model_type`.
    pub model_types: &'static [&'static str],
    /// Names that people know its models by.
    pub models: &'static [&'static str],
    /// Pairs that RoPE rotates, in GGUF files.
    pub gguf_rope: RopeLayout,
    /// Pairs that RoPE rotates, in Hugging Face models.
    pub hugging_face_rope: RopeLayout,
    /// Elements per head where `config.json` does not say; `None` for width / query heads.
    pub head_dim: Option<usize>,
    /// RoPE's base where `config.json` does not say.
    pub rope_base: f64,
    /// True if `config.json` may have a RoPE for each kind of layers, which it reads itself.
    pub ropes_by_kind: bool,
    /// True if `partial_rotary_factor` counts without a scaling.
    pub partial_rotary: bool,
    /// True if `sliding_window` counts only where `use_sliding_window` is true.
    pub asks_for_window: bool,
    /// True if the embedding serves as the output where `config.json` does not say.
    pub tied: bool,
    /// Difference between the weights of norms and what safetensors have.
    pub norm_offset: f32,
    /// Names of its tensors.
    pub tensors: TensorNames,
    /// Its layer of this number, from 0: what differs from [`LayerSpec::llama`], in all files.
    pub layer: fn(LayerSpec, usize) -> LayerSpec,
    /// Reads what else a GGUF file says of the model.
    pub read_gguf: fn(&mut LlamaConfig, &GgufKeys<'_>) -> Result<(), ModelError>,
    /// Reads what else `config.json` says of the model.
    pub read_json: fn(&mut LlamaConfig, &JsonFields<'_>) -> Result<(), ModelError>,
}

impl ArchitectureSpec {
    /// Llama's, without names: an architecture says what differs.
    pub const BASE: Self = Self {
        name: "",
        model_types: &[],
        models: &[],
        gguf_rope: RopeLayout::Halves,
        hugging_face_rope: RopeLayout::Halves,
        head_dim: None,
        rope_base: 10_000.0,
        ropes_by_kind: false,
        partial_rotary: false,
        asks_for_window: false,
        tied: false,
        norm_offset: 0.0,
        tensors: TensorNames {
            ends: &ENDS,
            layer: &[&LAYER, &BIASES],
        },
        layer: |llama, _| llama,
        read_gguf: |_, _| Ok(()),
        read_json: |_, _| Ok(()),
    };
}

impl Architecture {
    /// Name in a GGUF file's `general.architecture`.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The architecture that a GGUF file names.
    ///
    /// # Errors
    ///
    /// [`ModelError::Architecture`] for any that is not in [`ALL`](Self::ALL).
    pub fn from_gguf_name(name: &str) -> Result<Self, ModelError> {
        Self::find(name, |spec| spec.name == name)
    }

    /// The architecture that `config.json` names as `model_type`.
    ///
    /// # Errors
    ///
    /// As [`from_gguf_name`](Self::from_gguf_name).
    pub fn from_model_type(name: &str) -> Result<Self, ModelError> {
        Self::find(name, |spec| spec.model_types.contains(&name))
    }

    /// Role of the tensor that files of `naming` call `name`; `None` if such a model does not use
    /// it.
    pub fn weight(self, naming: Naming, name: &str) -> Option<Weight> {
        self.spec().tensors.weight(naming, name)
    }

    /// Name of a tensor in files of `naming`; `None` where they have no such tensor.
    pub fn tensor_name(self, naming: Naming, weight: Weight) -> Option<String> {
        self.spec().tensors.name(naming, weight)
    }

    /// Names that people know the models of all architectures by: "Llama's, Mistral's or Qwen2's".
    pub(super) fn models() -> String {
        let models = Self::ALL.into_iter().flat_map(|it| it.spec().models);
        let mut models: Vec<String> = models.map(|name| format!("{name}'s")).collect();
        let last = models.pop().unwrap_or_default();
        format!("{} or {last}", models.join(", "))
    }

    fn find(name: &str, is_it: impl Fn(&ArchitectureSpec) -> bool) -> Result<Self, ModelError> {
        let found = Self::ALL.into_iter().find(|known| is_it(known.spec()));
        found.ok_or_else(|| ModelError::Architecture {
            found: crate::quoted::quoted(name),
            supported: Self::ALL.map(Self::name).join(", "),
        })
    }
}
