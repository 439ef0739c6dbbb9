"""Times training steps in PyTorch and prints them as one line of JSON."""

import argparse
import json
import resource
import statistics
import time

import torch


def parser(description):
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=12, help="steps that are timed and printed")
    p.add_argument("--warmup", type=int, default=2, help="steps before those")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--attention", choices=("plain", "sdpa"), default="plain")
    p.add_argument("--optimizer", choices=("foreach", "fused", "single"), default="foreach")
    p.add_argument("--compile", action="store_true")
    return p


def prepare(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)


def optimizer(args, model):
    """AdamW with decay for matrices alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    kind = {"foreach": dict(foreach=True), "fused": dict(fused=True), "single": dict(foreach=False)}[args.optimizer]
    return torch.optim.AdamW(
        [dict(params=matrices, weight_decay=0.1), dict(params=others, weight_decay=0.0)],
        lr=1e-3,
        betas=(0.9, 0.95),
        eps=1e-8,
        **kind,
    )


def blas():
    """The files of linear algebra that this process has loaded, where the system tells.

    There is none where PyTorch has its own inside.  A libblas.so.3.* under
    a directory "blas" is the reference implementation, which is 20 times slower
    than OpenBLAS: Debian's PyTorch uses it unless libopenblas0 is installed.
    """
    try:
        with open("/proc/self/maps") as f:
            paths = {line.split()[-1] for line in f if ".so" in line}
    except OSError:
        return []
    return sorted(p for p in paths if "blas" in p.rsplit("/", 1)[-1])


def measure(args, name, model, batch, tokens):
    """Trains on one batch and prints the tokens per second of each step after the first few."""
    adamw = optimizer(args, model)
    parameters = list(model.parameters())
    forward = torch.compile(model) if args.compile else model
    rates, losses = [], []
    for step in range(args.warmup + args.steps):
        start = time.perf_counter()
        loss = forward(*batch)
        adamw.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        adamw.step()
        losses.append(loss.item())
        if step >= args.warmup:
            rates.append(tokens / (time.perf_counter() - start))
    print(
        json.dumps(
            dict(
                program=name,
                torch=torch.__version__,
                threads=args.threads,
                attention=args.attention,
                optimizer=args.optimizer,
                compile=args.compile,
                blas=blas(),
                parameters=sum(p.numel() for p in parameters),
                losses=[round(losses[0], 4), round(losses[-1], 4)],
                tokens_per_s=[round(r, 1) for r in rates],
                median=round(statistics.median(rates), 1),
                peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),  # MB of 2^20 bytes
            )
        )
    )
