"""What btcli does with a subnet."""

from bittensor_wallet import Wallet

from checks import expect


def run(check, subtensor, btcli, wallets, reveal):
    @check("btcli lists subnets and shows one")
    def _():
        listed = btcli.read("subnets", "list")["subnets"]
        expect(set(listed) == {"0", "1", "2"} and listed["2"]["subnet_name"] == "second", listed)
        shown = btcli.read("subnets", "show", "--netuid", "1", "--no-prompt")
        hotkeys = [n.hotkey for n in subtensor.neurons_lite(1)]
        expect([u["hotkey"] for u in shown["uids"]] == hotkeys, shown)
        now = btcli.read("subnets", "price", "--netuids", "1", "--current")["1"]["stats"]
        expect(abs(now["current_price"] - subtensor.get_subnet_price(1).tao) < 0.01, now)

    @check("btcli shows a subnet's settings, and changes one as its owner")
    def _():
        def settings():
            return {s["hyperparameter"]: s["value"] for s in btcli.read("sudo", "get", "--netuid", "1")}

        before = settings()
        expect(before["tempo"] == 20 and before["kappa"] == 32767 and before["immunity_period"] != 123, before)
        changed = btcli.done("alice", "default", "sudo", "set", "--netuid", "1", "--param", "immunity_period", "--value", "123")
        expect(changed["success"], changed)
        expect(settings()["immunity_period"] == 123)

    @check("btcli names a subnet")
    def _():
        texts = {"subnet-name": "first", "github-repo": "https://github.com/o/r", "subnet-contact": "a@example.org", "subnet-url": "https://example.org",
                 "discord-handle": "somebody", "description": "a test", "logo-url": "https://example.org/x.png", "additional-info": "none"}
        named = btcli.done("alice", "default", "subnets", "set-identity", "--netuid", "1",
                           *[word for name, text in texts.items() for word in ("--" + name, text)])
        expect(named["success"], named)
        expect(btcli.read("subnets", "get-identity", "--netuid", "1")["subnet_name"] == "first")
        chosen = btcli.done("alice", "default", "subnets", "set-symbol", "γ", "--netuid", "1")
        expect(chosen["success"] and subtensor.subnet(1).symbol == "γ", chosen)

    @check("btcli sets and shows a delegate's take")
    def _():
        own = [*btcli.path, *btcli.network, "--wallet-name", "carol", "--hotkey", "h"]
        expect(btcli.ask("sudo", "set-take", *own, "--take", "0.1")["success"])
        take = btcli.ask("sudo", "get-take", *own)["current_take"]
        expect(abs(take - 0.1) < 0.001, take)

    @check("btcli reveals weights that the SDK committed")
    def _():
        reveal(lambda uids, weights, salt: btcli.done(
            "alice", "default", "weights", "reveal", "--netuid", "1", "--uids", ",".join(map(str, uids)),
            "--weights", ",".join(map(str, weights)), "--salt", ",".join(map(str, salt))))
