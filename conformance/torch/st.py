"""The safetensors half: its reader on what Go wrote, and its writer for Go.

usage: st.py GO_PROGRAM DIRECTORY
Prints "ok NAME" or "FAIL NAME" for each check.
"""
import hashlib
import json
import struct
import subprocess
import sys

import numpy
import safetensors
import safetensors.numpy

go, work = sys.argv[1:]

# How safetensors' functions for raw bytes name the types, and their names in
# the file.
NAMES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "int64": "I64",
    "int32": "I32", "int16": "I16", "uint8": "U8", "int8": "I8", "bool": "BOOL",
}
TYPES = {name: dtype for dtype, name in NAMES.items()}
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4, "I16": 2, "U8": 1, "I8": 1, "BOOL": 1}


def run(*args):
    p = subprocess.run([go, *args], capture_output=True, text=True)
    return p.stdout.splitlines() + p.stderr.splitlines()


def report(name, want, got):
    print("ok" if want == got else "FAIL", name)
    if want != got:
        print("    want", want)
        print("    got ", got)


def lines(tensors):
    """The lines that the Go half prints for {name: (dtype, shape, bytes)}."""
    yield f"\tdict\t{len(tensors)}"
    for name in sorted(tensors, key=str.encode):
        dtype, shape, data = tensors[name]
        yield f"/{name}\t{dtype}\t[{' '.join(map(str, shape))}] {hashlib.sha256(data).hexdigest()}"


def raw(blob):
    return {n: (t["dtype"], t["shape"], bytes(t["data"])) for n, t in safetensors.deserialize(blob)}


def serialize(tensors, notes):
    """A file of theirs with {name: (dtype, shape, bytes)}."""
    alive = {n: numpy.frombuffer(d, "uint8") for n, (_, _, d) in tensors.items()}
    return safetensors.serialize({
        n: safetensors.TensorSpec(dtype=TYPES[t], shape=s, data_ptr=alive[n].ctypes.data, data_len=len(d))
        for n, (t, s, d) in tensors.items()
    }, notes)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def we_write():
    path = f"{work}/ours.safetensors"
    want = run("write", path)
    blob = read(path)
    report("safetensors reads ours", want, list(lines(raw(blob))))
    with safetensors.safe_open(path, "numpy") as f:
        report("safetensors reads our notes", {"format": "pt"}, f.metadata())
        # numpy has no bfloat16.
        values = f.get_tensor("model.embed.weight")
    report("numpy sees our halves", numpy.array([[0, 1, -1], [0.333, 65504, 6e-8]], "float16").tolist(), values.tolist())


def they_write():
    path = f"{work}/theirs.safetensors"
    for name in TYPES:
        data = bytes(i % 2 for i in range(6 * SIZES[name]))
        tensors = {"b/größe <&>": (name, [2, 3], data), "a": (name, [], data[: SIZES[name]]), "none": (name, [0, 7], b"")}
        with open(path, "wb") as f:
            f.write(serialize(tensors, {"k": "v", "é": '"'}))
        report(f"we read {name} of theirs", list(lines(tensors)), run("list", path))
    arrays = {"half": numpy.arange(5, dtype="float16"), "wide": numpy.arange(3, dtype="int64"), "flag": numpy.array([True])}
    safetensors.numpy.save_file(arrays, path, {"format": "np"})
    want = {"half": ("F16", [5], arrays["half"].tobytes()), "wide": ("I64", [3], arrays["wide"].tobytes()), "flag": ("BOOL", [1], b"\1")}
    report("we read mixed types of theirs", list(lines(want)), run("list", path))


def same_bytes():
    """Of one type, both writers write the same file."""
    path = f"{work}/theirs.safetensors"
    names = ["model.layers.10.w", "model.layers.2.w", "z", "A", "größe <&>\n", "none"]
    want = serialize({n: ("BF16", [i, 3], bytes(6 * i)) for i, n in enumerate(reversed(names))}, {"format": "pt"})
    with open(path, "wb") as f:
        f.write(want)
    run("copy", path, f"{work}/copy.safetensors")
    report("our copy has the same bytes", bytes(want), read(f"{work}/copy.safetensors"))


def refused():
    """What the reference reader refuses, so do we."""
    def file(header, data=b"12345678"):
        if not isinstance(header, bytes):
            header = json.dumps(header).encode()
        return struct.pack("<Q", len(header)) + header + data

    def u8(begin, end, n=None):
        return {"dtype": "U8", "shape": [end - begin if n is None else n], "data_offsets": [begin, end]}

    cases = {
        "an empty file": b"",
        "a header beyond the end": struct.pack("<Q", 100) + b"{}",
        "a header of exabytes": struct.pack("<Q", 2**63) + b"{}",
        "no JSON": file(b"nothing"),
        "an overlap": file({"a": u8(0, 5), "b": u8(4, 8)}),
        "a hole": file({"a": u8(0, 3), "b": u8(4, 8)}),
        "bytes left over": file({"a": u8(0, 7)}),
        "bytes missing": file({"a": u8(0, 9)}),
        "a wrong size": file({"a": u8(0, 8, 7)}),
        "an overflow": file({"a": {"dtype": "F64", "shape": [2**32, 2**32], "data_offsets": [0, 8]}}),
        "a negative size": file({"a": u8(0, 8, -8)}),
        "an unknown type": file({"a": {"dtype": "X8", "shape": [8], "data_offsets": [0, 8]}}),
    }
    path = f"{work}/bad.safetensors"
    for name, blob in cases.items():
        with open(path, "wb") as f:
            f.write(blob)
        try:
            safetensors.deserialize(blob)
            theirs = "read"
        except Exception:
            theirs = "refused"
        ours = "read" if subprocess.run([go, "list", path], capture_output=True).returncode == 0 else "refused"
        report("both refuse " + name, ["refused", "refused"], [theirs, ours])


we_write()
they_write()
same_bytes()
refused()
