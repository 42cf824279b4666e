//! Qwen2 and Qwen2.5 (arXiv 2407.10671, section 2.2): Llama's layer, with biases of queries, keys
//! and values.

use super::ArchitectureSpec;

pub(super) static ARCHITECTURE: ArchitectureSpec = ArchitectureSpec {
    name: "qwen2",
    model_types: &["qwen2"],
    models: &["Qwen2"],
    asks_for_window: true,
    read_json: |config, _| {
        config.facts.biases.query_key_value = true;
        Ok(())
    },
    ..ArchitectureSpec::BASE
};
