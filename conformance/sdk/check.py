"""What the bittensor SDK sees of the local chain node, and does with it. Usage:

    python check.py ws://127.0.0.1:9944 WALLETS
"""

import hashlib
import sys

import bittensor as bt
import bittensor_cli
import bittensor_drand
from bittensor.core import subtensor as sdk_subtensor
from bittensor.core.extrinsics import weights as sdk_weights
from bittensor_wallet import Keypair, Wallet

import accounts
import asynchronous
import cli
import cli_stake
import cli_subnet
from btcli import Btcli
from checks import Checks, expect

url, wallets = sys.argv[1:3]
checks = Checks()
check = checks.check

subtensor = bt.Subtensor(network=url)
substrate = subtensor.substrate
compose = substrate.compose_call
tao = bt.Balance.from_tao


def wallet(name, uri):
    """Returns a wallet with the keys of a development account."""
    w = Wallet(name=name, hotkey="default", path=wallets)
    w.create_coldkey_from_uri(uri, use_password=False, overwrite=True, suppress=True)
    w.create_hotkey_from_uri(uri + "/hot", use_password=False, overwrite=True, suppress=True)
    return w


def submit(call, key, **options):
    """Signs a call and follows it into a block. Returns the receipt."""
    signed = substrate.create_signed_extrinsic(call, key, **options)
    return substrate.submit_extrinsic(signed, wait_for_inclusion=True)


def sudo(pallet, function, **params):
    """Changes a setting as the chain's sudo key."""
    call = compose("Sudo", "sudo", {"call": compose(pallet, function, params)})
    receipt = submit(call, alice.coldkey)
    expect(receipt.is_success, receipt.error_message)
    done = [e for e in events(receipt) if e["event_id"] == "Sudid"]
    expect("Ok" in str(done[0]["attributes"]), done)


def events(receipt):
    return [e.get("event", e) for e in receipt.triggered_events]


def refused(call, key, want, **options):
    """Checks that the pool does not take an extrinsic, and why."""
    try:
        submit(call, key, **options)
    except Exception as err:
        expect(want in str(err), err)
        return
    raise AssertionError("it was taken")


def blocks(count):
    """Lets time jump."""
    substrate.rpc_request("engine_createBlocks", [count])


def done(response):
    """Checks that an operation of the SDK succeeded."""
    expect(response.success, response.message)
    return response


alice = wallet("alice", "//Alice")
bob = wallet("bob", "//Bob")


@check("connects, and reads the chain's constants")
def _():
    expect(subtensor.block > 0)
    expect(substrate.rpc_request("system_chain", [])["result"] == "Adit Local")
    expect(subtensor.get_existential_deposit() == bt.Balance.from_rao(500))
    expect(substrate.get_constant("System", "SS58Prefix").value == 42)
    expect(subtensor.is_fast_blocks())


@check("keys: a wallet made by the SDK signs for the address that it shows")
def _():
    expect(alice.coldkeypub.ss58_address == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
    again = Wallet(name="alice", hotkey="default", path=wallets)
    expect(again.coldkey.ss58_address == alice.coldkey.ss58_address)
    expect(Keypair(ss58_address=alice.coldkey.ss58_address).verify(b"x", alice.coldkey.sign(b"x")))


@check("balances are read")
def _():
    expect(subtensor.get_balance("5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y") == tao(1_000_000))
    expect(subtensor.get_balance(Keypair.create_from_uri("//Nobody").ss58_address) == tao(0))


@check("a transfer moves what it says, for the fee that was told")
def _():
    before = subtensor.get_balance(alice.coldkey.ss58_address)
    fee = subtensor.get_transfer_fee(alice, bob.hotkey.ss58_address, tao(5))
    done(subtensor.transfer(alice, bob.hotkey.ss58_address, tao(5)))
    expect(subtensor.get_balance(bob.hotkey.ss58_address) == tao(5))
    paid = before - subtensor.get_balance(alice.coldkey.ss58_address) - tao(5)
    expect(0 < fee.rao and abs(paid.rao - fee.rao) <= 300, f"{paid} paid, {fee} told")  # for a byte more or less


@check("the state before a block stays readable")
def _():
    number = subtensor.block
    done(subtensor.transfer(alice, bob.hotkey.ss58_address, tao(1)))
    expect(subtensor.get_balance(bob.hotkey.ss58_address, block=number) == tao(5))
    expect(subtensor.get_balance(bob.hotkey.ss58_address) == tao(6))


@check("time jumps")
def _():
    number = subtensor.block
    blocks(100)
    expect(subtensor.block >= number + 100)


@check("an old nonce is refused as on the chain")
def _():
    refused(compose("System", "remark", {"remark": b"x"}), alice.coldkey, "Transaction is outdated", nonce=0)


@check("a bad signature is refused as on the chain")
def _():
    call = compose("System", "remark", {"remark": b"x"})
    other = alice.coldkey.sign(b"something else")
    refused(call, alice.coldkey, "Transaction has a bad signature", signature="0x" + other.hex())


@check("too little balance is refused as on the chain")
def _():
    poor = Keypair.create_from_uri("//Nobody")
    refused(compose("System", "remark", {"remark": b"x"}), poor, "Inability to pay some fees")
    response = subtensor.transfer(bob, alice.coldkey.ss58_address, tao(10_000_000))
    expect(not response.success, "it was carried out")


@check("a failed call names its error")
def _():
    receipt = submit(compose("SubtensorModule", "burned_register", {"netuid": 77, "hotkey": bob.hotkey.ss58_address}), bob.coldkey)
    expect(not receipt.is_success)
    expect(receipt.error_message["name"] == "SubnetNotExists", receipt.error_message)


netuid = 1


@check("a subnet is created and started")
def _():
    sudo("AdminUtils", "sudo_set_network_rate_limit", rate_limit=0)
    sudo("AdminUtils", "sudo_set_start_call_delay", delay=0)
    sudo("AdminUtils", "sudo_set_admin_freeze_window", window=0)  # with short epochs it would hardly ever be open
    before = subtensor.get_total_subnets()
    done(subtensor.register_subnet(alice))
    expect(subtensor.get_total_subnets() == before + 1)
    expect(subtensor.subnet_exists(netuid))
    done(subtensor.start_call(alice, netuid))


@check("a neuron registers, for the price that was told")
def _():
    price = subtensor.recycle(netuid)
    before = subtensor.get_balance(bob.coldkey.ss58_address)
    done(subtensor.burned_register(bob, netuid))
    paid = before - subtensor.get_balance(bob.coldkey.ss58_address)
    expect(tao(0) < paid < price + tao(0.01), f"{paid} paid, {price} told")
    expect(subtensor.get_uid_for_hotkey_on_subnet(bob.hotkey.ss58_address, netuid) == 1)
    expect(subtensor.is_hotkey_registered(bob.hotkey.ss58_address, netuid))
    expect(subtensor.get_hotkey_owner(bob.hotkey.ss58_address) == bob.coldkey.ss58_address)


def staked():
    return subtensor.get_stake(bob.coldkey.ss58_address, bob.hotkey.ss58_address, netuid).rao


@check("stake is added and removed")
def _():
    before = subtensor.get_balance(bob.coldkey.ss58_address)
    done(subtensor.add_stake(bob, netuid, bob.hotkey.ss58_address, tao(10), safe_staking=False))
    spent = before - subtensor.get_balance(bob.coldkey.ss58_address)
    expect(tao(10) <= spent < tao(10.01), spent)
    had = staked()
    done(subtensor.unstake(bob, netuid, bob.hotkey.ss58_address, bt.Balance.from_rao(had // 2).set_unit(netuid)))
    expect(0 < staked() < had)


@check("stake is added within a limit of its price")
def _():
    had = staked()
    done(subtensor.add_stake(bob, netuid, bob.hotkey.ss58_address, tao(1), safe_staking=True, rate_tolerance=0.5))
    expect(staked() > had)


@check("an axon is served and read")
def _():
    axon = bt.Axon(wallet=bob, ip="1.2.3.4", port=8091, external_ip="1.2.3.4", external_port=8091)
    done(subtensor.serve_axon(netuid, axon))
    info = subtensor.metagraph(netuid).axons[1]
    expect((info.ip, info.port, info.hotkey) == ("1.2.3.4", 8091, bob.hotkey.ss58_address), info)


@check("a commitment is made and read")
def _():
    done(subtensor.set_commitment(bob, netuid, "hello"))
    expect(subtensor.get_all_commitments(netuid) == {bob.hotkey.ss58_address: "hello"})
    expect(subtensor.get_commitment(netuid, 1) == "hello")


@check("weights are set and read")
def _():
    sudo("AdminUtils", "sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=False)
    sudo("AdminUtils", "sudo_set_weights_set_rate_limit", netuid=netuid, weights_set_rate_limit=0)
    done(subtensor.add_stake(alice, netuid, alice.hotkey.ss58_address, tao(100), safe_staking=False))
    blocks(100)  # until an epoch has given permits
    done(subtensor.set_weights(alice, netuid, uids=[0, 1], weights=[0.25, 0.75]))
    expect(dict(subtensor.weights(netuid))[0] == [(0, 21845), (1, 65535)], subtensor.weights(netuid))


@check("weights that come too fast are refused as on the chain")
def _():
    sudo("AdminUtils", "sudo_set_weights_set_rate_limit", netuid=netuid, weights_set_rate_limit=1000)
    call = compose("SubtensorModule", "set_weights", {"netuid": netuid, "dests": [0], "weights": [1], "version_key": 0})
    refused(call, alice.hotkey, "Custom error: 6")
    sudo("AdminUtils", "sudo_set_weights_set_rate_limit", netuid=netuid, weights_set_rate_limit=0)


def epoch():
    """Makes blocks until the next epoch has run."""
    index = substrate.query("SubtensorModule", "SubnetEpochIndex", [netuid]).value
    while substrate.query("SubtensorModule", "SubnetEpochIndex", [netuid]).value == index:
        blocks(1)


def commit_and_reveal(reveal, **options):
    """Commits weights, and has them revealed in the epoch in which they may be."""
    sudo("AdminUtils", "sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=True)
    epoch()
    salt, uids, values = [1, 2, 3], [0, 1], [65535, 13107]
    done(subtensor.commit_weights(alice, netuid, salt=salt, uids=uids, weights=values,
                                  wait_for_inclusion=True, wait_for_finalization=True, **options))
    early = subtensor.reveal_weights(alice, netuid, uids=uids, weights=values, salt=salt, max_attempts=1, raise_error=False,
                                     wait_for_inclusion=True, wait_for_finalization=True, **options)
    expect(not early.success and "Custom error: 17" in str(early.message), early.message)
    epoch()
    reveal(uids, values, salt)
    blocks(1)
    expect(dict(subtensor.weights(netuid))[0] == list(zip(uids, values)), subtensor.weights(netuid))


@check("weights are committed, and revealed an epoch later")
def _():
    commit_and_reveal(lambda uids, values, salt: done(subtensor.reveal_weights(
        alice, netuid, uids=uids, weights=values, salt=salt, wait_for_inclusion=True, wait_for_finalization=True)))


def compact(n):
    return bytes([n << 2]) if n < 64 else (n << 2 | 1).to_bytes(2, "little")


def vec16(values):
    return compact(len(values)) + b"".join(v.to_bytes(2, "little") for v in values)


def seal(payload):
    """Encrypts for quicknet's round 1000, and returns ciphertext and round."""
    sealed, known = bittensor_drand.encrypt_at_round(payload, 1000)
    return sealed[2:-8], known  # it is a Vec<u8>, with the round behind it


def send_pulse():
    """Brings the pulse of quicknet's round 1000 to the chain, as its nodes do."""
    signature = bytes.fromhex("b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39")
    pulse = (1000).to_bytes(8, "little") + compact(32) + hashlib.sha256(signature).digest() + compact(48) + signature
    payload = subtensor.block.to_bytes(4, "little") + compact(1) + pulse + b"\x01" + bytes(32)
    call = bytes([26, 0]) + payload + b"\x00"  # Drand.write_pulse, which nobody signs
    body = b"\x04" + call
    substrate.rpc_request("author_submitExtrinsic", ["0x" + (compact(len(body)) + body).hex()])
    blocks(1)


@check("time-locked weights are revealed by the chain")
def _():
    # The SDK locks for a round to come, which the real beacon alone can sign. The
    # round is set to one whose pulse is known; all else is the SDK's.
    locked = {}

    def lock(uids, weights, version_key, *_, hotkey, **__):
        locked.update(zip(uids, weights))
        payload = compact(32) + bytes(hotkey) + vec16(uids) + vec16(weights) + version_key.to_bytes(8, "little")
        return seal(payload)

    original = sdk_weights.get_encrypted_commit_v2
    sdk_weights.get_encrypted_commit_v2 = lock
    try:
        done(subtensor.set_weights(alice, netuid, uids=[0, 1], weights=[0.5, 1.0]))
    finally:
        sdk_weights.get_encrypted_commit_v2 = original
    expect(len(subtensor.get_timelocked_weight_commits(netuid)) == 1)
    send_pulse()
    epoch()
    blocks(2)
    expect(dict(subtensor.weights(netuid))[0] == sorted(locked.items()), subtensor.weights(netuid))


@check("a time-locked commitment is revealed by the chain")
def _():
    def lock(data, *_):
        return seal(compact(len(data)) + data.encode())

    original = sdk_subtensor.get_encrypted_commitment
    sdk_subtensor.get_encrypted_commitment = lock
    try:
        # The SDK cannot read back a text whose bytes, its length before it, are
        # UTF-8: its codec then gives it letters where it wants digits.
        secret = "a secret that is forty letters long, yes"
        done(subtensor.set_reveal_commitment(bob, netuid, secret))
    finally:
        sdk_subtensor.get_encrypted_commitment = original
    blocks(2)
    [(_, text)] = subtensor.get_revealed_commitment_by_hotkey(netuid, bob.hotkey.ss58_address)
    expect(text == secret, text)


@check("an axon served again too soon is refused as on the chain")
def _():
    axon = bt.Axon(wallet=bob, ip="1.2.3.4", port=8092, external_ip="1.2.3.4", external_port=8092)
    blocks(60)
    done(subtensor.serve_axon(netuid, axon))
    axon.external_port = 8093
    response = subtensor.serve_axon(netuid, axon)
    expect(not response.success and "Custom error: 12" in str(response.message), response.message)


@check("the metagraph is read")
def _():
    m = subtensor.metagraph(netuid)
    expect(m.n.item() == 2)
    expect(list(m.hotkeys) == [alice.hotkey.ss58_address, bob.hotkey.ss58_address], m.hotkeys)
    info = subtensor.get_metagraph_info(netuid)
    expect(info.netuid == netuid and info.num_uids == 2 and info.tempo == 20, info)
    expect([n.uid for n in subtensor.neurons_lite(netuid)] == [0, 1])
    expect([n.uid for n in subtensor.neurons(netuid)] == [0, 1])


@check("subnets, their prices and settings are read")
def _():
    expect([s.netuid for s in subtensor.all_subnets()] == [0, netuid])
    expect(subtensor.subnet(netuid).price.tao > 0)
    expect(subtensor.get_subnet_burn_cost() > tao(0))
    expect(subtensor.get_subnet_hyperparameters(netuid).tempo == 20)
    expect(subtensor.get_next_epoch_start_block(netuid) > subtensor.block)
    [stake] = [s for s in subtensor.get_stake_info_for_coldkey(bob.coldkey.ss58_address) if s.netuid == netuid]
    expect(stake.hotkey_ss58 == bob.hotkey.ss58_address and stake.stake.rao > 0, stake)


btcli = Btcli(url, wallets)
cli.run(check, subtensor, btcli, wallets)
cli_stake.run(check, subtensor, btcli, wallets)
cli_subnet.run(check, subtensor, btcli, wallets, lambda reveal: commit_and_reveal(reveal, version_key=bittensor_cli.__version_as_int__))
accounts.run(check, subtensor, alice, bob, done, submit)
asynchronous.run(check, url, alice, bob)
subtensor.close()
sys.exit(checks.end())
