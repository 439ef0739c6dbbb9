"""What btcli does with the local chain node, beginning with its own keys."""

import bittensor as bt
from bittensor_wallet import Wallet

from checks import expect


def run(check, subtensor, btcli, wallets):
    tao = bt.Balance.from_tao

    def carol(hotkey="h"):
        return Wallet(name="carol", hotkey=hotkey, path=wallets)

    alice = Wallet(name="alice", hotkey="default", path=wallets).coldkeypub.ss58_address

    @check("btcli makes keys that the SDK opens")
    def _():
        made = btcli.ask("wallet", "new-coldkey", *btcli.path, "--wallet-name", "carol", "--n-words", "12", "--no-use-password")
        expect(made["success"], made)
        for hotkey in ("h", "h2", "h3"):
            hot = btcli.ask("wallet", "new-hotkey", *btcli.path, "--wallet-name", "carol", "--hotkey", hotkey, "--n-words", "24", "--no-use-password")
            expect(hot["success"], hot)
            expect(carol(hotkey).hotkey.ss58_address == hot["data"]["hotkey_ss58"])
        expect(carol().coldkey.ss58_address == made["data"]["coldkey_ss58"])
        listed = {w["name"]: w for w in btcli.ask("wallet", "list", *btcli.path)["wallets"]}
        expect(listed["carol"]["ss58_address"].strip() == carol().coldkey.ss58_address, listed)

    @check("btcli signs what the SDK verifies, and the other way round")
    def _():
        signed = btcli.ask("wallet", "sign", *btcli.path, "--wallet-name", "carol", "--hotkey", "h", "--use-hotkey", "--message", "hello")
        expect(carol().hotkey.verify(b"hello", bytes.fromhex(signed["signed_message"].removeprefix("0x"))), signed)
        signature = carol().hotkey.sign(b"hello").hex()
        verified = btcli.ask("wallet", "verify", "--message", "hello", "--signature", signature, "--address", carol().hotkey.ss58_address)
        expect(verified["verified"], verified)

    @check("btcli transfers")
    def _():
        to = carol().coldkeypub.ss58_address
        sent = btcli.done("alice", "default", "wallet", "transfer", "--dest", to, "--amount", "3")
        expect(sent["success"], sent)
        expect(subtensor.get_balance(to) == tao(3))

    @check("btcli does not transfer what is not there")
    def _():
        sent = btcli.done("carol", "h", "wallet", "transfer", "--dest", alice, "--amount", "1000")
        expect(not sent["success"], sent)

    @check("btcli registers")
    def _():
        btcli.done("alice", "default", "wallet", "transfer", "--dest", carol().coldkeypub.ss58_address, "--amount", "100")
        made = btcli.done("carol", "h", "subnets", "register", "--netuid", "1")
        expect(made["success"], made)
        expect(subtensor.get_uid_for_hotkey_on_subnet(carol().hotkey.ss58_address, 1) == 2)

    @check("btcli shows a balance and an overview")
    def _():
        added = btcli.done("carol", "h", "stake", "add", "--netuid", "1", "--amount", "5", "--unsafe", "--no-mev-protection")
        expect(all(added["staking_success"]["1"].values()), added)
        coldkey = carol().coldkeypub.ss58_address
        found = btcli.ask("wallet", "balance", *btcli.path, *btcli.network, "--wallet-name", "carol")["balances"]["carol"]
        expect((found["coldkey"], found["free"]) == (coldkey, subtensor.get_balance(coldkey).tao), found)
        expect(found["staked"] > 0, found)
        overview = btcli.ask("wallet", "overview", *btcli.path, *btcli.network, "--wallet-name", "carol")
        [neuron] = [n for s in overview["subnets"] if s["netuid"] == 1 for n in s["neurons"]]
        expect((neuron["uid"], neuron["hotkey_ss58"]) == (2, carol().hotkey.ss58_address), neuron)

    @check("btcli creates a subnet, for the price that it told, encrypted")
    def _():
        price = btcli.read("subnets", "burn-cost")["burn_cost"]["rao"]
        before = subtensor.get_balance(alice)
        texts = {"github-repo": "https://github.com/o/r", "subnet-contact": "a@example.org", "subnet-url": "https://example.org",
                 "discord-handle": "somebody", "description": "a test", "logo-url": "https://example.org/x.png", "additional-info": "none"}
        made = btcli.done("alice", "default", "subnets", "create", "--subnet-name", "second",
                          *[word for name, text in texts.items() for word in ("--" + name, text)])
        expect(made["success"], made)
        expect(subtensor.subnet_exists(2))
        paid = before - subtensor.get_balance(alice)
        expect(abs(paid.rao - price) < price // 100, f"{paid} paid, {price} RAO told")

    @check("btcli starts a subnet")
    def _():
        said = btcli.run("subnets", "check-start", "--netuid", "2", *btcli.network).stdout
        expect("can be started" in said, said)
        btcli.say("alice", "default", "subnets", "start", "--netuid", "2")
        expect(subtensor.is_subnet_active(2))

    @check("btcli serves an axon, and takes it back")
    def _():
        btcli.say("carol", "h", "axon", "set", "--netuid", "1", "--ip", "5.6.7.8", "--port", "8092")
        axon = subtensor.metagraph(1).axons[2]
        expect((axon.ip, axon.port) == ("5.6.7.8", 8092), axon)
        subtensor.substrate.rpc_request("engine_createBlocks", [60])  # until the limit allows another
        btcli.say("carol", "h", "axon", "reset", "--netuid", "1")
        expect(not subtensor.metagraph(1).axons[2].is_serving)

    @check("btcli associates a hotkey, and replaces another")
    def _():
        btcli.say("carol", "h2", "wallet", "associate-hotkey")
        expect(subtensor.get_hotkey_owner(carol("h2").hotkey.ss58_address) == carol().coldkeypub.ss58_address)
        made = btcli.done("carol", "h2", "subnets", "register", "--netuid", "1")
        expect(made["success"], made)
        subtensor.substrate.rpc_request("engine_createBlocks", [1000])  # since the coldkey's last change
        swapped = btcli.done("carol", "h2", "wallet", "swap-hotkey", "h3", "--all-netuids")
        expect(swapped["success"], swapped)
        expect(subtensor.get_uid_for_hotkey_on_subnet(carol("h3").hotkey.ss58_address, 1) == 3)

    @check("btcli sets and shows who somebody is")
    def _():
        texts = {"id-name": "Carol", "web-url": "https://c.example", "image-url": "https://c.example/i.png", "discord": "c",
                 "description": "somebody", "additional": "none", "github": "https://github.com/o/r"}
        told = btcli.done("carol", "h", "wallet", "set-identity", *[word for name, text in texts.items() for word in ("--" + name, text)])
        expect(told["success"], told)
        read = btcli.read("wallet", "get-identity", "--key", carol().coldkeypub.ss58_address)
        expect((read["name"], read["description"]) == ("Carol", "somebody"), read)
        expect(subtensor.query_identity(carol().coldkeypub.ss58_address).name == "Carol")

    @check("btcli lets another act, and stops it")
    def _():
        bob = Wallet(name="bob", hotkey="default", path=wallets).coldkeypub.ss58_address
        proxy = ["--delegate", bob, "--proxy-type", "Transfer", "--delay", "0"]
        added = btcli.done("carol", "h", "proxy", "add", *proxy)
        expect(added["success"], added)
        had = subtensor.get_balance(alice)
        sent = btcli.done("bob", "default", "wallet", "transfer", "--dest", alice, "--amount", "1", "--proxy", carol().coldkeypub.ss58_address)
        expect(sent["success"] and subtensor.get_balance(alice) == had + tao(1), sent)
        made = btcli.done("bob", "default", "proxy", "create", "--proxy-type", "Any", "--delay", "0", "--index", "0")["data"]
        expect([p.delegate for p in subtensor.get_proxies_for_real_account(made["pure"])[0]] == [bob], made)
        removed = btcli.done("carol", "h", "proxy", "remove", *proxy)
        expect(removed["success"], removed)
        expect(subtensor.get_proxies_for_real_account(carol().coldkeypub.ss58_address)[0] == [])
