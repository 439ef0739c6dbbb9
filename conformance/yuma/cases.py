"""Makes the cases that a Yuma epoch is checked with: random subnets over epochs.

  python3 conformance/yuma/cases.py DIR            all cases, into DIR
  python3 conformance/yuma/cases.py DIR --only y3  those with y3 in their names
  python3 conformance/yuma/cases.py DIR --list     their names, nothing written
  python3 conformance/yuma/cases.py --noise DIR    see below
  python3 conformance/yuma/cases.py --small        makes the cases anew that the
                                                   ledger's tests keep

  --choose NAME=VALUE   another choice where the description leaves one; model.py
                        has the list, and the format

A case comes out the same every time: its name seeds it.  A case that does not
show what it is there for, such as one with commits in which no weight was ever
dropped for its commit, is not written: the run ends with the reason.

--noise reads the cases in DIR and prints for each output how far floating point
and 32 bits after the point are apart, at most, in u16: noise where each epoch
starts from the file, and drift where permits and bonds are handed on.
"""

import argparse
import json
import sys
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

from emission import emission_cases
from model import ALLOWED, U16, Choices
from subnets import TAO, committed, edges, late, poor_owner, resets, silent
from trials import Refused, build, check

KINDS = {
    "y2": {},
    "y3": {"yuma3": True},
    "y3la": {"yuma3": True, "liquid_alpha": True},
}


# What only some kinds of epoch show: old bonds taken from a neuron just
# registered (under liquid alpha too few are left to count on it), bonds that decay
# where no weight is, and bonds that stay with a validator who earns nothing.
ONLY = {"masked": ("y2", "y3"), "decayed": ("y3",), "stayed": ("y3", "y3la"), "A8": ("y2",)}


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
    add("kappa-none", "consensus of no stake, the greatest weight", {"kappa": 0}, {}, ("paid",))
    add("penalty-none", "bonds follow the weights as they were set", {"bonds_penalty": 0}, {}, some)
    add("penalty-half", "bonds follow the middle of weight and clipped weight", {"bonds_penalty": 32768}, {}, some)
    add("bonds-fast", "bonds forget half in an epoch", {"bonds_moving_avg": 500000}, {}, some)
    add("bonds-still", "bonds change by a thousandth in an epoch", {"bonds_moving_avg": 999000}, {}, some)
    add("bonds-new", "bonds are made anew in each epoch", {"bonds_moving_avg": 0}, {}, some)
    add("no-tao-weight", "stake on root counts nothing", {"tao_weight": 0}, {}, some)
    add("whole-tao-weight", "stake on root counts in whole", {"tao_weight": 2**64 - 1}, {}, some)
    add("commit-reveal", "weights are dropped that were committed before a miner registered",
        {"commit_reveal": True}, {"commits": 0.6, "replace": 0.6}, some + ("committed",),
        touch=committed)
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
    add("edges", "registered and updated in the very blocks that decide, stake as much as the threshold",
        {"activity_cutoff": 720, "stake_threshold": 500 * TAO}, {},
        some + ("masked", "dropped", "inactive", "poor", "A3"), touch=edges)
    add("late", "epochs one block later than the tempo, as runtime 293 has them", {}, {}, some + ("masked", "A3"),
        late=1, touch=late)
    add("put-off", "epochs that come fifty blocks after their tempo", {}, {"replace": 0.6}, some + ("masked", "A3"), late=50,
        touch=late)
    add("triggered", "epochs that come long before their tempo", {}, {"replace": 0.6}, some + ("masked", "A3"), late=-250)
    add("reset", "neurons ask for a reset of the bonds to them", {"bonds_reset": True}, {"weigh": 0.6}, some + ("reset",),
        touch=resets)
    add("reset-refused", "neurons ask for a reset of bonds where it is off", {}, {"weigh": 0.6}, some, touch=resets)
    return cases


# Those of eight neurons: about, parameters, what the subnet is like, the rest.
Y2, Y3 = {}, {"yuma3": True}
LIQUID = {"yuma3": True, "liquid_alpha": True, "alpha_low": 19661}
SMALL = {
    "small-yuma2": ("eight neurons, Yuma 2", {**Y2, "owner": "validator"}, {}, {}),
    "small-yuma3": ("eight neurons, Yuma 3", {**Y3, "owner": "validator"}, {}, {}),
    "small-yuma3-liquid": ("eight neurons, Yuma 3 with liquid alpha", LIQUID, {}, {}),
    "small-penalty": ("bonds follow the middle of weight and clipped weight",
                      {**LIQUID, "bonds_penalty": 32768}, {}, {}),
    "small-commit-reveal": ("weights are dropped that were committed before a miner registered",
                            {**Y3, "commit_reveal": True}, {"commits": 0.8}, {"touch": committed}),
    "small-reset": ("neurons ask for a reset of the bonds to them", {**Y2, "bonds_reset": True}, {"weigh": 0.9},
                    {"touch": resets}),
    "small-triggered": ("epochs come before their tempo, the first to an owner who alone has a permit",
                        {**Y3, "tempo": 360, "activity_cutoff": 5000, "owner": "validator"},
                        {"replace": 0.9}, {"late": -250, "touch": late}),
    "small-permits": ("a threshold and fewer permits than stakers",
                      {**Y2, "max_validators": 2, "stake_threshold": 2000 * TAO}, {"validators": 5}, {}),
    "small-ties": ("equal stakes, of which half have no permit", {**Y3, "max_validators": 2},
                   {"stakes": "equal", "validators": 4, "restake": 0}, {}),
    "small-silent": ("nobody sets weights", Y3, {}, {"touch": silent}),
}
SMALL_NEED = {
    "small-commit-reveal": ("committed",), "small-reset": ("reset",), "small-triggered": ("A3",),
    "small-ties": ("A1",), "small-silent": ("unweighed", "A7"),
}
SMALL_LOOK = {"n": 8, "validators": 3, "targets": 3, "replace": 0.5, "restake": 0.3, "weigh": 0.5}


def noise(folder):
    """Prints how far floating point and fixed point are apart, case by case."""
    worst = {"noise": {}, "drift": {}}
    for path in sorted(Path(folder).glob("*.json")):
        case = json.loads(path.read_text())
        if case["format"] != "adit-yuma-1":
            continue
        line = {"noise": {}, "drift": {}}
        for epoch in case["epochs"]:
            for how in line:
                for key, x in epoch["want"][how].items():
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
        kept = Path(__file__).parent / "../../internal/ledger/testdata/yuma"
        for name, (about, params, look, rest) in SMALL.items():
            params = {"tempo": 10, "activity_cutoff": 138, **params}
            case, seen = build(name, about, params, {**SMALL_LOOK, **look}, epochs=8, choices=choices, **rest)
            check(case, seen, SMALL_NEED.get(name, ("clipped",)))
            dump(kept, name, case)
        dump(kept, "emission", emission_cases())
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
    with Pool() as pool:
        size = sum(pool.starmap(make, [(args.folder, name, choices) for name in wanted]))
    if args.only in "emission":
        size += dump(args.folder, "emission", emission_cases())
    print(f"{len(wanted)} cases, {size / 1e6:.0f} MB", file=sys.stderr)


def make(folder, name, choices):
    """Makes one case, in a process of its own; returns its size."""
    about, rest, need = plan()[name]
    case, seen = build(name, about, choices=choices, **rest)
    check(case, seen, need)
    return dump(folder, name, case)


if __name__ == "__main__":
    try:
        main()
    except Refused as why:
        sys.exit(str(why))
