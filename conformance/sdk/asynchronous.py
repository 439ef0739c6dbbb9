"""What the SDK's AsyncSubtensor does with the local chain node."""

import asyncio

import bittensor as bt

from checks import expect


def run(check, url, alice, bob):
    tao = bt.Balance.from_tao

    def alone(work):
        """Runs work with a connection of its own."""

        async def connected():
            async with bt.AsyncSubtensor(network=url) as subtensor:
                await work(subtensor)

        asyncio.run(asyncio.wait_for(connected(), 60))

    @check("AsyncSubtensor reads many things at once")
    def _():
        async def work(s):
            balance, exists, graph, neurons, subnets = await asyncio.gather(
                s.get_balance(bob.coldkey.ss58_address), s.subnet_exists(1), s.metagraph(1), s.neurons_lite(1), s.all_subnets())
            expect(balance > tao(0) and exists)
            expect(list(graph.hotkeys) == [n.hotkey for n in neurons])
            expect([n.netuid for n in subnets] == [0, 1, 2])

        alone(work)

    @check("AsyncSubtensor transfers and stakes, openly and encrypted")
    def _():
        async def work(s):
            had = await s.get_balance(bob.hotkey.ss58_address)
            sent = await s.transfer(alice, bob.hotkey.ss58_address, tao(2))
            expect(sent.success, sent.message)
            expect(await s.get_balance(bob.hotkey.ss58_address) == had + tao(2))
            for encrypted in (False, True):
                had = await s.get_stake(bob.coldkey.ss58_address, bob.hotkey.ss58_address, 1)
                added = await s.add_stake(bob, 1, bob.hotkey.ss58_address, tao(1), mev_protection=encrypted)
                expect(added.success, added.message)
                expect(await s.get_stake(bob.coldkey.ss58_address, bob.hotkey.ss58_address, 1) > had)

        alone(work)

    @check("AsyncSubtensor commits, and reads what is committed")
    def _():
        async def work(s):
            made = await s.set_commitment(bob, 1, "from afar")
            expect(made.success, made.message)
            uid = await s.get_uid_for_hotkey_on_subnet(bob.hotkey.ss58_address, 1)
            expect(await s.get_commitment(1, uid) == "from afar")

        alone(work)

    @check("AsyncSubtensor hears of blocks")
    def _():
        async def work(s):
            number = await s.block
            expect(await s.wait_for_block(number + 2))
            expect(await s.block >= number + 2)

        alone(work)
