"""The PyTorch half: torch.load of what Go wrote, and torch.save for Go to read.

usage: pt.py GO_PROGRAM DIRECTORY
Prints "ok NAME" or "FAIL NAME" for each check.
"""
import collections
import difflib
import hashlib
import inspect
import struct
import subprocess
import sys

import torch

go, work = sys.argv[1:]

DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.uint8: "U8",
    torch.int8: "I8", torch.bool: "BOOL",
}

# Later versions load weights only unless told otherwise; the first ones that
# can must be asked.
SAFE = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}


def data(t):
    """The elements' bytes, without numpy, which may not be there."""
    t = t.detach().contiguous().view(-1)
    return bytes(t.view(torch.uint8).tolist()) if t.numel() else b""


def show(path, v):
    """The lines that the Go half prints for v."""
    def line(kind, what):
        return f"{path}\t{kind}\t{what}"
    if v is None:
        yield line("none", "")
    elif isinstance(v, bool):
        yield line("bool", str(v).lower())
    elif isinstance(v, int):
        yield line("int", v)
    elif isinstance(v, float):
        yield line("float", struct.pack(">d", v).hex())
    elif isinstance(v, str):
        yield line("str", v)
    elif isinstance(v, torch.Tensor):
        shape = " ".join(map(str, v.shape))
        yield line(DTYPES[v.dtype], f"[{shape}] {hashlib.sha256(data(v)).hexdigest()}")
    elif isinstance(v, (list, tuple)):
        yield line("list" if isinstance(v, list) else "tuple", len(v))
        for i, e in enumerate(v):
            yield from show(f"{path}/{i}", e)
    elif isinstance(v, dict):
        yield line("ordered" if isinstance(v, collections.OrderedDict) else "dict", len(v))
        for k, e in v.items():
            yield from show(f"{path}/{'true' if k is True else k}", e)
    else:
        raise TypeError(f"{path}: {type(v)}")


def report(name, want, got):
    if want == got:
        print("ok", name)
        return
    print("FAIL", name)
    for line in difflib.unified_diff(want, got, "want", "got", lineterm="", n=0):
        print("   ", line)


def run(*args):
    p = subprocess.run([go, *args], capture_output=True, text=True)
    return p.stdout.splitlines() + p.stderr.splitlines()


def we_write():
    path = f"{work}/ours.pt"
    want = run("write", path)
    for name, options in {"torch.load of ours": {}, "torch.load of ours, weights only": SAFE}.items():
        loaded = torch.load(path, map_location="cpu", **options)
        report(name, want, list(show("", loaded)))
    # The parameters go into a module as any others do.
    module = torch.nn.Module()
    module.register_parameter("weight", torch.nn.Parameter(torch.zeros(2, 3)))
    module.load_state_dict({"weight": loaded["model_state_dict"]["model.embed.weight"]})
    report("load_state_dict of ours", [1.0], [module.weight[0, 1].item()])

    path = f"{work}/values.pt"
    want = run("write", path)
    # Version 1's weights-only reader knows no floats but those in tensors.
    options = SAFE if int(torch.__version__.split(".")[0]) > 1 else {}
    loaded = torch.load(path, map_location="cpu", **options)
    report("torch.load of our values", want, list(show("", loaded)))
    same = loaded["state"][0].data_ptr() == loaded["state"][1 << 40].data_ptr()
    report("tied tensors of ours stay tied", [True], [same])


def values():
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))
    yield "a module's state", {"model_state_dict": net.state_dict()}
    yield "a module's state in half", net.half().state_dict()
    yield "a module's state in bfloat16", net.bfloat16().state_dict()
    yield "parameters", {"p": torch.nn.Parameter(torch.randn(3)), "q": torch.nn.Parameter(torch.randn(2, 2).bfloat16(), requires_grad=False)}
    net = torch.nn.Linear(4, 4)
    adam = torch.optim.AdamW(net.parameters(), lr=1e-3)
    net(torch.randn(2, 4)).sum().backward()
    adam.step()
    yield "an optimizer's state", {"optimizer_state_dict": adam.state_dict()}
    stack = torch.arange(4 * 6 * 5, dtype=torch.float16).view(4, 6, 5)
    yield "experts of one stack", collections.OrderedDict((f"experts.{i}", stack[i]) for i in (3, 0, 2))
    yield "strides", {
        "transposed": stack[1].t(), "columns": stack[:, :, 3], "steps": stack[0, ::2, 1::3],
        "permuted": stack.permute(2, 0, 1), "expanded": torch.arange(3).view(3, 1).expand(3, 4),
        "windows": torch.arange(8.).unfold(0, 4, 2), "scalar": stack[3, 5, 4],
    }
    tied = torch.randn(7)
    yield "shared storage", {"a": tied, "b": tied, "tail": tied[3:], "column": tied.view(7, 1)}
    for dtype, name in DTYPES.items():
        yield f"elements of type {name}", [torch.tensor([[0, 1], [1, 0]]).to(dtype), torch.zeros(0, 2, dtype=dtype), torch.ones((), dtype=dtype)]
    yield "plain values", {
        "n": None, "b": [True, False], "i": [0, 255, 256, 65535, 65536, -1, 2**31, -2**31 - 1, 2**63 - 1, -2**63],
        "f": (0.0, -0.0, 0.1, float("inf"), 1e300), "s": ["", "größe", "x" * 300], 7: {"deep": [[[()]]]},
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "o": collections.OrderedDict(b=1, a=2),
    }
    yield "many tensors", {f"layer.{i}": torch.full((3,), float(i)) for i in range(2000)}


def they_write():
    path = f"{work}/theirs.pt"
    for name, v in values():
        torch.save(v, path)
        report("we read " + name, list(show("", v)), run("list", path))


def copied():
    """Views of a stack, read as a checkpoint, written again and loaded."""
    stack = torch.arange(4 * 6 * 5, dtype=torch.bfloat16).view(4, 6, 5)
    state = {f"experts.{i}.proj": stack[i].t() for i in range(4)}
    torch.save({"model_state_dict": state, "loss": 0.5}, f"{work}/theirs.pt")
    run("copy", f"{work}/theirs.pt", f"{work}/copy.pt")
    loaded = torch.load(f"{work}/copy.pt", **SAFE)
    report("our copy of theirs", list(show("", {"model_state_dict": state})), list(show("", loaded)))


class Surprise:
    def __reduce__(self):
        return print, ("this must never be printed",)


def refused():
    path = f"{work}/bad.pt"
    cases = {"code": Surprise(), "a whole module": torch.nn.Linear(1, 1), "a set": {1}, "bytes": b"x", "complex numbers": torch.zeros(1, dtype=torch.complex64)}
    for name, v in cases.items():
        torch.save({"v": v}, path)
        p = subprocess.run([go, "list", path], capture_output=True, text=True)
        report("we refuse " + name, [1, ""], [p.returncode, p.stdout])


we_write()
they_write()
copied()
refused()
