"""A model of emission in float64: what a block makes and what an epoch pays out.

The format of emission.json, "adit-emission-1": one object of lists, where each
entry holds inputs and what comes of them.  Amounts are rao in floating point.

  curve      issuance -> emission: rao a block, for TAO and for alpha alike
  root_prop  tao_weight (of 2^64), root_tao, alpha_issuance -> root_prop
  share      subnets [{price, miner_burned, enabled}] -> share, one a subnet
  alpha_in   tao, price, root_prop, alpha_emission -> alpha_in, excess
  payout     alpha_out (a block), blocks, owner_cut and take (of 65535), root_prop,
             recycle_root, tao_weight, and by uid alpha, tao, incentive and
             dividends (whole parts of one) ->
               owner, miners, validators, root: the pools; validators without root
               miner: by uid
               local, from_root: by uid, the validators' dividends of both kinds,
               the validator's take included
               taken: by uid, the take of both
             What recycle_root keeps from validators is in root, not in from_root.
  recorded   one epoch that a chain of runtime 293 ran: a case in the format of
             model.py, how the epoch was paid, and what each neuron got in alpha,
             shown with three digits after the point, the others cut off

The assumptions A13 to A17 in model.py are about what stands here.
"""

from math import floor, log2

from model import U16, play

CUT = 11796  # 18% of 65535
TAO_WEIGHT = 971718665099567868  # the storage's default
SUPPLY = 21_000_000_000_000_000  # rao


def block_emission(issuance):
    """What a block emits, in rao, where so much has been issued before."""
    return 1e9 * 2.0 ** -floor(log2(1 / (1 - issuance / SUPPLY)))


def root_prop(tao_weight, root_tao, alpha_issuance):
    weighted = tao_weight / 2**64 * root_tao
    return weighted / (weighted + alpha_issuance)


def shares(subnets):
    """The subnets' parts of a block's TAO: averaged price, less burning."""
    raw = [s["price"] * (1 - s["miner_burned"]) if s["enabled"] else 0.0 for s in subnets]
    total = sum(raw)
    return [x / total for x in raw]


def alpha_in(tao, price, prop, alpha_emission):
    """What enters the pool, and the TAO left over, which buys alpha."""
    enters = min(tao / price, prop * alpha_emission)
    return enters, tao - enters * price


def split(pool, parts):
    total = sum(parts)
    return [pool * x / total for x in parts] if total > 0 else [0.0] * len(parts)


def payout(e):
    """Pays the alpha of an epoch's blocks to owner, miners and validators."""
    total = e["alpha_out"] * e["blocks"]
    owner = total * e["owner_cut"] / U16
    miners = validators = (total - owner) / 2
    root = validators * e["root_prop"]
    validators -= root
    if sum(e["incentive"]) == 0:
        miners, validators = 0.0, miners + validators
    weight = e["tao_weight"] / 2**64
    local, from_root = [], []
    for d, a, t in zip(e["dividends"], e["alpha"], e["tao"]):
        whole = a + weight * t
        local.append(d * a / whole if whole > 0 else 0.0)
        from_root.append(d * weight * t / whole if whole > 0 else 0.0)
    local = split(validators, local)
    from_root = split(0.0 if e["recycle_root"] else root, from_root)
    return {
        "owner": owner,
        "miners": miners,
        "validators": validators,
        "root": root,
        "miner": split(miners, e["incentive"]),
        "local": local,
        "from_root": from_root,
        "taken": [(a + b) * e["take"] / U16 for a, b in zip(local, from_root)],
    }


def recorded():
    """One validator that weighs two miners 2:1, as a chain paid it.

    The second epoch counts: in the first, nobody has a permit.
    """
    params = {
        "tempo": 10, "kappa": 32767, "max_validators": 64, "activity_cutoff": 5000,
        "stake_threshold": 0, "tao_weight": TAO_WEIGHT, "owner": 0,
        "bonds_moving_avg": 900000, "bonds_penalty": U16, "yuma3": False, "liquid_alpha": False,
        "alpha_low": 45875, "alpha_high": 58982, "alpha_steepness": 1000, "commit_reveal": False, "bonds_reset": False,
    }
    still = {"alpha": [10**12, 0, 0], "tao": [0, 0, 0], "registered_at": [1, 2, 3]}
    return {
        "case": {
            "format": "adit-yuma-1", "name": "recorded", "about": recorded.__doc__.split("\n")[0],
            "leans_on": [], "netuid": 1, "n": 3,
            "epochs": [
                {"block": 8, "previous": 0, "params": params, "last_update": [1, 2, 3], "weights": {}, **still},
                {"block": 19, "previous": 8, "last_update": [12, 2, 3],
                 "weights": {"0": [[1, 65535], [2, 32768]]}, **still},
            ],
        },
        "alpha_out": 1e9, "blocks": 11, "owner_cut": CUT, "alpha": [4.51, 3.006, 1.503],
    }


def check_recorded(r):
    """Refuses a model that does not pay what the chain paid."""
    share = list(play(r["case"]))[-1]["emission"]
    rest = r["alpha_out"] * r["blocks"] * (1 - r["owner_cut"] / U16)
    got = [x / U16 * rest / 1e9 for x in share]
    if [floor(x * 1000) / 1000 for x in got] != r["alpha"]:
        raise SystemExit(f"the recorded epoch paid {r['alpha']}, the model pays {got}")


def emission_cases():
    """The whole of emission.json."""
    recording = recorded()
    check_recorded(recording)
    half, million = SUPPLY // 2, 10**15
    issuances = [0, million, half - million, half - 10**9, half + 10**9, 12 * million, SUPPLY * 3 // 4 + 10**9,
                 SUPPLY * 7 // 8 + 10**9, SUPPLY - 10**12]
    props = [(TAO_WEIGHT, 6 * million, 10**15), (TAO_WEIGHT, 0, 10**12), (2**63, 10**12, 10**12), (0, 10**12, 10**12)]
    subnets = [
        [{"price": 0.02, "miner_burned": 0.0, "enabled": True}, {"price": 0.06, "miner_burned": 0.5, "enabled": True},
         {"price": 0.5, "miner_burned": 0.0, "enabled": False}],
        [{"price": 1.0, "miner_burned": 0.0, "enabled": True}],
        [{"price": 0.3, "miner_burned": 1.0, "enabled": True}, {"price": 0.1, "miner_burned": 0.25, "enabled": True}],
    ]
    pools = [(0.3e9, 0.05, 0.24, 1e9), (0.01e9, 0.05, 0.24, 1e9), (1e9, 1.0, 0.9, 0.5e9), (0.2e9, 0.1, 0.0, 1e9)]

    base = {
        "alpha_out": 1e9, "blocks": 360, "owner_cut": CUT, "take": CUT, "root_prop": 0.0, "recycle_root": False,
        "tao_weight": TAO_WEIGHT, "alpha": [5 * 10**12, 10**12, 0, 0, 0], "tao": [0, 0, 0, 0, 0],
        "incentive": [0.0, 0.0, 0.5, 0.3, 0.2], "dividends": [0.75, 0.25, 0.0, 0.0, 0.0],
    }
    variants = {
        "local stake alone": {},
        "root stakers earn a share": {"root_prop": 0.25, "tao": [0, 10**14, 0, 0, 0]},
        "the root's share is recycled": {"root_prop": 0.25, "tao": [10**13, 10**14, 0, 0, 0], "recycle_root": True},
        "no miner earns, validators get both halves": {"incentive": [0.0] * 5},
        "no miner earns, the root has its share of the validators' half": {
            "incentive": [0.0] * 5, "root_prop": 0.25, "tao": [0, 10**14, 0, 0, 0]},
        "no owner's cut and half the block's alpha": {"owner_cut": 0, "alpha_out": 5e8},
        "a take of nothing": {"take": 0, "root_prop": 0.1, "tao": [10**13, 0, 0, 0, 0]},
        "a validator on root alone": {"root_prop": 0.5, "alpha": [5 * 10**12, 0, 0, 0, 0], "tao": [0, 10**14, 0, 0, 0]},
    }
    pays = []
    for about, change in variants.items():
        e = {"about": about, **base, **change}
        pays.append({**e, "want": payout(e)})
    out = {
        "format": "adit-emission-1",
        "curve": [{"issuance": i, "emission": block_emission(i)} for i in issuances],
        "root_prop": [{"tao_weight": w, "root_tao": t, "alpha_issuance": a, "root_prop": root_prop(w, t, a)}
                      for w, t, a in props],
        "share": [{"subnets": s, "share": shares(s)} for s in subnets],
        "alpha_in": [],
        "payout": pays,
        "recorded": recording,
    }
    for tao, price, prop, alpha in pools:
        enters, excess = alpha_in(tao, price, prop, alpha)
        out["alpha_in"].append({"tao": tao, "price": price, "root_prop": prop, "alpha_emission": alpha,
                                "alpha_in": enters, "excess": excess})
    return out
