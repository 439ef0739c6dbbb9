"""What a window does to numbers, in plain PyTorch: compression, error feedback, the
merge, the outer step; and the merges of slices.

usage: maths.py GO_PROGRAM DIRECTORY
Prints "ok NAME" or "FAIL NAME" for each check.

Sums are in 32 bits here, in whatever order PyTorch likes, as upstream has them, and
in 64 bits in ours. What may differ for that:

- the code of a value that is within TIE of a bin's width from the border of two bins,
  or, of values that are several bins from the middle, within as many times that;
- shift and scale by FAR of a bin's width, which is what PyTorch's norm of 50000
  values in 32 bits is off; from what they are in 64 bits, by NEAR;
- what a code stands for, of the values that have it, by NEAR of a bin's width;
- the merge of several miners, by NEAR of its largest element.

Which values are kept, how they are packed, and what is left unsaid after a message
is known, must be equal to the bit, but for the order of equal magnitudes; where a
product comes before (a learning rate, the cosine transform), to NEAR.
"""
import collections
import hashlib
import json
import math
import sys

import numpy
import torch


from objects import attempt, go, program, wire, work


TIE, NEAR, FAR = 1e-4, 1e-5, 1e-4


def side(n):
    return max(d for d in range(1, min(n, 64) + 1) if n % d == 0)


class Chunks:
    """How a tensor of one or two dimensions is cut."""

    def __init__(self, shape, dct=False):
        self.shape, self.dct = shape, dct
        self.w = side(shape[-1])
        self.h = side(shape[0]) if len(shape) == 2 else 1
        self.size = self.h * self.w
        self.grid = (shape[0] // self.h, shape[1] // self.w) if len(shape) == 2 else (shape[0] // self.w,)

    def cut(self, x):
        if len(self.shape) == 1:
            c = x.view(-1, self.w)
            return c @ basis(self.w).T if self.dct else c
        c = x.view(self.grid[0], self.h, self.grid[1], self.w).permute(0, 2, 1, 3)
        if self.dct:
            c = basis(self.h) @ c @ basis(self.w).T
        return c.reshape(*self.grid, self.size)

    def join(self, c):
        if len(self.shape) == 1:
            return (c @ basis(self.w) if self.dct else c).reshape(self.shape)
        c = c.view(*self.grid, self.h, self.w)
        if self.dct:
            c = basis(self.h).T @ c @ basis(self.w)
        return c.permute(0, 2, 1, 3).reshape(self.shape)


def basis(n):
    """The rows of the orthonormal cosine transform."""
    k, i = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)[None, :]
    b = torch.cos(math.pi * (2 * i + 1) * k / (2 * n)) * math.sqrt(2 / n)
    b[0] /= math.sqrt(2)
    return b.float()


def pack(idx):
    a, b = idx.reshape(-1, 2).T
    return torch.stack([a & 255, (a >> 8) & 15 | (b & 15) << 4, b >> 4], 1).reshape(-1).to(torch.uint8)


def unpack(packed):
    x, y, z = packed.long().reshape(-1, 3).T
    return torch.stack([x | (y & 15) << 8, y >> 4 | z << 4], 1).reshape(-1)


def quantise(vals, bins):
    shift = vals.mean()
    c = vals - shift
    std = c.norm() / math.sqrt(max(vals.numel() - 1, 1))
    scale = (6 * std / bins).item()
    if scale == 0 or not math.isfinite(scale):
        scale = 1.0
    at = c / scale + bins // 2
    q = at.round().clamp(0, bins - 1)
    return q.to(torch.uint8), shift, scale, lookup_of(c, q, bins), at


def lookup_of(c, q, bins):
    nought = torch.zeros(bins, dtype=c.dtype)
    sums = nought.scatter_add(0, q.long().flatten(), c.flatten())
    counts = nought.scatter_add(0, q.long().flatten(), torch.ones_like(c).flatten())
    return torch.where(counts > 0, sums / counts.clamp(min=1), nought)


def dequantise(vals, quant):
    return quant[3][vals.long()] + quant[0]


def kept(size, top):
    return min(top, size) // 2 * 2


class Feedback:
    """The reference's own encoder of one tensor."""

    def __init__(self, shape, hparams):
        self.h, self.grid = hparams, Chunks(shape, hparams.get("use_dct", False))
        self.e = torch.zeros(shape)
        self.k = kept(self.grid.size, hparams["topk_compression"])

    def grow(self, delta):
        self.e = self.e * self.h["momentum_decay"] + self.h["gain"] * delta

    def message(self):
        c = self.grid.cut(self.e)
        idx = c.abs().topk(self.k, dim=-1, sorted=False).indices
        vals = c.gather(-1, idx)
        q, shift, scale, lookup, _ = quantise(vals, self.h["quantization_bins"])
        return {"idxs": pack(idx), "vals": q, "quant_params": (shift, scale, self.h["quantization_bins"] // 2, lookup, torch.float32)}

    def say(self, m):
        c = torch.zeros(*self.grid.grid, self.grid.size)
        idx = unpack(m["idxs"]).view(*self.grid.grid, self.k)
        c.scatter_(-1, idx, dequantise(m["vals"], m["quant_params"]))
        self.e = self.e - self.grid.join(c)

    def unsaid(self):
        """As ours keeps it: the coefficients, where there is a transform."""
        return Chunks(self.grid.shape).join(self.grid.cut(self.e))


def judge(ref, m, exact, counts):
    """What is wrong with our message about the reference's e."""
    bins, c = ref.h["quantization_bins"], ref.grid.cut(ref.e)
    want = (*ref.grid.grid, ref.k)
    if tuple(m["vals"].shape) != want or m["vals"].dtype != torch.uint8 or m["idxs"].dtype != torch.uint8:
        return f"values of shape {tuple(m['vals'].shape)}, want {want}"
    idx = unpack(m["idxs"]).view(want)
    if not torch.equal(pack(idx), m["idxs"]) or not (idx < ref.grid.size).all():
        return "indices are packed otherwise"
    if not (idx.sort(-1).values.diff(dim=-1) > 0).all():
        return "an index comes twice"
    vals = c.gather(-1, idx)
    best = c.abs().topk(ref.k, dim=-1).values
    mine = vals.abs().sort(-1, descending=True).values
    if exact and not torch.equal(best, mine) or not torch.allclose(best, mine, rtol=NEAR, atol=NEAR * best.max().item()):
        return f"{(best != mine).sum()} values of {best.numel()} are not the largest"
    shift, scale, offset, lookup, dtype = m["quant_params"]
    q, want_shift, want_scale, _, at = quantise(vals, bins)
    if offset != bins // 2 or dtype is not torch.float32 or lookup.shape != (bins,) or lookup.dtype != torch.float32 or shift.shape != () or type(scale) is not float:
        return f"quant_params {m['quant_params']}"
    true_shift, true_scale = vals.double().mean().item(), 6 * vals.double().std().item() / bins or 1.0
    for a, b, near in ((want_shift, want_scale, FAR), (true_shift, true_scale, NEAR)):
        if abs(scale - b) > near * b or abs(shift - a) > near * b:
            return f"shift {shift}, scale {scale}, want {a}, {b}"
    other = q != m["vals"]
    apart = (at - at.floor() - 0.5).abs() / (at - bins // 2).abs().clamp(min=1)
    if other.any() and apart[other].max() > TIE:
        return f"{other.sum()} codes of {q.numel()} differ, up to {apart[other].max()} of their place from a border"
    counts["codes"] += q.numel()
    counts["other"] += int(other.sum())
    # Of the codes as they are, so that a tie does not hide a difference.
    wanted = lookup_of((vals - shift).double(), m["vals"], bins)
    if ((lookup - wanted).abs() > NEAR * scale + 1e-6 * wanted.abs()).any():
        return f"codes stand for {lookup}, want {wanted}"
    return None


SHAPES = {
    "layers.0.attention.wq.weight": (512, 128), "layers.0.feed_forward.w1.weight": (448, 128), "layers.0.attention_norm.weight": (8192,),
    "odd.rows": (11008,), "odd.vocabulary": (50257,), "odd.embedding": (50257, 4), "odd.square": (100, 150), "odd.flat": (7, 64), "odd.thin": (64, 7),
    "odd.small": (6, 5), "odd.three": (3, 3), "odd.pair": (2,), "norm.weight": (64,),
}


def deltas(seed, rounds):
    """Changes as rounds bring them: some large among many small, tensors of very different size."""
    g = torch.Generator().manual_seed(seed)
    out = {}
    for i, (name, shape) in enumerate(SHAPES.items()):
        x = torch.randn(rounds, *shape, generator=g)
        if i % 3 == 1:
            x = x ** 3
        out[name] = (x + (0.1 if i % 4 == 0 else 0)) * 10.0 ** (1 - i % 5 * 2)
    out["zeros"] = torch.zeros(rounds, 64, 64)
    return out


def sparse_hparams(**more):
    return {"topk_compression": 64, "quantization_bins": 4, "momentum_decay": 0.95, "outer_learning_rate": 0.4, **more}


def message_of(loaded, name):
    return {s: loaded["state_dict"][wire(name) + s] for s in ("idxs", "vals", "quant_params")}


def rounds(rules, hparams, gain=1.0, exact=True, seed=5, n=5):
    """Five rounds: each message is judged, and taken off as it is; what is unsaid in the end is compared."""
    problems, counts = [], collections.Counter()
    delta, keys = deltas(seed, n), dict(hparams)
    torch.save(delta, f"{work}/in.pt")
    program("compress", rules, json.dumps(keys), f"{work}/in.pt", f"{work}/out.pt")
    refs = {name: Feedback(tuple(x.shape[1:]), {**hparams, "gain": gain}) for name, x in delta.items()}
    alone = {name: Feedback(tuple(x.shape[1:]), {**hparams, "gain": gain}) for name, x in delta.items()}
    for i in range(n):
        loaded = torch.load(f"{work}/out.pt.{i}", weights_only=True)
        for name, x in delta.items():
            m = message_of(loaded, name)
            refs[name].grow(x[i])
            problem = judge(refs[name], m, exact, counts)
            if problem:
                problems.append(f"{name}, round {i}: {problem}")
            refs[name].say(m)
            alone[name].grow(x[i])
            alone[name].say(alone[name].message())
    rest = torch.load(f"{work}/out.pt", weights_only=True)
    for name in delta:
        most = delta[name].abs().max().item()
        unsaid, byself = refs[name].unsaid(), alone[name].unsaid()
        apart = (rest[name] - unsaid).abs().max().item()
        if exact and apart > 0 or apart > NEAR * most:
            problems.append(f"{name}: unsaid is {apart} apart")
        # By itself the reference says the same, but for what a tie has changed.
        far = ((rest[name] - byself).abs() > 1e-3 * most).sum().item()
        if far > 1e-3 * rest[name].numel() + 4:
            problems.append(f"{name}: {far} of {rest[name].numel()} elements unsaid are not those of the reference by itself")
    print(f"    {counts['other']} of {counts['codes']} codes differ, at ties")
    if counts["other"] > 1e-4 * counts["codes"] + 2:
        problems.append("too many codes differ")
    return "; ".join(problems)


def merged(messages, grid, clip=True):
    """The mean over those who sent a coordinate, each clipped to the lower median of the norms."""
    vals = [dequantise(m["vals"], m["quant_params"]) for m in messages]
    norms = torch.stack([v.norm() for v in vals])
    bound = norms.median()
    k = vals[0].shape[-1]
    if clip:
        vals = [v * min(1.0, (bound / n).item()) if n > 0 else v for v, n in zip(vals, norms)]
    idx = [unpack(m["idxs"]).view(*grid.grid, k) for m in messages]
    c = torch.zeros(*grid.grid, grid.size)
    c.scatter_reduce_(-1, torch.cat(idx, -1), torch.cat(vals, -1), reduce="mean", include_self=False)
    return grid.join(c)


def outer(hparams, peers):
    """Half of the peers' messages are ours, half are written by torch, whose order of indices is another."""
    files, messages = [], collections.defaultdict(list)
    for peer in range(peers):
        delta = {n: x * (0.3 + peer) for n, x in deltas(100 + peer // 2, 1).items()}
        path = f"{work}/peer-{peer}.pt"
        if peer % 2:
            torch.save(delta, f"{work}/in.pt")
            program("compress", "sparse", json.dumps(hparams), f"{work}/in.pt", path)
            path += ".0"
        else:
            state = {}
            for name, x in delta.items():
                f = Feedback(tuple(x.shape[1:]), {**hparams, "gain": 1.0})
                f.grow(x[0])
                state.update({wire(name) + s: v for s, v in f.message().items()})
            state["metadata"] = {"window": 0, "sample_digest": "0" * 32, "sample_count": 1}
            torch.save({"state_dict": state, "global_step": 0}, path)
        files.append(path)
        loaded = torch.load(path, weights_only=True)
        for name in delta:
            messages[name].append(message_of(loaded, name))
    torch.manual_seed(9)
    model = {name: torch.randn(x.shape[1:]) for name, x in deltas(1, 1).items()}
    torch.save(model, f"{work}/model.pt")
    program("outer", "sparse", json.dumps(hparams), f"{work}/model.pt", f"{work}/stepped.pt", *files)
    got, problems = torch.load(f"{work}/stepped.pt", weights_only=True), []
    for name, theta in model.items():
        p = torch.nn.Parameter(theta.clone())
        p.grad = merged(messages[name], Chunks(tuple(theta.shape), hparams.get("use_dct", False)))
        torch.optim.SGD([p], lr=hparams["outer_learning_rate"]).step()
        apart = (got[name] - p.detach()).abs().max().item()
        near = 4 * NEAR if hparams.get("use_dct") else NEAR  # four products with a basis
        if not apart <= near * max(p.grad.abs().max().item(), 0.1):
            problems.append(f"{name}: {apart} apart, of up to {p.grad.abs().max()}")
        if name != "zeros" and torch.equal(got[name], theta):
            problems.append(f"{name} did not move")
    return "; ".join(problems)


def refuses(hparams):
    """Gradients whose files are sound and which do not fit the model."""
    delta = deltas(200, 1)
    torch.save(delta, f"{work}/in.pt")
    program("compress", "sparse", json.dumps(hparams), f"{work}/in.pt", f"{work}/peer.pt")
    torch.save({name: x[0] for name, x in delta.items()}, f"{work}/model.pt")
    name, problems = "layers.0.attention.wq.weight", []

    def packed(change):
        def do(state):
            for parameter, at, value in change:
                idx = unpack(state[wire(parameter) + "idxs"])
                idx[at] = value if value is not None else idx[at + 1]
                state[wire(parameter) + "idxs"] = pack(idx)
        return do

    def shaped(shape):
        return lambda state: state.update({wire(name) + "vals": state[wire(name) + "vals"].reshape(shape)})

    def put(suffix, change):
        return lambda state: state.update({wire(name) + suffix: change(state[wire(name) + suffix])})
    cases = {
        "": lambda state: None,
        "an index twice": packed([(name, 10, None)]), "an index beyond the chunk": packed([("odd.small", 0, 30)]),
        "another grid": shaped((4, 4, 64)), "other chunks": shaped((8, 4, 32)), "a flat grid": shaped((16, 64)),
        "a parameter missing": lambda state: [state.pop(wire(name) + s) for s in ("idxs", "vals", "quant_params")],
        "values as they are": lambda state: state.update({wire(name) + "vals": torch.ones(8, 2, 64), wire(name) + "quant_params": None}),
        "256 bins": put("quant_params", lambda q: (q[0], q[1], 128, torch.zeros(256), q[4])),
        "a code stands for too much": put("quant_params", lambda q: (q[0], q[1], q[2], q[3] + 1e7, q[4])),
    }
    for case, change in cases.items():
        loaded = torch.load(f"{work}/peer.pt.0", weights_only=True)
        change(loaded["state_dict"])
        torch.save(loaded, f"{work}/changed.pt")
        try:
            program("outer", "sparse", json.dumps(hparams), f"{work}/model.pt", f"{work}/stepped.pt", f"{work}/changed.pt")
            refused = ""
        except RuntimeError as error:
            refused = str(error)
        if case and not refused or not case and refused or "panic" in refused:
            problems.append(f"{case or 'nothing'}: {refused or 'it is merged'}")
    return "; ".join(problems)


def vectors():
    """The reference itself, by numbers that were got from upstream."""
    q, shift, scale, lookup, _ = quantise(torch.tensor([-3, -1, -0.5, 0.2, 0.9, 1.5, 2, 4]), 4)
    if q.tolist() != [1, 2, 2, 2, 2, 2, 2, 3] or abs(shift - 0.5125) > 1e-6 or abs(scale - 3.1692648) > 1e-6:
        return f"quantise: {q}, {shift}, {scale}"
    if not torch.allclose(lookup, torch.tensor([0, -3.5125, 0.0041666, 3.4875]), atol=1e-5):
        return f"lookup {lookup}"
    if bytes(pack(torch.tensor([0, 4095, 1, 2048, 291, 2748])).tolist()).hex() != "00f0ff01008023c1ab":
        return "pack"
    if [side(n) for n in (8192, 28672, 262144, 32000, 11008, 50257, 100, 97)] != [64, 64, 64, 64, 64, 29, 50, 1]:
        return "sides"
    peers = [{0: 3, 1: 4}, {1: 6, 2: 8}, {1: 0, 5: 1}, {0: 0, 5: 2}]
    ms = [{"idxs": pack(torch.tensor(list(p))), "vals": torch.tensor([[0, 1]]), "quant_params": (0.0, 1.0, 2, torch.tensor([float(v) for v in p.values()]))} for p in peers]
    got = merged(ms, Chunks((6,)))
    want = torch.tensor([0.6, 0.933333, 1.6, 0, 0, 1.5])
    return None if torch.allclose(got, want, atol=1e-5) else f"merge {got}"


# Slices.

def seed_of(window):
    return int(hashlib.md5(str(window).encode()).hexdigest(), 16) % 2**32


def places(window, model, compression):
    r = numpy.random.default_rng(seed_of(window))
    return {n: torch.from_numpy(r.choice(p.numel(), size=max(1, p.numel() // compression), replace=False)) for n, p in model.items()}


def slices(rules):
    torch.manual_seed(4)
    window, compression = 1_400_003, 20
    model = collections.OrderedDict((n, torch.randn(s) * 0.02) for n, s in {
        "model.embed_tokens.weight": (61, 64), "model.layers.0.self_attn.q_proj.weight": (64, 64), "model.layers.0.mlp.up_proj.weight": (88, 64),
        "model.layers.0.input_layernorm.weight": (64,), "model.norm.weight": (10,), "lm_head.weight": (61, 64)}.items())
    at = places(window, model, compression)
    files, sent = [], []
    for peer in range(6):
        d = collections.OrderedDict((n, p.flatten()[at[n]] * (0.5 + peer) + torch.randn(len(at[n])) * 0.01) for n, p in model.items())
        if peer == 2 and rules == "slices":
            del d["model.norm.weight"]
        files.append(f"{work}/slice-{peer}.pt")
        sent.append(dict(d))
        if rules == "r2":
            d["global_step"] = peer
        torch.save(d, files[-1])
    torch.save(model, f"{work}/model.pt")
    program("merge", rules, str(window), str(compression), f"{work}/model.pt", f"{work}/merged.pt", *files)
    got, problems = torch.load(f"{work}/merged.pt", weights_only=True), []
    norms = [torch.cat(list(d.values())).norm() for d in sent]
    for n, p in model.items():
        each = [d[n] / (norm if rules == "r2" else 1) for d, norm in zip(sent, norms) if n in d]
        mean = torch.stack(each).mean(0) * (torch.stack(norms).median() if rules == "r2" else 1)
        want = p.clone()
        want.view(-1)[at[n]] = mean
        if (got[n] - want).abs().max() > 1e-6 * want.abs().max():
            problems.append(f"{n}: {(got[n] - want).abs().max()} apart")
        untouched = torch.ones(p.numel(), dtype=torch.bool)
        untouched[at[n]] = False
        if not torch.equal(got[n].view(-1)[untouched], p.view(-1)[untouched]):
            problems.append(f"{n}: other places have changed")
    return "; ".join(problems)


if __name__ == "__main__":
    torch.set_num_threads(1)
    attempt("the reference gives upstream's numbers", vectors)
    attempt("five rounds of messages", lambda: rounds("sparse", sparse_hparams()))
    attempt("five rounds with other numbers", lambda: rounds("sparse", sparse_hparams(), seed=6))
    attempt("five rounds of 256 bins and 32 values", lambda: rounds("sparse", sparse_hparams(quantization_bins=256, topk_compression=32, momentum_decay=0.999), exact=False))
    attempt("five rounds with the learning rate in them, as in 2.1.3", lambda: rounds("sparse-2.1.3", sparse_hparams(outer_learning_rate=0.7), gain=0.7, exact=False))
    attempt("five rounds of the cosine transform", lambda: rounds("sparse", sparse_hparams(use_dct=True), exact=False))
    for peers in (1, 2, 3, 4, 7):
        attempt(f"the outer step of {peers} gradients", lambda: outer(sparse_hparams(), peers))
    attempt("the outer step with the cosine transform", lambda: outer(sparse_hparams(use_dct=True), 4))
    attempt("gradients that do not fit are refused", lambda: refuses(sparse_hparams()))
    attempt("the mean of slices", lambda: slices("slices"))
    attempt("the mean of slices of equal norms", lambda: slices("r2"))
