//! Uniswap v2 and v3 as their authors published them: deployment, pools, and the calls that swap.

use super::{
    WorkloadError,
    block_builder::{Call, ETHER},
    erc20,
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{
    Address, U160, U256,
    aliases::{I24, U24},
};
use alloy_sol_types::{SolCall, sol};

sol! {
    interface RouterV2 {
        function addLiquidity(address tokenA, address tokenB, uint256 amountADesired, uint256 amountBDesired, uint256 amountAMin, uint256 amountBMin, address to, uint256 deadline) external returns (uint256 amountA, uint256 amountB, uint256 liquidity);
        function swapExactETHForTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) external payable returns (uint256[] amounts);
        function swapExactTokensForETH(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
        function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
    }
    interface Positions {
        struct MintParams {
            address token0;
            address token1;
            uint24 fee;
            int24 tickLower;
            int24 tickUpper;
            uint256 amount0Desired;
            uint256 amount1Desired;
            uint256 amount0Min;
            uint256 amount1Min;
            address recipient;
            uint256 deadline;
        }
        function createAndInitializePoolIfNecessary(address token0, address token1, uint24 fee, uint160 sqrtPriceX96) external payable returns (address pool);
        function mint(MintParams params) external payable returns (uint256 tokenId, uint128 liquidity, uint256 amount0, uint256 amount1);
    }
    interface RouterV3 {
        struct ExactInputSingleParams {
            address tokenIn;
            address tokenOut;
            uint24 fee;
            address recipient;
            uint256 deadline;
            uint256 amountIn;
            uint256 amountOutMinimum;
            uint160 sqrtPriceLimitX96;
        }
        struct ExactInputParams {
            bytes path;
            address recipient;
            uint256 deadline;
            uint256 amountIn;
            uint256 amountOutMinimum;
        }
        function exactInput(ExactInputParams params) external payable returns (uint256 amountOut);
        function exactInputSingle(ExactInputSingleParams params) external payable returns (uint256 amountOut);
    }
    function approve(address spender, uint256 amount) external returns (bool);
}

/// Fee tier of all v3 pools, in hundredths of a basis point.
pub(super) const FEE: u32 = 3000;
/// Gas limit of a swap of one hop.
pub(super) const SWAP_GAS_LIMIT: u64 = 400_000;

/// Two tokens with a pool between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) first: Address,
    pub(super) second: Address,
}

/// Which of the two exchanges.
#[derive(Clone, Copy, Debug)]
pub(super) enum Version {
    /// Factory, pairs and Router02.
    V2,
    /// Factory, pools, position manager and swap router.
    V3,
}

/// A deployed exchange.
#[derive(Debug)]
pub(super) struct Uniswap {
    version: Version,
    /// What traders call and approve.
    pub(super) router: Address,
    /// What takes liquidity: the router in v2, the position manager in v3.
    pub(super) provider: Address,
}

/// Deploys enough tokens that every two of them make `pairs` different pairs, and gives the administrator plenty of each.
pub(super) fn tokens_for(deployer: &mut Deployer, pairs: usize) -> Result<Vec<Pair>, WorkloadError> {
    let mut count = 2;
    while count * (count - 1) / 2 < pairs {
        count += 1;
    }
    let tokens = tokens(deployer, count)?;
    let mut result = Vec::with_capacity(pairs);
    for (index, first) in tokens.iter().enumerate() {
        result.extend(tokens[index + 1..].iter().map(|second| Pair { first: *first, second: *second }));
    }
    result.truncate(pairs);
    Ok(result)
}

/// Deploys `count` tokens of which the administrator has plenty, in the order of their addresses.
pub(super) fn tokens(deployer: &mut Deployer, count: usize) -> Result<Vec<Address>, WorkloadError> {
    let mut tokens =
        (0..count).map(|index| erc20::token(deployer, &format!("TOKEN{index}"))).collect::<Result<Vec<_>, _>>()?;
    tokens.sort_unstable();
    Ok(tokens)
}

impl Uniswap {
    /// Deploys the exchange and lets it take the administrator's tokens.
    pub(super) fn deploy(deployer: &mut Deployer, version: Version, pairs: &[Pair]) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        let weth = deployer.deploy("WETH9", Vec::new())?;
        let exchange = Self::without_pools(deployer, version, weth)?;
        let mut tokens: Vec<_> = pairs.iter().flat_map(|pair| [pair.first, pair.second]).collect();
        tokens.sort_unstable();
        tokens.dedup();
        for token in tokens {
            erc20::endow(deployer, token, admin, ETHER * U256::from(1_000_000_000_000_u64), exchange.provider)?;
        }
        for pair in pairs {
            exchange.open(deployer, *pair)?;
        }
        Ok(exchange)
    }

    /// Deploys the exchange over a wrapped ether that is there already.
    pub(super) fn without_pools(
        deployer: &mut Deployer,
        version: Version,
        weth: Address,
    ) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        Ok(match version {
            Version::V2 => {
                let factory = deployer.deploy("UniswapV2Factory", arguments(&(admin,)))?;
                let router = deployer.deploy("UniswapV2Router02", arguments(&(factory, weth)))?;
                Self { version, router, provider: router }
            }
            Version::V3 => {
                let factory = deployer.deploy("UniswapV3Factory", Vec::new())?;
                let router = deployer.deploy("SwapRouter", arguments(&(factory, weth)))?;
                let provider =
                    deployer.deploy("NonfungiblePositionManager", arguments(&(factory, weth, Address::ZERO)))?;
                Self { version, router, provider }
            }
        })
    }

    /// Opens the pool of a pair at price 1, deep enough that no swap of a block moves it far. In v3 the first token must have the
    /// smaller address. The provider must be allowed to take the administrator's tokens.
    pub(super) fn open(&self, deployer: &mut Deployer, pair: Pair) -> Result<(), WorkloadError> {
        let (admin, depth) = (deployer.admin, ETHER * U256::from(10_000_000));
        match self.version {
            Version::V2 => {
                deployer.call(
                    admin,
                    self.provider,
                    RouterV2::addLiquidityCall {
                        tokenA: pair.first,
                        tokenB: pair.second,
                        amountADesired: depth,
                        amountBDesired: depth,
                        amountAMin: U256::ZERO,
                        amountBMin: U256::ZERO,
                        to: admin,
                        deadline: U256::MAX,
                    },
                )?;
            }
            Version::V3 => {
                deployer.call(
                    admin,
                    self.provider,
                    Positions::createAndInitializePoolIfNecessaryCall {
                        token0: pair.first,
                        token1: pair.second,
                        fee: U24::from(FEE),
                        sqrtPriceX96: U160::from(1) << 96,
                    },
                )?;
                // The full range, and a narrow one around the price as real pools have them.
                for ticks in [887_220, 600] {
                    let params = Positions::MintParams {
                        token0: pair.first,
                        token1: pair.second,
                        fee: U24::from(FEE),
                        tickLower: I24::unchecked_from(-ticks),
                        tickUpper: I24::unchecked_from(ticks),
                        amount0Desired: depth,
                        amount1Desired: depth,
                        amount0Min: U256::ZERO,
                        amount1Min: U256::ZERO,
                        recipient: admin,
                        deadline: U256::MAX,
                    };
                    deployer.call(admin, self.provider, Positions::mintCall { params })?;
                }
            }
        }
        Ok(())
    }

    /// A swap of `amount` of the pair's first token for its second.
    pub(super) fn swap(&self, trader: Address, pair: Pair, amount: U256) -> Call {
        match self.version {
            Version::V2 => self.swap_along(trader, vec![pair.first, pair.second], amount, U256::ZERO),
            Version::V3 => {
                let params = RouterV3::ExactInputSingleParams {
                    tokenIn: pair.first,
                    tokenOut: pair.second,
                    fee: U24::from(FEE),
                    recipient: trader,
                    deadline: U256::MAX,
                    amountIn: amount,
                    amountOutMinimum: U256::ZERO,
                    sqrtPriceLimitX96: U160::ZERO,
                };
                let input = RouterV3::exactInputSingleCall { params }.abi_encode();
                Call::contract(trader, self.router, input, SWAP_GAS_LIMIT)
            }
        }
    }

    /// A v2 swap along several pools; fails when it would yield less than `least`.
    pub(super) fn swap_along(&self, trader: Address, path: Vec<Address>, amount: U256, least: U256) -> Call {
        let gas = SWAP_GAS_LIMIT * path.len() as u64 / 2;
        let input = RouterV2::swapExactTokensForTokensCall {
            amountIn: amount,
            amountOutMin: least,
            path,
            to: trader,
            deadline: U256::MAX,
        }
        .abi_encode();
        Call::contract(trader, self.router, input, gas)
    }
}
