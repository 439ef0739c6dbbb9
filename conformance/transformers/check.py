"""The Python half: transformers on what Go wrote, and Go on what transformers wrote.

usage: check.py GO_PROGRAM DIRECTORY
Prints "ok NAME" or "FAIL NAME" for each check.
"""

import json
import os
import shutil
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file

import peer
import rule
from cases import BATCH, CASES, LENGTH, VOCABULARY

NEAR = 1e-5  # of a tensor's norm

go, work = sys.argv[1:]


def report(name, problems):
    print("FAIL" if problems else "ok", name, flush=True)
    for problem in problems[:8]:
        print("    " + problem)


def program(*args):
    done = subprocess.run([go, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f"ended with {done.returncode}")


def distance(got, want):
    return ((got.double() - want).norm() / want.norm().clamp_min(1e-30)).item()


def compare(path, ids, want):
    """What differs between the truth and what Go computes with a directory."""
    file = os.path.join(work, "ids.safetensors")
    out = os.path.join(work, "out.safetensors")
    save_file({"ids": ids}, file)
    program("eval", path, file, out)
    got = load_file(out)
    os.remove(out)
    problems, worst = [], 0.0
    losses = got.pop("losses").double()
    got["loss"] = losses.sum() / (losses.numel() - losses.shape[0])
    if set(got) != set(want):
        problems.append(f"names differ: {sorted(set(got) ^ set(want))}")
    for name in sorted(set(got) & set(want)):
        if got[name].shape != want[name].shape:
            problems.append(f"{name}: {tuple(got[name].shape)}, want {tuple(want[name].shape)}")
            continue
        apart = distance(got[name], want[name])
        worst = max(worst, apart)
        if not apart <= NEAR:
            problems.append(f"{name}: {apart:.2g} apart")
    return problems, worst


def truth(case, names, single, ids):
    """Logits, loss and gradients in float64."""
    with peer.float64():
        model = peer.double_of(case, names, single)
        loss, logits = peer.loss_and_logits(model, ids)
        loss.backward()
    want = {"grad." + n: g for n, g in peer.gradients(model, names).items()}
    return {"loss": loss.detach(), "logits": logits.detach(), **want}


def older(config):
    """A config.json as transformers 4 wrote it, and as most published models have it."""
    config = dict(config)
    config.pop("layer_types", None)
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.44.0"
    if "num_local_experts" in config:
        config["num_experts"] = config.pop("num_local_experts")
    if config["model_type"] == "deepseek_v2":
        config.pop("head_dim"), config.pop("qk_head_dim"), config.pop("output_router_logits")
        config.update(moe_layer_freq=1, scoring_func="softmax", ep_size=1, aux_loss_alpha=0.0, seq_aux=True)
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        rope = dict(rope)
        config["rope_theta"] = rope.pop("rope_theta")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}
    return config


def attempt(name, check):
    try:
        problems = check()
    except Exception as error:  # whatever it is, this check has failed
        problems = [f"{type(error).__name__}: {error}"]
    report(name, problems)


class Tiny:
    """One case: its directory by transformers, and what transformers computes."""

    def __init__(self, name):
        self.name, self.case = name, CASES[name]
        self.path = os.path.join(work, name)
        self.ids = torch.from_numpy(rule.tokens(name, BATCH, LENGTH, VOCABULARY))
        self.names = sorted(peer.write(self.case, self.path))
        self.single = peer.load(self.path)
        self.want = truth(self.case, self.names, self.single, self.ids)

    def reads(self):
        problems, self.worst = compare(self.path, self.ids, self.want)
        return problems

    def reads_older(self):
        path = self.path + "-older"
        shutil.copytree(self.path, path)
        with open(os.path.join(path, "config.json"), "w") as f:
            json.dump(older(peer.config_of(self.path)), f)
        # The library still agrees that this says the same.
        again = peer.loss_and_logits(peer.load(path), self.ids)[1]
        if not torch.equal(again, peer.loss_and_logits(self.single, self.ids)[1]):
            return ["transformers itself takes it for another model"]
        return compare(path, self.ids, self.want)[0]

    def reads_other(self, path):
        return compare(path, self.ids, self.want)[0]

    def writes(self, *size):
        path = self.path + "-ours" + "".join(size)
        program("save", self.path, path, *size)
        if bool(size) != os.path.exists(os.path.join(path, "model.safetensors.index.json")):
            return [f"the directory has {sorted(os.listdir(path))}"]
        back = peer.load(path)  # fails if a tensor is missing or too many
        ours, theirs = dict(back.named_parameters()), dict(self.single.named_parameters())
        problems = [n for n in theirs if not torch.equal(ours[n], theirs[n])]
        a = peer.loss_and_logits(back, self.ids)[1]
        b = peer.loss_and_logits(self.single, self.ids)[1]
        # Not to the bit: ours has one name for the two that GPT-2's activation
        # has there, whose programs round differently.
        if not distance(a, b.double()) <= 1e-6:
            problems.append(f"logits differ by {distance(a, b.double()):.2g}")
        return problems


def bin_file(tiny, path):
    """The directory as torch.save writes it; a tied head is there under both names."""
    os.makedirs(path)
    for name in ("config.json", "generation_config.json"):
        shutil.copy(os.path.join(tiny.path, name), path)
    tensors = {n: t.clone() for n, t in peer.parameters(tiny.single, tiny.names).items()}
    if tiny.single.config.tie_word_embeddings:
        embedding = next(n for n in tensors if n.endswith(("embed_tokens.weight", "wte.weight")))
        tensors["lm_head.weight"] = tensors[embedding]
    torch.save(tensors, os.path.join(path, "pytorch_model.bin"))


def shards(tiny, path):
    tiny.single.save_pretrained(path, max_shard_size="40KB")
    if not os.path.exists(os.path.join(path, "model.safetensors.index.json")):
        raise ValueError("transformers wrote no index")


def half(tiny, path):
    """A directory in bfloat16, and what float64 makes of those weights."""
    model = peer.load(tiny.path).to(torch.bfloat16)
    model.save_pretrained(path)
    return truth(tiny.case, tiny.names, peer.load(path), tiny.ids)


def reads_half(tiny, path):
    want = half(tiny, path)
    return compare(path, tiny.ids, want)[0]


def main():
    torch.set_num_threads(1)
    worst = 0.0
    for name in CASES:
        try:
            tiny = Tiny(name)
        except Exception as error:
            report(f"{name}: transformers", [f"{type(error).__name__}: {error}"])
            continue
        attempt(f"{name}: ours computes what transformers does", tiny.reads)
        worst = max(worst, getattr(tiny, "worst", 0.0))
        attempt(f"{name}: the same from an older config.json", tiny.reads_older)
        attempt(f"{name}: transformers reads ours", tiny.writes)
        if name in ("llama-tied", "deepseek-v2-groups", "gpt2"):
            attempt(f"{name}: transformers reads ours in several files", lambda: tiny.writes("40000"))
            path = tiny.path + "-shards"
            attempt(f"{name}: ours reads several files", lambda: shards(tiny, path) or tiny.reads_other(path))
            bins = tiny.path + "-bin"
            attempt(f"{name}: ours reads pytorch_model.bin", lambda: bin_file(tiny, bins) or tiny.reads_other(bins))
            low = tiny.path + "-bfloat16"
            attempt(f"{name}: ours reads bfloat16", lambda: reads_half(tiny, low))
    print(f"the farthest from float64: {worst:.2g}")


if __name__ == "__main__":
    main()
