// Run with `hardhat test nodejs --network braid`: everything goes to the node.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { network } from 'hardhat';
import { getAddress as checksum } from 'viem';
import CoinModule from '../ignition/modules/Coin.js';

describe('a project on the node', async () => {
  const { viem, ignition, networkHelpers, provider } = await network.getOrCreate();
  const client = await viem.getPublicClient();
  const [owner, other] = await viem.getWalletClients();

  it('deploys and calls', async () => {
    const coin = await viem.deployContract('Coin', ['Hardhat', 1000n]);
    assert.equal(await coin.read.balanceOf([owner.account.address]), 1000n);
    await viem.assertions.emitWithArgs(coin.write.transfer([other.account.address, 5n]), coin, 'Transfer', [checksum(owner.account.address), checksum(other.account.address), 5n]);
    assert.equal(await coin.read.balanceOf([other.account.address]), 5n);
    const theirs = await viem.getContractAt('Coin', coin.address, { client: { wallet: other } });
    await client.waitForTransactionReceipt({ hash: await theirs.write.transfer([owner.account.address, 2n]) });
    assert.equal(await coin.read.balanceOf([other.account.address]), 3n);
  });

  it('tells why a transaction fails', async () => {
    const coin = await viem.deployContract('Coin', ['Hardhat', 1n]);
    await viem.assertions.revertWithCustomErrorWithArgs(coin.write.transfer([other.account.address, 5n]), coin, 'TooLittle', [checksum(owner.account.address), 1n, 5n]);
    await viem.assertions.revertWith(coin.write.failWithReason(), 'because of this');
    await viem.assertions.revert(coin.write.failSilently());
  });

  it('moves ether', async () => {
    const stranger = '0x00000000000000000000000000000000000000aa';
    await viem.assertions.balancesHaveChanged(owner.sendTransaction({ to: stranger, value: 3n }), [{ address: stranger, amount: 3n }]);
  });

  it('steers the chain', async () => {
    const before = await client.getBlock();
    await networkHelpers.mine(3);
    assert.equal((await client.getBlockNumber({ cacheTime: 0 })) - before.number, 3n);
    await networkHelpers.time.increase(1000);
    assert.ok((await networkHelpers.time.latest()) >= Number(before.timestamp) + 1000);
    const snapshot = await networkHelpers.takeSnapshot();
    await networkHelpers.setBalance(other.account.address, 77n);
    assert.equal(await client.getBalance({ address: other.account.address }), 77n);
    await snapshot.restore();
    assert.notEqual(await client.getBalance({ address: other.account.address }), 77n);
    await networkHelpers.impersonateAccount('0x00000000000000000000000000000000000000bb');
    await networkHelpers.setBalance('0x00000000000000000000000000000000000000bb', 10n ** 18n);
    const hash = await provider.request({ method: 'eth_sendTransaction', params: [{ from: '0x00000000000000000000000000000000000000bb', to: owner.account.address, value: '0x1' }] });
    assert.equal((await client.waitForTransactionReceipt({ hash })).status, 'success');
  });

  it('deploys a module', async () => {
    const { coin, counter } = await ignition.deploy(CoinModule);
    assert.equal(await coin.read.balanceOf([counter.address]), 7n);
    assert.equal(await counter.read.number(), 1n);
    assert.equal(await client.getBalance({ address: counter.address }), 10n ** 18n);
  });
});
