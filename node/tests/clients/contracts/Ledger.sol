// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

type Cents is uint128;

/// Stands behind a proxy: plain variables, and a structure at a slot of its own (ERC-7201).
contract Ledger {
    struct Account {
        Cents spent;
        uint64 count;
        bytes32[] notes;
    }

    /// @custom:storage-location erc7201:ledger.main
    struct Main {
        uint64 round;
        bool open;
        mapping(address => Account) accounts;
    }

    uint64 public immutable version = 7;
    address public owner;
    uint96 public fee;
    uint256 public payments;
    mapping(address => mapping(bytes32 => uint256)) public paid;

    function main() private pure returns (Main storage self) {
        bytes32 slot = keccak256(abi.encode(uint256(keccak256("ledger.main")) - 1)) & ~bytes32(uint256(0xff));
        assembly {
            self.slot := slot
        }
    }

    /// Everybody changes the owner's account, the round and the count.
    function pay(bytes32 note, uint96 amount) external {
        Main storage self = main();
        self.round += 1;
        Account storage account = self.accounts[owner];
        account.spent = Cents.wrap(Cents.unwrap(account.spent) + amount);
        account.count += uint64(version);
        account.notes.push(note);
        paid[owner][bytes32("all")] += amount;
        payments += 1;
        fee += 1;
    }
}

/// The smallest proxy that keeps its implementation where ERC-1967 says.
contract Forwarder {
    bytes32 private constant SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor(address implementation) {
        assembly {
            sstore(SLOT, implementation)
        }
    }

    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(SLOT), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch done
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}
