// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "../src/Coin.sol";
import "../src/Counter.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// A deployment of several steps that depend on each other.
contract Deploy {
    bool public constant IS_SCRIPT = true;
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external {
        vm.startBroadcast();
        Coin coin = new Coin("Coin", 1000 ether);
        Counter counter = new Counter();
        coin.transfer(address(counter), 7);
        coin.approve(address(counter), 5);
        counter.raise();
        counter.raise();
        (bool sent,) = address(counter).call{value: 1 ether}("");
        require(sent, "sent");
        vm.stopBroadcast();
        require(coin.balanceOf(address(counter)) == 7 && counter.number() == 2, "as simulated");
    }
}
