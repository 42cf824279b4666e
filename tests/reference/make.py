"""Writes the tiny models of this folder and what transformers computes with them in f32.

    python3 tests/reference/make.py [name ...]

Needs transformers 5.17 or later, torch and safetensors. Weights are random and as bf16 stores
them, so that nothing is rounded on the way. `name.json` is the configuration as transformers saves
it, `weights.safetensors` the tensors, `name.logits.safetensors` tokens and the logits at every
position. Models that differ in the configuration alone share their weights.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
VOCABULARY = 96
POSITIONS = 40

COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
BIASED = {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False}


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **more}}


def gemma(**more):
    return {
        "num_hidden_layers": 7,
        "intermediate_size": 64,
        "head_dim": 32,
        # llama.cpp takes it for the head's size.
        "query_pre_attn_scalar": 32,
        "sliding_window": 16,
        **more,
    }


GRANITE = {
    "embedding_multiplier": 3.0,
    "attention_multiplier": 0.4,
    "residual_multiplier": 0.3,
    "logits_scaling": 2.0,
    "tie_word_embeddings": True,
}
# Divisors of six pairs: three quarters of a head of 16.
LONG = {
    "partial_rotary_factor": 0.75,
    "short_factor": [1.0, 1.1, 1.3, 1.5, 2.0, 2.5],
    "long_factor": [1.0, 1.5, 2.0, 4.0, 6.0, 8.0],
}
YARN = {
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    "beta_fast": 4.0,
    "beta_slow": 0.5,
}

# Fields of every configuration that no model reads.
NOISE = """_name_or_path chunk_size_feed_forward id2label label2id initializer_range use_cache
is_encoder_decoder output_attentions output_hidden_states return_dict""".split()

# Name: name of the weights, class, what differs from COMMON.
MODELS = {
    "gemma3": ("gemma3", "Gemma3Text", gemma()),
    "gemma3_linear": (
        "gemma3",
        "Gemma3Text",
        gemma(
            rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 500.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            }
        ),
    ),
    "gemma3_scalar": ("gemma3", "Gemma3Text", gemma(query_pre_attn_scalar=20)),
    "smollm3": ("smollm3", "SmolLM3", {"num_hidden_layers": 5}),
    "phi3": ("phi3", "Phi3", rope("default", partial_rotary_factor=0.75)),
    "phi3_longrope": (
        "phi3",
        "Phi3",
        {"original_max_position_embeddings": POSITIONS, **rope("longrope", **LONG)},
    ),
    "granite": ("granite", "Granite", GRANITE),
    "granite4": (
        "granite4",
        "GraniteMoeHybrid",
        {
            **GRANITE,
            "layer_types": ["full_attention"] * 3,
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
            "shared_intermediate_size": 96,
            "position_embedding_type": "rope",
            "mamba_n_heads": 4,
        },
    ),
    "granite4_nope": (
        "granite4",
        "GraniteMoeHybrid",
        {
            **GRANITE,
            "layer_types": ["full_attention"] * 3,
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
            "shared_intermediate_size": 96,
            "position_embedding_type": None,
            "mamba_n_heads": 4,
        },
    ),
    "olmo2": ("olmo2", "Olmo2", {}),
    "mistral": ("mistral", "Mistral", {"head_dim": 32, "sliding_window": None}),
    "ministral3": (
        "mistral",
        "Ministral3",
        {
            "head_dim": 32,
            **rope("yarn", llama_4_scaling_beta=0.4, mscale=1.0, mscale_all_dim=0.5, **YARN),
        },
    ),
    "llama_biases": ("llama", "Llama", BIASED),
    "llama_linear": ("llama", "Llama", {**BIASED, **rope("linear", factor=3.0)}),
    "llama_llama3": (
        "llama",
        "Llama",
        {
            **BIASED,
            **rope(
                "llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=32,
            ),
        },
    ),
    "llama_yarn": ("llama", "Llama", {**BIASED, **rope("yarn", **YARN)}),
    "llama_yarn_exact": (
        "llama",
        "Llama",
        {**BIASED, **rope("yarn", truncate=False, attention_factor=0.7, **YARN)},
    ),
    # Within the context, and beyond it step by step: then a position's base is its own.
    "llama_dynamic": ("llama", "Llama", {**BIASED, **rope("dynamic", factor=4.0)}),
    "llama_dynamic_beyond": (
        "llama",
        "Llama",
        {**BIASED, "max_position_embeddings": 16, **rope("dynamic", factor=4.0)},
    ),
    "qwen3_biases": (
        "qwen3",
        "Qwen3",
        {"attention_bias": True, "head_dim": 32, "tie_word_embeddings": True},
    ),
    "qwen2": ("qwen2", "Qwen2", {"tie_word_embeddings": True}),
}


def fill(model, name):
    """Weights with which every part of a model tells in its logits."""
    random = torch.Generator().manual_seed(sum(name.encode()))
    offset = "gemma" in name
    for key, parameter in sorted(model.named_parameters()):
        shape = parameter.shape
        numbers = torch.randn(shape, generator=random)
        if key.endswith("bias"):
            numbers = 0.5 * numbers
        elif len(shape) == 1:
            numbers = 0.2 * numbers + (0.0 if offset else 1.0)
        elif "embed_tokens" in key:
            numbers = 0.4 * numbers
        else:
            numbers = 1.3 * numbers / shape[1] ** 0.5
        parameter.data.copy_(numbers.bfloat16().float())


def logits(model, name, tokens):
    with torch.no_grad():
        if not name.endswith("_beyond"):
            return model(tokens[None]).logits[0]
        cache, rows = transformers.DynamicCache(), []
        for token in tokens:
            output = model(token[None, None], past_key_values=cache, use_cache=True)
            rows.append(output.logits[0, 0])
        return torch.stack(rows)


def make(name):
    weights, kind, own = MODELS[name]
    config = getattr(transformers, f"{kind}Config")(**COMMON | own)
    config._attn_implementation = "eager"
    kind = "Gemma3" if kind == "Gemma3Text" else kind
    model = getattr(transformers, f"{kind}ForCausalLM")(config).float().eval()
    fill(model, weights)
    random = torch.Generator().manual_seed(5)
    tokens = torch.randint(0, VOCABULARY, (POSITIONS,), generator=random)
    found = logits(model, name, tokens)
    assert found.isfinite().all()
    print(name, "rms", found.square().mean().sqrt().item())
    said = json.loads(config.to_json_string(use_diff=False))
    said = {key: value for key, value in said.items() if value is not None and key not in NOISE}
    said["architectures"] = [type(model).__name__]
    (HERE / f"{name}.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    recorded = {"tokens": tokens.int(), "logits": found.contiguous()}
    save_file(recorded, HERE / f"{name}.logits.safetensors")
    tied = config.tie_word_embeddings
    tensors = {
        key: tensor.bfloat16().contiguous()
        for key, tensor in model.state_dict().items()
        if not (tied and key == "lm_head.weight")
    }
    save_file(tensors, HERE / f"{weights}.safetensors", {"format": "pt"})
    for file in HERE.glob("*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        make(name)
