"""The peer's half: safetensors and numpy, in each of the ways to load a file.

usage: peer.py FILE WAY
Prints seconds and checksum. Imports are not timed.
"""
import sys
import time

import numpy
import safetensors
import safetensors.numpy

path, way = sys.argv[1:]
MASK = 2**64 - 1


def words(array):
    """The sum of an array's 64-bit words, which wraps around."""
    return int(numpy.add.reduce(array.reshape(-1).view(numpy.uint64)))


def load_file():
    tensors = safetensors.numpy.load_file(path)
    return [words(tensors[name]) for name in sorted(tensors)]


def safe_open():
    with safetensors.safe_open(path, "numpy") as f:
        return [words(f.get_tensor(name)) for name in sorted(f.keys())]


def load():
    with open(path, "rb") as f:
        tensors = safetensors.numpy.load(f.read())
    return [words(tensors[name]) for name in sorted(tensors)]


start = time.perf_counter()
check = 0
for s in {"load_file": load_file, "safe_open": safe_open, "load": load}[way]():
    check = (31 * check + s) & MASK
print(f"{time.perf_counter() - start:.6f} {check:016x}")
