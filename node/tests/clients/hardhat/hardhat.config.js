import { defineConfig } from 'hardhat/config';
import toolbox from '@nomicfoundation/hardhat-toolbox-viem';

export default defineConfig({
  plugins: [toolbox],
  // The compiler comes from a package, too.
  solidity: { version: '0.8.37', path: process.env.SOLC },
  networks: {
    braid: { type: 'http', chainType: 'l1', url: process.env.HTTP ?? 'http://127.0.0.1:8545', accounts: 'remote' },
    keys: {
      type: 'http',
      chainType: 'l1',
      url: process.env.HTTP ?? 'http://127.0.0.1:8545',
      accounts: { mnemonic: 'test test test test test test test test test test test junk' },
    },
  },
});
