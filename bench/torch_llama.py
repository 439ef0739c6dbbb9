#!/usr/bin/env python3
"""The reference step in PyTorch: one training step of a small Llama, timed.

    python3 torch_llama.py [--steps N] [--threads N] [--vocab N]
                           [--attention plain|sdpa] [--optimizer foreach|fused|single] [--compile]

6 layers of width 384 with 6 heads, SwiGLU of 1024, RMSNorm, rotary positions,
an untied head, 8 sequences of 256 tokens, float32; cross-entropy of every next
token, backward, the gradient clipped to a norm of 1, AdamW.  Prints one line of
JSON.  Runs with any PyTorch from 1.13 on; what a version lacks is an error.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

import timing

LAYERS, WIDTH, HEADS, INNER, LENGTH, BATCH = 6, 384, 6, 1024, 256, 8


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x, cos, sin):  # (B, H, T, D), (T, D/2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def attend(q, k, v, mask, fused):  # (B, H, T, D)
    if fused:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = q @ k.transpose(-1, -2) * (1 / math.sqrt(q.shape[-1])) + mask
    return scores.softmax(-1) @ v


class Layer(nn.Module):
    # The projections of one input are one matrix, which PyTorch is faster with.
    def __init__(self, fused):
        super().__init__()
        self.fused = fused
        self.norm1, self.norm2 = RMSNorm(WIDTH), RMSNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.gate_up = nn.Linear(WIDTH, 2 * INNER, bias=False)
        self.down = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        a = attend(rotate(q, cos, sin), rotate(k, cos, sin), v, mask, self.fused)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, WIDTH))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, vocabulary, fused):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, WIDTH)
        self.layers = nn.ModuleList(Layer(fused) for _ in range(LAYERS))
        self.norm = RMSNorm(WIDTH)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)
        half = WIDTH // HEADS // 2
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
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def main():
    parser = timing.parser(__doc__)
    parser.add_argument("--vocab", type=int, default=8192)
    args = parser.parse_args()
    timing.prepare(args)
    model = Llama(args.vocab, args.attention == "sdpa")
    # A token more than the sequence, so that every position has a target.
    tokens = torch.randint(0, args.vocab, (BATCH, LENGTH + 1))
    timing.measure(args, "torch_llama", model, (tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()), BATCH * LENGTH)


if __name__ == "__main__":
    main()
