"""Templar's objects: torch.load of what Go wrote, and torch.save for Go to read.

usage: objects.py GO_PROGRAM DIRECTORY
Prints "ok NAME" or "FAIL NAME" for each check.

A sample is a description, as the Go half takes it in JSON; build makes of it the
object that upstream would save. What Go writes of a description must be that
object, and what it reads of the object must be that description.
"""
import base64
import collections
import json
import math
import os
import random
import struct
import subprocess
import sys

import torch

go, work = sys.argv[1:]
NEW = int(torch.__version__.split(".")[0]) > 1
# Version 1's weights-only reader knows no floats but those in tensors.
SAFE = {"weights_only": True} if NEW else {}
PLACES = {"map_location": "cpu", **SAFE}


def report(name, problem):
    print("FAIL" if problem else "ok", name, flush=True)
    if problem:
        print("    " + str(problem)[:1000])


def attempt(name, check):
    try:
        problem = check()
    except Exception as error:  # whatever it is, this check has failed
        problem = f"{type(error).__name__}: {error}"
    report(name, problem)


def program(*args):
    done = subprocess.run([go, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-500:] or f"ended with {done.returncode}")
    return done.stdout


# Samples.

rng = random.Random(3)


def single(v):
    """The float32 nearest to v."""
    return struct.unpack("f", struct.pack("f", v))[0]


def floats(n, scale=1.0):
    return [single(rng.gauss(0, scale)) for _ in range(n)]


def octets(n, below=256):
    return base64.b64encode(bytes(rng.randrange(below) for _ in range(n))).decode()


NAMES = ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.layers.0.input_layernorm.weight",
         "model.layers.11.mlp.down_proj.weight", "model.norm.weight"]
TITAN = ["tok_embeddings.weight", "layers.0.attention.wq.weight", "layers.79.feed_forward.w2.weight", "layers.0.attention_norm.weight", "norm.weight"]


def wire(name):
    """What a parameter is called once its block was wrapped and compiled."""
    if not name.startswith("layers."):
        return name
    word, number, rest = name.split(".", 2)
    return f"{word}.{number}._orig_mod._checkpoint_wrapped_module.{rest}"


def slice_file(r2=False, metric=False):
    return {
        "Values": [{"Name": n, "Values": floats(7 * i + 1, 10.0 ** (i - 3))} for i, n in enumerate(NAMES)],
        "GlobalStep": 12345 if r2 else 0, "HasStep": r2,
        "Metric": {"BatchSize": 8, "TokensPerStep": 2**33, "TokensPerSecond": 12345.678, "Loss": 10.4321, "SampleRate": 0.95, "LearningRate": 7.5e-5} if metric else None,
    }


def compressed(name, shape, bins):
    n = math.prod(shape)
    return {
        "Name": name, "Idxs": octets(n // 2 * 3), "Shape": shape, "Vals": octets(n, bins),
        "Quant": {"Shift": floats(1)[0], "Scale": 0.0123456789, "Offset": bins // 2, "Lookup": floats(bins, 1e-4)}, "Floats": None,
    }


def gradient(bins=4, dummy=False):
    if dummy:
        return {"Window": 62834, "Digest": "", "Count": 0, "GlobalStep": 0, "Dummy": True, "Params": None, "Message": None}
    shapes = [[3, 2, 64], [1, 1, 32], [2, 4, 6], [5, 64], [4, 2]]
    return {
        "Window": 62834, "Digest": "%032x" % rng.getrandbits(128), "Count": 30720, "GlobalStep": 6100, "Dummy": False,
        "Params": [compressed(n, s, bins) for n, s in zip(TITAN, shapes)], "Message": None,
    }


def debug(fingerprint=False):
    return {
        "GlobalStep": 6100, "Values": [{"Name": n, "Values": floats(2)} for n in TITAN],
        "Peers": [0, 1, 255, 65535], "Skipped": [],
        "Fingerprint": {"Norm": 3.25e-3, "Elements": 72_000_000_000, "Samples": [{"Name": n, "Norm": 0.1 * i} for i, n in enumerate(TITAN, 1)]} if fingerprint else None,
    }


def gathered():
    each = [gradient() for _ in range(3)]
    for g in each:
        g.update(Window=0, Digest="", Count=0, GlobalStep=0)
    return {"GlobalStep": 6099, "UIDs": [3, 77, 240], "Skipped": [5], "SuccessRate": 0.75, "Gradients": each}


def checkpoint(validator=False):
    return {
        "GlobalStep": 1000, "Block": 4_200_000, "Scores": floats(256) if validator else None, "Weights": floats(256) if validator else None,
        "Model": [{"Name": n, "Shape": s, "Values": floats(math.prod(s))} for n, s in zip(NAMES, [[9, 4], [4, 4], [4], [4, 6], [4]])],
    }


# What upstream saves of them.

def u8(text, *shape):
    return torch.tensor(list(base64.b64decode(text)), dtype=torch.uint8).reshape(shape or (-1,))


def build_slice(v):
    d = collections.OrderedDict((p["Name"], torch.tensor(p["Values"])) for p in v["Values"])
    if v["HasStep"]:
        d["global_step"] = v["GlobalStep"]
    m = v["Metric"]
    if m:
        d["slice_metric"] = {"batch_size": m["BatchSize"], "tokens_per_step": m["TokensPerStep"], "tokens_per_second": m["TokensPerSecond"],
                             "loss": m["Loss"], "sample_rate": m["SampleRate"], "learning_rate": m["LearningRate"]}
    return d


def build_params(params):
    for p in params or []:
        q, name = p["Quant"], wire(p["Name"])
        yield name + "idxs", u8(p["Idxs"])
        yield name + "vals", u8(p["Vals"], *p["Shape"])
        yield name + "quant_params", (torch.tensor(q["Shift"]), q["Scale"], q["Offset"], torch.tensor(q["Lookup"]), torch.float32)


def build_gradient(v):
    d = dict(build_params(v["Params"]))
    if v["Message"]:
        d["message"] = u8(v["Message"])
    d["metadata"] = {"window": v["Window"], **({"dummy": True} if v["Dummy"] else {"sample_digest": v["Digest"], "sample_count": v["Count"]})}
    return {"state_dict": d, "global_step": v["GlobalStep"]}


def build_debug(v):
    d = {wire(p["Name"]) + "_debug": p["Values"] for p in v["Values"]}
    d["successful_peers"], d["skipped_peers"] = v["Peers"], v["Skipped"]
    f = v["Fingerprint"]
    if v.get("Digest"):
        d["model_digest"] = v["Digest"]
    if f:
        d["gradient_fingerprint"] = {"global_l2_norm": f["Norm"], "total_elements": f["Elements"], "sample_param_norms": {s["Name"]: s["Norm"] for s in f["Samples"]}}
    return {"state_dict": d, "global_step": v["GlobalStep"]}


def build_aggregator(v):
    lists = collections.defaultdict(list)
    for g in v["Gradients"]:
        for key, value in build_params(g["Params"]):
            lists[key].append(value)
    return {"state_dict": {"state_dict": dict(lists), "uids": v["UIDs"], "skipped_uids": v["Skipped"], "success_rate": v["SuccessRate"]}, "global_step": v["GlobalStep"]}


class Model(torch.nn.Module):
    """Parameters of any names."""

    def __init__(self, params):
        super().__init__()
        for p in params:
            *path, last = p["Name"].split(".")
            at = self
            for word in path:
                if word not in dict(at.named_children()):
                    at.add_module(word, torch.nn.Module())
                at = at.get_submodule(word)
            at.register_parameter(last, torch.nn.Parameter(torch.tensor(p["Values"]).reshape(p["Shape"])))


def trained(v):
    """A model with an optimizer that has taken steps, and its schedule."""
    model = Model(v["Model"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=7.5e-5, betas=(0.9, 0.95), weight_decay=0.1, foreach=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 1000))
    return model, optimizer, schedule


def build_checkpoint(v):
    model, optimizer, schedule = trained(v)
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    schedule.step()
    with torch.no_grad():
        for name, want in Model(v["Model"]).named_parameters():
            model.get_parameter(name).copy_(want)
    return {"global_step": v["GlobalStep"], "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
            "scheduler_state_dict": schedule.state_dict(), "block_number": v["Block"],
            **{k: torch.tensor(v[k.title()]) for k in ("scores", "weights") if v[k.title()]}}


KINDS = {"slice": build_slice, "gradient": build_gradient, "debug": build_debug, "aggregator": build_aggregator, "checkpoint": build_checkpoint}
SAMPLES = [
    ("a state of slices", "slice", "slices", slice_file()),
    ("a state of r2", "slice", "r2", slice_file(r2=True)),
    ("a delta of r2", "slice", "r2", slice_file(r2=True, metric=True)),
    ("a checkpoint of a miner of r2", "checkpoint", "r2", checkpoint()),
    ("a checkpoint of a validator of r2", "checkpoint", "r2", checkpoint(validator=True)),
    ("a gradient", "gradient", "sparse", gradient()),
    ("a gradient of 256 bins", "gradient", "sparse", gradient(bins=256)),
    ("a dummy gradient", "gradient", "sparse", gradient(dummy=True)),
    ("a gradient of ours", "gradient", "adit", {**gradient(dummy=True), "Dummy": False, "Digest": "0f" * 16, "Count": 4, "Message": octets(777)}),
    ("a debug object", "debug", "sparse", debug()),
    ("a debug object with a fingerprint", "debug", "sparse", debug(fingerprint=True)),
    ("a debug object of ours", "debug", "adit", {**debug(), "Digest": "5e" * 16}),
    ("an aggregator object", "aggregator", "sparse", gathered()),
]


def differs(want, got, path=""):
    """Where two objects are not the same, types and order included."""
    if type(want) is not type(got):
        return f"{path}: {type(got).__name__}, want {type(want).__name__}"
    if isinstance(want, torch.Tensor):
        same = want.dtype == got.dtype and want.shape == got.shape and got.device.type == "cpu" and not got.requires_grad and torch.equal(want, got)
        return None if same else f"{path}: {got}, want {want}"
    if isinstance(want, dict):
        if list(want) != list(got):
            return f"{path}: keys {list(got)}, want {list(want)}"
        return next(filter(None, (differs(want[k], got[k], f"{path}/{k}") for k in want)), None)
    if isinstance(want, (list, tuple)):
        if len(want) != len(got):
            return f"{path}: {len(got)} elements, want {len(want)}"
        return next(filter(None, (differs(a, b, f"{path}/{i}") for i, (a, b) in enumerate(zip(want, got)))), None)
    return None if want == got else f"{path}: {got!r}, want {want!r}"


DOUBLE = {"Norm", "Scale", "Loss", "SuccessRate", "TokensPerSecond", "SampleRate", "LearningRate"}


def misread(want, got, path=""):
    """Where two descriptions are not the same; floats of 32 bits may be written with few
    digits, and a field of which we say nothing must be empty."""
    if isinstance(want, dict) and isinstance(got, dict):
        if set(want) - set(got) or any(got[k] for k in set(got) - set(want)):
            return f"{path}: fields {sorted(got)}, want {sorted(want)}"
        return next(filter(None, (misread(want[k], got[k], f"{path}/{k}") for k in want)), None)
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return f"{path}: {len(got)} elements, want {len(want)}"
        return next(filter(None, (misread(a, b, f"{path}/{i}") for i, (a, b) in enumerate(zip(want, got)))), None)
    if isinstance(want, float) and path.rsplit("/", 1)[-1] not in DOUBLE:
        want, got = single(want), single(float(got))
    return None if want == got or not want and not got and want is not False else f"{path}: {got!r}, want {want!r}"


def written(kind, rules, sample):
    text, path = f"{work}/sample.json", f"{work}/ours.pt"
    with open(text, "w") as f:
        json.dump(sample, f)
    program("write", kind, rules, text, path)
    return path


def we_write():
    for name, kind, rules, sample in SAMPLES:
        def check():
            path = written(kind, rules, sample)
            loaded = torch.load(path, **SAFE)
            if NEW and differs(loaded, torch.load(path, mmap=True, **SAFE)):
                return "mapped into memory it is another"
            if kind == "checkpoint":
                return checkpoint_works(sample, loaded)
            return differs(KINDS[kind](sample), loaded)
        attempt("torch.load of " + name + (", weights only" if NEW else ""), check)


def checkpoint_works(sample, loaded):
    """A real model, optimizer and schedule must take what is in the file, and go on."""
    want = build_checkpoint(sample)
    for key in set(want) - {"optimizer_state_dict", "scheduler_state_dict"}:
        problem = differs(want[key], loaded.get(key), key)
        if problem:
            return problem
    if set(want) != set(loaded):
        return f"keys {list(loaded)}"
    model, optimizer, schedule = trained(sample)
    model.load_state_dict(loaded["model_state_dict"])
    optimizer.load_state_dict(loaded["optimizer_state_dict"])
    schedule.load_state_dict(loaded["scheduler_state_dict"])
    # At step 1000 the warm-up is over.
    if schedule.last_epoch != sample["GlobalStep"] or not math.isclose(optimizer.param_groups[0]["lr"], 7.5e-5, rel_tol=2e-3):
        return f"epoch {schedule.last_epoch}, rate {optimizer.param_groups[0]['lr']}"
    before = [p.detach().clone() for p in model.parameters()]
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    schedule.step()
    if any(torch.equal(a, b) for a, b in zip(before, model.parameters())) or schedule.last_epoch != sample["GlobalStep"] + 1:
        return "the optimizer does not go on"
    return None


# Ways in which torch.save may be given, or write, the same.

def each_tensor(v, change):
    if isinstance(v, torch.Tensor):
        return change(v)
    if isinstance(v, dict):
        d = type(v)()
        for k, e in v.items():
            d[k] = each_tensor(e, change)
        if hasattr(v, "_metadata"):
            d._metadata = v._metadata
        return d
    if isinstance(v, (list, tuple)):
        return type(v)(each_tensor(e, change) for e in v)
    return v


def inside(t):
    """The same elements in a larger storage, not in order if there are rows."""
    flat = torch.full((t.numel() + 9,), 7).to(t.dtype)
    flat[5:5 + t.numel()] = t.detach().t().reshape(-1) if t.dim() == 2 else t.detach().reshape(-1)
    view = flat[5:5 + t.numel()]
    return view.view(tuple(reversed(t.shape))).t() if t.dim() == 2 else view.view(t.shape)


def stepped(t):
    """Every third element of another tensor."""
    base = torch.zeros(t.shape + (3,), dtype=t.dtype)
    base[..., 1] = t.detach()
    return base[..., 1]


def leaf(t):
    return t.detach().clone().requires_grad_() if t.dtype.is_floating_point else t


def branch(t):
    return leaf(t) * 1 if t.dtype.is_floating_point else t


def parameter(t):
    return torch.nn.Parameter(t.detach().clone(), requires_grad=t.dtype.is_floating_point)


def with_metadata(v):
    if not isinstance(v, collections.OrderedDict):
        return None
    d = v.copy()
    d._metadata = collections.OrderedDict([("", {"version": 1}), ("model.norm", {"version": 1, "more": None})])
    return d


def save(v, path):
    torch.save(v, path)


def to_object(v, path):
    with open(path, "wb") as f:
        torch.save(v, f)


def cuda(index):
    def there(v, path):
        """As if every storage were on that device."""
        was = torch.serialization.location_tag
        torch.serialization.location_tag = lambda storage: f"cuda:{index}"
        try:
            torch.save(v, path)
        finally:
            torch.serialization.location_tag = was
    return there


def aligned(v, path):
    from torch.utils.serialization import config
    was, config.save.storage_alignment = config.save.storage_alignment, 4096
    torch.save(v, path)
    config.save.storage_alignment = was


def unchecked(v, path):
    torch.serialization.set_crc32_options(False)
    torch.save(v, path)
    torch.serialization.set_crc32_options(True)


WAYS = {
    "by name": (None, save), "to a file object": (None, to_object),
    "of tensors on cuda:0": (None, cuda(0)), "of tensors on cuda:7": (None, cuda(7)),
    "of views at an offset": (inside, save), "of every third element": (stepped, save),
    "of leaves of a graph": (leaf, save), "of results of a graph": (branch, save), "of parameters": (parameter, save),
}
if NEW:
    WAYS.update({"aligned to pages": (None, aligned), "without checksums": (None, unchecked)})


def described(kind, *paths):
    out = []
    for line in program("read", kind, *paths).splitlines():
        out.append(line if line.startswith("error: ") else json.loads(line))
    return out


def they_write():
    for name, kind, _, sample in SAMPLES:
        for way, (change, writer) in WAYS.items():
            def check():
                path = f"{work}/gradient-5-12-v2.1.3.pt"
                v = KINDS[kind](sample)
                v = each_tensor(v, change) if change else v
                writer(v, path)
                torch.load(path, **PLACES)  # real readers can
                return misread(sample, described(kind, path)[0])
            attempt(f"we read {name}, written {way}", check)
        if kind == "slice":
            def check():
                save(with_metadata(KINDS[kind](sample)), f"{work}/theirs.pt")
                return misread(sample, described(kind, f"{work}/theirs.pt")[0])
            attempt(f"we read {name}, with the _metadata of a module", check)
    name, kind, _, sample = SAMPLES[5]

    def elsewhere():
        v = KINDS[kind](sample)
        torch.save(v["state_dict"], f"{work}/theirs.pt")
        return None if str(described(kind, f"{work}/theirs.pt")[0]).startswith("error: ") else "it is read"
    attempt("a gradient without its frame is refused", elsewhere)

    def legacy():
        torch.save(KINDS[kind](sample), f"{work}/theirs.pt", _use_new_zipfile_serialization=False)
        got = str(described(kind, f"{work}/theirs.pt")[0])
        return None if "before version 1.6" in got else got
    attempt("the format before version 1.6 is named in the error", legacy)

    def others():
        """quant_params may be computed in other types."""
        v = KINDS[kind](sample)
        for key, q in v["state_dict"].items():
            if key.endswith("quant_params"):
                v["state_dict"][key] = (q[0].double(), torch.tensor(q[1], dtype=torch.float64), q[2], q[3].double(), torch.bfloat16)
        save(v, f"{work}/theirs.pt")
        got = described(kind, f"{work}/theirs.pt")[0]
        for p in got["Params"]:
            p["Quant"]["Scale"] = sample["Params"][0]["Quant"]["Scale"] if abs(p["Quant"]["Scale"] - 0.0123456789) < 1e-9 else p["Quant"]["Scale"]
        return misread(sample, got)
    attempt("we read a gradient whose quant_params are tensors of 64 bits", others)


# Files that are damaged, or wrong on purpose.

def wrong():
    """Objects that torch takes and a validator must not."""
    def change(kind, sample, name, do):
        v = KINDS[kind](sample)
        do(v)
        return name, kind, v
    g, key = gradient(), wire(TITAN[1])
    def quant(**k):
        def do(v):
            q = list(v["state_dict"][key + "quant_params"])
            for i, e in k.items():
                q[int(i[1:])] = e
            v["state_dict"][key + "quant_params"] = tuple(q)
        return do
    def put(name, value):
        return lambda v: v["state_dict"].__setitem__(name, value)
    lookup = torch.tensor([0.0, 1.0, math.nan, 2.0])
    for name, do in {
        "a scale of nought": quant(_1=0.0), "a scale that is no number": quant(_1=math.nan), "a large scale": quant(_1=1e5),
        "a small scale": quant(_1=1e-13), "an infinite shift": quant(_0=torch.tensor(math.inf)), "a bin that is no number": quant(_3=lookup),
        "a table of two rows": quant(_3=torch.zeros(2, 2)), "a table of 257": quant(_3=torch.zeros(257)), "an offset elsewhere": quant(_2=1),
        "a dtype that is none": quant(_4="float32"), "four quant_params": lambda v: v["state_dict"].__setitem__(key + "quant_params", v["state_dict"][key + "quant_params"][:4]),
        "a code without a bin": put(key + "vals", torch.full((1, 1, 32), 4, dtype=torch.uint8)),
        "values of 32 bits": put(key + "vals", torch.zeros(1, 1, 32, dtype=torch.int32)),
        "no values": put(key + "vals", torch.zeros(1, 0, 32, dtype=torch.uint8)),
        "values of one dimension": put(key + "vals", torch.zeros(32, dtype=torch.uint8)),
        "indices of 64 bits": put(key + "idxs", torch.zeros(48, dtype=torch.int64)),
        "too few indices": put(key + "idxs", torch.zeros(47, dtype=torch.uint8)),
        "indices in rows": put(key + "idxs", torch.zeros(2, 24, dtype=torch.uint8)),
        "indices as a list": put(key + "idxs", [0] * 48),
        "indices alone": lambda v: v["state_dict"].pop(key + "vals"),
        "values alone": lambda v: v["state_dict"].pop(key + "idxs"),
        "values that are no numbers": lambda v: v["state_dict"].update({key + "vals": torch.full((1, 1, 32), math.nan), key + "quant_params": None}),
        "a parameter under two names": put(TITAN[1] + "idxs", u8(g["Params"][1]["Idxs"])),
        "a window below nought": put("metadata", {"window": -1}), "metadata of another kind": put("metadata", [1]),
        "a digest that is a number": put("metadata", {"window": 1, "sample_digest": 5}),
        "a step that is a string": lambda v: v.__setitem__("global_step", "6100"), "a step below nought": lambda v: v.__setitem__("global_step", -1),
        "no state": lambda v: v.pop("state_dict"), "a state that is a list": lambda v: v.__setitem__("state_dict", []),
    }.items():
        yield change("gradient", g, name, do)
    s = slice_file()
    for name, value in {"a matrix": torch.zeros(2, 2), "16 bits": torch.zeros(3).half(), "64 bits": torch.zeros(3).double(), "integers": torch.zeros(3, dtype=torch.int64)}.items():
        yield change("slice", s, "a slice with " + name, lambda v: v.__setitem__(NAMES[0], value))
    for name, do in {
        "too many values of a parameter": lambda v: v["state_dict"].__setitem__(TITAN[0] + "_debug", [1.0, 2.0, 3.0]),
        "a uid above 65535": lambda v: v["state_dict"].__setitem__("successful_peers", [65536]),
        "a uid below nought": lambda v: v["state_dict"].__setitem__("skipped_peers", [-1]),
    }.items():
        yield change("debug", debug(), name, do)
    for name, do in {
        "a list too short": lambda v: v["state_dict"]["state_dict"].__setitem__(TITAN[0] + "idxs", []),
        "no uids": lambda v: v["state_dict"].__setitem__("uids", []),
        "one uid more": lambda v: v["state_dict"]["uids"].append(9),
    }.items():
        yield change("aggregator", gathered(), "an aggregator object with " + name, do)
    for name, do in {
        "a value that is no number": lambda v: v["model_state_dict"][NAMES[4]].fill_(math.nan),
        "integers": lambda v: v["model_state_dict"].__setitem__(NAMES[4], torch.zeros(4, dtype=torch.int64)),
        "no step": lambda v: v.pop("global_step"), "no model": lambda v: v.pop("model_state_dict"),
    }.items():
        yield change("checkpoint", checkpoint(), "a checkpoint with " + name, do)


def refuses():
    for name, kind, v in wrong():
        def check():
            torch.save(v, f"{work}/theirs.pt")
            got = described(kind, f"{work}/theirs.pt")[0]
            return None if isinstance(got, str) else "it is read"
        attempt("refused: " + name, check)


def meant(kind, loaded):
    """A description of what torch has read, through our own writer of such objects: None if it is none."""
    path = f"{work}/again.pt"
    torch.save(loaded, path)
    got = described(kind, path)[0]
    return None if isinstance(got, str) else got


def damaged():
    """Files with bytes changed, cut out or put in, or with their end cut off.

    A reader may only give what the file said before, if the damage is where
    nothing of it stands, or what torch.load gives of the damaged file.
    """
    counts = collections.Counter()
    for name, kind, _, sample in SAMPLES:
        torch.save(KINDS[kind](sample), f"{work}/whole.pt")
        with open(f"{work}/whole.pt", "rb") as f:
            whole = f.read()
        files, cut = [], []
        for i in range(24):
            b = bytearray(whole)
            at = rng.randrange(len(b))
            pickle = whole.index(b"data.pkl")
            if i % 2:  # where it is described, rather than in its numbers
                at = min(len(b) - 1, pickle + 60 + rng.randrange(800))
            how = i % 6
            if how < 3:
                for _ in range(1 + how):
                    b[min(len(b) - 1, at + rng.randrange(4))] = rng.randrange(256)
            elif how == 3:
                del b[at:at + 1 + rng.randrange(64)]
            elif how == 4:
                b[at:at] = bytes(rng.randrange(256) for _ in range(1 + rng.randrange(64)))
            else:
                b = b[:at]
            path = f"{work}/damaged-{i}.pt"
            with open(path, "wb") as f:
                f.write(b)
            files.append(path)
            cut.append(how == 5)
        def check():
            for path, short, got in zip(files, cut, described(kind, *files)):
                counts["all"] += 1
                if isinstance(got, str):
                    counts["refused"] += 1
                    continue
                if short:
                    return f"{path} is cut, and read"
                if misread(sample, got) is None:
                    counts["unharmed"] += 1
                    continue
                try:
                    loaded = torch.load(path, **PLACES)
                except Exception as error:
                    return f"{path}: torch says {error}, and we read it: {misread(sample, got)}"
                problem = misread(meant(kind, loaded), got)
                if problem:
                    return f"{path}: {problem}"
                counts["as torch"] += 1
        attempt(f"damaged files of {name}", check)
    print(f"of {counts['all']} damaged files {counts['refused']} were refused, {counts['unharmed']} were read as if unharmed, {counts['as torch']} as torch reads them")
    report("200 files and more were damaged", None if counts["all"] >= 200 and counts["refused"] >= 100 else dict(counts))


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(3)
    os.makedirs(work, exist_ok=True)
    we_write()
    they_write()
    refuses()
    if NEW:  # an old reader would run what it finds in a damaged file
        damaged()
