// viem's test client: everything a dev node can be told.
import * as viem from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';
import { HTTP, accounts, artifacts, assert, ether, eventually, fails, finish, isAnvil, keys, rpc, sleep, step } from './check.mjs';

const chain = foundry;
const [owner, other] = accounts;
const account = privateKeyToAccount(keys[0]);
const transport = viem.http(HTTP);
const client = viem.createPublicClient({ chain, transport, pollingInterval: 50 });
const wallet = viem.createWalletClient({ account, chain, transport });
const stranger = '0x00000000000000000000000000000000000000aa';
const mined = (hash) => client.waitForTransactionReceipt({ hash, timeout: 20_000 });
const head = () => client.getBlock();
const balance = (address) => client.getBalance({ address });

for (const mode of ['anvil', 'hardhat']) {
  const test = viem.createTestClient({ mode, chain, transport });
  const it = (name, run) => step(`${mode}: ${name}`, run);

  await it('mine', async () => {
    const before = await head();
    await test.mine({ blocks: 3 });
    assert.equal((await head()).number, before.number + 3n);
    await test.mine({ blocks: 2, interval: 60 });
    const [a, b] = [await head(), await client.getBlock({ blockNumber: before.number + 4n })];
    assert.equal(a.timestamp - b.timestamp, 60n);
  });

  await it('balance, nonce, code, storage', async () => {
    await test.setBalance({ address: stranger, value: 7n });
    assert.equal(await balance(stranger), 7n);
    await test.setNonce({ address: stranger, nonce: mode === 'anvil' ? 5 : 6 });
    assert.equal(await client.getTransactionCount({ address: stranger }), mode === 'anvil' ? 5 : 6);
    await test.setCode({ address: stranger, bytecode: artifacts.Counter.code });
    await test.setStorageAt({ address: stranger, index: 0, value: viem.pad('0x2a') });
    assert.equal(await client.getStorageAt({ address: stranger, slot: '0x0' }), viem.pad('0x2a'));
    const number = () => client.readContract({ address: stranger, abi: artifacts.Counter.abi, functionName: 'number' });
    assert.equal(await number(), 42n);
    await mined(await wallet.writeContract({ address: stranger, abi: artifacts.Counter.abi, functionName: 'raise' }));
    assert.equal(await number(), 43n);
    // Proofs are of what was set as well.
    const proof = await client.getProof({ address: stranger, storageKeys: [viem.pad('0x0')] });
    assert.equal(proof.storageProof[0].value, 43n);
    await test.setCode({ address: stranger, bytecode: '0x' });
    assert.equal(await client.getCode({ address: stranger }), undefined);
  });

  await it('impersonation', async () => {
    const address = '0x00000000000000000000000000000000000000bb';
    await test.setBalance({ address, value: 10n * ether });
    const unlocked = viem.createWalletClient({ chain, transport });
    const send = () => unlocked.sendTransaction({ account: address, to: other, value: ether });
    await fails(send());
    await test.impersonateAccount({ address });
    const receipt = await mined(await send());
    assert.deepEqual([receipt.status, receipt.from], ['success', address]);
    assert.equal((await client.getTransaction({ hash: receipt.transactionHash })).from, address);
    await test.stopImpersonatingAccount({ address });
    await fails(send());
  });

  await it('snapshot and revert', async () => {
    const [before, number] = [await balance(other), (await head()).number];
    const id = await test.snapshot();
    await mined(await wallet.sendTransaction({ to: other, value: ether }));
    await test.setBalance({ address: stranger, value: 123n });
    const inner = await test.snapshot();
    await test.mine({ blocks: 2 });
    await test.revert({ id: inner });
    assert.equal(await balance(stranger), 123n);
    await test.revert({ id });
    assert.deepEqual([await balance(other), (await head()).number, await balance(stranger)], [before, number, 7n]);
    // A snapshot serves once.
    await Promise.resolve(test.revert({ id })).catch(() => {});
    assert.equal(await rpc('evm_revert', id).catch(() => false), false);
    await mined(await wallet.sendTransaction({ to: other, value: 1n }));
  });

  await it('time', async () => {
    const before = await head();
    await test.increaseTime({ seconds: 1000 });
    await test.mine({ blocks: 1 });
    const after = await head();
    assert.ok(after.timestamp - before.timestamp >= 1000n && after.timestamp - before.timestamp < 1030n);
    await test.setNextBlockTimestamp({ timestamp: after.timestamp + 500n });
    await test.mine({ blocks: 1 });
    assert.equal((await head()).timestamp, after.timestamp + 500n);
    await fails(test.setNextBlockTimestamp({ timestamp: 1n }), 'timestamp');
    if (mode === 'anvil') {
      await test.setBlockTimestampInterval({ interval: 7 });
      await test.mine({ blocks: 1 });
      const first = await head();
      await test.mine({ blocks: 1 });
      assert.equal((await head()).timestamp, first.timestamp + 7n);
      await test.removeBlockTimestampInterval();
    }
  });

  await it('base fee, gas limit, fee recipient of the next block', async () => {
    await test.setNextBlockBaseFeePerGas({ baseFeePerGas: 3_000_000_000n });
    if (mode === 'anvil') await test.setMinGasPrice({ gasPrice: 0n }).catch(() => {});
    await test.setCoinbase({ address: stranger });
    await test.mine({ blocks: 1 });
    const block = await head();
    assert.deepEqual([block.baseFeePerGas, block.miner], [3_000_000_000n, stranger]);
    if (mode === 'anvil') {
      await test.setBlockGasLimit({ gasLimit: 40_000_000n });
      await test.mine({ blocks: 1 });
      assert.equal((await head()).gasLimit, 40_000_000n);
    }
    await test.setCoinbase({ address: viem.zeroAddress });
  });

  await it('mining on demand, the pool, dropped transactions', async () => {
    await test.setAutomine(false);
    if (mode === 'anvil') assert.equal(await test.getAutomine(), false);
    const nonce = await client.getTransactionCount({ address: owner });
    const first = await wallet.sendTransaction({ to: other, value: 1n, nonce, gas: 21_000n });
    const second = await wallet.sendTransaction({ to: other, value: 1n, nonce: nonce + 1, gas: 21_000n });
    const gap = await wallet.sendTransaction({ to: other, value: 1n, nonce: nonce + 5, gas: 21_000n });
    assert.equal(await client.getTransactionCount({ address: owner, blockTag: 'pending' }), nonce + 2);
    if (mode === 'anvil') {
      const status = await test.getTxpoolStatus();
      assert.deepEqual([Number(status.pending), Number(status.queued)], [2, 1]);
      const { pending, queued } = await test.getTxpoolContent();
      const of = (part) => Object.entries(part).find(([address]) => address.toLowerCase() === owner.toLowerCase())[1];
      assert.deepEqual(Object.values(of(pending)).map(({ hash }) => hash), [first, second]);
      assert.deepEqual(Object.values(of(queued)).map(({ hash }) => hash), [gap]);
      const inspected = await test.inspectTxpool();
      assert.equal(Object.keys(of(inspected.pending)).length, 2);
    }
    assert.equal((await client.getTransaction({ hash: first })).blockNumber, null);
    await test.dropTransaction({ hash: gap });
    // anvil drops nothing that waits for another nonce.
    if (!isAnvil) await fails(client.getTransaction({ hash: gap }), 'could not be found');
    // A better price takes the place of the second.
    const old = await client.getTransaction({ hash: second });
    await fails(wallet.sendTransaction({ to: other, value: 2n, nonce: nonce + 1, gas: 21_000n, maxFeePerGas: old.maxFeePerGas, maxPriorityFeePerGas: old.maxPriorityFeePerGas }), 'underpriced');
    const better = await wallet.sendTransaction({ to: other, value: 2n, nonce: nonce + 1, gas: 21_000n, maxFeePerGas: old.maxFeePerGas * 2n, maxPriorityFeePerGas: old.maxPriorityFeePerGas * 2n + 1n });
    await fails(client.getTransaction({ hash: second }), 'could not be found');
    const number = (await head()).number;
    await test.mine({ blocks: 1 });
    const [a, b] = await Promise.all([mined(first), mined(better)]);
    assert.deepEqual([a.blockNumber, b.blockNumber, a.transactionIndex, b.transactionIndex], [number + 1n, number + 1n, 0, 1]);
    await test.setAutomine(true);
    await mined(await wallet.sendTransaction({ to: other, value: 1n }));
  });

  // In the other mode the client sends milliseconds under the same name; the unit of this kind of node is the second.
  if (mode === 'anvil') await it('a block every second', async () => {
    await test.setAutomine(false);
    await test.setIntervalMining({ interval: 1 });
    const before = (await head()).number;
    await eventually('two blocks', async () => (await head()).number >= before + 2n);
    await test.setIntervalMining({ interval: 0 });
    await sleep(100);
    const stopped = (await head()).number;
    await sleep(1500);
    assert.equal((await head()).number, stopped);
    await test.setAutomine(true);
  });

  if (mode === 'anvil') {
    await it('the state is dumped and loaded', async () => {
      await test.setBalance({ address: stranger, value: 4242n });
      const state = await test.dumpState();
      await test.setBalance({ address: stranger, value: 1n });
      await test.loadState({ state });
      assert.equal(await balance(stranger), 4242n);
    });

    await it('transactions without signatures', async () => {
      // Nobody has unlocked this account.
      await test.setBalance({ address: '0x00000000000000000000000000000000000000cc', value: ether });
      const hash = await test.sendUnsignedTransaction({ from: '0x00000000000000000000000000000000000000cc', to: other, value: 5n });
      assert.equal((await mined(hash)).status, 'success');
    });

    await it('all accounts at once', async () => {
      await rpc('anvil_autoImpersonateAccount', true);
      await rpc('anvil_setBalance', '0x00000000000000000000000000000000000000dd', '0xde0b6b3a7640000');
      const hash = await rpc('eth_sendTransaction', { from: '0x00000000000000000000000000000000000000dd', to: other, value: '0x1' });
      assert.equal((await mined(hash)).status, 'success');
      await rpc('anvil_autoImpersonateAccount', false);
    });
  }
}

await step('what the node tells of itself', async () => {
  const info = await rpc('anvil_nodeInfo');
  assert.ok(info.currentBlockNumber !== undefined && info.environment.chainId !== undefined, JSON.stringify(info));
  const metadata = await rpc('hardhat_metadata');
  assert.ok(metadata.clientVersion && metadata.chainId, JSON.stringify(metadata));
  assert.match(await rpc('web3_clientVersion'), isAnvil ? /anvil/ : /braid/i);
});

await step('reset', async () => {
  const test = viem.createTestClient({ mode: 'anvil', chain, transport });
  // The client always names a fork, if an empty one, which anvil refuses.
  await (isAnvil ? rpc('anvil_reset') : test.reset());
  assert.equal((await head()).number, 0n);
  assert.deepEqual([await balance(other), await client.getTransactionCount({ address: owner })], [10_000n * ether, 0]);
  assert.equal(await balance(stranger), 0n);
  await mined(await wallet.sendTransaction({ to: other, value: ether }));
  assert.equal((await head()).number, 1n);
});

finish();
