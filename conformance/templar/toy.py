"""A tiny Llama of transformers beside ours: gradients, scores of slices, an inner step
of AdamW, and the same model under torchtitan's names.

usage: toy.py GO_PROGRAM DIRECTORY
Prints "ok NAME" or "FAIL NAME" for each check.

Distances are of a tensor's norm. Losses and gradients are to be within NEAR of
PyTorch's, both in 32 bits; a step of AdamW, which divides a gradient by its own size
and so makes much of the smallest, within STEP.
"""
import collections
import json
import math
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import torch.nn.functional as F
import transformers

from maths import places
from objects import attempt, go, program, single, work

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
NEAR, STEP = 1e-5, 1e-3
VOCABULARY, LENGTH, LAYERS, HIDDEN, HEADS, KV, FFN, THETA, EPS = 61, 24, 2, 64, 4, 2, 88, 100.0, 1e-5
SHAPE = {"model_size": "toy", "num_attention_heads": HEADS, "num_key_value_heads": KV, "hidden_size": HIDDEN}
RATE, DECAY = single(1e-3), single(0.1)


def llama(tied, seed):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=KV, max_position_embeddings=64, rms_norm_eps=EPS, tie_word_embeddings=tied, bos_token_id=1, eos_token_id=2,
        rope_parameters={"rope_theta": THETA, "rope_type": "default"})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)  # norms that are not 1, attention that is not even
    path = f"{work}/toy-{tied}"
    model.save_pretrained(path)
    return model, path


def batches(n, seed):
    """Rows that end early, as documents do: the rest is padding, and no target."""
    g = torch.Generator().manual_seed(seed)
    out = []
    for _ in range(n):
        ids = torch.randint(3, VOCABULARY, (3, LENGTH), generator=g)
        targets = torch.full_like(ids, -1)
        targets[:, :-1] = ids[:, 1:]
        ids[1, 15:], targets[1, 14:] = 2, -1
        out.append((ids, targets))
    return out


def loss_of(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1)


def ours(path, text, share, rules="slices", hparams="{}"):
    named = {"settings": torch.tensor([RATE, DECAY, share])}
    for i, (ids, targets) in enumerate(text):
        named[f"tokens.{i}"], named[f"targets.{i}"] = ids.float(), targets.float()
    torch.save(named, f"{work}/text.pt")
    program("step", path, f"{work}/text.pt", f"{work}/step.pt", rules, hparams)
    return torch.load(f"{work}/step.pt", weights_only=True)


def theirs(model, text, share):
    """Losses, summed gradients, the norm before clipping and the parameters after a step."""
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY, foreach=True)
    optimizer.zero_grad()
    losses = []
    for ids, targets in text:
        out = model(ids)
        loss = loss_of(getattr(out, "logits", out), targets)
        loss.backward()
        losses.append(loss.item())
    grads = {n: p.grad.clone() for n, p in model.named_parameters()}
    for p in model.parameters():
        p.grad *= share
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
    optimizer.step()
    after = {n: p.detach().clone() for n, p in model.named_parameters()}
    with torch.no_grad():
        for n, p in model.named_parameters():
            p.copy_(before[n])
    return losses, grads, norm, before, after


def distance(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-30)).item()


def inner_step(tied, share, count):
    model, path = llama(tied, 11)
    text = batches(count, 21)
    got = ours(path, text, share)
    losses, grads, norm, before, after = theirs(model, text, share)
    problems = []
    if not torch.allclose(got["losses"], torch.tensor(losses), rtol=NEAR):
        problems.append(f"losses {got['losses']}, want {losses}")
    if not math.isclose(got["norm"].item(), norm, rel_tol=NEAR):
        problems.append(f"norm {got['norm'].item()}, want {norm}")
    if norm <= 1:
        problems.append(f"a norm of {norm} is not clipped")
    names = [k[5:] for k in got if k.startswith("grad.")]
    if names != list(grads):
        problems.append(f"the parameters are {names}, want {list(grads)}")
    for n in grads:
        if not distance(got["grad." + n], grads[n]) <= NEAR:
            problems.append(f"gradient of {n}: {distance(got['grad.' + n], grads[n]):.2g} apart")
        if not distance(got["after." + n] - before[n], after[n] - before[n]) <= STEP:
            problems.append(f"step of {n}: {distance(got['after.' + n] - before[n], after[n] - before[n]):.2g} apart")
    return "; ".join(problems)


def scores():
    """A6: each parameter's cosine, weighted by the norm; A': by the loss before and after."""
    model, path = llama(False, 12)
    window, compression = 1_400_001, 20
    text = batches(3, 22)
    got = ours(path, text, 1.0)
    _, grads, _, params, _ = theirs(model, text, 1.0)
    at = places(window, params, compression)
    problems = []
    for name, stride in {"against the gradient": -2e-2, "along the gradient": 2e-2, "at random": 0.0, "farther against it": -6.0, "too far against it": -18.0, "much too far": -60.0}.items():
        torch.manual_seed(5)
        slices = collections.OrderedDict(
            (n, (p.flatten() + stride * grads[n].flatten())[at[n]] + 1e-3 * torch.randn(len(at[n]))) for n, p in params.items())
        want = sum((params[n].flatten()[at[n]].norm() + 1e-8) * F.cosine_similarity(params[n].flatten()[at[n]] - slices[n], grads[n].flatten()[at[n]], dim=0) for n in params).item()
        all_of = [torch.cat(x) for x in zip(*((params[n].flatten()[at[n]] - slices[n], grads[n].flatten()[at[n]]) for n in params))]
        likeness = F.cosine_similarity(*all_of, dim=0).item()
        # The slice is written into the model, and the loss taken once more.
        written, theirs_dir = llama(False, 12)
        with torch.no_grad():
            for n, p in written.named_parameters():
                p.view(-1)[at[n]] = slices[n]
        written.save_pretrained(path + "-written")
        before = sum(loss_of(model(i).logits, t).item() for i, t in text) / len(text)
        after = sum(loss_of(written(i).logits, t).item() for i, t in text) / len(text)
        our_before, our_after = got["losses"].mean().item(), ours(path + "-written", text, 1.0)["losses"].mean().item()
        delta = after - before
        worth, reset = (0.0, False) if likeness <= 0 else (-100 * delta, False) if delta < 0 else (0.0, delta / before > 0.25)
        torch.save(slices, f"{work}/slice.pt")
        torch.save(params, f"{work}/model.pt")
        torch.save({n: got["grad." + n] for n in params}, f"{work}/grads.pt")
        said = json.loads(program("score", str(window), str(compression), f"{work}/model.pt", f"{work}/grads.pt", f"{work}/slice.pt", repr(our_before), repr(our_after)))
        print(f"    {name}: score {want:.4f}, cosine {likeness:.4f}, loss {before:.4f} to {after:.4f}, worth {worth:.4f}, reset {reset}")
        if abs(said["score"] - want) > 1e-4 * max(1, abs(want)) or abs(said["cosine"] - likeness) > 1e-4:
            problems.append(f"{name}: score {said['score']}, cosine {said['cosine']}, want {want}, {likeness}")
        if abs(said["worth"] - worth) > 1e-3 or said["reset"] != reset:
            problems.append(f"{name}: worth {said['worth']}, reset {said['reset']}, want {worth}, {reset}")
    return "; ".join(problems)


class Norm(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(n))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * self.weight


class Attention(torch.nn.Module):
    """With the rotary embedding that turns neighbours, as complex numbers."""

    def __init__(self):
        super().__init__()
        d = HIDDEN // HEADS
        self.wq, self.wk, self.wv, self.wo = (torch.nn.Linear(a, b, bias=False) for a, b in ((HIDDEN, HIDDEN), (HIDDEN, KV * d), (HIDDEN, KV * d), (HIDDEN, HIDDEN)))

    def forward(self, x, turns):
        b, t, _ = x.shape
        def heads(y):
            return y.view(b, t, -1, HIDDEN // HEADS)
        def turn(y):
            return torch.view_as_real(torch.view_as_complex(y.reshape(*y.shape[:-1], -1, 2)) * turns[None, :, None]).flatten(-2)
        q, k, v = turn(heads(self.wq(x))), turn(heads(self.wk(x))), heads(self.wv(x))
        k, v = (y.repeat_interleave(HEADS // KV, 2) for y in (k, v))
        out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
        return self.wo(out.transpose(1, 2).reshape(b, t, -1))


class FeedForward(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.w2, self.w3 = torch.nn.Linear(HIDDEN, FFN, bias=False), torch.nn.Linear(FFN, HIDDEN, bias=False), torch.nn.Linear(HIDDEN, FFN, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.feed_forward = Attention(), FeedForward()
        self.attention_norm, self.ffn_norm = Norm(HIDDEN), Norm(HIDDEN)

    def forward(self, x, turns):
        x = x + self.attention(self.attention_norm(x), turns)
        return x + self.feed_forward(self.ffn_norm(x))


class Titan(torch.nn.Module):
    """A Llama as torchtitan names and orders it, with the head tied to the embedding."""

    def __init__(self):
        super().__init__()
        self.tok_embeddings = torch.nn.Embedding(VOCABULARY, HIDDEN)
        self.layers = torch.nn.ModuleDict({str(i): Block() for i in range(LAYERS)})
        self.norm = Norm(HIDDEN)

    def forward(self, ids):
        d = HIDDEN // HEADS
        rates = 1.0 / THETA ** (torch.arange(0, d, 2).float() / d)
        angles = torch.outer(torch.arange(ids.shape[1]).float(), rates)
        turns = torch.polar(torch.ones_like(angles), angles)
        x = self.tok_embeddings(ids)
        for block in self.layers.values():
            x = block(x, turns)
        return self.norm(x) @ self.tok_embeddings.weight.T


def twin():
    """Ours, put on the wire, is a model of torchtitan that says the same, and goes the same way."""
    model, path = llama(True, 13)
    hparams = json.dumps(SHAPE)
    program("wire", path, "sparse", hparams, f"{work}/wire.pt")
    state, titan, problems = torch.load(f"{work}/wire.pt", weights_only=True), Titan().eval(), []
    if list(state) != [n for n, _ in titan.named_parameters()]:
        problems.append(f"the parameters on the wire are {list(state)}, want {[n for n, _ in titan.named_parameters()]}")
    titan.load_state_dict(state)
    text = batches(4, 23)
    with torch.no_grad():
        apart = distance(titan(text[0][0]), model(text[0][0]).logits)
    if not apart <= NEAR:
        problems.append(f"the twin's logits are {apart:.2g} apart")
    got = ours(path, text, 0.25, "sparse", hparams)
    losses, _, norm, before, after = theirs(titan, text, 0.25)
    if not torch.allclose(got["losses"], torch.tensor(losses), rtol=NEAR) or not math.isclose(got["norm"].item(), norm, rel_tol=NEAR):
        problems.append(f"losses {got['losses']}, norm {got['norm']}, want {losses}, {norm}")
    deltas = [k[6:] for k in got if k.startswith("delta.")]
    if deltas != list(state):
        problems.append(f"the pseudo-gradient has {deltas}")
    for n in before:
        apart = distance(got["delta." + n], before[n] - after[n])
        if not apart <= STEP:
            problems.append(f"pseudo-gradient of {n}: {apart:.2g} apart")
    return "; ".join(problems)


if __name__ == "__main__":
    torch.set_num_threads(1)
    attempt("an inner step of the sum of three batches", lambda: inner_step(False, 1.0, 3))
    attempt("an inner step of the mean of four batches, with a tied head", lambda: inner_step(True, 0.25, 4))
    attempt("scores of slices by gradient and by loss", scores)
    attempt("the twin under torchtitan's names", twin)
