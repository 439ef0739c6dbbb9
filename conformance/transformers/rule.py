"""The weights and probes of the vectors: a rule that Go and Python both compute.

Nothing random is stored.  A name seeds a stream of 64-bit numbers, and the
numbers make a tensor or a probe:

  state  = FNV-1a, 64 bits, of the UTF-8 bytes of the name
  number = the next output of splitmix64 from that state
  x      = (number >> 40) / 2^23 - 1, in [-1, 1), exact in float32

A parameter holds, in row-major order of its shape on disk, and rounded once
from float64 to float32:

  1 + x/8   where its name ends in "norm.weight" or matches ".ln_*.weight"
  x/2       where its name ends in ".mlp.gate.weight" (the router of experts)
  x/4       everywhere else

Probe k (0 to 3) of a tensor is seeded by name + "#" + k and has one sign per
element: -1 where the top bit of the number is set, +1 where it is not.
"""

import re

import numpy as np

TEXT = (
    "state = FNV-1a-64(name); number = next splitmix64; x = (number>>40)/2^23 - 1; "
    "norm weights 1+x/8, .mlp.gate.weight x/2, the rest x/4, float64 rounded to float32, row-major; "
    "probe k: seed name#k, sign -1 where the number's top bit is set"
)

_MASK = (1 << 64) - 1


def fnv1a(name):
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & _MASK
    return h


def numbers(name, n):
    """The first n outputs of splitmix64 seeded by the name, as uint64."""
    with np.errstate(over="ignore"):
        step = np.uint64(0x9E3779B97F4A7C15)
        z = np.uint64(fnv1a(name)) + step * np.arange(1, n + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def is_norm(name):
    return name.endswith("norm.weight") or re.search(r"\.ln_\w+\.weight$", name) is not None


def weight(name, shape):
    """The float32 values of a parameter, by its name on disk."""
    x = (numbers(name, int(np.prod(shape))) >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    if is_norm(name):
        x = 1 + x / 8
    elif name.endswith(".mlp.gate.weight"):
        x = x / 2
    else:
        x = x / 4
    return x.astype(np.float32).reshape(shape)


def probe(name, k, shape):
    """Probe k of a tensor: float64 of ones and minus ones."""
    top = numbers(f"{name}#{k}", int(np.prod(shape))) >> np.uint64(63)
    return (1 - 2 * top.astype(np.float64)).reshape(shape)


def tokens(case, batch, length, vocabulary):
    """Token numbers of a case."""
    n = numbers(f"ids of {case}", batch * length) >> np.uint64(40)
    return (n % np.uint64(vocabulary)).astype(np.int64).reshape(batch, length)
