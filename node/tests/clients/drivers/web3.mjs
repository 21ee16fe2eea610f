// web3.js over HTTP and WebSocket.
import { Web3 } from 'web3';
import { HTTP, WS, accounts, artifacts, assert, ether, eventually, fails, finish, isAnvil, keys, sleep, step } from './check.mjs';

const [, owner, other] = accounts;
const web3 = new Web3(HTTP);
const signing = { from: owner };
web3.eth.accounts.wallet.add(keys[1]);
web3.eth.transactionPollingInterval = 100;
const { abi, bytecode } = artifacts.Coin;

await step('reads', async () => {
  assert.equal(await web3.eth.getChainId(), 31337n);
  assert.equal(await web3.eth.net.getId(), 31337n);
  assert.equal(await web3.eth.net.isListening(), true);
  if (!isAnvil) assert.ok((await web3.eth.net.getPeerCount()) >= 0n);
  assert.ok((await web3.eth.getNodeInfo()).length > 0);
  assert.equal(await web3.eth.isSyncing(), false);
  assert.equal(await web3.eth.getBalance(other), 10_000n * ether);
  assert.ok((await web3.eth.getGasPrice()) > 0n);
  assert.ok((await web3.eth.getFeeHistory(4, 'latest', [25, 75])).baseFeePerGas.length >= 2);
  const block = await web3.eth.getBlock('latest', true);
  assert.equal((await web3.eth.getBlock(block.hash)).number, block.number);
  assert.equal((await web3.eth.getAccounts()).length, 10);
  const fees = await web3.eth.calculateFeeData();
  assert.ok(fees.maxFeePerGas > 0n);
});

await step('ether is sent', async () => {
  const receipt = await web3.eth.sendTransaction({ ...signing, to: other, value: 1 });
  assert.deepEqual([receipt.status, receipt.gasUsed], [1n, 21_000n]);
  const legacy = await web3.eth.sendTransaction({ ...signing, to: other, value: 1, gasPrice: await web3.eth.getGasPrice(), type: 0 });
  assert.equal(legacy.type, 0n);
  const unlocked = await web3.eth.sendTransaction({ from: accounts[0], to: other, value: 1 });
  assert.equal(unlocked.from.toLowerCase(), accounts[0].toLowerCase());
  assert.equal((await web3.eth.getTransaction(receipt.transactionHash)).blockNumber, receipt.blockNumber);
});

const coin = await step('a contract is deployed', async () => {
  const contract = await new web3.eth.Contract(abi).deploy({ data: bytecode, arguments: ['Web3', 1000n * ether] }).send(signing);
  assert.equal(await contract.methods.balanceOf(owner).call(), 1000n * ether);
  return contract;
});

await step('it is read and written', async () => {
  assert.ok((await coin.methods.transfer(other, 1).estimateGas(signing)) > 21_000n);
  const receipt = await coin.methods.transfer(other, 5).send(signing);
  assert.equal(receipt.events.Transfer.returnValues.value, 5n);
  assert.equal((await coin.getPastEvents('Transfer', { fromBlock: 0, filter: { to: other } })).length, 1);
  assert.equal((await web3.eth.getPastLogs({ address: coin.options.address, fromBlock: 0 })).length, 2);
  const list = await coin.methods.transfer(other, 1).createAccessList(signing);
  assert.equal(list.accessList.length, 1);
  const proof = await web3.eth.getProof(coin.options.address, [`0x${'1'.padStart(64, '0')}`]);
  assert.equal(proof.storageProof[0].value, 1000n * ether);
});

await step('failures are decoded', async () => {
  const selector = web3.eth.abi.encodeFunctionSignature('TooLittle(address,uint256,uint256)');
  await fails(coin.methods.transfer(other, 10n ** 30n).call(signing), selector);
  await fails(coin.methods.failWithReason().call(signing), 'because of this');
  await fails(coin.methods.failWithReason().send(signing), 'because of this');
  // Without its own try before, so that the node's words arrive.
  const plain = { checkRevertBeforeSending: false };
  await fails(web3.eth.sendTransaction({ ...signing, to: other, value: 10n ** 30n, gas: 21_000 }, undefined, plain), 'insufficient funds');
});

await step('signed by the node', async () => {
  const signature = await web3.eth.sign(web3.utils.utf8ToHex('hello'), accounts[0]);
  assert.equal(web3.eth.accounts.recover('hello', typeof signature === 'string' ? signature : signature.signature), accounts[0]);
});

await step('a batch', async () => {
  const batch = new web3.BatchRequest();
  const balance = batch.add({ jsonrpc: '2.0', id: 1, method: 'eth_getBalance', params: [other, 'latest'] });
  const number = batch.add({ jsonrpc: '2.0', id: 2, method: 'eth_blockNumber', params: [] });
  await batch.execute();
  assert.ok(BigInt(await balance) > 0n && BigInt(await number) > 0n);
});

await step('subscriptions', async () => {
  const socket = new Web3(WS);
  const seen = { heads: [], logs: [], pending: [], events: [] };
  const heads = await socket.eth.subscribe('newBlockHeaders');
  heads.on('data', (head) => seen.heads.push(head));
  const logs = await socket.eth.subscribe('logs', { address: coin.options.address });
  logs.on('data', (log) => seen.logs.push(log));
  const pending = await socket.eth.subscribe('pendingTransactions');
  pending.on('data', (hash) => seen.pending.push(hash));
  const events = new socket.eth.Contract(abi, coin.options.address).events.Transfer();
  events.on('data', (event) => seen.events.push(event));
  await sleep(300);
  const receipt = await coin.methods.transfer(other, 1).send(signing);
  await eventually('everything is seen', () => seen.heads.length && seen.logs.length && seen.pending.includes(receipt.transactionHash) && seen.events.length);
  assert.equal(seen.logs[0].transactionHash, receipt.transactionHash);
  for (const each of [heads, logs, pending]) await each.unsubscribe();
  socket.provider.disconnect();
});

finish();
