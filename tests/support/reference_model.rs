//! Tiny models that transformers computed: `tests/reference`, whose script says how. Each is loaded
//! as transformers saved it, or from a GGUF file written here as llama.cpp's converter would.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use kvscope::Error;
use kvscope::model::Llama;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;

use crate::support::gguf_file::{GgufFile, Value};
use crate::support::plain_llama::frequencies::{self, Llama3};
use crate::support::tiny_model::run;

/// A model, and what transformers computed.
pub struct ReferenceModel {
    pub name: &'static str,
    pub config: Json,
    weights: Vec<u8>,
    pub tokens: Vec<u32>,
    /// Logits at every position.
    pub logits: Vec<Vec<f32>>,
}

/// A tensor of a file in the making.
struct Tensor {
    shape: Vec<usize>,
    elements: Vec<f32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl ReferenceModel {
    /// The model `name`, with weights that may be another's too.
    pub fn load(name: &'static str, weights: &str) -> Self {
        let recorded = read(&format!("{name}.logits.safetensors"));
        let recorded = SafeTensors::deserialize(&recorded).unwrap();
        let numbers = |name: &str| recorded.tensor(name).unwrap();
        let words = |name: &str| -> Vec<[u8; 4]> {
            let (words, _) = numbers(name).data().as_chunks::<4>();
            words.to_vec()
        };
        let logits: Vec<f32> = words("logits")
            .into_iter()
            .map(f32::from_le_bytes)
            .collect();
        let width = numbers("logits").shape()[1];
        Self {
            name,
            config: serde_json::from_slice(&read(&format!("{name}.json"))).unwrap(),
            weights: read(&format!("{weights}.safetensors")),
            tokens: words("tokens")
                .into_iter()
                .map(u32::from_le_bytes)
                .collect(),
            logits: logits.chunks_exact(width).map(<[f32]>::to_vec).collect(),
        }
    }

    /// The model in `config.json` and safetensors.
    pub fn in_safetensors(&self, device: &Device) -> Result<Llama, Error> {
        let config = self.config.to_string();
        run::load_safetensors(config.as_bytes(), &self.weights, device)
    }

    /// The model in a GGUF file.
    pub fn in_gguf(&self, device: &Device) -> Result<Llama, Error> {
        run::load_gguf(&self.gguf().bytes(), device)
    }

    fn number(&self, field: &str) -> f64 {
        self.config[field]
            .as_f64()
            .unwrap_or_else(|| panic!("{field}"))
    }

    fn size(&self, field: &str) -> usize {
        self.number(field) as usize
    }

    fn architecture(&self) -> &'static str {
        match self.config["model_type"].as_str().unwrap() {
            "gemma3_text" => "gemma3",
            "ministral3" => "mistral3",
            "smollm3" => "smollm3",
            "phi3" => "phi3",
            "granite" | "granitemoehybrid" => "granite",
            "olmo2" => "olmo2",
            "qwen2" => "qwen2",
            "qwen3" => "qwen3",
            _ => "llama",
        }
    }

    fn head_dim(&self) -> usize {
        let own = self.config["head_dim"].as_u64().map(|it| it as usize);
        own.unwrap_or_else(|| self.size("hidden_size") / self.size("num_attention_heads"))
    }

    /// As llama.cpp's converter writes it.
    pub fn gguf(&self) -> GgufFile {
        let architecture = self.architecture();
        let mut file = GgufFile::new().with("general.architecture", Value::text(architecture));
        let mut add = |key: &str, value| file.pairs.push((format!("{architecture}.{key}"), value));
        let size = |field: &str| Value::U32(self.size(field) as u32);
        add("block_count", size("num_hidden_layers"));
        add("context_length", size("max_position_embeddings"));
        add("embedding_length", size("hidden_size"));
        add("feed_forward_length", size("intermediate_size"));
        add("attention.head_count", size("num_attention_heads"));
        add("attention.head_count_kv", size("num_key_value_heads"));
        let epsilon = self.number("rms_norm_eps") as f32;
        add("attention.layer_norm_rms_epsilon", Value::F32(epsilon));
        if self.config["head_dim"].is_u64() {
            add("attention.key_length", size("head_dim"));
            add("attention.value_length", size("head_dim"));
        }
        let whole = &self.config["rope_parameters"];
        let rope = whole.get("full_attention").unwrap_or(whole);
        let number = |field: &str| rope[field].as_f64();
        let float = |number: f64| Value::F32(number as f32);
        add("rope.freq_base", float(number("rope_theta").unwrap()));
        let rotated = self.head_dim() as f64 * number("partial_rotary_factor").unwrap_or(1.0);
        add("rope.dimension_count", Value::U32(rotated as u32));
        let mut factors = Vec::new();
        match rope["rope_type"].as_str().unwrap() {
            "default" => {}
            "linear" => {
                add("rope.scaling.type", Value::text("linear"));
                add("rope.scaling.factor", float(number("factor").unwrap()));
            }
            "llama3" => {
                let plain = frequencies::plain(number("rope_theta").unwrap(), self.head_dim());
                let llama3 = Llama3 {
                    factor: number("factor").unwrap(),
                    low: number("low_freq_factor").unwrap(),
                    high: number("high_freq_factor").unwrap(),
                    context: number("original_max_position_embeddings").unwrap(),
                };
                let divisors = frequencies::llama3_factors(&plain, llama3);
                factors.push(("rope_freqs.weight", divisors));
            }
            "yarn" => {
                add("rope.scaling.type", Value::text("yarn"));
                add("rope.scaling.factor", float(number("factor").unwrap()));
                let original = number("original_max_position_embeddings").unwrap() as u32;
                add("rope.scaling.original_context_length", Value::U32(original));
                add(
                    "rope.scaling.yarn_beta_fast",
                    float(number("beta_fast").unwrap()),
                );
                add(
                    "rope.scaling.yarn_beta_slow",
                    float(number("beta_slow").unwrap()),
                );
                if let Some(weight) = number("mscale_all_dim") {
                    add("rope.scaling.yarn_log_multiplier", float(weight));
                }
            }
            "longrope" => {
                let original = number("original_max_position_embeddings").unwrap();
                let ratio = self.number("max_position_embeddings") / original;
                let factor = (1.0 + ratio.ln() / original.ln()).sqrt();
                add("rope.scaling.type", Value::text("longrope"));
                add("rope.scaling.attn_factor", float(factor));
                let original = Value::U32(original as u32);
                add("rope.scaling.original_context_length", original);
                for kind in ["short", "long"] {
                    let list = rope[format!("{kind}_factor")].as_array().unwrap();
                    let list = list.iter().map(|it| it.as_f64().unwrap() as f32).collect();
                    let name = ["rope_factors_short.weight", "rope_factors_long.weight"];
                    factors.push((name[usize::from(kind == "long")], list));
                }
            }
            other => panic!("GGUF has no {other}"),
        }
        match architecture {
            "gemma3" => {
                add("attention.sliding_window", size("sliding_window"));
                let local = whole["sliding_attention"]["rope_theta"].as_f64().unwrap();
                if local != 10_000.0 {
                    add("rope.freq_base_swa", float(local));
                }
            }
            "mistral3" => {
                let beta = number("llama_4_scaling_beta").unwrap();
                add("attention.temperature_scale", float(beta));
            }
            "granite" => {
                add(
                    "embedding_scale",
                    float(self.number("embedding_multiplier")),
                );
                add(
                    "attention.scale",
                    float(self.number("attention_multiplier")),
                );
                add("residual_scale", float(self.number("residual_multiplier")));
                add("logit_scale", float(self.number("logits_scaling")));
                let hybrid = self.config["model_type"] == "granitemoehybrid";
                if hybrid && self.config["position_embedding_type"].is_null() {
                    add("rope.scaling.finetuned", Value::Bool(false));
                }
            }
            _ => {}
        }
        let tokens = vec![Value::text("x"); self.size("vocab_size")];
        file = file.with("tokenizer.ggml.tokens", Value::Array(8, tokens));
        for (name, divisors) in factors {
            file = file.with_floats(name, &divisors);
        }
        for (name, tensor) in self.tensors() {
            let dimensions: Vec<u64> = tensor.shape.iter().rev().map(|&it| it as u64).collect();
            let bytes = tensor.elements.iter().flat_map(|it| it.to_le_bytes());
            file = file.with_tensor(&name, &dimensions, 0, bytes.collect());
        }
        file
    }

    /// The tensors in f32, under their GGUF names.
    fn tensors(&self) -> Vec<(String, Tensor)> {
        let architecture = self.architecture();
        let weights = SafeTensors::deserialize(&self.weights).unwrap();
        let mut tensors = Vec::new();
        for (name, view) in weights.iter() {
            assert_eq!(view.dtype(), Dtype::BF16);
            let (halves, _) = view.data().as_chunks::<2>();
            let elements = halves
                .iter()
                .map(|it| f32::from_bits(u32::from(u16::from_le_bytes(*it)) << 16));
            let mut tensor = Tensor {
                shape: view.shape().to_vec(),
                elements: elements.collect(),
            };
            if architecture == "gemma3" && tensor.shape.len() == 1 {
                tensor.elements.iter_mut().for_each(|it| *it += 1.0);
            }
            if name.ends_with("input_linear.weight") {
                let rows = tensor.shape[0] / 2;
                let width = tensor.shape[1];
                let (gate, up) = tensor.elements.split_at(rows * width);
                for (part, elements) in [("gate", gate), ("up", up)] {
                    let layer = name.split('.').nth(2).unwrap();
                    let half = Tensor {
                        shape: vec![rows, width],
                        elements: elements.to_vec(),
                    };
                    tensors.push((format!("blk.{layer}.ffn_{part}.weight"), half));
                }
                continue;
            }
            let neighbours = ["llama", "mistral3", "smollm3", "granite"].contains(&architecture);
            let turned = name.contains("q_proj") || name.contains("k_proj");
            if neighbours && turned {
                tensor.elements = self.neighbours(&tensor);
            }
            tensors.push((gguf_name(architecture, name), tensor));
        }
        tensors
    }

    /// The rows of a tensor of queries or keys, the two of each pair brought together.
    fn neighbours(&self, tensor: &Tensor) -> Vec<f32> {
        let row = tensor.shape.get(1).copied().unwrap_or(1);
        let dim = self.head_dim();
        let heads = tensor.elements.chunks_exact(row * dim);
        let together = heads.flat_map(|head| {
            let rows: Vec<&[f32]> = head.chunks_exact(row).collect();
            let pairs = (0..dim / 2).flat_map(|pair| [rows[pair], rows[pair + dim / 2]]);
            pairs.flatten().copied().collect::<Vec<f32>>()
        });
        together.collect()
    }
}

fn gguf_name(architecture: &str, name: &str) -> String {
    let Some(rest) = name.strip_prefix("model.layers.") else {
        return match name {
            "model.embed_tokens.weight" => "token_embd.weight",
            "model.norm.weight" => "output_norm.weight",
            "lm_head.weight" => "output.weight",
            other => panic!("{other}"),
        }
        .to_owned();
    };
    let (layer, rest) = rest.split_once('.').unwrap();
    let (part, kind) = rest.rsplit_once('.').unwrap();
    let around = ["gemma3", "olmo2"].contains(&architecture);
    let part = match part {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" if around => "post_attention_norm",
        "post_attention_layernorm" | "pre_feedforward_layernorm" => "ffn_norm",
        "post_feedforward_layernorm" => "post_ffw_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.qkv_proj" => "attn_qkv",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" | "mlp.gate_up_proj" => "ffn_up",
        "mlp.down_proj" | "shared_mlp.output_linear" => "ffn_down",
        other => panic!("{other}"),
    };
    format!("blk.{layer}.{part}.{kind}")
}
