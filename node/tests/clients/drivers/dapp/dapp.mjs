// A small dApp as people write them: it knows nothing but `window.ethereum`.
import { BrowserProvider, ContractFactory, Interface, formatEther, formatUnits } from '/ethers.js';

const { Coin } = await (await fetch('/artifacts.json')).json();
const other = '0x00000000000000000000000000000000000000aa';
const show = (id, text) => (document.getElementById(id).textContent = text);
const provider = new BrowserProvider(window.ethereum, undefined, { pollingInterval: 100 });
let signer;
let coin;

async function refresh() {
  show('account', signer.address);
  show('balance', formatEther(await provider.getBalance(signer.address)));
  if (coin) show('coins', formatUnits(await coin.balanceOf(signer.address), 18));
}

async function subscribe() {
  const heads = await window.ethereum.request({ method: 'eth_subscribe', params: ['newHeads'] });
  const logs = await window.ethereum.request({ method: 'eth_subscribe', params: ['logs', { address: await coin.getAddress() }] });
  window.ethereum.on('message', ({ data: { subscription, result } }) => {
    if (subscription === heads) show('heads', Number(result.number));
    if (subscription !== logs) return;
    const { args } = new Interface(Coin.abi).parseLog(result);
    document.getElementById('events').append(Object.assign(document.createElement('li'), { textContent: `${args.to} got ${args.value}` }));
  });
}

const actions = {
  async connect() {
    await provider.send('eth_requestAccounts', []);
    signer = await provider.getSigner();
  },
  async deploy() {
    coin = await new ContractFactory(Coin.abi, Coin.bytecode, signer).deploy('dApp', 1000n * 10n ** 18n);
    await coin.waitForDeployment();
    await subscribe();
  },
  async send() {
    await (await coin.transfer(other, 5n)).wait();
  },
  async fail() {
    await coin.transfer.staticCall(other, 10n ** 30n);
  },
};
for (const [name, action] of Object.entries(actions))
  document.getElementById(name).onclick = async () => {
    show('error', '');
    try {
      await action();
      await refresh();
    } catch (error) {
      show('error', error.revert ? `${error.revert.name}: ${error.revert.args.wants}` : error.message);
    }
    document.body.dataset.done = name;
  };
document.body.dataset.done = 'load';
