#!/usr/bin/env python3
"""Writes the vectors of internal/engine/model: what transformers computes for tiny models.

    python vectors.py [-o DIRECTORY] [CASE …]

Wants torch, transformers, safetensors and numpy.  The numbers are float64
where they can be, as the truth that both transformers in float32 and our own
computation are near; how far transformers in float32 is from it stands beside
it, so that a tolerance can be judged.
"""

import argparse
import json
import os
import tempfile

import numpy as np
import torch
import transformers

import peer
import rule
from cases import BATCH, CASES, LENGTH, VOCABULARY

STEPS = 5
POSITIONS = [(0, 0), (0, 9), (1, 15), (1, LENGTH - 1)]
ALPHA = 0.01


def digits(x, n=9):
    """A number with n digits, or a list of such."""
    if isinstance(x, (list, tuple)):
        return [digits(v, n) for v in x]
    return float(f"{float(x):.{n}g}")


def summary(name, t):
    """The norm of a tensor and its products with the four probes."""
    t = t.detach().double().numpy()
    return digits(np.linalg.norm(t)), digits([float((t * rule.probe(name, k, t.shape)).sum()) for k in range(4)])


def distance(a, b):
    """How far a is from b, relative to b."""
    a, b = a.detach().double(), b.detach().double()
    return ((a - b).norm() / b.norm().clamp_min(1e-30)).item()


def balance(case, routers, experts, top_k):
    """The losses that keep the experts evenly used, each as terms by layer to be added up.

    For DeepSeek-V2 these are of the model's original program, which adds them
    during training; transformers has none.  For Qwen3 they are of transformers,
    which pools the layers, and the same for each layer by itself.
    """
    layers = routers.layers()
    if case[0] == "qwen3_moe":
        module = __import__("transformers.models.qwen3_moe.modeling_qwen3_moe", fromlist=["x"])
        loss = module.load_balancing_loss_func
        return {
            "pooled": [loss(tuple(l for _, l, _ in layers), experts, top_k)],
            "per_layer": [loss((l,), experts, top_k) for _, l, _ in layers],
        }
    sequence, batch = [], []
    for _, logits, picks in layers:
        p = logits.softmax(-1)
        picked = torch.nn.functional.one_hot(picks, experts).sum(1).to(p.dtype)  # (B*T, E)
        f = picked.view(BATCH, LENGTH, experts).sum(1) * experts / (LENGTH * top_k)
        sequence.append(ALPHA * (f * p.view(BATCH, LENGTH, experts).mean(1)).sum(1).mean())
        f = picked.mean(0) * experts / top_k
        batch.append(ALPHA * (f * p.mean(0)).sum())
    return {"sequence": sequence, "batch": batch}


def routing(routers):
    """The experts picked for each token of each layer, and how narrowly."""
    out = []
    for layer, logits, picks in routers.layers():
        p = logits.detach().double().sort(descending=True).values
        k = picks.shape[1]
        out.append(
            dict(
                layer=layer,
                narrowest=digits((p[:, k - 1] - p[:, k]).min().item(), 3),
                picks=["".join(f"{e:x}" for e in sorted(row)) for row in picks.tolist()],
            )
        )
    return out


def run(model, case, names, ids):
    """All that is recorded of a model, as tensors."""
    got = {}
    routers = peer.Routers(model)
    loss, logits = peer.loss_and_logits(model, ids)
    loss.backward(retain_graph=True)
    got["loss"], got["logits"] = loss.detach(), logits.detach()
    got["grad"] = {n: g.clone() for n, g in peer.gradients(model, names).items()}
    if routers.given:
        got["routing"] = routing(routers)
        config = model.config
        got["balance"] = {}
        for kind, terms in balance(case, routers, config.num_experts, config.num_experts_per_tok).items():
            model.zero_grad()
            sum(terms).backward(retain_graph=True)
            for p in model.parameters():
                if p.grad is None:
                    p.grad = torch.zeros_like(p)
            grads = {n: g.clone() for n, g in peer.gradients(model, names).items()}
            got["balance"][kind] = ([t.item() for t in terms], grads)
    before = {n: p.clone() for n, p in peer.parameters(model, names).items()}
    got["losses"], got["norms"] = peer.adamw(model, ids, STEPS)
    after = peer.parameters(model, names)
    got["after"] = {n: p.clone() for n, p in after.items()}
    got["change"] = {n: after[n] - before[n] for n in names}
    return got


def vectors(name):
    case = CASES[name]
    ids = torch.from_numpy(rule.tokens(name, BATCH, LENGTH, VOCABULARY))
    with tempfile.TemporaryDirectory() as path:
        shapes = peer.write(case, path)
        config = peer.config_of(path)
        single = peer.load(path)
    names = sorted(shapes)
    with peer.float64():
        double = peer.double_of(case, names, single)
        with peer.NoFloat32():
            truth = run(double, case, names, ids)
    near = run(single, case, names, ids)
    if truth.get("routing"):
        for a, b in zip(truth["routing"], near["routing"]):
            if a["picks"] != b["picks"] or a["narrowest"] < 1e-4:
                raise ValueError(f"{name}: layer {a['layer']} routes too narrowly: {a['narrowest']}")

    params = []
    for n in names:
        norm, probes = summary(n, truth["grad"][n])
        change, change_probes = summary(n, truth["change"][n])
        entry = dict(
            name=n,
            shape=shapes[n],
            grad=dict(norm=norm, probes=probes, float32=digits(distance(near["grad"][n], truth["grad"][n]), 2)),
            after=dict(
                norm=summary(n, truth["after"][n])[0],
                change=change,
                change_probes=change_probes,
                float32=digits(distance(near["change"][n], truth["change"][n]), 2),
            ),
        )
        for kind, (_, grads) in truth.get("balance", {}).items():
            norm, probes = summary(n, grads[n])
            entry[f"balance_{kind}"] = dict(
                norm=norm, probes=probes, float32=digits(distance(near["balance"][kind][1][n], grads[n]), 2)
            )
        params.append(entry)

    out = dict(
        case=name,
        rule=rule.TEXT,
        made_with=f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}",
        config=config,
        ids=ids.tolist(),
        loss=digits(truth["loss"], 12),
        logits=[dict(batch=b, position=t, values=digits(truth["logits"][b, t].tolist())) for b, t in POSITIONS],
        optimizer=dict(
            name="adamw", lr=1e-3, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, decayed="matrices", clip_norm=1.0
        ),
        losses=digits(truth["losses"], 12),
        grad_norms=digits(truth["norms"], 12),
        float32=dict(
            loss=digits(abs(near["loss"].item() - truth["loss"].item()), 2),
            logits=digits(distance(near["logits"], truth["logits"]), 2),
            losses=digits(max(abs(a - b) for a, b in zip(near["losses"], truth["losses"])), 2),
        ),
    )
    if "routing" in truth:
        out["routing"] = truth["routing"]
        out["balance"] = {k: digits(v, 12) for k, (v, _) in truth["balance"].items()}
        if case[0] == "deepseek_v2":
            out["balance"]["alpha"] = ALPHA
    out["params"] = params
    return out


def text(out):
    """JSON with one line for each entry, and for each parameter."""
    lines = []
    for key, value in out.items():
        if key in ("params", "logits", "routing"):
            rows = ",\n".join("    " + json.dumps(v) for v in value)
            lines.append(f"  {json.dumps(key)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", default=os.path.join(here, "../../internal/engine/model/testdata/transformers"))
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    os.makedirs(args.o, exist_ok=True)
    for name in args.cases or CASES:
        out = vectors(name)
        body = text(out)
        with open(os.path.join(args.o, name + ".json"), "w") as f:
            f.write(body)
        worst = max(out["params"], key=lambda p: p["grad"]["float32"])
        moved = max(out["params"], key=lambda p: p["after"]["float32"])
        print(
            f"{name}: {len(body)} bytes, loss {out['loss']}, float32 off by {out['float32']},",
            f"gradient {worst['grad']['float32']} ({worst['name']}),",
            f"after {STEPS} steps {moved['after']['float32']} ({moved['name']})",
        )


if __name__ == "__main__":
    main()
