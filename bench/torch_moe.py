#!/usr/bin/env python3
"""A training step of a small DeepSeek-V2 in PyTorch, timed.

    python3 torch_moe.py [--model transformers|plain] [--experts KIND] [--steps N] [--threads N]
                         [--attention plain|sdpa] [--optimizer foreach|fused|single] [--compile]

6 layers of width 512, the first dense (1408), the others with 16 routed experts
of 352, of which 4 serve a token, and 2 shared; 8 heads of latent attention: the
keys and values through 128 numbers, 64 + 32 for a query and key, 64 for a value,
the queries not compressed; vocabulary 8192, 8 sequences of 256 tokens, float32.
No loss to balance the experts, as transformers has none for this model.

"transformers" is DeepseekV2ForCausalLM; --experts says how it computes the
experts.  "plain" is the same arithmetic written for PyTorch alone, which sorts
the tokens by expert, and runs with any PyTorch from 1.13 on.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

import timing
from torch_llama import attend

VOCABULARY, LAYERS, WIDTH, HEADS, LENGTH, BATCH = 8192, 6, 512, 8, 256, 8
LATENT, NOPE, ROPE, VALUE = 128, 64, 32, 64
DENSE, EXPERT, EXPERTS, PICKED, SHARED = 1408, 352, 16, 4, 2
EPS = 1e-6


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * self.weight


def rotate_pairs(x, cos, sin):  # (B, H, T, D), (T, D/2)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, fused):
        super().__init__()
        self.fused = fused
        self.q = nn.Linear(WIDTH, HEADS * (NOPE + ROPE), bias=False)
        self.kv_a = nn.Linear(WIDTH, LATENT + ROPE, bias=False)
        self.kv_norm = RMSNorm(LATENT)
        self.kv_b = nn.Linear(LATENT, HEADS * (NOPE + VALUE), bias=False)
        self.out = nn.Linear(HEADS * VALUE, WIDTH, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, HEADS, NOPE + ROPE).transpose(1, 2)
        latent, k_rope = self.kv_a(x).split((LATENT, ROPE), -1)
        kv = self.kv_b(self.kv_norm(latent)).view(b, t, HEADS, NOPE + VALUE).transpose(1, 2)
        k_nope, v = kv.split((NOPE, VALUE), -1)
        q_nope, q_rope = q.split((NOPE, ROPE), -1)
        q = torch.cat((q_nope, rotate_pairs(q_rope, cos, sin)), -1)
        k_rope = rotate_pairs(k_rope.unsqueeze(1), cos, sin).expand(b, HEADS, t, ROPE)
        a = attend(q, torch.cat((k_nope, k_rope), -1), v, mask, self.fused)
        return self.out(a.transpose(1, 2).reshape(b, t, HEADS * VALUE))


class MLP(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.gate_up = nn.Linear(WIDTH, 2 * inner, bias=False)
        self.down = nn.Linear(inner, WIDTH, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down(F.silu(gate) * up)


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(MLP(EXPERT) for _ in range(EXPERTS))
        self.shared = MLP(SHARED * EXPERT)

    def forward(self, x):
        flat = x.reshape(-1, WIDTH)
        weight, picked = self.router(flat).softmax(-1).topk(PICKED, -1)  # (N, k)
        order = picked.view(-1).argsort()
        counts = torch.bincount(picked.view(-1), minlength=EXPERTS).tolist()
        rows = flat.index_select(0, order // PICKED).split(counts)
        done = torch.cat([expert(r) for expert, r in zip(self.experts, rows)])
        back = torch.empty_like(order)
        back[order] = torch.arange(order.numel())
        done = done.index_select(0, back).view(-1, PICKED, WIDTH)
        return (done * weight.unsqueeze(-1)).sum(1).view_as(x) + self.shared(x)


class Layer(nn.Module):
    def __init__(self, dense, fused):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(WIDTH), RMSNorm(WIDTH)
        self.attention = Attention(fused)
        self.mlp = MLP(DENSE) if dense else Experts()

    def forward(self, x, *positions):
        x = x + self.attention(self.norm1(x), *positions)
        return x + self.mlp(self.norm2(x))


class DeepSeek(nn.Module):
    def __init__(self, fused):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer(i == 0, fused) for i in range(LAYERS))
        self.norm = RMSNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        half = ROPE // 2
        angle = torch.outer(torch.arange(LENGTH).float(), 10000 ** (-torch.arange(half).float() / half))
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())
        self.register_buffer("mask", torch.full((LENGTH, LENGTH), -1e9).triu(1))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0, 0.02)

    def forward(self, ids, targets):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin, self.mask)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))


class FromTransformers(nn.Module):
    def __init__(self, fused, experts):
        super().__init__()
        from transformers import DeepseekV2Config, DeepseekV2ForCausalLM

        config = DeepseekV2Config(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=DENSE,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=LENGTH,
            rms_norm_eps=EPS,
            q_lora_rank=None,
            kv_lora_rank=LATENT,
            qk_nope_head_dim=NOPE,
            qk_rope_head_dim=ROPE,
            v_head_dim=VALUE,
            first_k_dense_replace=1,
            moe_intermediate_size=EXPERT,
            n_routed_experts=EXPERTS,
            num_experts_per_tok=PICKED,
            n_shared_experts=SHARED,
            use_cache=False,
        )
        config._attn_implementation = "sdpa" if fused else "eager"
        config._experts_implementation = experts
        self.model = DeepseekV2ForCausalLM(config).train()

    def forward(self, ids, targets):
        logits = self.model(input_ids=ids, use_cache=False).logits
        return F.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))


def main():
    parser = timing.parser(__doc__)
    parser.add_argument("--model", choices=("transformers", "plain"), default="plain")
    parser.add_argument("--experts", default="eager", help="of transformers: eager, batched_mm or grouped_mm")
    args = parser.parse_args()
    timing.prepare(args)
    fused = args.attention == "sdpa"
    model = DeepSeek(fused) if args.model == "plain" else FromTransformers(fused, args.experts)
    tokens = torch.randint(0, VOCABULARY, (BATCH, LENGTH + 1))
    batch = (tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
    name = "torch_moe " + (args.model if args.model == "plain" else f"{args.model} {args.experts}")
    timing.measure(args, name, model, batch, BATCH * LENGTH)


if __name__ == "__main__":
    main()
