//! OLMo 2 (arXiv 2501.00656, section 3.3). Norms are after attention and feed-forward. All queries
//! are normed together, and all keys.

use super::ArchitectureSpec;
use super::names::{ATTENTION, BIASES, ENDS, GATED, NORMS_AFTER, QUERY_KEY_NORMS, TensorNames};
use crate::model::spec::{LayerSpec, NormPlaces, NormSpan};

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "olmo2",
    model_types: &["olmo2"],
    models: &["OLMo 2"],
    tensors: TensorNames {
        ends: &ENDS,
        layer: &[&ATTENTION, &GATED, &NORMS_AFTER, &QUERY_KEY_NORMS, &BIASES],
    },
    layer: |llama, _| LayerSpec {
        norms: NormPlaces::After,
        query_key_norms: Some(NormSpan::AllHeads),
        ..llama
    },
    read_gguf: |_, keys| keys.refuse_size("attention.sliding_window"),
    ..ArchitectureSpec::BASE
};
