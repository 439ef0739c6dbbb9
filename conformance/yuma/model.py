"""A model of the Yuma epoch in float64, and the format of the cases made with it.

The model is written from a description of what the runtimes 293 and 425 of
Subtensor compute, and from nothing else: above all not from the ledger that it
is to check.  Where the description left a choice, the public source of Subtensor
decided afterwards; the assumptions below say where.  Yuma 2, Yuma 3 and liquid
alpha are in it; child keys, mechanisms beyond the first, and rank and trust,
which runtime 424 keeps no more, are not.  emission.py models what flows into an
epoch and what is paid out of it; cases.py makes the cases, of the random subnets
in subnets.py, which trials.py plays through the model.  All want Python 3.10 or
later and no library.


The format of a case, "adit-yuma-1"
===================================

A case is one JSON object:

  format    "adit-yuma-1"
  name      the name of the file without .json
  about     what the case is there for
  leans_on  those assumptions below, of the ones with a switch, that the numbers
            depend on: found by running the case with the other choice.  Where
            it is empty, the description decides everything.
  netuid    1
  n         number of neurons; uids are 0 to n-1
  epochs    a list of epochs in order

A vector has n entries, entry i for uid i.  An epoch holds

  block          the block it runs in
  previous       the block the epoch before ran in; in the first, block - tempo
  params         the parameters, in the first epoch and wherever they changed
  alpha          vector, rao: the stake in alpha, inherited stake included
  tao            vector, rao: the stake on the root subnet, likewise
  last_update    vector: the block in which i last set weights or registered
  registered_at  vector: the block in which i registered
  commit         vector, only while params.commit_reveal: the block of i's
                 earliest commit that is neither revealed nor expired, or null
  reset          uids that asked for a reset of the bonds to them since the epoch
                 before; left out where nobody did
  weights        object uid -> [[to, weight u16], ...]: the rows that were set
                 since the epoch before.  Others are as they were; all rows are
                 empty before the first epoch.  The greatest weight of a row is
                 65535, so that scaling a row up leaves it alone.
  want           what the epoch computes

Two more inputs come out of the epoch before and are not repeated: the permits
(want.permit; before the first epoch nobody has one) and the bonds (want.bonds,
cut to whole numbers; before the first epoch there are none).  A test may hand
them from epoch to epoch by itself, or set them anew from the file each time.

params:

  tempo               blocks
  kappa               u16, 32767 is one half
  max_validators      permits at most
  activity_cutoff     blocks
  stake_threshold     rao of weighted stake below which it counts as zero
  tao_weight          u64, of 2^64
  owner               uid of the subnet's owner, or null
  bonds_moving_avg    of 1e6: the part that bonds keep in an epoch
  bonds_penalty       u16
  yuma3               bool
  liquid_alpha        bool
  alpha_low           u16, of 65535
  alpha_high          u16, of 65535
  alpha_steepness     1000 makes a sigmoid of steepness 10
  commit_reveal       bool
  bonds_reset         bool: whether a neuron that asks for it loses all bonds to it

want: what the chain keeps as a u16 is here x*65535 in floating point, before
the chain cuts the fraction off.

  permit       uids with a permit after the epoch, ascending
  active       uids whose last update is not too old, ascending
  stake        vector: S, scaled by 65535
  consensus    vector
  incentive    vector
  dividends    vector
  vtrust       vector
  bonds        object uid -> [[to, bond], ...], ascending, no zeros; no entry for
               a uid without bonds
  server       vector: the miner's part of the subnet's emission, where the whole
  validator    of it over all neurons of both vectors is 65535
  emission     vector: server + validator
  margin       how far, as a part of the stake, the epoch is from another
               consensus or another set of permits.  Arithmetic coarser than this
               may rightly come to other results.
  noise        object: how far consensus, incentive, dividends, vtrust and bonds
               move, at most, when the model computes this one epoch with 32 bits
               after the point, as a chain does, and not in floating point
  drift        object: the same, where the model has computed all epochs up to
               this one with 32 bits, and handed its own permits and bonds on

How near to be: a u16 of the chain may be one off, and twice the noise where each
epoch starts from the permits and bonds in the file, twice the drift where a test
hands on its own.  Handed on, the bonds of Yuma 2 drift apart, by about one u16
an epoch in columns that nobody weighs any more, because each epoch cuts them to
whole numbers anew; hundreds after a hundred epochs (`cases.py --noise`).  Those
of Yuma 3 do not.


Assumptions
===========

Where the description leaves a choice, this is what was chosen.  "2.10:4" is
the fourth line of its section on the epoch, 2.11 is the one on emission.  Names
in brackets are fields of Choices: `cases.py --choose NAME=VALUE`.  "Confirmed"
says that the public source of Subtensor, read after the model was written, does
so at spec version 429; what else it showed says so too.

  A1  2.10:3   Of equal stakes the higher uid has the permit.  [permit_tie=high]
               Confirmed: stakes are sorted upwards, equals stay in order, and
               those in front go without.
  A2  2.10:3   "+ owner in 425": the owner has a permit whatever its stake, and
               takes no place of the max_validators.  [owner_permit=always]
               "never" is runtime 293.  Confirmed; the source showed that it has
               the old permit as well, from the first epoch on.
  A3  2.10:10  "masking j registered since last tempo": registered_at > previous,
               whatever the tempo.  [recent=after]  "tempo" is registered_at >=
               block - tempo: the same on runtime 293, whose epochs are tempo + 1
               blocks apart, and other where an epoch is triggered or put off.
               "epoch" is registered_at >= previous.  From the source; the first
               choice had been "tempo".
  A4  2.10:9   "a ... liquid alpha" stands under Yuma 3 only; Yuma 2 leaves the
               switch aside.  [yuma2_liquid=no]  Confirmed.
  A5  2.10:13  "w" of liquid alpha is Wb, which the bonds are drawn to, not the
               row as it was set.  [liquid_weight=clipped]  "set" is W.
               Confirmed.
  A6  2.10:14  "absent from the new weight row": Wb is zero there, for whatever
               reason.  [liquid_absent=clipped]  "set" is: no weight in W;
               "decay" is runtime 293, which drops nothing.  Confirmed, but for
               weights that were set to zero: the source takes them for present
               if the penalty is all or nothing.  No case has one.
  A7  2.10:15  "if both zero, stake share": the share of active stake, and only
               if nobody is active that of all stake; paid to validators.
               [no_weights=active]  "all" takes all stake at once.  Confirmed.
  A8  2.10:11  Yuma 2 divides by the column's maximum over all rows, also over
               those of validators who lose their permit in this epoch.
               [column_max=all]  "kept" leaves those out.  Confirmed.
  A9  2.10:7   A quantile that no cumulated stake exceeds is the greatest weight
               (kappa = 0), or zero if nobody is active.  From the source; the
               first choice had been zero.
  A10 2.10:6   A commit that counts for "earliest active commit" is given as an
               input; without one, only last_update counts.  Confirmed.
  A11 2.10:4   Active as the chain lists it is last_update + cutoff >= b alone,
               the permit left aside.  Confirmed.
  A12 2.10:2   stake_threshold is compared with alpha + tao_weight*tao, in rao,
               before it is made a share.  Confirmed.
  A13 2.11:6   The root's and the local part of the validators' half are pools:
               each is shared by the validators' parts of that kind.
  A14 2.11:4   The 18% are 11796/65535, the greatest u16 not above 18%.
  A15 2.11:3   The excess that buys alpha is tao_i - alpha_in*price.
  A16 2.11:7   The validator takes its 18% of both parts, local and root.
  A17 2.11:8   "incentive sum 0": the validators' half grows by the miners' half
               after the root's share of it was taken, block by block.  From the
               source; the first choice had been before.
  A18 2.4      A reset of bonds takes effect before the epoch, on all bonds to the
               neuron, and only where bonds_reset is on.  From the source; the
               description names the flag alone.
"""

from dataclasses import dataclass
from math import exp, floor

U16 = 65535


@dataclass(frozen=True)
class Choices:
    """What the description leaves open; the list above says what each means."""

    permit_tie: str = "high"
    owner_permit: str = "always"
    recent: str = "after"
    yuma2_liquid: str = "no"
    liquid_weight: str = "clipped"
    liquid_absent: str = "clipped"
    no_weights: str = "active"
    column_max: str = "all"


ALLOWED = {
    "permit_tie": ("high", "low"),
    "owner_permit": ("always", "never"),
    "recent": ("after", "tempo", "epoch"),
    "yuma2_liquid": ("no", "yes"),
    "liquid_weight": ("clipped", "set"),
    "liquid_absent": ("clipped", "set", "decay"),
    "no_weights": ("active", "all"),
    "column_max": ("all", "kept"),
}


def exact(x):
    return x


def fixed(x):
    """Cuts x to 32 bits after the point, as the chain's arithmetic does."""
    return floor(x * 2**32) / 2**32


class Epoch:
    """One epoch of n neurons.

    p is params, state the inputs of the format with full rows of weights under
    "weights", permit the set of uids with an old permit, and bonds their old
    bonds, uid -> {to: u16}.  cut is exact or fixed.
    """

    def __init__(self, p, state, permit, bonds, choices=Choices(), cut=exact):
        self.p, self.s, self.old, self.bonds = p, state, permit, bonds
        if p["owner"] is not None and choices.owner_permit == "always":
            self.old = permit | {p["owner"]}
        self.pick, self.cut = choices, cut
        self.n = len(state["alpha"])
        self.margin = 1.0

    def run(self):
        n, cut = self.n, self.cut
        stake = self.stake()
        permit = self.permits(stake)
        fresh = [self.s["last_update"][i] + self.p["activity_cutoff"] >= self.s["block"] for i in range(n)]
        active = self.share([stake[i] if fresh[i] and i in self.old else 0.0 for i in range(n)])

        weights = self.rows()
        consensus = [self.consensus(active, weights, j) for j in range(n)]
        clipped = {i: [min(w, c) for w, c in zip(row, consensus)] for i, row in weights.items()}
        vtrust = [sum(clipped[i]) if i in clipped else 0.0 for i in range(n)]
        incentive = self.share([sum(cut(active[i] * row[j]) for i, row in clipped.items()) for j in range(n)])

        penalty = self.p["bonds_penalty"] / U16
        drawn = {i: [cut(w + penalty * (c - w)) for w, c in zip(row, clipped[i])] for i, row in weights.items()}
        old = self.old_bonds(weights)
        if self.p["yuma3"]:
            bonds, dividends = self.yuma3(active, weights, drawn, old, consensus, incentive)
        else:
            bonds, dividends = self.yuma2(active, weights, drawn, old, consensus, incentive, permit)
        server, validator = self.emission(stake, active, incentive, dividends)
        return {
            "permit": sorted(permit),
            "active": [i for i in range(n) if fresh[i]],
            "stake": stake,
            "consensus": consensus,
            "incentive": incentive,
            "dividends": dividends,
            "vtrust": vtrust,
            "bonds": {i: row for i, row in bonds.items() if i in permit},
            "server": server,
            "validator": validator,
            "margin": self.margin,
        }

    # Stake, permits and weights.

    def stake(self):
        """S: weighted stake, zero below the threshold, as shares of one."""
        p, total = self.p, []
        for i, (alpha, tao) in enumerate(zip(self.s["alpha"], self.s["tao"])):
            s = alpha + p["tao_weight"] / 2**64 * tao
            total.append(s if s >= p["stake_threshold"] or i == p["owner"] else 0.0)
        return self.share(total)

    def permits(self, stake):
        """The new permits: the greatest stakes above zero, and the owner."""
        up = 1 if self.pick.permit_tie == "high" else -1
        order = sorted((i for i in range(self.n) if stake[i] > 0), key=lambda i: (stake[i], up * i), reverse=True)
        most = self.p["max_validators"]
        if 0 < most < len(order):
            self.margin = min(self.margin, stake[order[most - 1]] - stake[order[most]])
        permit = set(order[:most])
        if self.p["owner"] is not None and self.pick.owner_permit == "always":
            permit.add(self.p["owner"])
        return permit

    def rows(self):
        """W: what those with an old permit weigh, by rows whose sum is one."""
        s, rows = self.s, {}
        for i in sorted(self.old):
            since = s["last_update"][i]
            commit = s["commit"][i] if self.p["commit_reveal"] else None
            row = [0.0] * self.n
            for j, w in s["weights"].get(i, ()):
                if i == j and i != self.p["owner"]:
                    continue
                registered = s["registered_at"][j]
                if since <= registered or (commit is not None and commit < registered):
                    continue
                row[j] = float(w)
            rows[i] = self.share(row)
        return rows

    # Consensus.

    def consensus(self, active, weights, j):
        """The quantile of column j over active stake, at 1 - kappa."""
        level = 1 - self.p["kappa"] / U16
        column = sorted((row[j], active[i]) for i, row in weights.items() if active[i] > 0)
        below, found = 0.0, None
        for k, (w, a) in enumerate(column):
            below += a
            if found is None and below > level:
                found = w
            if k + 1 < len(column) and column[k + 1][0] > w:
                self.margin = min(self.margin, abs(below - level))
        if found is None and column:
            return column[-1][0]
        return found or 0.0

    # Bonds and dividends.

    def old_bonds(self, weights):
        """The old bonds, none to those just registered: as shares of 65535, or as
        they are for Yuma 2, which looks at their ratios alone."""
        since = {
            "after": self.s["previous"] + 1,
            "tempo": self.s["block"] - self.p["tempo"],
            "epoch": self.s["previous"],
        }[self.pick.recent]
        reset = self.s.get("reset", ()) if self.p["bonds_reset"] else ()
        rows = {}
        for i in weights:
            row = [0.0] * self.n
            for j, b in self.bonds.get(i, {}).items():
                if self.s["registered_at"][j] < since and j not in reset:
                    row[j] = self.cut(b / U16) if self.p["yuma3"] else float(b)
            rows[i] = row
        return rows

    def yuma2(self, active, weights, drawn, old, consensus, incentive, permit):
        cut = self.cut
        delta = self.columns({i: [cut(w * active[i]) for w in row] for i, row in drawn.items()})
        old = self.columns(old)
        if self.p["liquid_alpha"] and self.pick.yuma2_liquid == "yes" and any(consensus):
            rate = self.liquid(weights, drawn, old, consensus)
        else:
            rate = self.constant(weights)
        bonds = self.columns(self.average(rate, delta, old))
        dividends = [0.0] * self.n
        for i, row in bonds.items():
            dividends[i] = sum(cut(b * s) for b, s in zip(row, incentive))
        kept = [row for i, row in bonds.items() if i in permit or self.pick.column_max == "all"]
        most = [max((row[j] for row in kept), default=0.0) for j in range(self.n)]
        stored = {i: [cut(b / m) if m > 0 else 0.0 for b, m in zip(row, most)] for i, row in bonds.items()}
        return stored, self.share(dividends)

    def yuma3(self, active, weights, drawn, old, consensus, incentive):
        cut = self.cut
        if self.p["liquid_alpha"] and any(consensus):
            rate = self.liquid(weights, drawn, old, consensus)
            bonds = self.average(rate, drawn, old)
            absent = {"clipped": drawn, "set": weights}.get(self.pick.liquid_absent)
            if absent is not None:
                bonds = {i: [b if w > 0 else 0.0 for b, w in zip(row, absent[i])] for i, row in bonds.items()}
        else:
            bonds = self.average(self.constant(weights), drawn, old)
        dividends = [0.0] * self.n
        for i, row in self.columns(bonds).items():
            dividends[i] = cut(active[i] * sum(cut(b * s) for b, s in zip(row, incentive)))
        return bonds, self.share(dividends)

    def constant(self, weights):
        """The same rate of change for every bond."""
        rate = 1 - self.cut(self.p["bonds_moving_avg"] / 1_000_000)
        return {i: [rate] * self.n for i in weights}

    def liquid(self, weights, drawn, old, consensus):
        """A rate for each bond, by how far its weight is from the consensus."""
        low, high = self.p["alpha_low"] / U16, self.p["alpha_high"] / U16
        steep = self.p["alpha_steepness"] / 100
        rows = drawn if self.pick.liquid_weight == "clipped" else weights
        rate = {}
        for i, row in rows.items():
            out = []
            for w, b, c in zip(row, old[i], consensus):
                d = min(max(w - c if w >= b else b - w, 0.0), 1.0)
                a = low + (high - low) / (1 + exp(-steep * (d - 0.5)))
                out.append(self.cut(min(max(a, low), high)))
            rate[i] = out
        return rate

    def average(self, rate, new, old):
        """The moving average: rate of the new, the rest of the old."""
        cut = self.cut
        return {i: [cut(a * x) + cut((1 - a) * y) for a, x, y in zip(rate[i], new[i], old[i])] for i in new}

    # Emission.

    def emission(self, stake, active, incentive, dividends):
        """The parts of the emission that go to miners and to validators."""
        total = sum(incentive) + sum(dividends)
        if total > 0:
            return [x / total for x in incentive], [x / total for x in dividends]
        by_active = self.pick.no_weights == "active" and sum(active) > 0
        return [0.0] * self.n, list(active if by_active else stake)

    # Shares.

    def share(self, v):
        """v divided by its sum; nothing of nothing."""
        total = sum(v)
        return [self.cut(x / total) for x in v] if total > 0 else [0.0] * len(v)

    def columns(self, rows):
        """Rows whose columns are each divided by their sum."""
        total = [sum(column) for column in zip(*rows.values())]
        return {i: [self.cut(x / t) if t > 0 else 0.0 for x, t in zip(row, total)] for i, row in rows.items()}


def scaled(got):
    """What an epoch computed, times 65535 as in the format; bonds as lists of n."""
    out = dict(got)
    for key in ("stake", "consensus", "incentive", "dividends", "vtrust", "server", "validator"):
        out[key] = [x * U16 for x in got[key]]
    out["bonds"] = {i: [x * U16 for x in row] for i, row in got["bonds"].items()}
    out["emission"] = [s + v for s, v in zip(out["server"], out["validator"])]
    return out


def kept(bonds):
    """The bonds that the next epoch finds, from those scaled.

    Rounding to the digits of the format first keeps 28.9999999999 from being 28.
    """
    return chopped({i: [round(x, 4) for x in row] for i, row in bonds.items()})


def chopped(bonds):
    """The same as a chain does it, which has 32 bits and makes 28 of 28.9999999999."""
    return {i: {j: min(int(x), U16) for j, x in enumerate(row) if x > 0} for i, row in bonds.items()}


def play(case, choices=Choices(), cut=exact):
    """Runs the epochs of a case and yields what each of them computes, scaled."""
    params, rows, permit, bonds = None, {}, set(), {}
    for epoch in case["epochs"]:
        params = epoch.get("params", params)
        rows.update({int(i): row for i, row in epoch["weights"].items()})
        got = scaled(Epoch(params, {**epoch, "weights": rows}, permit, bonds, choices, cut).run())
        permit, bonds = set(got["permit"]), kept(got["bonds"])
        yield got
