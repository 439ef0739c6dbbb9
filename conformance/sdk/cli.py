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
    found = [line for line in run.stdout.splitlines() if line.startswith(("{", "["))]
    expect(found, f"btcli {args}: {run.stdout}{run.stderr}")
    return json.loads(found[-1], strict=False)


def run(check, subtensor, url, wallets):
    tao = bt.Balance.from_tao
    path = ["--wallet-path", wallets]
    network = ["--network", url]

    @check("btcli makes keys that the SDK opens")
    def _():
        made = ask("wallet", "new-coldkey", *path, "--wallet-name", "carol", "--n-words", "12", "--no-use-password")
        expect(made["success"], made)
        hot = ask("wallet", "new-hotkey", *path, "--wallet-name", "carol", "--hotkey", "h", "--n-words", "24", "--no-use-password")
        expect(hot["success"], hot)
        carol = Wallet(name="carol", hotkey="h", path=wallets)
        expect(carol.coldkey.ss58_address == made["data"]["coldkey_ss58"])
        expect(carol.hotkey.ss58_address == hot["data"]["hotkey_ss58"])
        listed = {w["name"]: w for w in ask("wallet", "list", *path)["wallets"]}
        expect(listed["carol"]["ss58_address"].strip() == carol.coldkey.ss58_address, listed)

    @check("btcli transfers")
    def _():
        to = Wallet(name="carol", hotkey="h", path=wallets).coldkeypub.ss58_address
        sent = ask("wallet", "transfer", *path, *network, "--wallet-name", "alice", "--dest", to, "--amount", "3", "--no-prompt")
        expect(sent["success"], sent)
        expect(subtensor.get_balance(to) == tao(3))

    @check("btcli does not transfer what is not there")
    def _():
        to = Wallet(name="alice", hotkey="default", path=wallets).coldkeypub.ss58_address
        sent = ask("wallet", "transfer", *path, *network, "--wallet-name", "carol", "--dest", to, "--amount", "1000", "--no-prompt")
        expect(not sent["success"], sent)
