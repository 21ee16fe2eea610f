//! Uniswap v2 and v3 over the same tokens: pools of uneven popularity with wrapped ether, and with the dollar.

use super::{
    super::{
        WorkloadError,
        block_builder::{Call, ETHER},
        erc20,
        sampling::Zipf,
        uniswap::{FEE, Pair, RouterV2, RouterV3, SWAP_GAS_LIMIT, Uniswap, Version},
    },
    stage::Stage,
    tokens::Tokens,
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, U160, U256, aliases::U24};
use alloy_sol_types::SolCall;

/// Tokens with a pool against wrapped ether, on each exchange.
const WITH_ETHER: usize = 16;
/// Tokens with a pool against the dollar, on each exchange.
const WITH_DOLLAR: usize = 7;
/// What the administrator needs of a token for all of its pools, in ether; of wrapped ether twice as much.
const ENOUGH: u64 = 300_000_000;

/// Both exchanges.
#[derive(Debug)]
pub(super) struct Exchanges {
    pub(super) v2: Uniswap,
    pub(super) v3: Uniswap,
    weth: Address,
    dollar: Address,
    /// Tokens by popularity, those of the pools with ether.
    with_ether: Vec<Address>,
    ether_ranks: Zipf,
    dollar_ranks: Zipf,
    turn: usize,
}

impl Exchanges {
    pub(super) fn deploy(deployer: &mut Deployer, tokens: &Tokens) -> Result<Self, WorkloadError> {
        let (admin, weth) = (deployer.admin, tokens.weth);
        let v2 = Uniswap::without_pools(deployer, Version::V2, weth)?;
        let v3 = Uniswap::without_pools(deployer, Version::V3, weth)?;
        let with_ether: Vec<Address> = tokens.traded().take(WITH_ETHER).collect();
        let dollar = with_ether[0];
        for token in with_ether.iter().chain([&weth]) {
            // The third token has a fixed supply, all of it the administrator's.
            if *token != tokens.uni {
                let enough = if *token == weth { 2 * ENOUGH } else { ENOUGH };
                tokens.give(deployer, *token, admin, ETHER * U256::from(enough))?;
            }
            for spender in [v2.provider, v3.provider] {
                deployer.call(admin, *token, erc20::approveCall { spender, amount: U256::MAX })?;
            }
        }
        let against_dollar = with_ether[1..=WITH_DOLLAR].iter().map(|token| (dollar, *token));
        for (one, other) in with_ether.iter().map(|token| (weth, *token)).chain(against_dollar) {
            let pair = Pair { first: one.min(other), second: one.max(other) };
            v2.open(deployer, pair)?;
            v3.open(deployer, pair)?;
        }
        Ok(Self {
            v2,
            v3,
            weth,
            dollar,
            ether_ranks: Zipf::new(WITH_ETHER, 1.0),
            dollar_ranks: Zipf::new(WITH_DOLLAR, 1.0),
            with_ether,
            turn: 0,
        })
    }

    fn with_ether(&self, stage: &mut Stage) -> Address {
        self.with_ether[self.ether_ranks.sample(&mut stage.random)]
    }

    /// A pair of tokens that share a pool without ether, in one direction or the other.
    fn against_dollar(&self, stage: &mut Stage) -> Vec<Address> {
        let token = self.with_ether[1 + self.dollar_ranks.sample(&mut stage.random)];
        if self.turn.is_multiple_of(3) { vec![self.dollar, token] } else { vec![token, self.dollar] }
    }

    /// Two different tokens with a path over wrapped ether.
    fn over_ether(&self, stage: &mut Stage) -> Vec<Address> {
        let first = self.with_ether(stage);
        let second = loop {
            let candidate = self.with_ether(stage);
            if candidate != first {
                break candidate;
            }
        };
        vec![first, self.weth, second]
    }

    /// A swap, half of them on each exchange: ether for tokens and back, tokens for the dollar, and a quarter over two pools.
    /// One in ten asks for more than it can get, runs most of its way and fails.
    pub(super) fn swap(&mut self, stage: &mut Stage, tokens: &Tokens, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let amount = stage.ether(1, 20);
        let least = if turn % 10 == 3 { amount * U256::from(2) } else { U256::ZERO };
        match turn % 20 {
            0..3 => {
                let path = vec![self.weth, self.with_ether(stage)];
                let input =
                    RouterV2::swapExactETHForTokensCall { amountOutMin: least, path, to: sender, deadline: U256::MAX };
                Ok(Call { value: amount, ..Call::contract(sender, self.v2.router, input.abi_encode(), SWAP_GAS_LIMIT) })
            }
            3..5 => {
                let token = self.with_ether(stage);
                tokens.give_for(&mut stage.deployer, token, sender, amount, self.v2.router)?;
                let input = RouterV2::swapExactTokensForETHCall {
                    amountIn: amount,
                    amountOutMin: least,
                    path: vec![token, self.weth],
                    to: sender,
                    deadline: U256::MAX,
                };
                Ok(Call::contract(sender, self.v2.router, input.abi_encode(), SWAP_GAS_LIMIT))
            }
            kind @ 5..10 => {
                let path = if kind < 7 { self.against_dollar(stage) } else { self.over_ether(stage) };
                tokens.give_for(&mut stage.deployer, path[0], sender, amount, self.v2.router)?;
                Ok(self.v2.swap_along(sender, path, amount, least))
            }
            10..13 => {
                let to = self.with_ether(stage);
                let call = self.single(sender, self.weth, to, amount, least);
                Ok(Call { value: amount, ..call })
            }
            kind @ 13..18 => {
                let path = if kind < 15 { self.against_dollar(stage) } else { vec![self.with_ether(stage), self.weth] };
                tokens.give_for(&mut stage.deployer, path[0], sender, amount, self.v3.router)?;
                Ok(self.single(sender, path[0], path[1], amount, least))
            }
            _ => {
                let path = self.over_ether(stage);
                tokens.give_for(&mut stage.deployer, path[0], sender, amount, self.v3.router)?;
                let fee = U24::from(FEE).to_be_bytes::<3>();
                let packed = [&path[0][..], &fee, &path[1][..], &fee, &path[2][..]].concat();
                let params = RouterV3::ExactInputParams {
                    path: packed.into(),
                    recipient: sender,
                    deadline: U256::MAX,
                    amountIn: amount,
                    amountOutMinimum: least,
                };
                let input = RouterV3::exactInputCall { params }.abi_encode();
                Ok(Call::contract(sender, self.v3.router, input, 2 * SWAP_GAS_LIMIT))
            }
        }
    }

    /// A v3 swap in one pool.
    fn single(&self, sender: Address, from: Address, to: Address, amount: U256, least: U256) -> Call {
        let params = RouterV3::ExactInputSingleParams {
            tokenIn: from,
            tokenOut: to,
            fee: U24::from(FEE),
            recipient: sender,
            deadline: U256::MAX,
            amountIn: amount,
            amountOutMinimum: least,
            sqrtPriceLimitX96: U160::ZERO,
        };
        Call::contract(sender, self.v3.router, RouterV3::exactInputSingleCall { params }.abi_encode(), SWAP_GAS_LIMIT)
    }
}
