// The controllers that MetaMask is made of, put together as its extension does, with a person who approves everything.
// usage: node metamask.mjs begin|continue|wipe STATE
//   begin     a new wallet adds the network, sends, and keeps its state in the file STATE
//   continue  the wallet is opened again, after the node was: it goes on where it was
//   wipe      the node has forgotten everything; the person clears the wallet's activity and goes on
import { readFileSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { AccountsController } from '@metamask/accounts-controller';
import { ApprovalController } from '@metamask/approval-controller';
import { GasFeeController } from '@metamask/gas-fee-controller';
import { KeyringController } from '@metamask/keyring-controller';
import { MOCK_ANY_NAMESPACE, Messenger } from '@metamask/messenger';
import { NetworkController } from '@metamask/network-controller';
import { TransactionController } from '@metamask/transaction-controller';
import { wordlist } from '@metamask/scure-bip39/dist/wordlists/english.js';
import { Interface } from '@ethersproject/abi';

// Two files of a package which as a whole needs everything else that MetaMask has.
const assets = new URL('./node_modules/@metamask/assets-controllers/dist/', import.meta.url);
const { AccountTrackerController } = await import(new URL('AccountTrackerController.mjs', assets));
const { ERC20Standard } = await import(new URL('Standards/ERC20Standard.mjs', assets));
const { Web3Provider } = await import('@ethersproject/providers');

const { HTTP } = process.env;
const [phase, file] = process.argv.slice(2);
const artifacts = JSON.parse(readFileSync(process.env.ARTIFACTS, 'utf8'));
const coinInterface = new Interface(artifacts.Coin.abi);
const other = '0x00000000000000000000000000000000000000aa';
const ether = 10n ** 18n;
const hex = (value) => `0x${value.toString(16)}`;

// The wallet asks other services too; from here it reaches the node alone.
const fetched = globalThis.fetch;
const elsewhere = new Set();
globalThis.fetch = (input, ...rest) => {
  const url = new URL(input.url ?? input);
  if (url.origin === new URL(HTTP).origin) return fetched(input, ...rest);
  elsewhere.add(url.host);
  return Promise.reject(new Error(`no network: ${url.host}`));
};

const saved = phase === 'begin' ? {} : JSON.parse(readFileSync(file, 'utf8'));
const messenger = new Messenger({ namespace: MOCK_ANY_NAMESPACE });
messenger.registerActionHandler('ErrorReportingService:captureException', (error) => console.log('reported', error.message));
messenger.registerActionHandler('PreferencesController:getState', () => ({ isMultiAccountBalancesEnabled: true }));
messenger.registerActionHandler('RemoteFeatureFlagController:getState', () => ({ remoteFeatureFlags: {} }));

const approvals = new ApprovalController({
  messenger,
  // The person says yes.
  showApprovalRequest: () => setTimeout(() => Object.keys(approvals.state.pendingApprovals).forEach((id) => approvals.accept(id)), 10),
});
const keyring = new KeyringController({ messenger });
const accounts = new AccountsController({ messenger, state: saved.accounts });
const network = new NetworkController({
  messenger,
  state: saved.network,
  infuraProjectId: 'none',
  getRpcServiceOptions: () => ({ fetch: globalThis.fetch, btoa, policyOptions: { maxRetries: 1 } }),
  getBlockTrackerOptions: () => ({ pollingInterval: 200 }),
});
const eip1559 = () => network.getEIP1559Compatibility();
const gasFees = new GasFeeController({
  messenger,
  getProvider: () => network.getProviderAndBlockTracker().provider ?? { request: () => Promise.reject(new Error('no network yet')) },
  getCurrentNetworkEIP1559Compatibility: eip1559,
  getCurrentNetworkLegacyGasAPICompatibility: () => false,
  EIP1559APIEndpoint: 'https://gas.invalid/<chain_id>',
});
const transactions = new TransactionController({
  messenger,
  state: saved.transactions,
  disableHistory: true,
  disableSendFlowHistory: true,
  disableSwaps: true,
  getCurrentAccountEIP1559Compatibility: async () => true,
  getCurrentNetworkEIP1559Compatibility: eip1559,
  getGasFeeEstimates: (options) => gasFees.fetchGasFeeEstimates(options),
  getNetworkClientRegistry: () => network.getNetworkClientRegistry(),
  getNetworkState: () => network.state,
  getPermittedAccounts: async () => accounts.listAccounts().map(({ address }) => address),
  getSavedGasFees: () => undefined,
  hooks: {},
  incomingTransactions: { isEnabled: () => false },
  isSimulationEnabled: () => false,
  pendingTransactions: { isResubmitEnabled: () => false },
  sign: (transaction, from) => keyring.signTransaction(transaction, from),
});

// ---- the wallet

await keyring.createNewVaultAndRestore('password', seed('test test test test test test test test test test test junk'));
await accounts.updateAccounts();
const [owner] = await keyring.getAccounts();
assert.equal(owner, '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'.toLowerCase());

// ---- the network

const chainId = '0x7a69';
if (phase === 'begin') {
  network.addNetwork({
    chainId,
    name: 'Local',
    nativeCurrency: 'ETH',
    blockExplorerUrls: [],
    defaultRpcEndpointIndex: 0,
    rpcEndpoints: [{ type: 'custom', name: 'Local', url: HTTP }],
  });
}
const [{ networkClientId }] = network.getNetworkConfigurationByChainId(chainId).rpcEndpoints;
await network.setActiveNetwork(networkClientId);
assert.equal(network.state.networksMetadata[networkClientId].status, 'available');
assert.equal(await eip1559(), true);
const { provider } = network.getNetworkClientById(networkClientId);
const request = (method, ...params) => provider.request({ method, params });
assert.equal(await request('eth_chainId'), chainId);
assert.equal(await request('net_version'), '31337');

// ---- balances

const tracker = new AccountTrackerController({ messenger, getStakedBalanceForChain: async () => ({}) });
async function balance() {
  await tracker.refresh([networkClientId], true);
  const entries = Object.entries(tracker.state.accountsByChainId[chainId]);
  return BigInt(entries.find(([address]) => address.toLowerCase() === owner)[1].balance);
}
const coins = new ERC20Standard(new Web3Provider(provider));

// ---- sending

const confirmed = new Map();
messenger.subscribe('TransactionController:transactionConfirmed', (meta) => confirmed.set(meta.hash, meta));
messenger.subscribe('TransactionController:transactionFailed', ({ error }) => console.log('failed', error));

// As the extension does after its confirmation page: estimates, approval, signature, nonce, and the wait for the receipt.
async function send(fields) {
  const { result, transactionMeta } = await transactions.addTransaction({ from: owner, ...fields }, { networkClientId, origin: 'metamask' });
  const hash = await result;
  const end = Date.now() + 30_000;
  while (!confirmed.has(hash)) {
    assert.ok(Date.now() < end, `${hash} is not confirmed`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const meta = confirmed.get(hash);
  assert.equal(meta.txReceipt.status, '0x1');
  assert.equal(meta.id, transactionMeta.id);
  return meta;
}
const nonceOf = (meta) => Number(meta.txParams.nonce);

// On a network that MetaMask's own fee service does not know, one number is all it has: it becomes both fees.
async function estimates() {
  const { gasEstimateType, gasFeeEstimates } = await gasFees.fetchGasFeeEstimates({ networkClientId });
  assert.equal(gasEstimateType, 'eth_gasPrice');
  const { baseFeePerGas } = await request('eth_getBlockByNumber', 'latest', false);
  assert.ok(Number(gasFeeEstimates.gasPrice) * 1e9 > Number(baseFeePerGas), JSON.stringify(gasFeeEstimates));
}

const state = saved.own ?? {};
await estimates();
if (phase === 'begin') {
  const before = await balance();
  assert.equal(before, 10_000n * ether);
  const sent = await send({ to: other, value: hex(ether) });
  assert.deepEqual([nonceOf(sent), sent.type], [0, 'simpleSend']);
  assert.ok((await balance()) < before - ether, 'value and fee are gone');
  const deployed = await send({ data: artifacts.Coin.bytecode + coinInterface.encodeDeploy(['Coin', hex(1000n * ether)]).slice(2) });
  state.coin = deployed.txReceipt.contractAddress;
  assert.equal(deployed.type, 'contractDeployment');
  const transfer = await send({ to: state.coin, data: coinInterface.encodeFunctionData('transfer', [other, hex(5n)]) });
  assert.equal(transfer.type, 'transfer');
  assert.equal(nonceOf(transfer), 2);
  // What would fail is known before it is sent.
  const failing = { from: owner, to: state.coin, data: coinInterface.encodeFunctionData('failWithReason') };
  const { simulationFails } = await transactions.estimateGas(failing, networkClientId);
  assert.ok(simulationFails, 'the estimate fails');
  state.next = 3;
} else if (phase === 'continue') {
  // A list of activity that the chain still knows, and nonces that go on.
  assert.equal(transactions.state.transactions.length, 3);
  for (const { hash } of transactions.state.transactions) assert.equal((await request('eth_getTransactionReceipt', hash)).status, '0x1');
  const sent = await send({ to: other, value: hex(1n) });
  assert.equal(nonceOf(sent), state.next);
  const transfer = await send({ to: state.coin, data: coinInterface.encodeFunctionData('transfer', [other, hex(1n)]) });
  assert.equal(nonceOf(transfer), state.next + 1);
  state.next += 2;
} else {
  transactions.wipeTransactions({ chainId, address: owner });
  assert.equal(transactions.state.transactions.length, 0);
  assert.equal(await balance(), 10_000n * ether);
  const sent = await send({ to: other, value: hex(1n) });
  assert.equal(nonceOf(sent), 0);
}
if (phase !== 'wipe') {
  assert.equal(await coins.getTokenSymbol(state.coin), 'COIN');
  assert.equal(await coins.getTokenDecimals(state.coin), '18');
  const had = { begin: 1000n * ether - 5n, continue: 1000n * ether - 6n }[phase];
  assert.equal(BigInt(await coins.getBalanceOf(state.coin, owner)), had);
}
writeFileSync(file, JSON.stringify({ own: state, network: network.state, accounts: accounts.state, transactions: transactions.state }));
console.log(`${phase}: done; it also asked ${[...elsewhere].join(', ') || 'nobody else'}`);
process.exit(0);

// The form in which the keyring takes a phrase: the places of its words in the list, two bytes each.
function seed(phrase) {
  const places = phrase.split(' ').map((word) => wordlist.indexOf(word));
  return new Uint8Array(Uint16Array.from(places).buffer);
}
