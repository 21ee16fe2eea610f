// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";

/// The same token as BenchToken, to stand behind OpenZeppelin's transparent proxy.
contract BenchUpgradeableToken is ERC20Upgradeable {
    function initialize(string calldata name_) external initializer {
        __ERC20_init(name_, name_);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// OpenZeppelin's proxy under a name of its own, so that the compiler emits it.
contract BenchProxy is TransparentUpgradeableProxy {
    constructor(address logic, address owner, bytes memory data) TransparentUpgradeableProxy(logic, owner, data) {}
}
