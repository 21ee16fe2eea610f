import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';

// Two contracts, the second used with the first.
export default buildModule('CoinModule', (m) => {
  const coin = m.contract('Coin', [m.getParameter('name', 'Ignition'), 1000n * 10n ** 18n]);
  const counter = m.contract('Counter', [], { after: [coin] });
  m.call(coin, 'transfer', [counter, 7n]);
  const raised = m.call(counter, 'raise', []);
  m.call(counter, 'pay', [], { value: 10n ** 18n, after: [raised] });
  return { coin, counter };
});
