// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Storage keys that depend on storage: each step follows a pointer that other transactions move.
contract BenchPointerChase {
    uint256 public cursor;
    mapping(uint256 => uint256) public cells;

    /// Reads a cell to learn which cell to write; nobody can name the key without the state before it.
    function chase(uint256 rounds) external {
        uint256 key = cursor;
        for (uint256 i = 0; i < rounds; i++) {
            key = uint256(keccak256(abi.encode(key, cells[key])));
            cells[key] += 1;
        }
        cursor = key;
    }

    /// Follows the caller's own chain of cells: state-dependent keys without a shared cursor.
    function chaseOwn(uint256 rounds) external {
        uint256 key = uint256(uint160(msg.sender));
        for (uint256 i = 0; i < rounds; i++) {
            uint256 value = cells[key];
            cells[key] = value + 1;
            key = uint256(keccak256(abi.encode(key, value)));
        }
        cells[key] = 1;
    }
}

/// Reads balances that change with every transaction of the block.
contract BenchCoinbaseReader {
    mapping(address => uint256) public seen;

    /// Stores the balance that the block's beneficiary has at this very transaction.
    function observe() external {
        seen[msg.sender] = block.coinbase.balance;
    }

    /// Only looks, and writes something that does not depend on it.
    function glance() external {
        if (block.coinbase.balance > 0) seen[msg.sender] = 1;
    }
}

/// A child that can be destroyed in the transaction that made it, or later.
contract BenchChild {
    uint256 public value;

    constructor() payable {
        value = 1;
    }

    function bump() external {
        value += 1;
    }

    function destroy(address payable to) external {
        selfdestruct(to);
    }
}

/// Creates children at known addresses, uses them, and destroys them.
contract BenchFactory {
    event Made(address child);

    /// Makes a child and destroys it in the same transaction, so that the same salt works again in the next one.
    function makeAndDestroy(bytes32 salt) external payable {
        BenchChild child = new BenchChild{salt: salt, value: msg.value}();
        child.bump();
        emit Made(address(child));
        child.destroy(payable(msg.sender));
    }

    /// Makes a child that stays.
    function make(bytes32 salt) external payable {
        emit Made(address(new BenchChild{salt: salt, value: msg.value}()));
    }

    /// Calls a child whatever it is: a contract, an empty account, a destroyed one.
    function poke(address child) external returns (bool ok) {
        (ok,) = child.call(abi.encodeCall(BenchChild.bump, ()));
    }
}

/// What delegated accounts run: a counter in the account's own storage.
contract BenchDelegate {
    uint256 public count;

    function increment() external payable {
        count += 1;
    }

    receive() external payable {}
}

/// A long loop over memory and hashing: one transaction as large as the fork allows.
contract BenchGiant {
    mapping(uint256 => uint256) public results;

    function grind(uint256 key, uint256 rounds) external {
        bytes32 h = bytes32(key);
        for (uint256 i = 0; i < rounds; i++) {
            h = keccak256(abi.encode(h, i));
        }
        results[key] = uint256(h);
    }
}
