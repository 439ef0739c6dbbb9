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
import zipfile

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
    elif isinstance(v, torch.dtype):
        yield line("dtype", DTYPES[v])
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
    for line in difflib.unified_diff([str(w) for w in want], [str(g) for g in got], "want", "got", lineterm="", n=0):
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
    yield from quirks()
    yield "many tensors", {f"layer.{i}": torch.full((3,), float(i)) for i in range(2000)}


def quirks():
    """What state dicts seldom have, but may."""
    noted, marked = torch.nn.Parameter(torch.randn(3)), torch.randn(2, 2)
    noted.sharded, marked.note = True, {"since": "step 3"}
    yield "tensors with attributes", {"parameter": noted, "tensor": marked}
    if hasattr(torch.nn, "Buffer"):
        yield "a buffer", {"b": torch.nn.Buffer(torch.randn(3))}
    yield "a graph's leaf", {"w": torch.randn(3, requires_grad=True)}
    yield "shapes and types", {"shape": torch.Size([2, 3]), "none": torch.Size([]), "types": tuple(DTYPES)}
    lookup = torch.arange(4.0)
    yield "a quantised gradient", {"state_dict": {"widxs": torch.arange(6, dtype=torch.uint8), "wquant_params": (torch.tensor(0.5), 0.25, 128, lookup, torch.float32)}, "global_step": 7}
    tied = torch.nn.Module()
    tied.inner, tied.outer = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3, bias=False)
    tied.outer.weight = tied.inner.weight
    yield "tied parameters", tied.state_dict()
    stack = torch.arange(60).to(torch.bfloat16).view(3, 4, 5)
    yield "parts of a storage", {
        "offset": stack[1], "one": stack[2, 3, 4], "none": stack[3:], "row of one": stack[1:2, :, 2:3],
        "flipped rows": stack[0].t().reshape(4, 5).t(), "again": stack.view(-1)[20:40].view(5, 4),
    }
    base = torch.arange(10.0)
    yield "odd strides", {"ones": base.as_strided((1, 3), (999, 2)), "overlap": base.as_strided((3, 4), (2, 1)), "zero": base.as_strided((0, 7), (5, 9))}


def files():
    """torch.save's ways to write a file."""
    state = {"w": torch.arange(300.0).half(), "n": 3}
    def to_object(path):
        with open(path, "wb") as f:
            torch.save(state, f)
    yield "by name", f"{work}/gradient-5-12-v2.1.3.pt", lambda path: torch.save(state, path)
    yield "by a name in other letters", f"{work}/größe v 1.pt", lambda path: torch.save(state, path)
    yield "to a file object", f"{work}/object.pt", to_object
    try:
        from torch.utils.serialization import config
    except ImportError:
        return
    def aligned(path):
        old, config.save.storage_alignment = config.save.storage_alignment, 4096
        torch.save(state, path)
        config.save.storage_alignment = old
    def unchecked(path):
        torch.serialization.set_crc32_options(False)
        torch.save(state, path)
        torch.serialization.set_crc32_options(True)
    yield "aligned to pages", f"{work}/aligned.pt", aligned
    yield "without checksums", f"{work}/unchecked.pt", unchecked


def they_write():
    path = f"{work}/theirs.pt"
    for name, v in values():
        torch.save(v, path)
        report("we read " + name, list(show("", v)), run("list", path))
    for name, path, save in files():
        save(path)
        report("we read a file written " + name, list(show("", torch.load(path, **SAFE))), run("list", path))


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
    """Each is refused with a word that tells what it is, and advice."""
    cases = {
        "code": (Surprise(), "print"),
        "a whole module": (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        "a set": ({1}, "set"),
        "bytes": (b"x", "_codecs.encode"),
        "a device": (torch.device("cpu"), "torch.device"),
        "a dict of another class": (collections.defaultdict(dict), "defaultdict"),
        "complex numbers": (torch.zeros(1, dtype=torch.complex64), "ComplexFloatStorage"),
        "a sparse tensor": (torch.eye(2).to_sparse(), "_rebuild_sparse_tensor"),
        "a tensor without data": (torch.zeros(2, device="meta"), "_rebuild_meta_tensor"),
        "a quantised tensor": (torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8), "_rebuild_qtensor"),
        "a storage": (torch.zeros(2).storage(), "a storage"),
        "a gigabyte of one number": (torch.zeros(1).expand(1 << 28), "copied out of its storage"),
        "a gigabyte of few numbers": ([torch.zeros(256).as_strided((1 << 16, 256), (0, 1)) for _ in range(16)], "copied out of its storage"),
    }
    if hasattr(torch.nn, "Buffer"):  # earlier ones write such a tensor as if it were a plain one
        cases["negated in passing"] = (torch.zeros(1, dtype=torch.complex64).conj().imag, "properties")
    for name in ("uint16", "float8_e4m3fn"):
        if hasattr(torch, name):
            cases[name] = (torch.zeros(2, dtype=getattr(torch, name)), "_rebuild_tensor_v3")
    path = f"{work}/bad.pt"

    def refuse(name, word):
        p = subprocess.run([go, "list", path], capture_output=True, text=True)
        told = "hinted" if word in p.stderr and "\nhint: " in p.stderr else p.stderr
        report("we refuse " + name, [1, "", "hinted"], [p.returncode, p.stdout, told])

    for name, (v, word) in cases.items():
        torch.save({"v": v}, path)
        refuse(name, word)
    torch.save({"v": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    refuse("the legacy format", "before version 1.6")
    torch.save({"v": torch.zeros(2)}, path, pickle_protocol=4)
    refuse("a later pickle", "protocol 4")
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)
    refuse("TorchScript", "TorchScript")
    torch.save({"v": torch.zeros(1000)}, path)
    with zipfile.ZipFile(path) as old:
        entries = [(e.filename, old.read(e)) for e in old.infolist()]
    for name, word, change in (
        ("a file packed anew", "compressed", {"compression": zipfile.ZIP_DEFLATED}),
        ("big-endian numbers", "byteorder", {"order": b"big"}),
        ("a later version", "version", {"version": b"11\n"}),
    ):
        with zipfile.ZipFile(path, "w", change.get("compression", zipfile.ZIP_STORED)) as new:
            for entry, content in entries:
                if not entry.endswith("/byteorder") and not entry.endswith("/version"):
                    new.writestr(entry, content)
            folder = entries[0][0].split("/")[0]
            new.writestr(folder + "/byteorder", change.get("order", b"little"))
            new.writestr(folder + "/version", change.get("version", b"3\n"))
        refuse(name, word)
    with zipfile.ZipFile(path, "w") as new:
        for entry, content in entries:
            new.writestr(entry, content)
    report("we read a file packed anew without compression", list(show("", torch.load(path, **SAFE))), run("list", path))


we_write()
they_write()
copied()
refused()
