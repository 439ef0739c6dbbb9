// What polkadot.js sees of the local chain node, and does with it. Usage:
//
//	node check.mjs ws://127.0.0.1:9944

import assert from 'node:assert/strict';
import { ApiPromise, WsProvider, HttpProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';
import { blake2AsHex } from '@polkadot/util-crypto';

const url = process.argv[2];
const tao = 1_000_000_000n;
let passed = 0;
let failed = 0;

async function check(name, run) {
	try {
		await within(20_000, run());
		passed++;
		console.log(`ok   ${name}`);
	} catch (err) {
		failed++;
		console.log(`FAIL ${name}: ${err?.stack ?? err}`);
	}
}

function within(millis, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`nothing after ${millis} ms`)), millis);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// send signs a call and follows it to the block that is final. It returns the
// states on the way and the events.
function send(call, from, options = {}) {
	return new Promise((resolve, reject) => {
		const states = [];
		let stop;
		call.signAndSend(from, options, (result) => {
			states.push(result.status.type);
			if (result.status.isFinalized || result.isError) {
				stop?.();
				resolve({ states, result, events: result.events.map(({ event }) => `${event.section}.${event.method}`) });
			}
		}).then((f) => { stop = f; }, reject);
	});
}

// failure is the name of the error that a call failed with on chain.
function failure(api, { result }) {
	assert(result.dispatchError?.isModule, `no module error: ${result.dispatchError}`);
	const { section, name } = api.registry.findMetaError(result.dispatchError.asModule);
	return `${section}.${name}`;
}

const free = async (address) => (await api.query.system.account(address)).data.free.toBigInt();

// The client is told nothing that the metadata does not say.
const provider = new WsProvider(url);
const api = await within(30_000, ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true }));
const keyring = new Keyring({ type: 'sr25519', ss58Format: 42 });
const [alice, bob, eve, hot] = ['//Alice', '//Bob', '//Eve', '//Bob/hot'].map((uri) => keyring.addFromUri(uri));
let netuid;

await check('connects to the chain', async () => {
	assert.equal(api.runtimeVersion.specName.toString(), 'node-subtensor');
	assert.equal(api.runtimeVersion.specVersion.toNumber(), 424);
	assert.equal((await api.rpc.system.chain()).toString(), 'Adit Local');
	assert.equal(api.registry.chainSS58, 42);
	assert.deepEqual(api.registry.chainTokens, ['TAO']);
	assert.deepEqual(api.registry.chainDecimals, [9]);
});

await check('pallets have their indices', async () => {
	const indices = Object.fromEntries(api.runtimeMetadata.asLatest.pallets.map((p) => [p.name.toString(), p.index.toNumber()]));
	for (const [name, index] of Object.entries({
		System: 0, Timestamp: 2, Balances: 5, TransactionPayment: 6, SubtensorModule: 7, Utility: 11, Sudo: 12, Proxy: 16, Commitments: 18,
		AdminUtils: 19, Drand: 26, Swap: 28, MevShield: 30, AlphaAssets: 31,
	})) {
		assert.equal(indices[name], index, name);
	}
});

await check('calls have their indices', async () => {
	for (const [section, method, pallet, index] of [
		['balances', 'transferAllowDeath', 5, 0], ['balances', 'transferKeepAlive', 5, 3], ['balances', 'transferAll', 5, 4],
		['subtensorModule', 'setWeights', 7, 0], ['subtensorModule', 'addStake', 7, 2], ['subtensorModule', 'removeStake', 7, 3],
		['subtensorModule', 'serveAxon', 7, 4], ['subtensorModule', 'burnedRegister', 7, 7], ['subtensorModule', 'registerNetwork', 7, 59],
		['subtensorModule', 'startCall', 7, 92], ['utility', 'batch', 11, 0], ['utility', 'batchAll', 11, 2], ['utility', 'forceBatch', 11, 4],
		['commitments', 'setCommitment', 18, 0],
	]) {
		assert.deepEqual([...api.tx[section][method].callIndex], [pallet, index], `${section}.${method}`);
	}
});

await check('every signed extension is known by name', async () => {
	const known = api.registry.signedExtensions;
	for (const name of ['CheckNonZeroSender', 'CheckSpecVersion', 'CheckTxVersion', 'CheckGenesis', 'CheckMortality', 'CheckNonce', 'CheckWeight', 'CheckMetadataHash']) {
		assert(known.includes(name), `${name} in ${known}`);
	}
});

await check('metadata of every version are read', async () => {
	const versions = (await api.call.metadata.metadataVersions()).map((v) => v.toNumber());
	assert.deepEqual(versions, [14, 15, 16]);
	assert.equal(api.runtimeMetadata.version, 16); // the newest that the client knows
	for (const version of versions) {
		const opaque = (await api.call.metadata.metadataAtVersion(version)).unwrap();
		const metadata = api.registry.createType('Metadata', opaque.toHex());
		assert.equal(metadata.version, version);
		assert.deepEqual(
			metadata.asLatest.pallets.map((p) => p.name.toString()),
			api.runtimeMetadata.asLatest.pallets.map((p) => p.name.toString()),
		);
	}
	assert.equal((await api.call.metadata.metadataAtVersion(99)).isNone, true);
});

await check('the runtime is asked through its APIs', async () => {
	const version = await api.call.core.version();
	assert.equal(version.specVersion.toNumber(), 424);
	const alice = keyring.addFromUri('//Alice').address;
	const nonce = await api.call.accountNonceApi.accountNonce(alice);
	assert.equal(nonce.toNumber(), (await api.query.system.account(alice)).nonce.toNumber());
});

await check('the fee is known before, and what is paid', async () => {
	const transfer = api.tx.balances.transferKeepAlive(eve.address, tao);
	const { partialFee, weight } = await transfer.paymentInfo(alice);
	assert(weight.refTime.toBigInt() > 0n);
	const sent = await send(api.tx.balances.transferKeepAlive(eve.address, tao), alice);
	const { event } = sent.result.events.find(({ event }) => api.events.transactionPayment.TransactionFeePaid.is(event));
	assert.equal(event.data.actualFee.toBigInt(), partialFee.toBigInt());
	assert((await api.tx.commitments.setCommitment(1, { fields: [] }).paymentInfo(alice)).partialFee.isZero());
});

await check('blocks come, new and final', async () => {
	for (const subscribe of [api.rpc.chain.subscribeNewHeads, api.rpc.chain.subscribeFinalizedHeads, api.rpc.chain.subscribeAllHeads]) {
		const numbers = await new Promise((resolve, reject) => {
			const seen = [];
			subscribe((header) => {
				if (seen.push(header.number.toNumber()) === 4) {
					resolve(seen);
				}
			}).catch(reject);
		});
		assert.deepEqual(numbers, [0, 1, 2, 3].map((i) => numbers[0] + i));
	}
});

await check('headers hash to their blocks', async () => {
	for (const number of [0, 1, 2]) {
		const hash = await api.rpc.chain.getBlockHash(number);
		const header = await api.rpc.chain.getHeader(hash);
		assert.equal(header.hash.toHex(), hash.toHex());
		assert.equal(header.number.toNumber(), number);
		const { block } = await api.rpc.chain.getBlock(hash);
		const calls = block.extrinsics.map(({ method }) => `${method.section}.${method.method}`);
		assert.equal(calls[0], number === 0 ? undefined : 'timestamp.set');
		assert(calls.slice(1).every((call) => ['mevShield.announceNextKey', 'drand.writePulse'].includes(call)), calls); // not in every block
	}
	assert.equal(api.genesisHash.toHex(), (await api.rpc.chain.getBlockHash(0)).toHex());
});

await check('System.Account is read', async () => {
	assert.equal(await free(keyring.addFromUri('//Charlie').address), 1_000_000n * tao);
	const { nonce, data } = await api.query.system.account(eve.address);
	assert.equal(nonce.toNumber(), 0);
	assert.equal(data.reserved.toBigInt(), 0n);
	assert.equal(await free(hot.address), 0n);
});

await check('SubtensorModule is read', async () => {
	assert.equal((await api.query.subtensorModule.totalNetworks()).toNumber(), 1);
	assert.equal((await api.query.subtensorModule.networksAdded(0)).toString(), 'true');
	assert.equal((await api.query.subtensorModule.networksAdded(9)).toString(), 'false');
	const entries = await api.query.subtensorModule.networksAdded.entries();
	assert.deepEqual(entries.map(([key]) => key.args[0].toNumber()), [0]);
	assert.equal((await api.query.subtensorModule.uids(1, hot.address)).isNone, true);
});

await check('constants are read', async () => {
	assert.equal(api.consts.system.ss58Prefix.toNumber(), 42);
	assert.equal(api.consts.balances.existentialDeposit.toBigInt(), 500n);
});

await check('a transfer is followed to the block that is final', async () => {
	const before = await free(eve.address);
	const sent = await send(api.tx.balances.transferKeepAlive(eve.address, 5n * tao), alice);
	assert.deepEqual(sent.states, ['Ready', 'InBlock', 'Finalized']);
	assert.equal(await free(eve.address) - before, 5n * tao);
	for (const event of ['balances.Withdraw', 'balances.Transfer', 'transactionPayment.TransactionFeePaid', 'system.ExtrinsicSuccess']) {
		assert(sent.events.includes(event), `${event} in ${sent.events}`);
	}
	const { event } = sent.result.events.find(({ event }) => api.events.balances.Transfer.is(event));
	assert.deepEqual([event.data.from.toString(), event.data.to.toString(), event.data.amount.toBigInt()], [alice.address, eve.address, 5n * tao]);
});

await check('an immortal transfer with a tip', async () => {
	const sent = await send(api.tx.balances.transferAllowDeath(eve.address, 1n), alice, { era: 0, tip: 1000 });
	const { event } = sent.result.events.find(({ event }) => api.events.transactionPayment.TransactionFeePaid.is(event));
	assert.equal(event.data.tip.toBigInt(), 1000n);
});

await check('the state before a block stays readable', async () => {
	const sent = await send(api.tx.balances.transferKeepAlive(eve.address, tao), alice);
	const block = sent.result.status.asFinalized;
	const { parentHash } = await api.rpc.chain.getHeader(block);
	const at = async (hash) => (await (await api.at(hash)).query.system.account(eve.address)).data.free.toBigInt();
	assert.equal(await at(block) - await at(parentHash), tao);
});

await check('storage is watched', async () => {
	const values = [];
	let stop;
	const both = new Promise((resolve, reject) => {
		api.query.system.account(eve.address, ({ data }) => {
			if (values.push(data.free.toBigInt()) === 2) {
				resolve();
			}
		}).then((f) => { stop = f; }, reject);
	});
	await send(api.tx.balances.transferKeepAlive(eve.address, 7n), bob);
	await both;
	stop();
	assert.equal(values[1] - values[0], 7n);
});

await check('a nonce that is used is refused', async () => {
	await assert.rejects(api.tx.system.remark('0x00').signAndSend(alice, { nonce: 0 }), /1010: Invalid Transaction: Transaction is outdated/);
});

await check('a nonce ahead waits for those before it', async () => {
	const nonce = (await api.rpc.system.accountNextIndex(bob.address)).toNumber();
	const later = send(api.tx.system.remark('0x02'), bob, { nonce: nonce + 1 });
	const sooner = send(api.tx.system.remark('0x01'), bob, { nonce });
	assert.deepEqual((await sooner).states, ['Ready', 'InBlock', 'Finalized']);
	assert.deepEqual((await later).states, ['Future', 'Ready', 'InBlock', 'Finalized']);
});

await check('a bad signature is refused', async () => {
	const nonce = await api.rpc.system.accountNextIndex(alice.address);
	const signed = await api.tx.system.remark('0x00').signAsync(alice, { nonce });
	const bytes = signed.toU8a();
	bytes[bytes.length - 1] ^= 1; // of the call, which was signed
	await assert.rejects(api.rpc.author.submitExtrinsic(`0x${Buffer.from(bytes).toString('hex')}`), /1010: Invalid Transaction: Transaction has a bad signature/);
});

await check('an account without a balance is refused', async () => {
	const poor = keyring.addFromUri('//Nobody');
	await assert.rejects(api.tx.system.remark('0x00').signAndSend(poor), /1010: Invalid Transaction: Inability to pay some fees/);
});

await check('a failing call names its error', async () => {
	const sent = await send(api.tx.subtensorModule.burnedRegister(77, hot.address), bob);
	assert.equal(failure(api, sent), 'subtensorModule.SubnetNotExists');
	assert(sent.events.includes('system.ExtrinsicFailed'));
});

await check('a subnet is founded, by sudo without delays', async () => {
	const settings = api.tx.utility.batchAll([api.tx.adminUtils.sudoSetNetworkRateLimit(0), api.tx.adminUtils.sudoSetStartCallDelay(0)]);
	const changed = await send(api.tx.sudo.sudo(settings), alice);
	const { event: done } = changed.result.events.find(({ event }) => api.events.sudo.Sudid.is(event));
	assert(done.data.sudoResult.isOk, done.data.sudoResult.toString());
	const founded = await send(api.tx.subtensorModule.registerNetwork(alice.address), alice);
	const { event } = founded.result.events.find(({ event }) => api.events.subtensorModule.NetworkAdded.is(event));
	netuid = event.data[0].toNumber();
	await send(api.tx.subtensorModule.startCall(netuid), alice);
	await send(api.tx.subtensorModule.burnedRegister(netuid, hot.address), bob);
	assert.equal((await api.query.subtensorModule.uids(netuid, hot.address)).unwrap().toNumber(), 1);
	assert.equal((await api.query.subtensorModule.keys(netuid, 1)).toString(), hot.address);
});

await check("Subtensor's runtime APIs are asked", async () => {
	const neurons = await api.call.neuronInfoRuntimeApi.getNeuronsLite(netuid);
	assert.deepEqual(neurons.map((n) => n.hotkey.toString()), [alice.address, hot.address]);
	const metagraph = (await api.call.subnetInfoRuntimeApi.getMetagraph(netuid)).unwrap();
	assert.equal(metagraph.numUids.toNumber(), 2);
	assert.equal(metagraph.ownerColdkey.toString(), alice.address);
});

await check('a commitment is set and read', async () => {
	const call = api.tx.commitments.setCommitment(netuid, { fields: [{ Raw5: '0x68656c6c6f' }, { BigRaw: `0x${'61'.repeat(300)}` }] });
	const sent = await send(call, hot);
	const { event } = sent.result.events.find(({ event }) => api.events.commitments.Commitment.is(event));
	assert.deepEqual([event.data.netuid.toNumber(), event.data.who.toString()], [netuid, hot.address]);
	const registration = (await api.query.commitments.commitmentOf(netuid, hot.address)).unwrap();
	const [short, long] = registration.info.fields;
	assert.equal(short.asRaw5.toHex(), '0x68656c6c6f');
	assert.equal(Buffer.from(long.asBigRaw.toU8a(true)).toString(), 'a'.repeat(300));
	const header = await api.rpc.chain.getHeader(sent.result.status.asFinalized);
	assert.equal(registration.block.toNumber(), header.number.toNumber());
});

await check('commitments are listed, with the space that they take', async () => {
	const entries = await api.query.commitments.commitmentOf.entries(netuid);
	assert.deepEqual(entries.map(([key]) => key.args[1].toString()), [hot.address]);
	const space = (await api.query.commitments.usedSpaceOf(netuid, hot.address)).unwrap();
	assert(space.usedSpace.toNumber() >= 305, space.toString());
});

await check('weights too early are refused by number', async () => {
	await assert.rejects(api.tx.subtensorModule.setWeights(netuid, [0], [1], 0).signAndSend(hot), /1010: Invalid Transaction: Custom error: 6/);
});

await check('stake is added, moved and removed', async () => {
	const stake = async (hotkey) => (await api.call.stakeInfoRuntimeApi.getStakeInfoForHotkeyColdkeyNetuid(hotkey, bob.address, netuid)).unwrap().stake.toBigInt();
	const before = await free(bob.address);
	await send(api.tx.subtensorModule.addStake(hot.address, netuid, 10n * tao), bob);
	assert(before - await free(bob.address) >= 10n * tao);
	const staked = await stake(hot.address);
	assert(staked > 0n);
	await send(api.tx.subtensorModule.moveStake(hot.address, alice.address, netuid, netuid, staked / 2n), bob);
	assert(await stake(alice.address) > 0n);
	const poorer = await free(bob.address);
	await send(api.tx.subtensorModule.removeStake(alice.address, netuid, await stake(alice.address)), bob);
	assert(await free(bob.address) > poorer);
	const listed = await api.call.stakeInfoRuntimeApi.getStakeInfoForColdkey(bob.address);
	assert.deepEqual(listed.map((s) => [s.hotkey.toString(), s.netuid.toNumber()]), [[hot.address, netuid]]);
});

await check('an axon is served and read', async () => {
	const ip = (5 << 24) + (6 << 16) + (7 << 8) + 8;
	await send(api.tx.subtensorModule.serveAxon(netuid, 1, ip, 8091, 4, 4, 0, 0), hot);
	const axon = (await api.query.subtensorModule.axons(netuid, hot.address)).unwrap();
	assert.deepEqual([axon.ip.toNumber(), axon.port.toNumber(), axon.ipType.toNumber()], [ip, 8091, 4]);
	const [, neuron] = await api.call.neuronInfoRuntimeApi.getNeuronsLite(netuid);
	assert.equal(neuron.axonInfo.port.toNumber(), 8091);
	await assert.rejects(api.tx.subtensorModule.serveAxon(netuid, 1, ip, 8092, 4, 4, 0, 0).signAndSend(hot), /Custom error: 12/);
});

// root has a call made with the powers of root.
async function root(...calls) {
	const sent = await send(api.tx.sudo.sudo(api.tx.utility.batchAll(calls)), alice);
	const { event } = sent.result.events.find(({ event }) => api.events.sudo.Sudid.is(event));
	assert(event.data.sudoResult.isOk, event.data.sudoResult.toString());
}

// epoch lets time jump until the next epoch has run.
async function epoch() {
	const index = async () => (await api.query.subtensorModule.subnetEpochIndex(netuid)).toNumber();
	for (const before = await index(); await index() === before;) {
		await provider.send('engine_createBlocks', [20]);
	}
}

const weights = async (uid) => (await api.query.subtensorModule.weights(netuid, uid)).map(([to, weight]) => [to.toNumber(), weight.toNumber()]);

await check('weights are set and read', async () => {
	await root(
		api.tx.adminUtils.sudoSetCommitRevealWeightsEnabled(netuid, false),
		api.tx.adminUtils.sudoSetWeightsSetRateLimit(netuid, 0),
	);
	await send(api.tx.subtensorModule.addStake(alice.address, netuid, 100n * tao), alice);
	await epoch(); // gives the permits
	const sent = await send(api.tx.subtensorModule.setWeights(netuid, [0, 1], [65535, 32767], 0), alice);
	assert(sent.events.includes('subtensorModule.WeightsSet'), sent.events);
	assert.deepEqual(await weights(0), [[0, 65535], [1, 32767]]);
});

await check('weights are committed, and revealed an epoch later', async () => {
	await root(api.tx.adminUtils.sudoSetCommitRevealWeightsEnabled(netuid, true));
	await epoch();
	const [uids, values, salt, version] = [[0, 1], [1000, 65535], [7, 8, 9], 0];
	// What is hashed: account, netuid, uids, weights, salt and version, in SCALE.
	const bytes = api.registry.createType('(AccountId, u16, Vec<u16>, Vec<u16>, Vec<u16>, u64)', [alice.address, netuid, uids, values, salt, version]).toU8a();
	const committed = await send(api.tx.subtensorModule.commitWeights(netuid, blake2AsHex(bytes, 256)), alice);
	assert(committed.events.includes('subtensorModule.WeightsCommitted'), committed.events);
	const reveal = () => api.tx.subtensorModule.revealWeights(netuid, uids, values, salt, version);
	await assert.rejects(reveal().signAndSend(alice), /Custom error: 17/); // too early
	await epoch();
	const revealed = await send(reveal(), alice);
	assert(revealed.events.includes('subtensorModule.WeightsRevealed'), revealed.events);
	assert.deepEqual(await weights(0), [[0, 1000], [1, 65535]]);
});

await check('a proxy acts for another', async () => {
	await send(api.tx.proxy.addProxy(eve.address, 'Transfer', 0), bob);
	const before = await free(alice.address);
	const sent = await send(api.tx.proxy.proxy(bob.address, null, api.tx.balances.transferKeepAlive(alice.address, 5n)), eve);
	const { event } = sent.result.events.find(({ event }) => api.events.proxy.ProxyExecuted.is(event));
	assert(event.data.result.isOk, event.data.result.toString());
	assert.equal(await free(alice.address) - before, 5n);
	const [definitions] = await api.query.proxy.proxies(bob.address);
	assert.deepEqual(definitions.map((d) => [d.delegate.toString(), d.proxyType.toString()]), [[eve.address, 'Transfer']]);
});

await check('a client that knows older metadata works the same', async () => {
	for (const version of [14, 15]) {
		const opaque = (await api.call.metadata.metadataAtVersion(version)).unwrap();
		const bare = opaque.toHex(); // the bytes, with the magic in front
		const older = await ApiPromise.create({
			provider: new WsProvider(url), noInitWarn: true, throwOnConnect: true,
			metadata: { [`${api.genesisHash.toHex()}-${api.runtimeVersion.specVersion}`]: bare },
		});
		try {
			assert.equal(older.runtimeMetadata.version, version);
			assert.equal(older.consts.system.ss58Prefix.toNumber(), 42);
			const names = (a) => Object.fromEntries(Object.entries(a.tx).map(([section, calls]) => [section, Object.keys(calls).sort()]));
			assert.deepEqual(names(older), names(api));
			const stored = (a) => Object.fromEntries(Object.entries(a.query).map(([section, items]) => [section, Object.keys(items).sort()]));
			assert.deepEqual(stored(older), stored(api));
			const nonce = await older.rpc.system.accountNextIndex(eve.address);
			const hash = await older.tx.system.remark('0x0e').signAndSend(eve, { nonce });
			assert.equal(hash.toHex().length, 66);
			assert.equal((await older.query.subtensorModule.subnetworkN(netuid)).toNumber(), 2);
		} finally {
			await older.disconnect();
		}
	}
});

await check('all events of a block are decoded', async () => {
	const head = await api.rpc.chain.getFinalizedHead();
	const { number } = await api.rpc.chain.getHeader(head);
	let count = 0;
	for (let i = 1; i <= number.toNumber(); i++) {
		const events = await (await api.at(await api.rpc.chain.getBlockHash(i))).query.system.events();
		count += events.length;
	}
	assert(count > number.toNumber(), `${count} events in ${number} blocks`);
});

await check('HTTP answers as well', async () => {
	const http = await ApiPromise.create({ provider: new HttpProvider(url.replace('ws:', 'http:')), noInitWarn: true });
	assert.equal(http.genesisHash.toHex(), api.genesisHash.toHex());
	assert.equal((await http.query.system.account(alice.address)).nonce.gtn(0), true);
	await http.disconnect();
});

await api.disconnect();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
