// viem: public and wallet clients, over HTTP and WebSocket.
import * as viem from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';
import { HTTP, WS, accounts, artifacts, assert, ether, eventually, fails, finish, isAnvil, keys, sleep, step } from './check.mjs';

const [, owner, other] = accounts;
const account = privateKeyToAccount(keys[1]);
const chain = foundry;
const client = viem.createPublicClient({ chain, transport: viem.http(HTTP), pollingInterval: 100 });
const wallet = viem.createWalletClient({ account, chain, transport: viem.http(HTTP) });
// Accounts that the node signs for.
const unlocked = viem.createWalletClient({ chain, transport: viem.http(HTTP) });
const mined = (hash) => client.waitForTransactionReceipt({ hash, timeout: 20_000 });
const { abi, bytecode } = artifacts.Coin;

await step('public client reads', async () => {
  assert.equal(await client.getChainId(), 31337);
  assert.ok((await client.getBlockNumber()) >= 0n);
  const block = await client.getBlock({ includeTransactions: true });
  assert.ok(block.baseFeePerGas > 0n);
  assert.equal((await client.getBlock({ blockTag: 'earliest' })).number, 0n);
  assert.equal((await client.getBlock({ blockTag: 'pending' })).parentHash, block.hash);
  for (const blockTag of ['safe', 'finalized']) assert.ok((await client.getBlock({ blockTag })).number <= block.number);
  assert.equal(await client.getBalance({ address: other }), 10_000n * ether);
  assert.equal(await client.getTransactionCount({ address: other }), 0);
  assert.equal(await client.getCode({ address: other }), undefined);
  assert.equal(await client.getBlockTransactionCount(), 0);
  assert.ok((await client.getGasPrice()) > block.baseFeePerGas / 2n);
  assert.ok((await client.getBlobBaseFee()) >= 1n);
  const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] });
  assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
  const fees = await client.estimateFeesPerGas();
  assert.ok(fees.maxFeePerGas >= fees.maxPriorityFeePerGas);
});

await step('ether is sent by a local account', async () => {
  const before = await client.getBalance({ address: other });
  const receipt = await mined(await wallet.sendTransaction({ to: other, value: ether }));
  assert.deepEqual([receipt.status, receipt.gasUsed, receipt.type], ['success', 21_000n, 'eip1559']);
  assert.equal(await client.getBalance({ address: other }), before + ether);
  const transaction = await client.getTransaction({ hash: receipt.transactionHash });
  assert.equal(transaction.blockHash, receipt.blockHash);
  assert.ok((await client.getTransactionConfirmations({ hash: receipt.transactionHash })) >= 1n);
  for (const type of ['legacy', 'eip2930']) {
    const receipt = await mined(await wallet.sendTransaction({ to: other, value: 1n, type, accessList: type === 'legacy' ? undefined : [] }));
    assert.deepEqual([receipt.status, receipt.type], ['success', type]);
  }
});

const coin = await step('a contract is deployed', async () => {
  const receipt = await mined(await wallet.deployContract({ abi, bytecode, args: ['Viem', 1000n * ether] }));
  assert.equal(receipt.status, 'success');
  return viem.getContract({ address: receipt.contractAddress, abi, client: { public: client, wallet } });
});

await step('it is read and written', async () => {
  assert.equal(await coin.read.balanceOf([owner]), 1000n * ether);
  const { request, result } = await client.simulateContract({ account, address: coin.address, abi, functionName: 'transfer', args: [other, 5n] });
  assert.equal(result, true);
  const receipt = await mined(await wallet.writeContract(request));
  const [event] = viem.parseEventLogs({ abi, logs: receipt.logs });
  assert.deepEqual([event.eventName, event.args], ['Transfer', { from: owner, to: other, value: 5n }]);
  assert.equal(await coin.read.balanceOf([other]), 5n);
  assert.equal(await coin.read.balanceOf([other], { blockNumber: receipt.blockNumber - 1n }), 0n);
  const events = await coin.getEvents.Transfer({ to: other }, { fromBlock: 0n });
  assert.equal(events.length, 1);
  assert.equal((await client.getContractEvents({ address: coin.address, abi, fromBlock: 0n })).length, 2);
});

await step('failures are decoded', async () => {
  const simulate = (functionName, args) => client.simulateContract({ account, address: coin.address, abi, functionName, args });
  const error = await fails(simulate('transfer', [other, 10n ** 30n]), 'TooLittle');
  const revert = error.walk((each) => each instanceof viem.ContractFunctionRevertedError);
  assert.deepEqual(revert.data.args, [owner, 1000n * ether - 5n, 10n ** 30n]);
  await fails(simulate('failWithReason', []), 'because of this');
  await fails(simulate('failWithPanic', [0n]), 'division');
  await fails(simulate('failSilently', []), 'reverted');
  await fails(wallet.writeContract({ address: coin.address, abi, functionName: 'failWithReason' }), 'because of this');
  await fails(wallet.sendTransaction({ to: other, value: 10n ** 30n }), 'insufficient');
  await fails(wallet.sendTransaction({ to: other, nonce: 0 }), 'nonce');
  await fails(client.getTransaction({ hash: viem.zeroHash }), 'could not be found');
});

await step('many calls in one', async () => {
  const contracts = ['name', 'symbol', 'totalSupply'].map((functionName) => ({ address: coin.address, abi, functionName }));
  const results = await client.multicall({ contracts, deployless: true, allowFailure: false });
  assert.deepEqual(results, ['Viem', 'COIN', 1000n * ether]);
  const batching = viem.createPublicClient({ chain, transport: viem.http(HTTP, { batch: true }) });
  const answers = await Promise.all([batching.getBlockNumber(), batching.getBalance({ address: other }), batching.getChainId()]);
  assert.equal(answers[2], 31337);
});

await step('calls with other state, access lists, proofs, estimates', async () => {
  const data = viem.encodeFunctionData({ abi, functionName: 'transfer', args: [other, 1n] });
  const { accessList, gasUsed } = await client.createAccessList({ account: owner, to: coin.address, data });
  assert.ok(gasUsed > 21_000n && accessList.length === 1 && accessList[0].storageKeys.length === 2);
  const gas = await client.estimateGas({ account: owner, to: coin.address, data });
  assert.ok(gas > 21_000n && gas < 70_000n, String(gas));
  const proof = await client.getProof({ address: coin.address, storageKeys: [viem.pad('0x1')] });
  assert.ok(proof.accountProof.length > 0 && proof.storageProof[0].value === 1000n * ether);
  const poor = '0x00000000000000000000000000000000000000aa';
  await fails(client.call({ account: poor, to: other, value: 1n }), 'insufficient');
  await client.call({ account: poor, to: other, value: 1n, stateOverride: [{ address: poor, balance: ether }] });
  const { data: number } = await client.call({ to: poor, data: viem.toFunctionSelector('number()'), stateOverride: [{ address: poor, code: artifacts.Counter.code, stateDiff: [{ slot: viem.pad('0x0'), value: viem.pad('0x2a') }] }] });
  assert.equal(BigInt(number), 42n);
});

await step('blocks are simulated', async () => {
  const blocks = await client.simulateBlocks({
    blocks: [
      { blockOverrides: { time: (await client.getBlock()).timestamp + 100n }, calls: [{ account: owner, to: coin.address, data: viem.encodeFunctionData({ abi, functionName: 'transfer', args: [other, 3n] }) }] },
      { calls: [{ account: owner, abi, to: coin.address, functionName: 'balanceOf', args: [other] }] },
    ],
  });
  assert.equal(blocks.length, 2);
  assert.equal(blocks[0].calls[0].status, 'success');
  assert.equal(blocks[1].calls[0].result, 8n);
  const { assetChanges } = await client.simulateCalls({ account: owner, traceAssetChanges: !isAnvil, calls: [{ to: other, value: 1n }] });
  if (!isAnvil) assert.ok(assetChanges.length >= 1);
});

await step('the node signs for its accounts', async () => {
  const [first] = await unlocked.getAddresses();
  assert.equal(first, accounts[0]);
  const receipt = await mined(await unlocked.sendTransaction({ account: first, to: other, value: 1n }));
  assert.equal(receipt.from, first.toLowerCase());
  const signature = await unlocked.signMessage({ account: first, message: 'hello' });
  assert.ok(await viem.verifyMessage({ address: first, message: 'hello', signature }));
  const typed = { domain: { name: 'Braid', chainId: 31337 }, types: { Mail: [{ name: 'text', type: 'string' }, { name: 'to', type: 'address[]' }] }, primaryType: 'Mail', message: { text: 'hi', to: [other] } };
  const typedSignature = await unlocked.signTypedData({ account: first, ...typed });
  assert.ok(await viem.verifyTypedData({ address: first, signature: typedSignature, ...typed }));
  const stranger = '0x00000000000000000000000000000000000000aa';
  await fails(unlocked.sendTransaction({ account: stranger, to: other, value: 0n }));
});

await step('code for an account of its own', async () => {
  const receipt = await mined(await wallet.deployContract({ abi: artifacts.Counter.abi, bytecode: artifacts.Counter.bytecode }));
  const authorization = await wallet.signAuthorization({ contractAddress: receipt.contractAddress, executor: 'self' });
  const data = viem.encodeFunctionData({ abi: artifacts.Counter.abi, functionName: 'raise' });
  const delegated = await mined(await wallet.sendTransaction({ to: owner, data, authorizationList: [authorization] }));
  assert.deepEqual([delegated.status, delegated.type], ['success', 'eip7702']);
  assert.equal(await client.readContract({ address: owner, abi: artifacts.Counter.abi, functionName: 'number' }), 1n);
  assert.equal((await client.getCode({ address: owner })).toLowerCase(), `0xef0100${receipt.contractAddress.slice(2).toLowerCase()}`);
  const undo = await wallet.signAuthorization({ contractAddress: viem.zeroAddress, executor: 'self' });
  await mined(await wallet.sendTransaction({ to: other, authorizationList: [undo] }));
  assert.equal(await client.getCode({ address: owner }), undefined);
});

await step('a transaction is sent and awaited in one call', async () => {
  const request = await wallet.prepareTransactionRequest({ to: other, value: 2n });
  const receipt = await wallet.sendRawTransactionSync({ serializedTransaction: await wallet.signTransaction(request) });
  assert.equal(receipt.status, 'success');
});

await step('a chain of nonces arrives in the wrong order', async () => {
  const nonce = await client.getTransactionCount({ address: owner, blockTag: 'pending' });
  const fees = await client.estimateFeesPerGas();
  const sign = (offset) => wallet.signTransaction({ chain, account, to: other, value: 1n, gas: 21_000n, nonce: nonce + offset, type: 'eip1559', ...fees });
  const hashes = [];
  for (const offset of [2, 1, 0]) hashes.push(await client.sendRawTransaction({ serializedTransaction: await sign(offset) }));
  const receipts = await Promise.all(hashes.map(mined));
  assert.ok(receipts.every(({ status }) => status === 'success'));
});

for (const [name, transport] of [['HTTP', viem.http(HTTP)], ['WebSocket', viem.webSocket(WS)]])
  await step(`what happens is watched over ${name}`, async () => {
    const watcher = viem.createPublicClient({ chain, transport, pollingInterval: 100 });
    const seen = { numbers: [], blocks: [], logs: [], events: [], pending: [] };
    const errors = [];
    const onError = (error) => errors.push(error);
    const stop = [
      watcher.watchBlockNumber({ onBlockNumber: (number) => seen.numbers.push(number), onError }),
      watcher.watchBlocks({ onBlock: (block) => seen.blocks.push(block), onError }),
      watcher.watchEvent({ address: coin.address, onLogs: (logs) => seen.logs.push(...logs), onError }),
      watcher.watchContractEvent({ address: coin.address, abi, eventName: 'Transfer', args: { to: other }, onLogs: (logs) => seen.events.push(...logs), onError }),
      watcher.watchPendingTransactions({ onTransactions: (hashes) => seen.pending.push(...hashes), onError }),
    ];
    await sleep(500);
    const hash = await wallet.writeContract({ address: coin.address, abi, functionName: 'transfer', args: [other, 1n] });
    const receipt = await mined(hash);
    await mined(await wallet.writeContract({ address: coin.address, abi, functionName: 'approve', args: [other, 1n] }));
    await eventually('everything is seen', () => seen.logs.length >= 2 && seen.events.length >= 1 && seen.pending.includes(hash) && seen.numbers.some((number) => number >= receipt.blockNumber) && seen.blocks.some(({ number }) => number >= receipt.blockNumber));
    await sleep(300);
    for (const each of stop) each();
    await sleep(200);
    assert.deepEqual(errors, []);
    assert.deepEqual([seen.logs.length, seen.events.length], [2, 1], 'each is seen once');
    assert.equal(seen.logs[0].transactionHash, hash);
    if (name === 'WebSocket') (await watcher.transport.getRpcClient()).close();
  });

await step('a filter of its own', async () => {
  const filter = await client.createContractEventFilter({ abi, address: coin.address, eventName: 'Transfer', fromBlock: 0n });
  assert.ok((await client.getFilterLogs({ filter })).length >= 2);
  const blocks = await client.createBlockFilter();
  await mined(await wallet.sendTransaction({ to: other }));
  assert.ok((await client.getFilterChanges({ filter: blocks })).length >= 1);
  assert.equal(await client.uninstallFilter({ filter }), true);
  assert.equal(await client.uninstallFilter({ filter }), false);
  await fails(client.getFilterChanges({ filter }), 'filter');
});

finish();
