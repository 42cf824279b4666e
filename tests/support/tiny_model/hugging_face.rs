//! A tiny model as Hugging Face has it: `config.json` and safetensors.

use kvscope::formats::BlockFormat;
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use super::sizes::{Scaling, Sizes};
use super::{TinyModel, TinyTensor};
use crate::support::safetensors_file::{Tensor, written};

impl TinyModel {
    pub fn config_json(&self) -> Value {
        let sizes = &self.sizes;
        let class = match sizes.architecture {
            "llama" => "LlamaForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            _ => "Qwen3ForCausalLM",
        };
        let mut config = json!({
            "architectures": [class],
            "model_type": sizes.architecture,
            "hidden_size": sizes.width,
            "intermediate_size": sizes.feed_forward,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.query_heads,
            "num_key_value_heads": sizes.kv_heads,
            "hidden_act": "silu",
            "rms_norm_eps": f64::from(sizes.epsilon),
            "rope_theta": f64::from(sizes.base),
            "rope_scaling": null,
            "vocab_size": sizes.vocabulary,
            "max_position_embeddings": sizes.context,
            "tie_word_embeddings": sizes.tied,
            "torch_dtype": "float32",
        });
        if sizes.head_dim * sizes.query_heads != sizes.width {
            config["head_dim"] = json!(sizes.head_dim);
        }
        match sizes.scaling {
            Scaling::None => {}
            Scaling::Linear(factor) => {
                config["rope_scaling"] = json!({ "type": "linear", "factor": factor });
            }
            Scaling::Llama3(llama3) => {
                config["rope_scaling"] = json!({
                    "rope_type": "llama3",
                    "factor": llama3.factor,
                    "low_freq_factor": llama3.low,
                    "high_freq_factor": llama3.high,
                    "original_max_position_embeddings": llama3.context as u64,
                });
            }
        }
        config
    }

    /// One file with all tensors.
    pub fn safetensors(&self) -> Vec<u8> {
        let here = self.tensors.iter();
        let tensors: Vec<Tensor> = here
            .filter(|tensor| tensor.name != "rope_freqs.weight")
            .map(|tensor| Tensor {
                name: name(&tensor.name),
                dtype: match tensor.format {
                    BlockFormat::F32 => Dtype::F32,
                    BlockFormat::F16 => Dtype::F16,
                    BlockFormat::BF16 => Dtype::BF16,
                    other => panic!("safetensors have no {}", other.name()),
                },
                shape: tensor.shape.clone(),
                bytes: in_halves(&self.sizes, tensor),
            })
            .collect();
        written(&tensors, &[("format", "pt")])
    }
}

fn name(gguf: &str) -> String {
    let name = match gguf {
        "token_embd.weight" => return "model.embed_tokens.weight".to_owned(),
        "output_norm.weight" => return "model.norm.weight".to_owned(),
        "output.weight" => return "lm_head.weight".to_owned(),
        layer => layer.strip_prefix("blk.").unwrap(),
    };
    let (layer, part) = name.split_once('.').unwrap();
    let (part, kind) = part.rsplit_once('.').unwrap();
    let part = match part {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "ffn_norm" => "post_attention_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        other => panic!("{other}"),
    };
    format!("model.layers.{layer}.{part}.{kind}")
}

/// The bytes with the rows of each head's pairs apart, which llama.cpp's converter brings together
/// for Llama.
fn in_halves(sizes: &Sizes, tensor: &TinyTensor) -> Vec<u8> {
    let turned = tensor.name.ends_with("attn_q.weight") || tensor.name.ends_with("attn_k.weight");
    if sizes.architecture != "llama" || !turned {
        return tensor.bytes.clone();
    }
    let row = tensor.bytes.len() / tensor.shape[0];
    let pairs = sizes.rotated / 2;
    let head = |head: &[u8]| -> Vec<u8> {
        let rows: Vec<&[u8]> = head.chunks_exact(row).collect();
        let first = (0..pairs).map(|pair| rows[2 * pair]);
        let second = (0..pairs).map(|pair| rows[2 * pair + 1]);
        let rest = rows[2 * pairs..].iter().copied();
        first.chain(second).chain(rest).flatten().copied().collect()
    };
    tensor
        .bytes
        .chunks_exact(row * sizes.head_dim)
        .flat_map(head)
        .collect()
}
