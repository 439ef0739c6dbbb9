"""What btcli does with stake. It sends what changes stake encrypted, unless it
is told not to."""

from bittensor_wallet import Wallet

from checks import expect


def run(check, subtensor, btcli, wallets):
    def wallet(name, hotkey="default"):
        return Wallet(name=name, hotkey=hotkey, path=wallets)

    coldkey, hotkey = wallet("carol").coldkeypub.ss58_address, wallet("carol", "h").hotkey.ss58_address
    bob = wallet("bob").hotkey.ss58_address

    def stake(of=coldkey, at=hotkey, netuid=1):
        return subtensor.get_stake(of, at, netuid).rao

    @check("btcli stakes, encrypted")
    def _():
        had = stake()
        added = btcli.done("carol", "h", "stake", "add", "--netuid", "1", "--amount", "5", "--unsafe")
        expect(all(added["staking_success"]["1"].values()), added)
        expect(stake() > had)

    @check("btcli stakes within a limit of its price, encrypted")
    def _():
        had = stake()
        added = btcli.done("carol", "h", "stake", "add", "--netuid", "1", "--amount", "1", "--safe", "--tolerance", "0.5", "--no-partial")
        expect(all(added["staking_success"]["1"].values()), added)
        expect(stake() > had)

    @check("btcli unstakes, in the open and encrypted")
    def _():
        for openly in (["--no-mev-protection"], []):
            had = subtensor.get_balance(coldkey)
            [removed] = btcli.done("carol", "h", "stake", "remove", "--netuid", "1", "--amount", "0.1", "--unsafe", *openly)
            expect(removed["success"] and removed["hotkey_ss58"] == hotkey, removed)
            expect(subtensor.get_balance(coldkey) > had)

    @check("btcli lists stake")
    def _():
        listed = btcli.done("carol", "h", "stake", "list")
        [place] = listed["stake_info"][hotkey]
        expect(place["netuid"] == 1 and place["locked_rao"] == 0, place)
        expect(place["stake_value"] > 0, place)

    @check("btcli moves stake to a hotkey, to a coldkey and to a subnet")
    def _():
        had = stake(at=bob)
        moved = btcli.done("carol", "h", "stake", "move", "--origin-netuid", "1", "--dest-netuid", "1", "--to", bob, "--amount", "0.1")
        expect(moved["success"] and stake(at=bob) > had, moved)
        to = wallet("alice").coldkeypub.ss58_address
        had = stake(of=to)
        given = btcli.done("carol", "h", "stake", "transfer", "--origin-netuid", "1", "--dest-netuid", "1", "--dest", to, "--amount", "0.1")
        expect(given["success"] and stake(of=to) > had, given)
        swapped = btcli.done("carol", "h", "stake", "swap", "--origin-netuid", "1", "--dest-netuid", "2", "--amount", "0.1", "--unsafe")
        expect(swapped["success"] and stake(netuid=2) > 0, swapped)

    @check("btcli sets a child hotkey, and its take")
    def _():
        made = btcli.done("carol", "h", "stake", "child", "set", "--netuid", "1", "--children", bob, "--prop", "0.5")["1"]
        expect(made["success"], made)
        pending, due = subtensor.get_children_pending(hotkey, 1)
        expect([c[1] for c in pending] == [bob] and due > subtensor.block, (pending, due))
        take = btcli.done("carol", "h", "stake", "child", "take", "--netuid", "1", "--take", "0.1")["1"]
        expect(take["success"], take)

    @check("btcli unstakes all")
    def _():
        had = subtensor.get_balance(coldkey)
        removed = btcli.done("carol", "h", "stake", "remove", "--all")["success"]
        expect(removed[hotkey]["success"], removed)
        expect(stake(netuid=2) == 0)  # in the first subnet the hotkey has perhaps earned again
        expect(subtensor.get_balance(coldkey) > had)

    @check("btcli chooses how root is claimed, and shows that nothing is locked")
    def _():
        chosen = btcli.done("carol", "h", "stake", "set-claim", "keep")
        expect(chosen["success"], chosen)
        expect(subtensor.get_root_claim_type(coldkey) == "Keep")
        expect(btcli.read("lock", "list", "--ss58", coldkey)["locks"] == [])
