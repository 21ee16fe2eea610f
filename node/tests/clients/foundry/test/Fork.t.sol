// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "../src/Coin.sol";
import "../src/Counter.sol";

interface Vm {
    function envAddress(string calldata name) external returns (address);
    function prank(address sender) external;
    function rollFork(uint256 blockNumber) external;
}

/// Runs on a fork of the node's chain, with what was deployed there.
contract Fork {
    address private constant OWNER = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function test_chain_is_the_nodes() external view {
        require(block.chainid == 31337, "chain id");
        require(OWNER.balance > 1000 ether, "balance");
    }

    function test_state_of_the_fork_is_read_and_written() external {
        Coin coin = Coin(vm.envAddress("COIN"));
        require(coin.totalSupply() == 1000 ether, "supply");
        uint256 before = coin.balanceOf(address(this));
        vm.prank(OWNER);
        coin.transfer(address(this), 3);
        require(coin.balanceOf(address(this)) == before + 3, "transferred");
    }

    function test_what_fails_there_fails_here() external {
        Coin coin = Coin(vm.envAddress("COIN"));
        try coin.transfer(OWNER, 1) {
            revert("it has none");
        } catch (bytes memory data) {
            require(bytes4(data) == Coin.TooLittle.selector, "its own error");
        }
    }

    function test_earlier_blocks() external {
        vm.rollFork(1);
        require(block.number == 1, "block");
        require(vm.envAddress("COUNTER").code.length == 0, "not deployed yet");
    }
}
