"""What btcli does with the local chain node."""

import json
import os
import subprocess
import sys

import bittensor as bt
from bittensor_wallet import Wallet

from checks import expect

btcli = os.path.join(os.path.dirname(sys.executable), "btcli")


def ask(*args):
    """Runs btcli and returns the JSON that it prints last."""
    wide = {**os.environ, "COLUMNS": "1000000"}  # or it breaks the lines
    run = subprocess.run([btcli, *args, "--json-output"], capture_output=True, text=True, timeout=60, env=wide)
    # The JSON may be one line or many, and text may come before it.
    lines = run.stdout.splitlines()
    for i, line in enumerate(lines):
        if line.startswith(("{", "[")):
            return json.loads("\n".join(lines[i:]), strict=False)
    raise AssertionError(f"btcli {args}: {run.stdout}{run.stderr}")


def run(check, subtensor, url, wallets):
    tao = bt.Balance.from_tao
    path = ["--wallet-path", wallets]
    network = ["--network", url]

    def carol():
        return Wallet(name="carol", hotkey="h", path=wallets)

    @check("btcli makes keys that the SDK opens")
    def _():
        made = ask("wallet", "new-coldkey", *path, "--wallet-name", "carol", "--n-words", "12", "--no-use-password")
        expect(made["success"], made)
        hot = ask("wallet", "new-hotkey", *path, "--wallet-name", "carol", "--hotkey", "h", "--n-words", "24", "--no-use-password")
        expect(hot["success"], hot)
        expect(carol().coldkey.ss58_address == made["data"]["coldkey_ss58"])
        expect(carol().hotkey.ss58_address == hot["data"]["hotkey_ss58"])
        listed = {w["name"]: w for w in ask("wallet", "list", *path)["wallets"]}
        expect(listed["carol"]["ss58_address"].strip() == carol().coldkey.ss58_address, listed)

    @check("btcli transfers")
    def _():
        to = carol().coldkeypub.ss58_address
        sent = ask("wallet", "transfer", *path, *network, "--wallet-name", "alice", "--dest", to, "--amount", "3", "--no-prompt")
        expect(sent["success"], sent)
        expect(subtensor.get_balance(to) == tao(3))

    @check("btcli does not transfer what is not there")
    def _():
        to = Wallet(name="alice", hotkey="default", path=wallets).coldkeypub.ss58_address
        sent = ask("wallet", "transfer", *path, *network, "--wallet-name", "carol", "--dest", to, "--amount", "1000", "--no-prompt")
        expect(not sent["success"], sent)

    @check("btcli registers and stakes")
    def _():
        ask("wallet", "transfer", *path, *network, "--wallet-name", "alice", "--dest", carol().coldkeypub.ss58_address,
            "--amount", "100", "--no-prompt")
        owner = ["--wallet-name", "carol", "--hotkey", "h", "--netuid", "1", "--no-prompt"]
        made = ask("subnets", "register", *path, *network, *owner)
        expect(made["success"], made)
        expect(subtensor.get_uid_for_hotkey_on_subnet(carol().hotkey.ss58_address, 1) == 2)
        added = ask("stake", "add", *path, *network, *owner, "--amount", "5", "--unsafe", "--no-mev-protection")
        expect(added["staking_success"]["1"], added)
        stake = subtensor.get_stake(carol().coldkeypub.ss58_address, carol().hotkey.ss58_address, 1)
        expect(stake.rao > 0, stake)

    @check("btcli shows a balance and an overview")
    def _():
        coldkey = carol().coldkeypub.ss58_address
        found = ask("wallet", "balance", *path, *network, "--wallet-name", "carol")["balances"]["carol"]
        expect((found["coldkey"], found["free"]) == (coldkey, subtensor.get_balance(coldkey).tao), found)
        expect(found["staked"] > 0, found)
        overview = ask("wallet", "overview", *path, *network, "--wallet-name", "carol")
        [neuron] = [n for s in overview["subnets"] if s["netuid"] == 1 for n in s["neurons"]]
        expect((neuron["uid"], neuron["hotkey_ss58"]) == (2, carol().hotkey.ss58_address), neuron)

    @check("btcli creates a subnet, for the price that it told")
    def _():
        price = ask("subnets", "burn-cost", *network)["burn_cost"]["rao"]
        alice = Wallet(name="alice", hotkey="default", path=wallets).coldkeypub.ss58_address
        before = subtensor.get_balance(alice)
        texts = {"github-repo": "https://github.com/o/r", "subnet-contact": "a@example.org", "subnet-url": "https://example.org",
                 "discord-handle": "somebody", "description": "a test", "logo-url": "https://example.org/x.png", "additional-info": "none"}
        made = ask("subnets", "create", *path, *network, "--wallet-name", "alice", "--hotkey", "default", "--subnet-name", "second",
                   *[word for name, text in texts.items() for word in ("--" + name, text)], "--no-mev-protection", "--no-prompt")
        expect(made["success"], made)
        expect(subtensor.subnet_exists(2))
        paid = before - subtensor.get_balance(alice)
        expect(abs(paid.rao - price) < price // 100, f"{paid} paid, {price} RAO told")

    @check("btcli shows a subnet's settings")
    def _():
        settings = {s["hyperparameter"]: s["value"] for s in ask("sudo", "get", *network, "--netuid", "1")}
        expect(settings["tempo"] == 20 and settings["kappa"] == 32767, settings)
