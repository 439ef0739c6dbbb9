"""What a neuron with numpy draws, and what the program of this directory does.

    check.py PROGRAM

numpy is called as upstream's neurons call it; the program answers the same questions.
"""

import hashlib
import json
import math
import random
import subprocess
import sys

import numpy as np

# Of what a model is made; parameters of more than 10,000 values are drawn in another
# way by numpy if more than one in 50 is wanted.
SHAPES = [[1], [2], [99], [100], [101], [64, 64], [9_999], [100, 100], [10_001], [128, 128],
          [256, 256], [500, 500], [1024, 1024]]


def slices(rng):
    window = rng.choice([rng.randrange(10), rng.randrange(5_000_000), rng.randrange(2**40)])
    compression = rng.choice([100, 100, 100, 10, 2, 51, 49, 1])
    shapes = [rng.choice(SHAPES + [[rng.randrange(1, 50_000)]]) for _ in range(rng.randrange(1, 12))]
    question = {"kind": "slices", "window": window, "compression": compression, "shapes": shapes}
    seed = int(hashlib.md5(str(window).encode()).hexdigest(), 16) % 2**32
    draw = np.random.default_rng(seed)
    want = [
        draw.choice(n, size=max(1, n // compression), replace=False).tolist()
        for n in map(math.prod, shapes)
    ]
    return question, want


def pages(rng):
    seed = rng.choice([rng.randrange(256), rng.randrange(65_536)])
    window = rng.choice([rng.randrange(3), rng.randrange(5_000_000), rng.randrange(2**60)])
    count = rng.choice([1, 2, 3, 95, 96, 300])
    configs = [
        (f"CC-{i}", rng.choice([102, 103, 1_000, 12_345_678, 3 * 2**30, 2**32 + 100, 2**35]), "train")
        for i in range(count)
    ]
    n = rng.choice([1, 3, 3, 6, 20])
    question = {
        "kind": "pages", "seed": seed, "window": window, "n": n,
        "configs": [{"name": c, "rows": r, "split": s} for c, r, s in configs],
    }
    sizes = {name: (rows, split) for name, rows, split in configs}
    draw = np.random.default_rng(hash(seed) & 0xFFFFFFFF)
    draw.bit_generator.advance(window)
    want = []
    for _ in range(n):
        config = draw.choice(list(sizes))
        rows, split = sizes[config]
        row = draw.integers(0, rows - 1 - 100)
        want.append({"Config": str(config), "Row": int(row), "Split": split})
    return question, want


def pool(rng):
    uid, window = rng.randrange(256), rng.randrange(200_000)
    n = rng.choice([30_720, 31_000, 500_000, 1_536_000, 1_536_001, 52_428_800, 2**31 + 7, 2**32])
    size = rng.choice([8, 1_000, 30_720]) if n < 2**31 else 8
    question = {"kind": "pool", "uid": uid, "window": window, "n": n, "size": size}
    draw = np.random.default_rng(((uid * 1000003) ^ window) & 0xFFFFFFFF)
    return question, draw.choice(n, size=size, replace=False).tolist()


def evaluation(rng):
    uid, window, ns = rng.randrange(256), rng.randrange(200_000), rng.randrange(2**63)
    drawn_from = rng.sample(range(52_428_800), rng.choice([8, 500, 30_720]))
    size = rng.choice([1, 8, 8, 8])
    question = {
        "kind": "eval", "uid": uid, "window": window, "nanoseconds": ns,
        "size": size, "pool": drawn_from,
    }
    draw = np.random.default_rng((uid * 0x9E3779B1 ^ window ^ ns) & 0xFFFFFFFF)
    return question, draw.choice(np.array(drawn_from), size=size, replace=False).tolist()


def digest(rng):
    tokens = np.array(
        [[rng.randrange(2**32) for _ in range(64)] for _ in range(rng.choice([1, 2, 50]))], np.uint32
    )
    ids = np.array(
        [int.from_bytes(hashlib.blake2b(t.tobytes(), digest_size=8).digest(), "little") for t in tokens],
        dtype=np.uint64,
    )
    want = hashlib.blake2b(np.sort(ids).tobytes(), digest_size=16).hexdigest()
    return {"kind": "digest", "tokens": tokens.tolist()}, want


def main():
    rng = random.Random(20241105)
    asked = []
    for make, times in [(slices, 60), (pages, 150), (pool, 60), (evaluation, 60), (digest, 20)]:
        asked += [make(rng) for _ in range(times)]
    lines = "".join(json.dumps(question) + "\n" for question, _ in asked)
    ours = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in ours.stdout.splitlines()]
    if len(answers) != len(asked):
        sys.exit(f"{len(asked)} questions, {len(answers)} answers")
    tally = {}
    for (question, want), got in zip(asked, answers):
        kind = question["kind"]
        good = got == want
        tally.setdefault(kind, [0, 0])[not good] += 1
        if not good:
            print(f"FAIL {kind} {json.dumps(question)[:300]}: {str(got)[:120]}, want {str(want)[:120]}")
    for kind, (passed, failed) in tally.items():
        print(f"numpy {np.__version__}: {kind}: {passed} drawn alike, {failed} not")
    print(sum(t[0] for t in tally.values()), "passed,", sum(t[1] for t in tally.values()), "failed")


main()
