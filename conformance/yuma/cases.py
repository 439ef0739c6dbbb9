"""Makes the cases that a Yuma epoch is checked with: random subnets over epochs.

  python3 conformance/yuma/cases.py DIR            all cases, into DIR
  python3 conformance/yuma/cases.py DIR --only y3  those with y3 in their names
  python3 conformance/yuma/cases.py DIR --list     their names, nothing written
  python3 conformance/yuma/cases.py --noise DIR    see below
  python3 conformance/yuma/cases.py --small        makes small-*.json and
                                                   emission.json here anew

  --choose NAME=VALUE   another choice where the description leaves one; model.py
                        has the list, and the format

A case comes out the same every time: its name seeds it.  A case that does not
show what it is there for, such as one with commits in which no weight was ever
dropped for its commit, is not written: the run ends with the reason.

--noise reads the cases in DIR and prints for each output how far floating point
and 32 bits after the point are apart, at most, in u16: once where each epoch
starts from the file, and once where permits and bonds are handed on.
"""

import argparse
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

from emission import TAO_WEIGHT, emission_cases
from model import ALLOWED, U16, Choices, Epoch, fixed, kept, play, scaled

TAO = 10**9  # rao
NOISY = ("consensus", "incentive", "dividends", "vtrust")
TRUTH = ("stake", "consensus", "incentive", "dividends", "vtrust", "server", "validator", "emission")

# A step of an epoch's results that lies nearer than this to another result is
# not for arithmetic of 32 bits to decide.
NEAR = 1e-8

PARAMS = {
    "tempo": 360, "kappa": 32767, "max_validators": 64, "activity_cutoff": 5000,
    "stake_threshold": 0, "tao_weight": TAO_WEIGHT, "owner": None,
    "bonds_moving_avg": 900000, "bonds_penalty": U16, "yuma3": False, "liquid_alpha": False,
    "alpha_low": 45875, "alpha_high": 58982, "alpha_steepness": 1000, "commit_reveal": False,
}

KINDS = {
    "y2": {},
    "y3": {"yuma3": True},
    "y3la": {"yuma3": True, "liquid_alpha": True},
}


# What only some kinds of epoch show: old bonds taken from a neuron just
# registered (under liquid alpha too few are left to count on it), bonds that decay
# where no weight is, and bonds that stay with a validator who earns nothing.
ONLY = {"masked": ("y2", "y3"), "decayed": ("y3",), "stayed": ("y3", "y3la"), "A8": ("y2",)}


class Subnet:
    """A subnet whose stakes, weights and neurons change at random.

    look tells what kind: n, validators, targets (weights a row, 0 for all),
    stakes (mixed, equal, dominating), crowd (miners hold a little stake), even
    (all weights of a row equal), and how often things happen in an epoch.
    """

    def __init__(self, name, params, look):
        self.rng = random.Random(name)
        self.p = params
        self.look = {
            "n": 64, "validators": 16, "targets": 8, "stakes": "mixed", "crowd": False, "even": False,
            "weigh": 0.35, "restake": 0.05, "unstake": 0, "replace": 0.25, "sleepers": 2, "sleep": 22,
            "commits": 0.3, **look,
        }
        n, rng = self.look["n"], self.rng
        uids = rng.sample(range(n), n)
        self.validators = sorted(uids[: self.look["validators"]])
        self.miners = sorted(set(range(n)) - set(self.validators)) or self.validators
        self.quality = {j: rng.uniform(0.05, 1) for j in range(n)}
        self.registered = list(range(1, n + 1))
        self.updated = list(self.registered)
        self.alpha, self.tao = [0] * n, [0] * n
        for i in self.validators:
            self.stake(i)
        if self.look["stakes"] == "dominating":
            self.alpha[self.validators[0]] = 9 * sum(self.alpha)
        if self.look["crowd"]:
            for j in self.miners:
                self.alpha[j] = int(rng.uniform(20, 80) * TAO)
        self.waking = {i: 0 for i in self.validators}
        self.weighed = set()

    def stake(self, i):
        if self.look["stakes"] == "equal":
            self.alpha[i] = 5000 * TAO
            return
        self.alpha[i] = int(10 ** self.rng.uniform(3, 4.5) * TAO)
        self.tao[i] = int(self.rng.choice((0, 10 ** self.rng.uniform(3, 5))) * TAO)

    def row(self, i):
        """New weights of validator i, the greatest of them 65535."""
        rng, targets = self.rng, self.look["targets"]
        if rng.random() < 0.04:  # all on one, to be clipped
            return [[rng.choice(self.miners), U16]]
        best = sorted(self.miners, key=lambda j: -self.quality[j])
        pool = best if targets == 0 else best[: targets * 5 // 3]
        to = pool if targets == 0 else rng.sample(pool, min(targets, len(pool)))
        weights = {j: 1.0 if self.look["even"] else self.quality[j] * rng.uniform(0.6, 1.4) for j in to}
        if rng.random() < 0.15 or i == self.p["owner"]:
            weights[i] = rng.uniform(0.1, 1)
        if rng.random() < 0.1:
            weights[rng.choice(self.validators)] = rng.uniform(0.1, 1)
        top = max(weights.values())
        return [[j, round(w / top * U16)] for j, w in sorted(weights.items()) if round(w / top * U16) > 0]

    def step(self, k, block, previous, permit):
        """What happens before the epoch k, and is its input."""
        rng, look = self.rng, self.look
        inside = lambda: rng.randrange(previous + 2, block - 1)
        weights = {}
        if k > 0:
            self.change(inside)
            for i in self.validators:
                if i not in permit:
                    continue
                if rng.random() < look["sleepers"] / (len(self.validators) * 40):
                    self.waking[i] = k + look["sleep"]
                if k < self.waking[i]:
                    continue
                if k == 1 or i not in self.weighed or rng.random() < look["weigh"]:
                    weights[i] = self.row(i)
                    self.updated[i] = inside()
                    self.weighed.add(i)
        epoch = {
            "block": block, "previous": previous, "alpha": list(self.alpha), "tao": list(self.tao),
            "last_update": list(self.updated), "registered_at": list(self.registered), "weights": weights,
        }
        if self.p["commit_reveal"]:
            epoch["commit"] = [None] * look["n"]
            for i in self.validators:
                if rng.random() < look["commits"]:
                    epoch["commit"][i] = rng.randrange(max(2, previous - 2 * self.p["tempo"]), block)
        return epoch

    def change(self, inside):
        rng, look = self.rng, self.look
        for i in self.validators:
            if rng.random() < look["restake"]:
                if self.alpha[i] == 0:
                    self.stake(i)
                elif look["stakes"] != "equal":
                    self.alpha[i] = int(self.alpha[i] * rng.uniform(0.6, 1.6))
            if rng.random() < look["unstake"]:
                self.alpha[i] = self.tao[i] = 0
        if rng.random() < look["replace"] and self.miners is not self.validators:
            j = min(rng.sample(self.miners, rng.choice((1, 3))), key=lambda m: self.quality[m])
            self.registered[j] = self.updated[j] = inside()
            self.alpha[j] = self.tao[j] = 0
            self.quality[j] = rng.uniform(0.05, 1)
        for j in rng.sample(range(look["n"]), 2):
            self.quality[j] = rng.uniform(0.05, 1)


def build(name, about, params, look, epochs=100, late=0, later=None, touch=None, choices=Choices()):
    """Makes a case and what is expected of it.

    An epoch comes late blocks after its tempo.  later maps an epoch to params
    that change there; touch(k, epoch, permit) may alter an epoch's inputs.  The
    model runs along, since those without a permit set no weights.
    """
    p = {**PARAMS, **params}
    net = Subnet(name, p, look)
    if p["owner"] == "validator":
        p["owner"] = net.validators[-1]
    case = {"format": "adit-yuma-1", "name": name, "about": about, "leans_on": [],
            "netuid": 1, "n": net.look["n"], "epochs": []}
    rows, permit, bonds, seen = {}, set(), {}, Seen()
    for k in range(epochs):
        previous = 1000 + (k - 1) * (p["tempo"] + late)
        block = previous + p["tempo"] + (late if k > 0 else 0)
        changed = k == 0
        if later and k in later:
            p, changed = {**p, **later[k]}, True
            net.p = p
        epoch = net.step(k, block, previous, permit)
        if touch:
            touch(k, epoch, permit)
        if changed:
            epoch = {"block": block, "previous": previous, "params": p, **epoch}
        rows.update(epoch["weights"])
        inputs = {**epoch, "weights": rows}
        run = Epoch(p, inputs, permit, bonds, choices)
        plain = run.run()
        seen.look(run, plain, permit)
        got = scaled(plain)
        coarse = scaled(Epoch(p, inputs, permit, bonds, choices, fixed).run())
        epoch["weights"] = {str(i): row for i, row in epoch["weights"].items()}
        epoch["want"] = {**written(got), "margin": got["margin"], "noise": apart(got, coarse)}
        case["epochs"].append(epoch)
        permit, bonds = set(got["permit"]), kept(got["bonds"])
    case["leans_on"] = leans(case, choices)
    return case, seen


# The other choice that each assumption with a switch is tried with, and for
# which epochs it can make a difference at all.
OTHERS = (
    ("A1", {"permit_tie": "low"}, lambda p, e: e["want"]["margin"] == 0),
    ("A2", {"owner_permit": "never"}, lambda p, e: p["owner"] is not None),
    ("A3", {"recent": "after"}, lambda p, e: e["block"] - p["tempo"] in e["registered_at"]),
    ("A3", {"recent": "epoch"}, lambda p, e: e["previous"] in e["registered_at"]),
    ("A4", {"yuma2_liquid": "yes"}, lambda p, e: p["liquid_alpha"] and not p["yuma3"]),
    ("A5", {"liquid_weight": "set"}, lambda p, e: p["liquid_alpha"] and p["bonds_penalty"] > 0),
    ("A6", {"liquid_absent": "set"}, lambda p, e: p["liquid_alpha"] and p["bonds_penalty"] > 0),
    ("A7", {"no_weights": "all"}, lambda p, e: not any(e["want"]["incentive"])),
    ("A8", {"column_max": "kept"}, lambda p, e: not p["yuma3"]),
)


def leans(case, choices):
    """The assumptions that a case's numbers depend on."""
    if changes(case, choices):
        raise SystemExit(f"{case['name']} gives something else when it is read again")
    found = []
    params, every = None, []
    for epoch in case["epochs"]:
        params = epoch.get("params", params)
        every.append((params, epoch))
    for name, other, concerns in OTHERS:
        if name in found or not any(concerns(p, e) for p, e in every):
            continue
        if changes(case, replace(choices, **other)):
            found.append(name)
    return found


def changes(case, choices):
    """Whether a case comes out differently with these choices."""
    return any(differ(e["want"], written(got)) for e, got in zip(case["epochs"], play(case, choices)))


def differ(a, b):
    """Whether two results are further apart than floating point explains."""
    if a["permit"] != b["permit"] or a["bonds"].keys() != b["bonds"].keys():
        return True
    if any(abs(x - y) > 0.01 for key in TRUTH for x, y in zip(a[key], b[key])):
        return True
    for i, row in a["bonds"].items():
        one, two = dict(map(tuple, row)), dict(map(tuple, b["bonds"][i]))
        if any(abs(one.get(j, 0) - two.get(j, 0)) > 0.01 for j in one.keys() | two.keys()):
            return True
    return False


def written(got):
    """The results as they stand in a file."""
    want = {"permit": got["permit"], "active": got["active"]}
    for key in TRUTH:
        want[key] = [round(x, 5) for x in got[key]]
    want["bonds"] = {}
    for i, row in got["bonds"].items():
        pairs = [[j, round(x, 4)] for j, x in enumerate(row) if x > 0]
        if pairs:
            want["bonds"][str(i)] = pairs
    return want


def apart(one, two):
    """How far two results are apart in each output, at most, in u16."""
    noise = {key: max(abs(x - y) for x, y in zip(one[key], two[key])) for key in NOISY}
    noise["bonds"] = 0.0
    for i, row in one["bonds"].items():
        noise["bonds"] = max(noise["bonds"], *(abs(x - y) for x, y in zip(row, two["bonds"].get(i, [0.0] * len(row)))))
    return {key: round(x, 4) for key, x in noise.items()}


class Seen:
    """Counts what happened in a case, to refuse one that shows nothing."""

    def __init__(self):
        self.count = dict.fromkeys(
            ("paid", "clipped", "inactive", "masked", "dropped", "committed", "lost", "poor", "owned", "decayed",
             "unweighed", "stayed"), 0)
        self.margin = 1.0

    def look(self, run, got, old):
        p, s, n = run.p, run.s, run.n
        c = self.count
        weights = run.rows()
        rough = Epoch({**p, "commit_reveal": False}, s, run.old, run.bonds, run.pick).rows()
        late = set(range(n)) - set(got["active"])
        recent = {j for j in range(n) if s["registered_at"][j] >= s["block"] - p["tempo"]}
        sent = sum(1 for i in old for j, _ in s["weights"].get(i, ()) if i != j)
        c["paid"] += sum(got["incentive"]) > 0
        c["clipped"] += any(w > k + 1e-6 for row in weights.values() for w, k in zip(row, got["consensus"]))
        c["inactive"] += any(got["stake"][i] > 0 and i in old for i in late)
        c["masked"] += any(run.bonds.get(i, {}).get(j) for i in old for j in recent)
        c["dropped"] += sent > sum(1 for i, row in rough.items() for j, w in enumerate(row) if w > 0 and i != j)
        c["committed"] += weights != rough
        c["lost"] += bool(set(old) - set(got["permit"]))
        c["poor"] += any(t == 0 and a > 0 for a, t in zip(s["alpha"], got["stake"]))
        c["owned"] += p["owner"] is not None and weights.get(p["owner"], [0.0] * n)[p["owner"]] > 0
        c["unweighed"] += sum(got["incentive"]) == 0
        for i, row in got["bonds"].items():
            if p["yuma3"]:
                c["decayed"] += any(b > 0 and weights[i][j] == 0 for j, b in enumerate(row))
            c["stayed"] += sum(row) > 0 and got["dividends"][i] == 0
        self.margin = min(self.margin, got["margin"])


def plan():
    """All cases: name -> (about, arguments of build, what must be seen)."""
    cases = {}

    def add(name, about, params=None, look=None, need=(), kinds=KINDS, **rest):
        for kind in kinds:
            both = {**KINDS[kind], **(params or {})}
            seen = tuple(key for key in need if kind in ONLY.get(key, KINDS))
            cases[f"{kind}-{name}"] = (about, {"params": both, "look": look or {}, **rest}, seen)

    some = ("paid", "clipped")
    for seed in (1, 2):
        for validators in (4, 16, 40):
            for density, targets in (("sparse", 8), ("dense", 0)):
                # The second has all in it; the first leans on no reading of the rules.
                look = {"validators": validators, "targets": targets}
                params, need = {"bonds_penalty": 0}, some + ("masked", "dropped", "decayed")
                if seed == 2:
                    params, need = {"owner": "validator"}, need + ("owned",)
                    look["unstake"] = 0.005
                add(f"{density}-{validators}-{seed}", f"{validators} validators, {density} weights", params, look, need)
    add("all-64", "everybody validates everybody", {}, {"validators": 64, "targets": 12}, some)
    add("equal-weights", "each row's weights are equal", {}, {"even": True}, some)
    add("equal-stakes", "all validators have the same stake", {}, {"stakes": "equal", "validators": 13}, some)
    add("dominating", "one validator has nine tenths of the stake", {},
        {"stakes": "dominating", "restake": 0}, ("paid",))
    add("crowd", "miners hold a little stake and permits of their own", {"max_validators": 32}, {"crowd": True},
        some)
    add("zero-stake", "validators lose all stake and find it again", {},
        {"unstake": 0.05, "restake": 0.2}, some + ("lost", "A8"))
    add("permits", "more stakers than permits", {"max_validators": 8}, {"validators": 20, "restake": 0.2},
        some + ("lost",))
    add("inactive", "validators fall asleep past the cutoff and wake up", {},
        {"sleepers": 12, "sleep": 30}, some + ("inactive",))
    add("cutoff", "a cutoff of less than two epochs", {"activity_cutoff": 600}, {}, some + ("inactive", "stayed"))
    add("threshold", "a threshold of stake, from which the owner is exempt",
        {"stake_threshold": 9000 * TAO, "owner": "validator"}, {}, some + ("poor",))
    add("kappa-low", "consensus of a quarter of the stake", {"kappa": 16383}, {}, some)
    add("kappa-high", "consensus of nine tenths of the stake", {"kappa": 58981}, {"targets": 0}, some)
    add("kappa-all", "consensus of all stake", {"kappa": U16}, {"targets": 0}, some)
    add("penalty-none", "bonds follow the weights as they were set", {"bonds_penalty": 0}, {}, some)
    add("penalty-half", "bonds follow the middle of weight and clipped weight", {"bonds_penalty": 32768}, {}, some)
    add("bonds-fast", "bonds forget half in an epoch", {"bonds_moving_avg": 500000}, {}, some)
    add("bonds-still", "bonds change by a thousandth in an epoch", {"bonds_moving_avg": 999000}, {}, some)
    add("bonds-new", "bonds are made anew in each epoch", {"bonds_moving_avg": 0}, {}, some)
    add("no-tao-weight", "stake on root counts nothing", {"tao_weight": 0}, {}, some)
    add("whole-tao-weight", "stake on root counts in whole", {"tao_weight": 2**64 - 1}, {}, some)
    add("commit-reveal", "weights are dropped that were committed before a miner registered",
        {"commit_reveal": True}, {"commits": 0.6, "replace": 0.6}, some + ("committed",))
    add("churn", "a neuron is replaced in nearly every epoch", {}, {"replace": 0.95, "weigh": 0.15},
        some + ("masked", "dropped"))
    add("tempo-10", "short epochs", {"tempo": 10, "activity_cutoff": 138}, {}, some)

    liquid = ("y3la",)
    add("range", "liquid alpha between 0.1 and 0.95", {"alpha_low": 6554, "alpha_high": 62258}, {}, some, liquid)
    add("flat", "liquid alpha of a low steepness, and weights beyond consensus",
        {"alpha_low": 6554, "alpha_high": 62258, "alpha_steepness": 100, "bonds_penalty": 0}, {"targets": 3, "validators": 9},
        some, liquid)
    add("beyond", "weights far beyond consensus draw bonds faster",
        {"alpha_low": 3277, "alpha_high": 62258, "bonds_penalty": 32768}, {"targets": 2, "validators": 7}, some + ("A5",),
        liquid)
    add("liquid-ignored", "Yuma 2 with liquid alpha on", {"liquid_alpha": True}, {}, some + ("A4",), ("y2",))

    toggles = {
        20: {"yuma3": True}, 40: {"liquid_alpha": True}, 60: {"yuma3": False, "liquid_alpha": False},
        75: {"kappa": 45000, "bonds_penalty": 20000, "bonds_moving_avg": 800000},
        85: {"yuma3": True, "liquid_alpha": True, "max_validators": 10},
    }
    add("toggles", "switches and parameters change on the way", {}, {}, some, ("y2",), later=toggles)

    add("silent", "nobody sets weights: the active stake earns, and once nobody is active, all of it", {}, {},
        ("unweighed", "A7"), touch=silent)
    add("ties", "equal stakes, of which half have no permit", {"max_validators": 8},
        {"stakes": "equal", "validators": 16, "restake": 0, "unstake": 0}, some + ("A1",))
    add("poor-owner", "the owner has a permit without stake", {"owner": 0, "max_validators": 6}, {},
        some + ("A2",), touch=poor_owner)
    add("edges", "registered and updated in the very blocks that decide", {"activity_cutoff": 720},
        {}, some + ("masked", "dropped", "inactive", "A3"), touch=edges)
    add("late", "epochs one block later than the tempo, as runtime 293 has them", {}, {}, some + ("masked", "A3"),
        late=1, touch=late)
    return cases


def silent(k, epoch, permit):
    epoch["weights"] = {}
    epoch["last_update"] = list(range(1, len(epoch["alpha"]) + 1))
    if k < 50:
        epoch["last_update"][::2] = [epoch["block"] - 5] * len(epoch["last_update"][::2])
    if k == 0:
        epoch["last_update"] = list(epoch["registered_at"])


def poor_owner(k, epoch, permit):
    epoch["alpha"][0] = epoch["tao"][0] = 0
    if k > 0:
        epoch["weights"][0] = [[0, 30000], [1 + k % 9, U16], [20, 40000]]
        epoch["last_update"][0] = epoch["block"] - 3


def edges(k, epoch, permit):
    """Puts last updates and registrations on the boundary of each rule."""
    if k < 2:
        return
    block, previous = epoch["block"], epoch["previous"]
    who = sorted(permit)
    registered, updated = epoch["registered_at"], epoch["last_update"]
    used = sorted({j for row in epoch["weights"].values() for j, _ in row if j not in permit})
    if used and epoch["weights"]:
        # A weight set in the block in which its target registered is dropped,
        # one set a block later stands.
        i = min(epoch["weights"])
        registered[used[0]] = updated[i] - (k % 2)
    for d, j in zip((-1, 0, 1), [j for j in used[1:]]):
        registered[j] = previous + d  # known, just registered, just registered
    for d, i in zip((-1, 0, 1), who[k % 5:]):
        if i not in epoch["weights"]:
            updated[i] = block - 720 + d  # asleep, still awake, awake


def late(k, epoch, permit):
    """Registers one neuron in the block of the epoch before, one in the next."""
    if k > 1:
        weighed = sorted({j for row in epoch["weights"].values() for j, _ in row if j not in permit})
        for d, j in enumerate(weighed[k % 3 : k % 3 + 2]):
            epoch["registered_at"][j] = epoch["previous"] + d


SMALL = {
    "small-yuma2": ("eight neurons, Yuma 2 as runtime 293 runs it", {"owner": "validator"}),
    "small-yuma3-liquid": ("eight neurons, Yuma 3 with liquid alpha",
                           {"yuma3": True, "liquid_alpha": True, "alpha_low": 19661}),
}
SMALL_LOOK = {"n": 8, "validators": 3, "targets": 3, "replace": 0.5, "restake": 0.3, "weigh": 0.5}


def check(case, seen, need):
    """Ends the run if a case does not show what it is there for."""
    name = case["name"]
    missing = [key for key in need if not seen.count.get(key) and key not in case["leans_on"]]
    if "paid" in need and seen.count["paid"] < 5:
        missing.append("paid in five epochs")
    if missing:
        raise SystemExit(f"{name} shows nothing of: {', '.join(missing)}; it has {seen.count}")
    if seen.margin < NEAR and not name.endswith("-ties"):
        raise SystemExit(f"{name} comes within {seen.margin} of another result; give it another seed")


def noise(folder):
    """Prints how far floating point and fixed point are apart, case by case."""
    worst = {"anew": {}, "handed on": {}}
    for path in sorted(Path(folder).glob("*.json")):
        case = json.loads(path.read_text())
        if case["format"] != "adit-yuma-1":
            continue
        line = {"anew": {}, "handed on": {}}
        for epoch, one, two in zip(case["epochs"], play(case), play(case, cut=fixed)):
            for how, off in (("anew", epoch["want"]["noise"]), ("handed on", apart(one, two))):
                for key, x in off.items():
                    line[how][key] = max(line[how].get(key, 0), x)
                    worst[how][key] = max(worst[how].get(key, 0), x)
        print(case["name"], line)
    print("at most", worst)


def dump(folder, name, what):
    path = Path(folder) / f"{name}.json"
    path.write_text(json.dumps(what, separators=(",", ":")) + "\n")
    return path.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--choose", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()

    choices = Choices()
    for choice in args.choose:
        key, _, value = choice.partition("=")
        if value not in ALLOWED.get(key, ()):
            parser.error(f"{choice}: one of {ALLOWED.get(key) or sorted(ALLOWED)}")
        choices = replace(choices, **{key: value})

    if args.small:
        here = Path(__file__).parent
        for name, (about, params) in SMALL.items():
            params = {"tempo": 10, "activity_cutoff": 138, **params}
            case, seen = build(name, about, params, SMALL_LOOK, epochs=8, choices=choices)
            check(case, seen, ("paid", "clipped"))
            dump(here, name, case)
        dump(here, "emission", emission_cases())
        return
    if not args.folder:
        parser.error("want a directory")
    if args.noise:
        noise(args.folder)
        return
    wanted = {name: case for name, case in plan().items() if args.only in name}
    if args.list:
        print("\n".join(wanted))
        return
    Path(args.folder).mkdir(parents=True, exist_ok=True)
    size = 0
    for name, (about, rest, need) in wanted.items():
        case, seen = build(name, about, choices=choices, **rest)
        check(case, seen, need)
        size += dump(args.folder, name, case)
    if args.only in "emission":
        size += dump(args.folder, "emission", emission_cases())
    print(f"{len(wanted)} cases, {size / 1e6:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
