//! Whatever a file says, there is an error or a configuration that everything can be computed from.

use kvscope::model::{LayerPart, LlamaConfig, ModelError, Rope, Weight};
use proptest::prelude::*;
use serde_json::json;

use super::from_gguf;
use super::known::{llama3, mistral, qwen2, qwen3, smollm2};

use crate::support::gguf_file::Value;

/// Checks the ranges of an accepted configuration.
fn check(config: Result<LlamaConfig, ModelError>) -> Result<(), TestCaseError> {
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            let code = error.code();
            prop_assert!(
                code == "model-malformed" || code == "model-unsupported",
                "{}",
                code
            );
            prop_assert!(error.to_string().len() < 2000);
            return Ok(());
        }
    };
    let parts = LayerPart::ALL.into_iter().map(|part| Weight::Layer {
        layer: config.layers - 1,
        part,
    });
    let ends = [
        Weight::TokenEmbedding,
        Weight::OutputNorm,
        Weight::Output,
        Weight::RopeFactors,
    ];
    for weight in parts.chain(ends) {
        let shape = config.shape(weight);
        prop_assert!(shape.is_some() || !config.requires(weight));
        let sizes = shape.into_iter().flatten();
        let elements = sizes.fold(1_u64, |product, size| product * size as u64);
        prop_assert!(
            (1..1 << 50).contains(&elements),
            "{:?}: {}",
            weight,
            elements
        );
    }
    let beyond = Weight::Layer {
        layer: config.layers,
        part: LayerPart::Query,
    };
    prop_assert_eq!(config.shape(beyond), None);
    prop_assert!(config.cache().validate().is_ok());
    let rope = Rope::new(&config.rope, &config.facts.rope_factors)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let (cosines, sines) = rope.rows((1 << 30) - 1, 2);
    prop_assert_eq!(cosines.len(), config.rope.rotated);
    for (cosine, sine) in cosines.into_iter().zip(sines) {
        let factor = config.rope.attention_factor as f32;
        let length = (cosine / factor).powi(2) + (sine / factor).powi(2);
        prop_assert!((length - 1.0).abs() < 1e-5, "{} {}", cosine, sine);
    }
    Ok(())
}

fn gguf_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u32>().prop_map(Value::U32),
        (0_u32..200).prop_map(Value::U32),
        (0_u32..32).prop_map(|bit| Value::U32(1 << bit)),
        any::<u64>().prop_map(Value::U64),
        any::<i32>().prop_map(Value::I32),
        any::<f32>().prop_map(Value::F32),
        any::<f64>().prop_map(Value::F64),
        any::<bool>().prop_map(Value::Bool),
        "[a-z0-9]{0,8}".prop_map(Value::Text),
        Just(Value::texts(&["a", "b"])),
        prop::sample::select(vec![
            "llama", "qwen2", "qwen3", "linear", "none", "yarn", "longrope"
        ])
        .prop_map(Value::text),
    ]
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        any::<u64>().prop_map(|number| json!(number)),
        (0_u64..200).prop_map(|number| json!(number)),
        (0_u64..64).prop_map(|bit| json!(1_u64 << bit)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|flag| json!(flag)),
        Just(json!(null)),
        "\\PC{0,8}".prop_map(|text| json!(text)),
        Just(json!([1, "a", {}])),
        (any::<f64>(), any::<f64>(), any::<f64>()).prop_map(|(factor, low, high)| json!({
            "rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
            "original_max_position_embeddings": 8192, "rope_theta": factor,
        })),
        any::<f64>().prop_map(|factor| json!({ "type": "linear", "factor": factor })),
        any::<f64>().prop_map(|factor| json!({
            "rope_type": "dynamic", "factor": factor, "rope_theta": 1e4,
        })),
        (any::<f64>(), any::<f64>(), any::<f64>()).prop_map(|(factor, fast, slow)| json!({
            "rope_type": "yarn", "factor": factor, "beta_fast": fast, "beta_slow": slow,
            "rope_theta": 1e4, "llama_4_scaling_beta": slow,
        })),
        prop::collection::vec(any::<f64>(), 0..70).prop_map(|factors| json!({
            "rope_type": "longrope", "short_factor": factors, "long_factor": factors,
            "rope_theta": 1e4,
        })),
        (any::<f64>(), any::<f64>()).prop_map(|(base, factor)| json!({
            "full_attention": { "rope_type": "linear", "rope_theta": base, "factor": factor },
            "sliding_attention": { "rope_theta": base },
        })),
        prop::collection::vec(
            prop::sample::select(vec!["sliding_attention", "full_attention", "attention", ""]),
            0..40,
        )
        .prop_map(|types| json!(types)),
        prop::collection::vec(0_u64..3, 0..40).prop_map(|flags| json!(flags)),
    ]
}

/// Every key that is read, the ones of the file and the ones it lacks.
const GGUF_KEYS: [&str; 25] = [
    "general.architecture",
    "llama.block_count",
    "llama.context_length",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.attention.head_count",
    "llama.attention.head_count_kv",
    "llama.attention.key_length",
    "llama.attention.value_length",
    "llama.attention.layer_norm_rms_epsilon",
    "llama.attention.sliding_window",
    "llama.attention.causal",
    "llama.rope.freq_base",
    "llama.rope.dimension_count",
    "llama.rope.scaling.type",
    "llama.rope.scaling.factor",
    "llama.rope.scaling.attn_factor",
    "llama.rope.scale_linear",
    "llama.rope.scaling.original_context_length",
    "llama.rope.scaling.yarn_beta_fast",
    "llama.rope.scaling.yarn_beta_slow",
    "llama.rope.scaling.yarn_log_multiplier",
    "llama.rope.scaling.yarn_attn_factor",
    "llama.expert_count",
    "tokenizer.ggml.tokens",
];

const MODEL_TYPES: [&str; 7] = [
    "gemma3_text",
    "ministral3",
    "smollm3",
    "phi3",
    "granite",
    "granitemoehybrid",
    "olmo2",
];

const JSON_KEYS: [&str; 38] = [
    "model_type",
    "architectures",
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "partial_rotary_factor",
    "tie_word_embeddings",
    "hidden_act",
    "sliding_window",
    "use_sliding_window",
    "num_experts",
    "layer_types",
    "hidden_activation",
    "attention_bias",
    "mlp_bias",
    "original_max_position_embeddings",
    "query_pre_attn_scalar",
    "rope_local_base_freq",
    "sliding_window_pattern",
    "final_logit_softcapping",
    "no_rope_layers",
    "no_rope_layer_interval",
    "embedding_multiplier",
    "attention_multiplier",
    "residual_multiplier",
    "logits_scaling",
    "shared_intermediate_size",
    "position_embedding_type",
    "normalization_function",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn metadata(
        changes in prop::collection::vec(
            (prop::sample::select(&GGUF_KEYS[..]), gguf_value()),
            0..4,
        ),
        embedding in prop::option::of([1_u64..1 << 40, 1_u64..1 << 20]),
    ) {
        let mut file = smollm2();
        file.tensors.clear();
        for (key, value) in changes {
            file.pairs.retain(|(other, _)| other != key);
            file = file.with(key, value);
        }
        if let Some(dimensions) = embedding {
            file = file.with_tensor("token_embd.weight", &dimensions, 0, Vec::new());
        }
        check(from_gguf(&file))?;
    }

    #[test]
    fn config_json(
        model in 0..4_usize,
        other in prop::option::of(prop::sample::select(&MODEL_TYPES[..])),
        changes in prop::collection::vec(
            (prop::sample::select(&JSON_KEYS[..]), json_value()),
            0..4,
        ),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut json = [llama3(), qwen2(), qwen3(), mistral()][model].clone();
        if let Some(other) = other {
            json["model_type"] = json!(other);
        }
        for (key, value) in changes {
            json[key] = value;
        }
        let text = json.to_string().into_bytes();
        let length = cut.map_or(text.len(), |cut| cut.index(text.len()));
        check(LlamaConfig::from_config_json(&text[..length]))?;
    }

    #[test]
    fn bytes_that_are_no_json(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(LlamaConfig::from_config_json(&bytes))?;
    }
}

/// Both sides of the property above are met, so that it says something.
#[test]
fn the_unchanged_are_accepted() {
    assert!(from_gguf(&smollm2()).is_ok());
    for json in [llama3(), qwen2(), qwen3(), mistral()] {
        assert!(LlamaConfig::from_config_json(json.to_string().as_bytes()).is_ok());
    }
}
