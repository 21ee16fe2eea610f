// ethers: providers over HTTP and WebSocket, contracts, events, and the errors it makes of ours.
import { Contract, ContractFactory, JsonRpcProvider, NonceManager, Wallet, WebSocketProvider, ZeroAddress, parseEther, verifyMessage, verifyTypedData } from 'ethers';
import { HTTP, WS, accounts, artifacts, assert, eventually, fails, finish, keys, sleep, step } from './check.mjs';

const [, owner, other] = accounts;
const provider = new JsonRpcProvider(HTTP, undefined, { pollingInterval: 100, cacheTimeout: -1 });
const wallet = new Wallet(keys[1], provider);
const { abi, bytecode } = artifacts.Coin;

await step('the provider reads', async () => {
  assert.equal((await provider.getNetwork()).chainId, 31337n);
  assert.ok((await provider.getBlockNumber()) >= 0);
  assert.equal(await provider.getBalance(other), parseEther('10000'));
  const fees = await provider.getFeeData();
  assert.ok(fees.gasPrice > 0n && fees.maxFeePerGas > 0n && fees.maxPriorityFeePerGas >= 0n);
  const block = await provider.getBlock('latest', true);
  assert.deepEqual([block.prefetchedTransactions.length, block.baseFeePerGas > 0n], [block.transactions.length, true]);
  assert.equal(await provider.getBlock(10 ** 9), null);
  assert.equal(await provider.getTransaction(`0x${'11'.repeat(32)}`), null);
  assert.equal(await provider.getTransactionReceipt(`0x${'11'.repeat(32)}`), null);
  assert.equal((await provider.listAccounts()).length, 10);
});

await step('ether is sent', async () => {
  const before = await provider.getBalance(other);
  for (const type of [0, 1, 2]) {
    const sent = await wallet.sendTransaction({ to: other, value: 1n, type });
    const receipt = await sent.wait(1, 20_000);
    assert.deepEqual([receipt.status, receipt.type, receipt.gasUsed], [1, type, 21_000n]);
    assert.equal((await receipt.getTransaction()).hash, sent.hash);
  }
  assert.equal(await provider.getBalance(other), before + 3n);
});

const coin = await step('a contract is deployed', async () => {
  const contract = await new ContractFactory(abi, bytecode, wallet).deploy('Ethers', parseEther('1000'));
  await contract.waitForDeployment();
  assert.equal(await provider.getCode(contract), artifacts.Coin.code);
  return contract;
});

await step('it is read and written', async () => {
  assert.equal(await coin.balanceOf(owner), parseEther('1000'));
  assert.equal(await coin.transfer.staticCall(other, 4n), true);
  assert.ok((await coin.transfer.estimateGas(other, 4n)) > 21_000n);
  const receipt = await (await coin.transfer(other, 4n)).wait();
  assert.equal(receipt.logs[0].fragment.name, 'Transfer');
  assert.equal(await coin.balanceOf(other, { blockTag: receipt.blockNumber }), 4n);
  assert.equal(await coin.balanceOf(other, { blockTag: receipt.blockNumber - 1 }), 0n);
  assert.equal((await coin.queryFilter('Transfer', 0)).length, 2);
  assert.equal((await coin.queryFilter(coin.filters.Transfer(null, other), 0, 'latest')).length, 1);
  assert.equal((await provider.getLogs({ address: coin, blockHash: receipt.blockHash })).length, 1);
  const storage = await provider.getStorage(coin, 1);
  assert.equal(BigInt(storage), parseEther('1000'));
});

await step('failures are decoded', async () => {
  // The gas estimate fails; its error carries the data.
  const error = await fails(coin.transfer(other, parseEther('99999')));
  assert.equal(error.code, 'CALL_EXCEPTION');
  const custom = coin.interface.parseError(error.data);
  assert.deepEqual([custom.name, custom.args[2]], ['TooLittle', parseEther('99999')]);
  assert.equal((await fails(coin.transfer.staticCall(other, parseEther('99999')))).revert.args.owner, owner);
  assert.equal((await fails(coin.failWithReason())).reason, 'because of this');
  assert.equal((await fails(coin.failWithPanic(0n))).revert.name, 'Panic');
  assert.equal((await fails(coin.failSilently())).code, 'CALL_EXCEPTION');
  const sent = await coin.failWithReason.send({ gasLimit: 100_000n }).catch((error) => error);
  assert.equal((await fails(sent.wait())).receipt.status, 0);
  assert.equal((await fails(wallet.sendTransaction({ to: other, value: parseEther('99999999') }))).code, 'INSUFFICIENT_FUNDS');
  assert.equal((await fails(wallet.sendTransaction({ to: other, nonce: 0 }))).code, 'NONCE_EXPIRED');
});

await step('a better price replaces, a lower one does not', async () => {
  await provider.send('evm_setAutomine', [false]);
  const interval = (await provider.send('anvil_getIntervalMining', []).catch(() => null)) ?? null;
  if (interval !== null) await provider.send('evm_setIntervalMining', [0]);
  const nonce = await wallet.getNonce('latest');
  const price = 10n ** 10n;
  const send = (times) => wallet.sendTransaction({ to: other, value: 1n, nonce, gasLimit: 21_000n, maxFeePerGas: price * times, maxPriorityFeePerGas: 10n ** 9n * times });
  await send(1n);
  const error = await fails(wallet.sendTransaction({ to: other, value: 2n, nonce, gasLimit: 21_000n, maxFeePerGas: price, maxPriorityFeePerGas: 10n ** 9n }));
  assert.equal(error.code, 'REPLACEMENT_UNDERPRICED', error.message);
  const better = await send(2n);
  await provider.send('evm_mine', []);
  assert.equal((await better.wait()).status, 1);
  await provider.send('evm_setAutomine', [true]);
});

await step('the node signs for its accounts', async () => {
  const signer = await provider.getSigner(3);
  const receipt = await (await signer.sendTransaction({ to: other, value: 1n })).wait();
  assert.equal(receipt.from, signer.address);
  assert.equal(verifyMessage('hello', await signer.signMessage('hello')), signer.address);
  const [domain, types, value] = [{ name: 'Braid', chainId: 31337 }, { Mail: [{ name: 'text', type: 'string' }] }, { text: 'hi' }];
  assert.equal(verifyTypedData(domain, types, value, await signer.signTypedData(domain, types, value)), signer.address);
});

await step('many transactions at once', async () => {
  const managed = new NonceManager(wallet);
  const sent = await Promise.all(Array.from({ length: 20 }, () => managed.sendTransaction({ to: other, value: 1n, gasLimit: 21_000n })));
  const receipts = await Promise.all(sent.map((each) => each.wait(1, 20_000)));
  assert.ok(receipts.every(({ status }) => status === 1));
});

await step('blocks are simulated', async () => {
  const [block] = await provider.send('eth_simulateV1', [{ blockStateCalls: [{ stateOverrides: { [other]: { balance: '0x64' } }, calls: [{ from: other, to: ZeroAddress, value: '0x1' }] }], validation: false, traceTransfers: true }, 'latest']);
  assert.equal(block.calls[0].status, '0x1');
  assert.equal(block.calls[0].logs.length, 1);
});

await step('events over HTTP', async () => {
  const seen = { blocks: 0, transfers: 0 };
  await provider.on('block', () => (seen.blocks += 1));
  await coin.on('Transfer', () => (seen.transfers += 1));
  await sleep(500);
  await (await coin.transfer(other, 1n)).wait();
  await eventually('both are seen', () => seen.blocks && seen.transfers);
  await coin.removeAllListeners();
  await provider.removeAllListeners();
  assert.equal(seen.transfers, 1);
});

await step('events over WebSocket', async () => {
  const socket = new WebSocketProvider(WS);
  const watched = new Contract(await coin.getAddress(), abi, socket);
  const seen = { blocks: 0, pending: [], transfers: [] };
  await socket.on('block', () => (seen.blocks += 1));
  await socket.on('pending', (hash) => seen.pending.push(hash));
  await watched.on('Transfer', (from, to, value, event) => seen.transfers.push([from, to, value, event.log.transactionHash]));
  await sleep(300);
  const sent = await coin.transfer(other, 2n);
  await sent.wait();
  await eventually('everything is seen', () => seen.blocks && seen.pending.includes(sent.hash) && seen.transfers.length);
  assert.deepEqual(seen.transfers, [[owner, other, 2n, sent.hash]]);
  assert.equal(await socket.getBalance(other), await provider.getBalance(other));
  await socket.destroy();
});

finish();
