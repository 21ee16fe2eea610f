// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// Pays out of wallets that allow it to: the spender of a market maker, or of an exchange.
contract BenchTill {
    IERC20 private immutable token;
    address private immutable first;
    uint256 private immutable wallets;

    constructor(IERC20 token_, address first_, uint256 wallets_) {
        token = token_;
        first = first_;
        wallets = wallets_;
    }

    /// Out of the wallet that the payee's address chooses; wallets have addresses one after the other.
    function pay(uint256 amount) external {
        address wallet = address(uint160(first) + uint160(uint160(msg.sender) % wallets));
        require(token.transferFrom(wallet, msg.sender, amount));
    }
}
