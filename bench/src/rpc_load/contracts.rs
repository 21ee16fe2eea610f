//! Tokens and Uniswap v2 on a running node: what the set-up deploys, and the transactions that use it.

use super::{LoadError, Setup, Wallet, Wallets};
use crate::contracts::arguments;
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, TxKind, U256, keccak256};
use alloy_sol_types::{SolCall, sol};

sol! {
    function mint(address to, uint256 amount) external;
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
    function addLiquidity(address tokenA, address tokenB, uint256 amountADesired, uint256 amountBDesired, uint256 amountAMin, uint256 amountBMin, address to, uint256 deadline) external returns (uint256 amountA, uint256 amountB, uint256 liquidity);
    function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
}

/// Recipients that take turns.
const RECIPIENTS: u64 = 10_000;
/// Gas limit of a token transfer.
const TRANSFER_GAS: u64 = 100_000;
/// Gas limit of a swap.
const SWAP_GAS: u64 = 250_000;

/// Tokens of a holder at the start: enough for any load.
fn plenty() -> U256 {
    U256::from(10).pow(U256::from(30))
}

/// The account that the transaction of a number pays.
pub(super) fn recipient(number: usize) -> Address {
    Address::from_word(keccak256((number as u64 % RECIPIENTS).to_be_bytes()))
}

/// The plain transfer of a number.
pub(super) fn ether_transfer(number: usize, turn: usize) -> TxEip1559 {
    let to = TxKind::Call(recipient(number));
    Wallet::draft(turn as u64, to, 21_000, U256::from(1), alloy_primitives::Bytes::new())
}

/// An OpenZeppelin token that all senders hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) address: Address,
}

impl Token {
    /// Deploys the token and mints it to the senders.
    pub(super) fn set_up(setup: &mut Setup, wallets: &Wallets) -> Result<Self, LoadError> {
        let token = Self::deploy(setup, &wallets.admin)?;
        for sender in &wallets.senders {
            token.mint(setup, &wallets.admin, sender.address);
        }
        Ok(token)
    }

    fn deploy(setup: &mut Setup, admin: &Wallet) -> Result<Self, LoadError> {
        Ok(Self { address: setup.deploy(admin, "BenchToken", arguments(&("BENCH".to_owned(),)))? })
    }

    fn mint(self, setup: &mut Setup, admin: &Wallet, to: Address) {
        setup.call(admin, self.address, "mint", mintCall { to, amount: plenty() }.abi_encode());
    }

    fn approve(self, setup: &mut Setup, holder: &Wallet, spender: Address) {
        setup.call(holder, self.address, "approve", approveCall { spender, amount: U256::MAX }.abi_encode());
    }

    /// The transfer of a number; senders have sent nothing before.
    pub(super) fn transfer(self, number: usize, turn: usize) -> TxEip1559 {
        let input = transferCall { to: recipient(number), amount: U256::from(number as u64 % 1000 + 1) }.abi_encode();
        Wallet::draft(turn as u64, TxKind::Call(self.address), TRANSFER_GAS, U256::ZERO, input.into())
    }

    /// Call data that asks for a balance.
    pub(super) fn balance_of(account: Address) -> Vec<u8> {
        balanceOfCall { account }.abi_encode()
    }
}

/// Uniswap v2 with pools at price 1.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    router: Address,
    pairs: Vec<[Token; 2]>,
    /// Senders take turns: who swaps in which pool never changes.
    senders: Vec<Address>,
}

impl Exchange {
    /// Transactions that every sender has sent when the set-up is done.
    const SENT: u64 = 2;

    /// Deploys factory, router and pools, and gives the senders of each pool its tokens.
    pub(super) fn set_up(setup: &mut Setup, wallets: &Wallets, pairs: usize) -> Result<Self, LoadError> {
        let admin = &wallets.admin;
        let weth = setup.deploy(admin, "WETH9", Vec::new())?;
        let factory = setup.deploy(admin, "UniswapV2Factory", arguments(&(admin.address,)))?;
        let router = setup.deploy(admin, "UniswapV2Router02", arguments(&(factory, weth)))?;
        let mut exchange = Self { router, pairs: Vec::new(), senders: Vec::new() };
        for _ in 0..pairs.max(1) {
            let pair = [Token::deploy(setup, admin)?, Token::deploy(setup, admin)?];
            for token in pair {
                token.mint(setup, admin, admin.address);
                token.approve(setup, admin, router);
            }
            let [first, second] = pair.map(|token| token.address);
            let depth = plenty() / U256::from(1000);
            let call = addLiquidityCall {
                tokenA: first,
                tokenB: second,
                amountADesired: depth,
                amountBDesired: depth,
                amountAMin: U256::ZERO,
                amountBMin: U256::ZERO,
                to: admin.address,
                deadline: U256::MAX,
            };
            // Making a pool costs more than other calls.
            setup.call_with_gas(admin, router, "addLiquidity", call.abi_encode(), 5_000_000);
            exchange.pairs.push(pair);
        }
        for (index, sender) in wallets.senders.iter().enumerate() {
            for token in exchange.pair(index) {
                token.mint(setup, admin, sender.address);
                token.approve(setup, sender, router);
            }
            exchange.senders.push(sender.address);
        }
        Ok(exchange)
    }

    fn pair(&self, sender: usize) -> [Token; 2] {
        self.pairs[sender % self.pairs.len()]
    }

    /// The swap of a number, there and back in turns.
    pub(super) fn swap(&self, number: usize, turn: usize) -> TxEip1559 {
        let sender = number % self.senders.len();
        let [mut from, mut to] = self.pair(sender).map(|token| token.address);
        if turn % 2 == 1 {
            (from, to) = (to, from);
        }
        let input = swapExactTokensForTokensCall {
            amountIn: U256::from(10).pow(U256::from(15)),
            amountOutMin: U256::ZERO,
            path: vec![from, to],
            to: self.senders[sender],
            deadline: U256::MAX,
        }
        .abi_encode();
        Wallet::draft(Self::SENT + turn as u64, TxKind::Call(self.router), SWAP_GAS, U256::ZERO, input.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swaps_begin_after_the_approvals() {
        let wallets = Wallets::derive(3).unwrap();
        let senders = wallets.senders.iter().map(|sender| sender.address).collect();
        let token = |byte| Token { address: Address::with_last_byte(byte) };
        let pairs = vec![[token(1), token(2)], [token(3), token(4)]];
        let exchange = Exchange { router: Address::ZERO, pairs, senders };
        let mut setup = Setup::default();
        for (index, sender) in wallets.senders.iter().enumerate() {
            for token in exchange.pair(index) {
                token.approve(&mut setup, sender, Address::ZERO);
            }
        }
        for number in 0..3 {
            assert_eq!(exchange.swap(number, 0).nonce, setup.nonce(wallets.senders[number].address));
            assert_eq!(exchange.swap(number, 4).nonce, setup.nonce(wallets.senders[number].address) + 4);
        }
    }
}
