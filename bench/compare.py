#!/usr/bin/env python3
"""Runs our step and PyTorch's by turns and prints how their speeds compare.

    compare.py --adit FILE --peer PYTHON [--peer PYTHON …] [step|moe] [--rounds N] [--steps N] [--threads 1,2]

For each number of threads, every way of running each peer is tried once, with
ours in between, and the fastest two run again by turns with ours for the given
number of rounds.  The ratio is of medians over all steps of those rounds, ours
to the faster peer's.  A way that a peer cannot run is named and left out.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# What would change how either computes, without a word here.
STRAY = ("OPENBLAS_", "OMP_", "MKL_", "GOMP_", "KMP_", "GOTO_", "BLIS_", "DNNL_", "ONEDNN_", "ATEN_", "TORCH_", "GOMAXPROCS", "GOGC", "GOMEMLIMIT")


def environment(more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(STRAY)}
    env.update(more)
    return env


def call(command, more, seconds):
    """The last line of what a command prints, as JSON, or a reason why there is none."""
    try:
        done = subprocess.run(command, env=environment(more), capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, f"took longer than {seconds} s"
    except OSError as error:
        return None, str(error)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        errors = done.stderr.strip().splitlines()
        return None, errors[-1] if errors else f"ended with {done.returncode}"
    try:
        return json.loads(lines[-1]), None
    except ValueError:
        return None, "printed no JSON"


def ours(args, threads, steps):
    command = [args.adit, "bench", args.what, "--json", "--threads", str(threads), "--steps", str(steps)]
    got, why = call(command, {"GOMAXPROCS": str(threads)}, args.timeout)
    if got is None:
        sys.exit(f"ours: {why}")
    return got


class Way:
    """One way of running a peer."""

    def __init__(self, python, script, flags, env):
        self.python, self.script, self.flags, self.env = python, script, flags, env

    def __str__(self):
        words = [f"{k}={v}" for k, v in sorted(self.env.items())] + [self.python, self.script] + self.flags
        return " ".join(words)

    def run(self, threads, steps, seconds):
        command = [self.python, os.path.join(HERE, self.script), "--threads", str(threads), "--steps", str(steps)]
        return call(command + self.flags, {"OMP_NUM_THREADS": str(threads), **self.env}, seconds)


def ways(what, python, threads, quick):
    """Every way that is worth a try: those that a peer refuses cost a second."""
    script = f"torch_{'llama' if what == 'step' else 'moe'}.py"
    models = [[]]
    if what == "moe":
        models = [["--model", "plain"]] + [
            ["--model", "transformers", "--experts", kind] for kind in ("eager", "grouped_mm", "batched_mm")
        ]
    waits = [{}] + ([{"OMP_WAIT_POLICY": "passive"}] if threads > 1 else [])
    units = [{}] + [{"ATEN_CPU_CAPABILITY": kind} for kind in (() if quick else ("avx2", "avx512"))]
    attentions = [["--attention", kind] for kind in ("plain", "sdpa")]
    optimizers = [["--optimizer", kind] for kind in (("fused", "foreach") if quick else ("fused", "foreach", "single"))]
    compiles = [[], ["--compile"]]
    # The environment and the program hardly depend on each other: each is
    # varied with the other at its default.
    for model, attention, optimizer, compiled in itertools.product(models, attentions, optimizers, compiles):
        yield Way(python, script, model + attention + optimizer + compiled, {})
    for wait, unit in itertools.product(waits, units):
        if wait or unit:
            yield Way(python, script, models[0] + ["--attention", "plain", "--optimizer", "foreach"], {**wait, **unit})
            yield Way(python, script, models[0] + ["--attention", "sdpa", "--optimizer", "fused"], {**wait, **unit})


def rate(result):
    return statistics.median(result["tokens_per_s"])


def say(*words):
    print(*words, flush=True)


def compare(args, threads):
    say(f"## {args.what}, {threads} thread{'s' if threads > 1 else ''}")
    found = []
    for python in args.peer:
        blocked = set()
        for way in ways(args.what, python, threads, args.quick):
            if any(block <= set(way.flags) for block in blocked):
                continue
            result, why = way.run(threads, args.try_steps, args.timeout)
            if result is None:
                say(f"   -        {way}: {why[:200]}")
                # What fails by itself fails in every company.
                for flags in (["sdpa"], ["fused"], ["--compile"], ["transformers"], ["batched_mm"], ["grouped_mm"]):
                    if set(flags) <= set(way.flags) and not any(set(flags) <= set(w.flags) for _, w, _ in found):
                        if names(flags[0], why):
                            blocked.add(frozenset(flags))
                continue
            say(f"   {rate(result):8.0f} {way}")
            slow = [p for p in result.get("blas", []) if "/blas/libblas" in p]
            if slow:
                say(f"            this PyTorch computes with {slow[0]}, the reference BLAS: install libopenblas0")
            found.append((rate(result), way, result))
        say(f"   {rate(ours(args, threads, args.try_steps)):8.0f} ours")
    found.sort(key=lambda f: -f[0])
    if not found:
        sys.exit("no peer runs")
    best = [way for _, way, _ in found[:2]]

    rates = {None: [], **{way: [] for way in best}}
    memory = {None: 0, **{way: 0 for way in best}}
    for number in range(args.rounds):
        for way in [None] + best:
            if way is None:
                result = ours(args, threads, args.steps)
            else:
                result, why = way.run(threads, args.steps, args.timeout)
                if result is None:
                    sys.exit(f"{way}: {why}")
            rates[way] += result["tokens_per_s"]
            memory[way] = max(memory[way], result.get("peak_rss_mb", 0))
            say(f"   round {number + 1}: {rate(result):8.0f} {way or 'ours'}")
    medians = {way: statistics.median(r) for way, r in rates.items()}
    peer = max(best, key=lambda way: medians[way])
    ratio = medians[None] / medians[peer]
    say(f"   ours {medians[None]:.0f} tokens/s, {memory[None]:.0f} MB; peer {medians[peer]:.0f} tokens/s, {memory[peer]:.0f} MB")
    say(f"   peer: {peer}")
    say(f"   ratio {ratio:.3f}")
    return dict(
        what=args.what,
        threads=threads,
        ours=round(medians[None], 1),
        ours_mb=round(memory[None]),
        peer=round(medians[peer], 1),
        peer_mb=round(memory[peer]),
        setting=str(peer),
        ratio=round(ratio, 4),
    )


def names(flag, why):
    """Whether an error is about what a flag asks for."""
    words = {
        "sdpa": ("scaled_dot_product_attention",),
        "fused": ("fused",),
        "--compile": ("compile", "compiler", "inductor"),
        "transformers": ("transformers", "longer than"),
        "batched_mm": ("batched_mm", "longer than"),
        "grouped_mm": ("grouped_mm", "longer than"),
    }[flag]
    return any(word in why.lower() for word in words)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("step", "moe"), default="step")
    parser.add_argument("--adit", required=True)
    parser.add_argument("--peer", action="append", required=True)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--try-steps", type=int, default=4)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one run")
    parser.add_argument("--quick", action="store_true", help="try fewer ways")
    args = parser.parse_args()
    results = [compare(args, int(n)) for n in args.threads.split(",")]
    say(json.dumps(results))


if __name__ == "__main__":
    main()
