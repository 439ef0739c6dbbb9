"""Plays a subnet through the model: a case, what it shows and what it leans on."""

from dataclasses import replace

from model import Choices, Epoch, chopped, fixed, kept, play, scaled
from subnets import PARAMS, Subnet

NOISY = ("consensus", "incentive", "dividends", "vtrust")
TRUTH = ("stake", "consensus", "incentive", "dividends", "vtrust", "server", "validator", "emission")

# A step of an epoch's results that lies nearer than this to another result is
# not for arithmetic of 32 bits to decide.
NEAR = 1e-8


class Refused(Exception):
    """A case that does not come out as it must, and why."""


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
    own = set(), {}  # permits and bonds of the model with 32 bits
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
        drifted = scaled(Epoch(p, inputs, *own, choices, fixed).run())
        own = set(drifted["permit"]), chopped(drifted["bonds"])
        epoch["weights"] = {str(i): row for i, row in epoch["weights"].items()}
        epoch["want"] = {
            **written(got), "margin": got["margin"], "noise": apart(got, coarse), "drift": apart(got, drifted)}
        case["epochs"].append(epoch)
        permit, bonds = set(got["permit"]), kept(got["bonds"])
    case["leans_on"] = leans(case, choices)
    return case, seen


# The other choice that each assumption with a switch is tried with, and for
# which epochs it can make a difference at all.
OTHERS = (
    ("A1", {"permit_tie": "low"}, lambda p, e: e["want"]["margin"] == 0),
    ("A2", {"owner_permit": "never"}, lambda p, e: p["owner"] is not None),
    ("A3", {"recent": "tempo"}, lambda p, e: between(e["registered_at"], e["block"] - p["tempo"], e["previous"] + 1)),
    ("A3", {"recent": "epoch"}, lambda p, e: e["previous"] in e["registered_at"]),
    ("A4", {"yuma2_liquid": "yes"}, lambda p, e: p["liquid_alpha"] and not p["yuma3"]),
    ("A5", {"liquid_weight": "set"}, lambda p, e: p["liquid_alpha"] and p["bonds_penalty"] > 0),
    ("A6", {"liquid_absent": "set"}, lambda p, e: p["liquid_alpha"] and p["bonds_penalty"] > 0),
    ("A7", {"no_weights": "all"}, lambda p, e: not any(e["want"]["incentive"])),
    ("A8", {"column_max": "kept"}, lambda p, e: not p["yuma3"]),
)


def between(blocks, a, b):
    """Whether one of blocks is the lesser of a and b, or above it and below the other."""
    return any(min(a, b) <= x < max(a, b) for x in blocks)


def leans(case, choices):
    """The assumptions that a case's numbers depend on."""
    if changes(case, choices):
        raise Refused(f"{case['name']} gives something else when it is read again")
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
             "unweighed", "stayed", "reset"), 0)
        self.margin = 1.0

    def look(self, run, got, old):
        p, s, n = run.p, run.s, run.n
        c = self.count
        weights = run.rows()
        rough = Epoch({**p, "commit_reveal": False}, s, run.old, run.bonds, run.pick).rows()
        late = set(range(n)) - set(got["active"])
        recent = {j for j in range(n) if s["registered_at"][j] > s["previous"]}
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
        c["reset"] += p["bonds_reset"] and any(run.bonds.get(i, {}).get(j) for i in old for j in s.get("reset", ()))
        c["unweighed"] += sum(got["incentive"]) == 0
        for i, row in got["bonds"].items():
            if p["yuma3"]:
                c["decayed"] += any(b > 0 and weights[i][j] == 0 for j, b in enumerate(row))
            c["stayed"] += sum(row) > 0 and got["dividends"][i] == 0
        self.margin = min(self.margin, got["margin"])


def check(case, seen, need):
    """Ends the run if a case does not show what it is there for."""
    name = case["name"]
    missing = [key for key in need if not seen.count.get(key) and key not in case["leans_on"]]
    if "paid" in need and seen.count["paid"] < 5:
        missing.append("paid in five epochs")
    if missing:
        raise Refused(f"{name} shows nothing of: {', '.join(missing)}; it has {seen.count}")
    if seen.margin < NEAR and not name.endswith("-ties"):
        raise Refused(f"{name} comes within {seen.margin} of another result; give it another seed")
