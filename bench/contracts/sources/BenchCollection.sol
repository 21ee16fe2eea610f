// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// An OpenZeppelin ERC-721 with the usual sequential mint: every mint reads and bumps one counter.
contract BenchCollection is ERC721 {
    uint256 public nextId;

    constructor() ERC721("BenchCollection", "BNC") {}

    function mint() external returns (uint256 id) {
        id = nextId++;
        _mint(msg.sender, id);
    }
}
