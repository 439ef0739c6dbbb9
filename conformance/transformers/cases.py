"""The tiny models: one for each way an architecture's configuration changes its arithmetic."""

VOCABULARY, BATCH, LENGTH = 61, 2, 24

_DENSE = dict(
    vocab_size=VOCABULARY,
    hidden_size=64,
    intermediate_size=88,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    bos_token_id=1,
    eos_token_id=2,
)


def _dense(model, **more):
    return model, {**_DENSE, **more}


def _rope(**scaling):
    # theta 100 spreads the frequencies over the 24 positions, so that every
    # one of them is felt in the logits.
    return dict(rope_parameters=dict(rope_theta=100.0, **scaling))


_MLA = dict(
    vocab_size=VOCABULARY,
    hidden_size=64,
    intermediate_size=88,
    num_hidden_layers=3,
    num_attention_heads=4,
    max_position_embeddings=64,
    # Not the 1e-6 that the norms of the latents have whatever this says.
    rms_norm_eps=1e-3,
    kv_lora_rank=24,
    qk_nope_head_dim=16,
    qk_rope_head_dim=8,
    v_head_dim=12,
    first_k_dense_replace=1,
    moe_intermediate_size=20,
    n_routed_experts=8,
    num_experts_per_tok=3,
    n_shared_experts=2,
    bos_token_id=1,
    eos_token_id=2,
)


def _mla(**more):
    return "deepseek_v2", {**_MLA, **more}


_EXPERTS = dict(
    _DENSE,
    head_dim=16,
    num_hidden_layers=3,
    rms_norm_eps=1e-6,
    moe_intermediate_size=20,
    num_experts=8,
    num_experts_per_tok=3,
)


def _experts(**more):
    return "qwen3_moe", {**_EXPERTS, **more}


_GPT2 = dict(
    vocab_size=VOCABULARY, n_positions=32, n_embd=64, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
)

CASES = {
    "llama": _dense("llama"),
    "llama-tied": _dense("llama", tie_word_embeddings=True),
    "llama-attention-bias": _dense("llama", attention_bias=True),
    "llama-mlp-bias": _dense("llama", mlp_bias=True),
    "llama-head-dim": _dense("llama", head_dim=24, num_key_value_heads=1),
    "llama-linear": _dense("llama", **_rope(rope_type="linear", factor=3.0)),
    "llama-dynamic-short": _dense("llama", **_rope(rope_type="dynamic", factor=2.0)),
    "llama-dynamic-long": _dense(
        "llama", **{**_rope(rope_type="dynamic", factor=2.0), "max_position_embeddings": 16}
    ),
    "llama-llama3": _dense(
        "llama",
        **{
            **_rope(
                rope_type="llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=64,
            ),
            "max_position_embeddings": 512,
        },
    ),
    "llama-yarn": _dense(
        "llama", **_rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)
    ),
    "llama-yarn-all": _dense(
        "llama",
        **{
            **_rope(
                rope_type="yarn",
                factor=4.0,
                original_max_position_embeddings=64,
                attention_factor=1.25,
                beta_fast=4.0,
                beta_slow=0.5,
                truncate=False,
            ),
            "max_position_embeddings": 256,
        },
    ),
    "mistral": _dense("mistral", sliding_window=7),
    "qwen2": _dense("qwen2", rms_norm_eps=1e-6),
    "qwen2-window": _dense(
        "qwen2", use_sliding_window=True, sliding_window=7, max_window_layers=1, tie_word_embeddings=True
    ),
    "deepseek-v2": _mla(q_lora_rank=None, topk_method="greedy"),
    "deepseek-v2-groups": _mla(
        q_lora_rank=40,
        topk_method="group_limited_greedy",
        n_group=4,
        topk_group=2,
        routed_scaling_factor=2.5,
        **_rope(
            rope_type="yarn",
            factor=4.0,
            original_max_position_embeddings=16,
            beta_fast=32,
            beta_slow=1,
            mscale=0.707,
            mscale_all_dim=0.9,
        ),
    ),
    "deepseek-v2-bias": _mla(
        q_lora_rank=40, attention_bias=True, mlp_bias=True, routed_scaling_factor=1.5, num_hidden_layers=2
    ),
    "qwen3-moe": _experts(norm_topk_prob=True, num_hidden_layers=2),
    "qwen3-moe-mixed": _experts(
        norm_topk_prob=False, num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[1]
    ),
    "gpt2": ("gpt2", _GPT2),
    "gpt2-options": (
        "gpt2",
        {
            **_GPT2,
            "n_inner": 88,
            "activation_function": "gelu_pytorch_tanh",
            "scale_attn_by_inverse_layer_idx": True,
            "tie_word_embeddings": False,
        },
    ),
}
