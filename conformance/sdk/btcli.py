"""Runs btcli."""

import json
import os
import subprocess
import sys

from checks import expect

program = os.path.join(os.path.dirname(sys.executable), "btcli")


class Btcli:
    def __init__(self, url, wallets):
        self.network = ["--network", url]
        self.path = ["--wallet-path", wallets]

    def run(self, *args):
        wide = {**os.environ, "COLUMNS": "1000000"}  # or it breaks the lines
        return subprocess.run([program, *args], capture_output=True, text=True, timeout=60, env=wide, stdin=subprocess.DEVNULL)

    def ask(self, *args):
        """Returns the JSON that a command prints last."""
        run = self.run(*args, "--json-output")
        # The JSON may be one line or many, and text may come before it.
        lines = run.stdout.splitlines()
        for i, line in enumerate(lines):
            if line.startswith(("{", "[")):
                return json.loads("\n".join(lines[i:]), strict=False)
        raise AssertionError(f"btcli {args}: {run.stdout}{run.stderr}")

    def read(self, *args):
        """Asks the chain, with no wallet."""
        return self.ask(*args, *self.network)

    def done(self, wallet, hotkey, *args):
        """Has a command carried out on the chain, and returns its JSON."""
        return self.ask(*args, *self.path, *self.network, "--wallet-name", wallet, "--hotkey", hotkey, "--no-prompt")

    def say(self, wallet, hotkey, *args):
        """Has a command carried out that has no JSON, and returns its words."""
        run = self.run(*args, *self.path, *self.network, "--wallet-name", wallet, "--hotkey", hotkey, "--no-prompt")
        text = run.stdout + run.stderr
        expect(run.returncode == 0 and "❌" not in text and "Error" not in text, f"btcli {args}: {text}")
        return text
