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
    for name in ["gpt2", "qwen2moe", "Llama", "", "gemma2"] {
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
        ("num_local_experts", json!(8), "8"),
        ("num_experts", json!(128), "128"),
        (
            "quantization_config",
            json!({ "quant_method": "gptq" }),
            "GGUF",
        ),
        ("rope_scaling", json!({ "rope_type": "mrope" }), "mrope"),
        ("rope_scaling", json!({ "factor": 4.0 }), "rope_type"),
        (
            "rope_parameters",
            json!({ "rope_type": "proportional", "rope_theta": 1e4 }),
            "proportional",
        ),
    ] {
        let mut json = qwen3();
        json[field] = value;
        says(&json_error(&json), UNSUPPORTED, &[field, says_too]);
    }
}

#[test]
fn features_in_gguf_that_are_not_run() {
    use gguf_file::Value::{Bool, U32};
    for (key, value, says_too) in [
        ("llama.expert_count", U32(8), "8"),
        ("llama.attention.value_length", U32(32), "64"),
        ("llama.attention.causal", Bool(false), "causal"),
        (
            "llama.rope.scaling.type",
            gguf_file::Value::text("mrope"),
            "mrope",
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
        says(&error, MALFORMED, &[field, "xxx", "a number"]);
        assert!(error.to_string().len() < 1000);
    }
    for (field, value, allowed) in [
        ("model_type", json!(3), "a string"),
        ("num_hidden_layers", json!(-1), "0 or more"),
        ("num_hidden_layers", json!(1.5), "0 or more"),
        ("sliding_window", json!(-1), "0 or more"),
        ("sliding_window", json!("x"), "0 or more"),
        ("tie_word_embeddings", json!("yes"), "true or false"),
        ("rope_theta", json!([1e4]), "a number"),
        ("rope_scaling", json!("linear"), "an object"),
        ("hidden_act", json!(1), "a string"),
    ] {
        let mut json = llama3();
        json[field] = value;
        says(&json_error(&json), MALFORMED, &[field, allowed]);
    }
    for number in ["NaN", "Infinity", "-Infinity", "+1", "x"] {
        for text in [
            format!("{{\"hidden_size\": 1, \"rope_theta\": {number}}}"),
            format!("{{\n  \"rope_theta\" :{number}\n}}"),
        ] {
            let error = LlamaConfig::from_config_json(text.as_bytes()).unwrap_err();
            says(&error, MALFORMED, &["rope_theta"]);
        }
    }
    for text in ["", "{", "[]", "null", "\u{0}", "{\"model_type\""] {
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

fn gemma3() -> Value {
    json!({
        "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 640,
        "intermediate_size": 2048, "max_position_embeddings": 32_768, "num_attention_heads": 4,
        "num_hidden_layers": 18, "num_key_value_heads": 1, "head_dim": 256, "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0, "rope_local_base_freq": 10_000.0, "sliding_window": 512,
        "query_pre_attn_scalar": 256, "vocab_size": 262_144
    })
}

#[test]
fn facts_of_layers_in_json_that_can_not_be() {
    let types = |count: usize| json!(vec!["full_attention"; count]);
    assert!(LlamaConfig::from_config_json(gemma3().to_string().as_bytes()).is_ok());
    for (field, value, found) in [
        ("sliding_window", json!(0), "0"),
        ("sliding_window", json!(32_769), "32769"),
        ("sliding_window", json!(-1), "-1"),
        ("layer_types", types(17), "17 entries"),
        ("layer_types", json!("full_attention"), "full_attention"),
        ("query_pre_attn_scalar", json!(0), "0"),
        ("query_pre_attn_scalar", json!("256"), "256"),
        ("rope_local_base_freq", json!(0.0), "0"),
        ("sliding_window_pattern", json!(-6), "-6"),
        ("sliding_window_pattern", json!(0), "0"),
    ] {
        let mut json = gemma3();
        json[field] = value;
        let error = json_error(&json);
        assert_eq!(error.code(), MALFORMED, "{field}: {error}");
        let message = error.to_string();
        assert!(message.contains(field), "{message}");
        assert!(message.contains(found), "{message}");
    }
    for (field, value, found) in [
        ("layer_types", json!(vec!["linear_attention"; 18]), "linear"),
        ("final_logit_softcapping", json!(30.0), "30"),
        ("attn_logit_softcapping", json!(50.0), "50"),
        ("use_bidirectional_attention", json!(true), "true"),
        ("hidden_activation", json!("relu"), "relu"),
    ] {
        let mut json = gemma3();
        json[field] = value;
        says(&json_error(&json), UNSUPPORTED, &[field, found]);
    }
}

#[test]
fn factors_of_longrope_that_do_not_fit() {
    let with = |short: usize, long: usize, wrong: f64| {
        let mut long = vec![1.0; long];
        if let Some(last) = long.last_mut() {
            *last = wrong;
        }
        let mut json = llama3();
        json["rope_scaling"] = json!({
            "rope_type": "longrope", "short_factor": vec![1.0; short], "long_factor": long,
        });
        json
    };
    let text = with(32, 32, 1.0).to_string();
    assert!(LlamaConfig::from_config_json(text.as_bytes()).is_ok());
    for (short, long, wrong, says_too) in [
        (31, 32, 1.0, ["rope_scaling.short_factor", "31 factors"]),
        (32, 33, 1.0, ["rope_scaling.long_factor", "33 factors"]),
        (32, 32, 0.0, ["rope_scaling.long_factor", "0"]),
        (32, 32, -1.0, ["rope_scaling.long_factor", "-1"]),
    ] {
        says(&json_error(&with(short, long, wrong)), MALFORMED, &says_too);
    }
    let mut json = llama3();
    json["rope_scaling"] = json!({ "rope_type": "longrope", "short_factor": [1.0] });
    says(
        &json_error(&json),
        MALFORMED,
        &["rope_scaling.short_factor"],
    );
}

#[test]
fn scales_and_norms_that_are_not_known() {
    let granite = |field: &str, value: Value| {
        let mut json = llama3();
        json["model_type"] = json!("granitemoehybrid");
        json["layer_types"] = json!(vec!["attention"; 16]);
        json["position_embedding_type"] = json!("rope");
        json[field] = value;
        json
    };
    let text = granite("normalization_function", json!("rmsnorm")).to_string();
    assert!(LlamaConfig::from_config_json(text.as_bytes()).is_ok());
    for (field, value, code) in [
        ("normalization_function", json!("layernorm"), UNSUPPORTED),
        ("layer_types", json!(null), UNSUPPORTED),
        ("layer_types", json!(vec!["mamba"; 16]), UNSUPPORTED),
        ("layer_types", json!(vec!["attention"; 15]), MALFORMED),
        ("logits_scaling", json!(0.0), MALFORMED),
        ("embedding_multiplier", json!("12"), MALFORMED),
        ("num_local_experts", json!(32), UNSUPPORTED),
    ] {
        says(&json_error(&granite(field, value)), code, &[field]);
    }
    let mut smollm3 = llama3();
    smollm3["model_type"] = json!("smollm3");
    smollm3["no_rope_layers"] = json!([1, 1, 1, 0]);
    says(
        &json_error(&smollm3),
        MALFORMED,
        &["no_rope_layers", "4 entries", "16"],
    );
}

#[test]
fn windows_and_scales_in_gguf_that_can_not_be() {
    use gguf_file::Value::{Array, Bool, F32, U32};
    let renamed = |architecture: &str| {
        let mut file = smollm2();
        for (key, value) in &mut file.pairs {
            *key = key.replace("llama.", &format!("{architecture}."));
            if key == "general.architecture" {
                *value = gguf_file::Value::text(architecture);
            }
        }
        file
    };
    let gemma = || {
        with(
            renamed("gemma3"),
            "gemma3.attention.sliding_window",
            U32(512),
        )
    };
    assert!(from_gguf(&gemma()).is_ok());
    let flags = |count: usize| Array(7, vec![Bool(true); count]);
    for (architecture, key, value, found) in [
        ("gemma3", "attention.sliding_window", U32(0), "0"),
        ("gemma3", "attention.sliding_window", U32(8193), "8193"),
        ("gemma3", "attention.sliding_window_pattern", U32(0), "0"),
        (
            "gemma3",
            "attention.sliding_window_pattern",
            flags(29),
            "29 entries",
        ),
        ("gemma3", "rope.freq_base_swa", F32(0.0), "0"),
        ("granite", "logit_scale", F32(-8.0), "-8"),
        ("granite", "embedding_scale", F32(1e-9), "0.000000001"),
    ] {
        let file = if architecture == "gemma3" {
            gemma()
        } else {
            renamed(architecture)
        };
        let key = format!("{architecture}.{key}");
        let error = from_gguf(&with(file, &key, value)).unwrap_err();
        assert_eq!(error.code(), MALFORMED, "{key}: {error}");
        assert!(error.to_string().contains(found), "{error}");
    }
    for (key, value) in [
        ("gemma3.final_logit_softcapping", F32(30.0)),
        ("gemma3.attn_logit_softcapping", F32(50.0)),
    ] {
        says(
            &from_gguf(&with(gemma(), key, value)).unwrap_err(),
            UNSUPPORTED,
            &[key],
        );
    }
    let windowed = with(renamed("olmo2"), "olmo2.attention.sliding_window", U32(512));
    let key = "olmo2.attention.sliding_window";
    says(&from_gguf(&windowed).unwrap_err(), UNSUPPORTED, &[key]);
}

#[test]
fn yarn_that_can_not_be() {
    let yarn = |field: &str, value: Value| {
        let mut json = qwen3();
        json["rope_scaling"] = json!({
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768,
        });
        json["rope_scaling"][field] = value;
        json
    };
    let text = yarn("truncate", json!(true)).to_string();
    assert!(LlamaConfig::from_config_json(text.as_bytes()).is_ok());
    for (field, value) in [
        ("factor", json!(0.0)),
        ("factor", json!(null)),
        ("original_max_position_embeddings", json!(0)),
        ("attention_factor", json!(0.0)),
        ("attention_factor", json!("x")),
        ("beta_fast", json!(0.5)),
        ("beta_slow", json!(-1.0)),
    ] {
        says(&json_error(&yarn(field, value)), MALFORMED, &[field]);
    }
}
