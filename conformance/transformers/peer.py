"""Models of transformers as the vectors and the check use them.

The computation is the plain one: float32 or float64, attention and experts
written out ("eager"), in evaluation mode, which drops nothing out.
"""

import contextlib
import json
import os
import re
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

import rule

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def model_of(case):
    """A new model of the case, with the weights it starts with."""
    model_type, fields = case
    config = transformers.AutoConfig.for_model(model_type, **fields)
    _eager(config)
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def _eager(config):
    config._experts_implementation = "eager"


def write(case, path):
    """Writes the case as save_pretrained does, then gives it the weights of the rule."""
    model_of(case).save_pretrained(path)
    file = os.path.join(path, "model.safetensors")
    with safe_open(file, "pt") as f:
        shapes = {name: f.get_slice(name).get_shape() for name in f.keys()}
        metadata = f.metadata()
    tensors = {name: torch.from_numpy(rule.weight(name, shape)) for name, shape in shapes.items()}
    save_file(tensors, file, metadata)
    return shapes


def load(path):
    """The model in a directory, in float32; it must hold neither more nor less than the model wants."""
    config = transformers.AutoConfig.from_pretrained(path)
    _eager(config)
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        path, config=config, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if info.get(kind):
            raise ValueError(f"{kind}: {info[kind]}")
    return model.eval()


def config_of(path):
    with open(os.path.join(path, "config.json")) as f:
        return json.load(f)


def on_disk(names, tensors):
    """Views into tensors, which have the names in memory, by their names on disk.

    In memory the experts of a layer are two tensors, one of them of gates and
    ups; on disk each matrix of each expert is its own.
    """
    out = {}
    for name in names:
        if name in tensors:
            out[name] = tensors[name]
            continue
        prefix, expert, kind = re.fullmatch(r"(.*\.experts)\.(\d+)\.(\w+)_proj\.weight", name).groups()
        if kind == "down":
            out[name] = tensors[prefix + ".down_proj"][int(expert)]
        else:
            both = tensors[prefix + ".gate_up_proj"][int(expert)]
            half = both.shape[0] // 2
            out[name] = both[:half] if kind == "gate" else both[half:]
    if sum(t.numel() for t in out.values()) != sum(t.numel() for t in tensors.values()):
        raise ValueError("the names on disk do not cover the parameters")
    return out


def parameters(model, names):
    return on_disk(names, {n: p.detach() for n, p in model.named_parameters()})


def gradients(model, names):
    return on_disk(names, {n: p.grad for n, p in model.named_parameters()})


def loss_and_logits(model, ids):
    """The mean cross-entropy of every next token, and the logits."""
    out = model(input_ids=ids, labels=ids, use_cache=False)
    return out.loss, out.logits


@contextlib.contextmanager
def float64():
    """Has transformers compute in float64 where it names float32 itself.

    model.double() is not enough: norms, softmax, frequencies and the loss are
    computed in float32 by name.  Within this block that name means float64,
    and an operation that still gives float32 is an error.
    """
    was = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = was
        torch.set_default_dtype(torch.float32)


class NoFloat32(TorchDispatchMode):
    """Fails on an operation whose result is float32."""

    narrow = torch.float32

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(t, torch.Tensor) and t.dtype in (self.narrow, torch.complex64):
                raise TypeError(f"{func} gave {t.dtype}")
        return out


def double_of(case, names, single):
    """The case in float64, with the weights of a model in float32. Call it within float64()."""
    model = model_of(case)
    target = dict(model.named_parameters())
    with torch.no_grad():
        for name, p in single.named_parameters():
            target[name].copy_(p)
    parameters(model, names)
    return model


def adamw(model, ids, steps):
    """Trains on one batch; gives the loss and the norm of the gradient before each step."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [dict(params=decayed, weight_decay=0.1), dict(params=others, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, foreach=False)
    losses, norms = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss, _ = loss_and_logits(model, ids)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


class Routers:
    """Keeps what the routers of a model gave in its last forward pass, layer by layer."""

    def __init__(self, model):
        self.given = {}
        for name, module in model.named_modules():
            if type(module).__name__.endswith(("TopkRouter", "TopKRouter")):
                layer = int(re.search(r"layers\.(\d+)\.", name).group(1))
                module.register_forward_hook(self._keep(layer))

    def _keep(self, layer):
        def hook(module, args, output):
            logits, _, picks = output
            self.given[layer] = (logits, picks)

        return hook

    def layers(self):
        return [(layer, *self.given[layer]) for layer in sorted(self.given)]
