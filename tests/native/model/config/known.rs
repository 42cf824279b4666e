//! Published models, with the configurations of their own files.

use kvscope::model::{
    Architecture, Biases, LayerFacts, LlamaConfig, RopeConfig, RopeLayout, RopeScaling,
};
use serde_json::{Value, json};

use super::from_gguf;

use crate::support::gguf_file::{self, GgufFile};

/// The metadata of SmolLM2-135M-Instruct.Q4_1.gguf, and its embedding.
pub fn smollm2() -> GgufFile {
    use gguf_file::Value;
    GgufFile::new()
        .with("general.architecture", Value::text("llama"))
        .with("llama.block_count", Value::U32(30))
        .with("llama.context_length", Value::U32(8192))
        .with("llama.embedding_length", Value::U32(576))
        .with("llama.feed_forward_length", Value::U32(1536))
        .with("llama.attention.head_count", Value::U32(9))
        .with("llama.attention.head_count_kv", Value::U32(3))
        .with("llama.rope.freq_base", Value::F32(100_000.0))
        .with("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5))
        .with("llama.vocab_size", Value::U32(49_152))
        .with("llama.rope.dimension_count", Value::U32(64))
        .with_tensor("token_embd.weight", &[576, 49_152], 8, Vec::new())
}

/// meta-llama/Llama-3.2-1B-Instruct.
pub fn llama3() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131_072, "mlp_bias": false,
        "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-5,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"
        },
        "rope_theta": 500_000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "vocab_size": 128_256
    })
}

/// Qwen/Qwen2.5-0.5B-Instruct.
pub fn qwen2() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", "hidden_size": 896, "intermediate_size": 4864,
        "max_position_embeddings": 32_768, "max_window_layers": 21, "model_type": "qwen2",
        "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0, "sliding_window": 4096, "tie_word_embeddings": true,
        "use_sliding_window": false, "vocab_size": 151_936
    })
}

/// Qwen/Qwen3-0.6B.
pub fn qwen3() -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "head_dim": 128, "hidden_act": "silu",
        "hidden_size": 1024, "intermediate_size": 3072, "max_position_embeddings": 40_960, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-6,
        "rope_scaling": null, "rope_theta": 1_000_000, "sliding_window": null, "tie_word_embeddings": true,
        "use_sliding_window": false, "vocab_size": 151_936
    })
}

/// mistralai/Mistral-7B-Instruct-v0.1.
pub fn mistral() -> Value {
    json!({
        "architectures": ["MistralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14_336, "max_position_embeddings": 32_768, "model_type": "mistral",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0, "sliding_window": 4096, "tie_word_embeddings": false, "vocab_size": 32_000
    })
}

pub fn from_json(json: &Value) -> LlamaConfig {
    LlamaConfig::from_config_json(json.to_string().as_bytes()).unwrap()
}

/// True if queries, keys and values have biases.
fn biases(config: &LlamaConfig) -> bool {
    config.layer(0).biases.query_key_value
}

#[test]
fn smollm2_in_gguf() {
    let expected = LlamaConfig {
        architecture: Architecture::Llama,
        layers: 30,
        width: 576,
        feed_forward: 1536,
        query_heads: 9,
        kv_heads: 3,
        head_dim: 64,
        vocabulary: 49_152,
        context: 8192,
        norm_epsilon: 1e-5,
        tied: true,
        rope: RopeConfig {
            layout: RopeLayout::Interleaved,
            base: 100_000.0,
            rotated: 64,
            scaling: RopeScaling::None,
            attention_factor: 1.0,
        },
        embedding_scale: 1.0,
        logit_scale: 1.0,
        // Its tensors will tell which biases there are.
        facts: LayerFacts {
            biases: Biases::ALL,
            ..LayerFacts::default()
        },
    };
    assert_eq!(from_gguf(&smollm2()).unwrap(), expected);
}

#[test]
fn llama3_in_json() {
    let config = from_json(&llama3());
    assert_eq!(config.architecture, Architecture::Llama);
    assert_eq!(
        (config.layers, config.width, config.feed_forward),
        (16, 2048, 8192)
    );
    assert_eq!(
        (config.query_heads, config.kv_heads, config.head_dim),
        (32, 8, 64)
    );
    assert_eq!(
        (config.vocabulary, config.context, config.tied),
        (128_256, 131_072, true)
    );
    let scaling = RopeScaling::Llama3 {
        factor: 32.0,
        low_frequency_factor: 1.0,
        high_frequency_factor: 4.0,
        original_context: 8192,
    };
    let expected = RopeConfig {
        layout: RopeLayout::Halves,
        base: 500_000.0,
        rotated: 64,
        scaling,
        attention_factor: 1.0,
    };
    assert_eq!(config.rope, expected);
}

/// Its window is not in use.
#[test]
fn qwen2_in_json() {
    let config = from_json(&qwen2());
    assert_eq!(config.architecture, Architecture::Qwen2);
    assert_eq!(
        (config.query_heads, config.kv_heads, config.head_dim),
        (14, 2, 64)
    );
    assert_eq!(
        (config.context, config.tied, biases(&config)),
        (32_768, true, true)
    );
    assert_eq!(config.rope.layout, RopeLayout::Halves);
    let mut windowed = qwen2();
    windowed["use_sliding_window"] = json!(true);
    assert_eq!(from_json(&windowed).context, 4096);
}

#[test]
fn qwen3_in_json() {
    let config = from_json(&qwen3());
    assert_eq!(config.architecture, Architecture::Qwen3);
    assert_eq!(
        (config.width, config.query_heads, config.head_dim),
        (1024, 16, 128)
    );
    assert_eq!((config.context, biases(&config)), (40_960, false));
    let mut without = qwen3();
    without.as_object_mut().unwrap().remove("head_dim");
    assert_eq!(from_json(&without).head_dim, 128);
}

#[test]
fn mistral_in_json() {
    let config = from_json(&mistral());
    assert_eq!(config.architecture, Architecture::Llama);
    assert_eq!(
        (config.head_dim, config.context, config.tied),
        (128, 4096, false)
    );
    let mut without = mistral();
    without["sliding_window"] = json!(null);
    assert_eq!(from_json(&without).context, 32_768);
}

/// transformers moved RoPE's fields into one object in version 5.
#[test]
fn newer_files_say_the_same() {
    let mut newer = llama3();
    let object = newer.as_object_mut().unwrap();
    let mut rope = object.remove("rope_scaling").unwrap();
    rope["rope_theta"] = object.remove("rope_theta").unwrap();
    object.insert("rope_parameters".to_owned(), rope);
    assert_eq!(from_json(&newer), from_json(&llama3()));

    let mut newer = mistral();
    newer["rope_parameters"] = json!({ "rope_type": "default", "rope_theta": 10_000.0 });
    newer.as_object_mut().unwrap().remove("rope_theta");
    assert_eq!(from_json(&newer), from_json(&mistral()));
}

/// Older files say `type`; the oldest Llamas have no base, no KV heads and no activation.
#[test]
fn older_files_say_the_same() {
    let mut older = mistral();
    let object = older.as_object_mut().unwrap();
    for field in ["rope_theta", "tie_word_embeddings", "hidden_act"] {
        object.remove(field);
    }
    assert_eq!(from_json(&older), from_json(&mistral()));
    older.as_object_mut().unwrap().remove("num_key_value_heads");
    assert_eq!(from_json(&older).kv_heads, 32);
    older["rope_scaling"] = json!({ "type": "linear", "factor": 2.0 });
    assert_eq!(
        from_json(&older).rope.scaling,
        RopeScaling::Linear { factor: 2.0 }
    );
}

#[test]
fn gguf_scales_by_either_name_and_without_a_type() {
    use gguf_file::Value;
    let linear = RopeScaling::Linear { factor: 4.0 };
    let factor = |key: &str| smollm2().with(key, Value::F32(4.0));
    let by = |file: &GgufFile| from_gguf(file).unwrap().rope.scaling;
    assert_eq!(by(&factor("llama.rope.scaling.factor")), linear);
    assert_eq!(by(&factor("llama.rope.scale_linear")), linear);
    let named = |name| {
        factor("llama.rope.scaling.factor").with("llama.rope.scaling.type", Value::text(name))
    };
    assert_eq!(by(&named("linear")), linear);
    assert_eq!(by(&named("none")), RopeScaling::None);
    let zero = smollm2().with("llama.rope.scaling.factor", Value::F32(0.0));
    assert_eq!(by(&zero), RopeScaling::None);
}

#[test]
fn a_window_in_gguf_bounds_the_context() {
    use gguf_file::Value;
    let window = |size| smollm2().with("llama.attention.sliding_window", Value::U32(size));
    assert_eq!(from_gguf(&window(4096)).unwrap().context, 4096);
    assert_eq!(from_gguf(&window(0)).unwrap().context, 8192);
    assert_eq!(from_gguf(&window(10_000)).unwrap().context, 8192);
}

/// In the first file of a set the embedding may be missing: then the tokenizer counts the tokens.
#[test]
fn a_vocabulary_without_an_embedding() {
    use gguf_file::Value;
    let mut first = smollm2();
    first.tensors.clear();
    assert_eq!(from_gguf(&first).unwrap_err().code(), "model-malformed");
    let first = first.with("tokenizer.ggml.tokens", Value::texts(&["a", "b", "c"]));
    assert_eq!(from_gguf(&first).unwrap().vocabulary, 3);
}
