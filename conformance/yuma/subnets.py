"""Random subnets: stakes, weights and neurons that change from epoch to epoch.

The functions at the end put the inputs of an epoch on the boundary of a rule,
where a subnet at random hardly ever comes.
"""

import random

from emission import TAO_WEIGHT
from model import U16

TAO = 10**9  # rao

PARAMS = {
    "tempo": 360, "kappa": 32767, "max_validators": 64, "activity_cutoff": 5000,
    "stake_threshold": 0, "tao_weight": TAO_WEIGHT, "owner": None,
    "bonds_moving_avg": 900000, "bonds_penalty": U16, "yuma3": False, "liquid_alpha": False,
    "alpha_low": 45875, "alpha_high": 58982, "alpha_steepness": 1000, "commit_reveal": False, "bonds_reset": False,
}


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
        registered[j] = previous + d  # known, known, just registered
    for d, i in zip((-1, 0, 1), who[k % 5:]):
        if i not in epoch["weights"]:
            updated[i] = block - 720 + d  # asleep, still awake, awake
    if k % 10 == 0:
        for d, i in zip((-1, 0), who):
            epoch["alpha"][i], epoch["tao"][i] = 500 * TAO + d, 0  # nothing, and enough


def committed(k, epoch, permit):
    """Lets a commit be as old as a neuron that it may weigh, or a block older."""
    for i in sorted(epoch["weights"])[:2]:
        for j, _ in epoch["weights"][i]:
            if epoch["commit"][i] is not None and j not in permit:
                epoch["commit"][i] = epoch["registered_at"][j] - k % 2


def resets(k, epoch, permit):
    """Lets two neurons that are weighed ask for a reset in every third epoch."""
    weighed = sorted({j for row in epoch["weights"].values() for j, _ in row if j not in permit})
    if k % 3 == 2 and weighed:
        epoch["reset"] = [weighed[0], weighed[-1]]


def late(k, epoch, permit):
    """Registers one neuron in the block of the epoch before, one in the next."""
    if k > 1:
        weighed = sorted({j for row in epoch["weights"].values() for j, _ in row if j not in permit})
        for d, j in enumerate(weighed[k % 3 : k % 3 + 2]):
            epoch["registered_at"][j] = epoch["previous"] + d
