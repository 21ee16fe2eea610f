// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Small state, and what a contract sees of its block.
contract Counter {
    uint256 public number;

    event Raised(address indexed by, uint256 number);

    receive() external payable {}

    function pay() external payable {}

    function raise() external {
        number += 1;
        emit Raised(msg.sender, number);
    }

    function environment()
        external
        view
        returns (uint256 chain, uint256 block_, uint256 time, uint256 baseFee, uint256 gasLimit, address coinbase)
    {
        return (block.chainid, block.number, block.timestamp, block.basefee, block.gaslimit, block.coinbase);
    }
}
