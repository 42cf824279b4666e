//! Configurations that are refused, and the words of the errors.

use kvscope::model::{LlamaConfig, ModelError};
use serde_json::{Value, json};

use super::from_gguf;
use super::known::{llama3, qwen2, qwen3, smollm2};

use crate::support::gguf_file::{self, GgufFile};

const UNSUPPORTED: &str = "model-unsupported";
const MALFORMED: &str = "model-malformed";

fn says(error: &ModelError, code: &str, parts: &[&str]) {
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

fn json_error(json: &Value) -> ModelError {
    LlamaConfig::from_config_json(json.to_string().as_bytes()).unwrap_err()
}

/// The key's value replaced, or added.
fn with(mut file: GgufFile, key: &str, value: gguf_file::Value) -> GgufFile {
    file.pairs.retain(|(other, _)| other != key);
    file.with(key, value)
}

/// Other models have other fields, which must not be what is complained of.
#[test]
fn other_architectures_are_named_with_those_that_work() {
    let works = ["llama", "qwen2", "qwen3"];
    for name in ["gpt2", "qwen2moe", "Llama", "", "gemma3"] {
        let file = GgufFile::new().with("general.architecture", gguf_file::Value::text(name));
        let error = from_gguf(&file).unwrap_err();
        says(&error, UNSUPPORTED, &works);
        says(&error, UNSUPPORTED, &[&format!("{name:?}")]);
        let error = json_error(&json!({ "model_type": name, "n_embd": 768 }));
        says(&error, UNSUPPORTED, &works);
        says(&error, UNSUPPORTED, &[&format!("{name:?}")]);
    }
    says(
        &json_error(&json!({ "architectures": ["GPT2LMHeadModel"] })),
        UNSUPPORTED,
        &["gpt2"],
    );
    says(&json_error(&json!({})), UNSUPPORTED, &works);
}

#[test]
fn the_class_says_it_where_the_type_does_not() {
    let mut json = qwen2();
    json.as_object_mut().unwrap().remove("model_type");
    let config = LlamaConfig::from_config_json(json.to_string().as_bytes()).unwrap();
    assert_eq!(config.architecture.name(), "qwen2");
}

#[test]
fn features_in_json_that_are_not_run() {
    for (field, value, says_too) in [
        ("hidden_act", json!("gelu"), "silu"),
        ("attention_bias", json!(true), "true"),
        ("mlp_bias", json!(true), "true"),
        ("num_local_experts", json!(8), "8"),
        ("num_experts", json!(128), "128"),
        (
            "quantization_config",
            json!({ "quant_method": "gptq" }),
            "GGUF",
        ),
        (
            "rope_scaling",
            json!({ "rope_type": "yarn", "factor": 4.0 }),
            "yarn",
        ),
        (
            "rope_scaling",
            json!({ "type": "dynamic", "factor": 4.0 }),
            "dynamic",
        ),
        ("rope_scaling", json!({ "type": "longrope" }), "longrope"),
        ("rope_scaling", json!({ "factor": 4.0 }), "rope_type"),
        (
            "rope_parameters",
            json!({ "rope_type": "yarn", "rope_theta": 1e4 }),
            "yarn",
        ),
    ] {
        let mut json = qwen3();
        json[field] = value;
        says(&json_error(&json), UNSUPPORTED, &[field, says_too]);
    }
}

#[test]
fn features_in_gguf_that_are_not_run() {
    use gguf_file::Value::{Bool, F32, U32};
    for (key, value, says_too) in [
        ("llama.expert_count", U32(8), "8"),
        ("llama.attention.value_length", U32(32), "64"),
        ("llama.attention.causal", Bool(false), "causal"),
        ("llama.rope.scaling.attn_factor", F32(1.2), "1.2"),
        (
            "llama.rope.scaling.type",
            gguf_file::Value::text("yarn"),
            "yarn",
        ),
    ] {
        let error = from_gguf(&with(smollm2(), key, value)).unwrap_err();
        says(&error, UNSUPPORTED, &[key, says_too]);
    }
}

#[test]
fn sizes_in_json_that_can_not_be() {
    for (field, value, found) in [
        ("num_hidden_layers", json!(0), "0"),
        ("num_hidden_layers", json!(5000), "5000"),
        ("hidden_size", json!(0), "0"),
        ("intermediate_size", json!(1_u64 << 40), "1099511627776"),
        ("num_attention_heads", json!(0), "0"),
        ("num_attention_heads", json!(1_000_000), "1000000"),
        ("num_key_value_heads", json!(0), "0"),
        ("num_key_value_heads", json!(5), "5"),
        ("num_key_value_heads", json!(64), "64"),
        ("head_dim", json!(63), "63"),
        ("head_dim", json!(0), "0"),
        ("vocab_size", json!(0), "0"),
        ("max_position_embeddings", json!(0), "0"),
        ("rms_norm_eps", json!(0.0), "0"),
        ("rms_norm_eps", json!(-1e-5), "-0.00001"),
        ("rms_norm_eps", json!(1e300), "inf"),
        ("rope_theta", json!(0.0), "0"),
        ("rope_theta", json!(-1.0), "-1"),
        ("rope_theta", json!(1e300), "1000"),
        ("rope_theta", json!(1e-300), "0.000"),
        ("partial_rotary_factor", json!(0.01), "0"),
        ("partial_rotary_factor", json!(1.5), "96"),
    ] {
        let mut json = llama3();
        json[field] = value;
        says(&json_error(&json), MALFORMED, &[field, found]);
    }
}

#[test]
fn scalings_in_json_that_can_not_be() {
    for (field, value) in [
        ("factor", json!(0.0)),
        ("factor", json!(null)),
        ("factor", json!("32")),
        ("low_freq_factor", json!(-1.0)),
        ("high_freq_factor", json!(1.0)),
        ("high_freq_factor", json!(null)),
        ("original_max_position_embeddings", json!(0)),
    ] {
        let mut json = llama3();
        json["rope_scaling"][field] = value;
        let error = json_error(&json);
        assert_eq!(error.code(), MALFORMED, "{field}: {error}");
    }
    // Without its base, `rope_parameters` may be of a kind that is not known here.
    let mut json = llama3();
    json.as_object_mut().unwrap().remove("rope_theta");
    json["rope_parameters"] = json!({ "full_attention": { "rope_theta": 1e6 } });
    says(
        &json_error(&json),
        MALFORMED,
        &["rope_parameters.rope_theta", "missing"],
    );
}

#[test]
fn fields_that_are_missing_or_of_another_type() {
    for field in [
        "hidden_size",
        "num_hidden_layers",
        "vocab_size",
        "rms_norm_eps",
    ] {
        let mut json = llama3();
        json.as_object_mut().unwrap().remove(field);
        says(&json_error(&json), MALFORMED, &[field]);
        json[field] = json!("x".repeat(100_000));
        let error = json_error(&json);
        says(&error, MALFORMED, &["string"]);
        assert!(error.to_string().len() < 1000);
    }
    for text in ["", "{", "[]", "null", "\u{0}", "{\"model_type\":3}"] {
        let error = LlamaConfig::from_config_json(text.as_bytes()).unwrap_err();
        says(&error, MALFORMED, &["config.json"]);
    }
}

#[test]
fn sizes_in_gguf_that_can_not_be() {
    use gguf_file::Value::{F32, I32, U32, U64};
    for (key, value, found) in [
        ("llama.block_count", U32(0), "0"),
        ("llama.block_count", U64(u64::MAX), "18446744073709551615"),
        ("llama.block_count", I32(-1), "-1"),
        ("llama.embedding_length", U32(0), "0"),
        ("llama.feed_forward_length", U32(u32::MAX), "4294967295"),
        ("llama.attention.head_count", U32(0), "0"),
        ("llama.attention.head_count_kv", U32(2), "2"),
        ("llama.attention.key_length", U32(7), "7"),
        ("llama.rope.dimension_count", U32(66), "66"),
        ("llama.rope.dimension_count", U32(63), "63"),
        ("llama.rope.dimension_count", U32(0), "0"),
        ("llama.context_length", U32(0), "0"),
        ("llama.attention.layer_norm_rms_epsilon", F32(0.0), "0"),
        (
            "llama.attention.layer_norm_rms_epsilon",
            F32(f32::NAN),
            "NaN",
        ),
        ("llama.rope.freq_base", F32(-1.0), "-1"),
        ("llama.rope.freq_base", F32(f32::INFINITY), "inf"),
        ("llama.rope.scaling.factor", F32(-2.0), "-2"),
    ] {
        let error = from_gguf(&with(smollm2(), key, value)).unwrap_err();
        says(&error, MALFORMED, &[key, found]);
    }
    for key in [
        "llama.block_count",
        "llama.embedding_length",
        "general.architecture",
    ] {
        let mut file = smollm2();
        file.pairs.retain(|(other, _)| other != key);
        says(&from_gguf(&file).unwrap_err(), MALFORMED, &[key, "missing"]);
    }
}
