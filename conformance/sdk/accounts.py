"""What else the SDK does with accounts: stake that moves, proxies, delegates,
identities, and what comes encrypted. It runs after those of btcli, that make
a second subnet."""

import bittensor as bt

from checks import expect


def run(check, subtensor, alice, bob, done, submit):
    tao, rao = bt.Balance.from_tao, bt.Balance.from_rao
    compose = subtensor.substrate.compose_call
    coldkey, hotkey = bob.coldkey.ss58_address, bob.hotkey.ss58_address

    def stake(of=coldkey, at=hotkey, netuid=1):
        return subtensor.get_stake(of, at, netuid).rao

    def alpha(amount, netuid=1):
        return rao(amount).set_unit(netuid)

    @check("stake is added and removed, encrypted")
    def _():
        had = stake()
        added = done(subtensor.add_stake(bob, 1, hotkey, tao(5), mev_protection=True))
        expect(added.mev_extrinsic.is_success and stake() > had)
        done(subtensor.unstake(bob, 1, hotkey, alpha(stake() // 10), mev_protection=True))

    @check("what fails encrypted says so")
    def _():
        def add():
            return subtensor.add_proxy(bob, alice.hotkey.ss58_address, "Transfer", 0, mev_protection=True)

        done(add())
        response = add()
        expect(not response.success and "Duplicate" in str(response.message), response.message)

    @check("stake moves to a hotkey, to a coldkey and to a subnet")
    def _():
        some, to = stake() // 10, alice.hotkey.ss58_address
        had = stake(at=to)
        done(subtensor.move_stake(bob, 1, hotkey, 1, to, alpha(some)))
        expect(stake(at=to) > had)
        had = stake(of=alice.coldkey.ss58_address)
        done(subtensor.transfer_stake(bob, alice.coldkey.ss58_address, hotkey, 1, 1, alpha(some)))
        expect(stake(of=alice.coldkey.ss58_address) > had)
        done(subtensor.swap_stake(bob, hotkey, 1, 2, alpha(some)))
        expect(stake(netuid=2) > 0)
        done(subtensor.unstake_all(bob, 2, hotkey, rate_tolerance=None))
        expect(stake(netuid=2) == 0)

    @check("a hotkey joins root, with a take, and is claimed for")
    def _():
        done(subtensor.root_register(bob))
        done(subtensor.set_delegate_take(bob, hotkey, 0.11))
        [info] = [d for d in subtensor.get_delegates() if d.hotkey_ss58 == hotkey]
        expect(abs(info.take - 0.11) < 0.001 and 0 in info.registrations, info)
        done(subtensor.add_stake(bob, 0, hotkey, tao(10)))
        done(subtensor.set_root_claim_type(bob, "Keep"))
        expect(subtensor.get_root_claim_type(coldkey) == "Keep")
        expect(isinstance(subtensor.get_root_claimable_all_rates(hotkey), dict))
        done(subtensor.claim_root(bob, [1]))

    @check("a hotkey gets children")
    def _():
        done(subtensor.set_children(bob, 1, hotkey, [(0.25, alice.hotkey.ss58_address)]))
        [(share, child)], _ = subtensor.get_children_pending(hotkey, 1)
        expect(child == alice.hotkey.ss58_address and abs(share - 0.25) < 0.001)

    @check("an account tells who it is")
    def _():
        texts = {"name": "Bob", "url": "https://b.example", "github_repo": "", "image": "", "discord": "", "description": "", "additional": ""}
        receipt = submit(compose("SubtensorModule", "set_identity", texts), bob.coldkey)
        expect(receipt.is_success, receipt.error_message)
        identity = subtensor.query_identity(coldkey)
        expect((identity.name, identity.url) == ("Bob", "https://b.example"), identity)

    @check("a proxy does what it may, and nothing else")
    def _():
        done(subtensor.add_proxy(bob, alice.coldkey.ss58_address, "Staking", 0))
        had = stake()
        call = compose("SubtensorModule", "add_stake", {"hotkey": hotkey, "netuid": 1, "amount_staked": tao(1).rao})
        done(subtensor.proxy(alice, coldkey, "Staking", call))
        expect(stake() > had)
        call = compose("Balances", "transfer_keep_alive", {"dest": alice.coldkey.ss58_address, "value": 1})
        response = subtensor.proxy(alice, coldkey, "Staking", call)
        result = [e["attributes"] for e in map(lambda e: e.get("event", e), response.extrinsic_receipt.triggered_events) if e["event_id"] == "ProxyExecuted"]
        expect("Err" in str(result), result)
        done(subtensor.remove_proxy(bob, alice.coldkey.ss58_address, "Staking", 0))

    @check("a pure proxy is made and given up")
    def _():
        made = done(subtensor.create_pure_proxy(bob, proxy_type="Any", delay=0, index=0)).data
        pure = made["pure_account"]
        expect([p.delegate for p in subtensor.get_proxies_for_real_account(pure)[0]] == [coldkey])
        done(subtensor.kill_pure_proxy(bob, pure_proxy_ss58=pure, spawner=coldkey, proxy_type="Any", index=0,
                                       height=made["height"], ext_index=made["ext_index"]))
        expect(subtensor.get_proxies_for_real_account(pure)[0] == [])

    @check("nothing is locked, and no flow is kept")
    def _():
        expect(subtensor.get_coldkey_lock(coldkey, 1) is None)
        expect(subtensor.get_hotkey_conviction(hotkey, 1) == 0)
        expect(subtensor.get_all_ema_tao_inflow() == {})
