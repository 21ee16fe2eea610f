// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

/// OpenZeppelin's ERC-4626 vault, which is abstract and therefore published without bytecode: nothing is added to it.
contract BenchVault is ERC4626 {
    constructor(IERC20 asset_) ERC20("BenchVault", "BNK") ERC4626(asset_) {}
}
