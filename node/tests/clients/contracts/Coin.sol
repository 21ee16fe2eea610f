// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// An ERC-20 coin that fails in each of the ways that clients tell apart.
contract Coin {
    string public name;
    string public constant symbol = "COIN";
    uint8 public constant decimals = 18;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error TooLittle(address owner, uint256 has, uint256 wants);

    constructor(string memory name_, uint256 supply) {
        name = name_;
        mint(msg.sender, supply);
    }

    function mint(address to, uint256 value) public {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        move(msg.sender, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        require(allowance[from][msg.sender] >= value, "not allowed");
        allowance[from][msg.sender] -= value;
        move(from, to, value);
        return true;
    }

    function move(address from, address to, uint256 value) private {
        if (balanceOf[from] < value) revert TooLittle(from, balanceOf[from], value);
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }

    /// Fails with a string.
    function failWithReason() external pure {
        revert("because of this");
    }

    /// Fails as checked arithmetic does.
    function failWithPanic(uint256 by) external pure returns (uint256) {
        return 1 / by;
    }

    /// Fails without a word.
    function failSilently() external pure {
        assembly {
            revert(0, 0)
        }
    }
}
