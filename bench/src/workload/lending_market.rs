//! Aave v3 as published: a market with two assets, one that is lent and one that secures loans.

use super::{WorkloadError, erc20};
use crate::contracts::{Artifact, Deployer, arguments};
use alloy_primitives::{Address, Bytes, U256, uint};
use alloy_sol_types::sol;

sol! {
    interface Provider {
        function setACLAdmin(address admin) external;
        function setACLManager(address manager) external;
        function setPoolImpl(address implementation) external;
        function setPoolConfiguratorImpl(address implementation) external;
        function setPriceOracle(address oracle) external;
        function getPool() external view returns (address);
        function getPoolConfigurator() external view returns (address);
    }
    interface AccessControl {
        function addPoolAdmin(address admin) external;
        function addAssetListingAdmin(address admin) external;
    }
    interface Configurator {
        struct InitReserveInput {
            address aTokenImpl;
            address stableDebtTokenImpl;
            address variableDebtTokenImpl;
            uint8 underlyingAssetDecimals;
            address interestRateStrategyAddress;
            address underlyingAsset;
            address treasury;
            address incentivesController;
            string aTokenName;
            string aTokenSymbol;
            string variableDebtTokenName;
            string variableDebtTokenSymbol;
            string stableDebtTokenName;
            string stableDebtTokenSymbol;
            bytes params;
        }
        function initReserves(InitReserveInput[] input) external;
        function configureReserveAsCollateral(address asset, uint256 ltv, uint256 liquidationThreshold, uint256 liquidationBonus) external;
        function setReserveBorrowing(address asset, bool enabled) external;
        function setReserveFactor(address asset, uint256 factor) external;
    }
    interface Oracle {
        function setAssetPrice(address asset, uint256 price) external;
    }
    interface LendingPool {
        function supply(address asset, uint256 amount, address onBehalfOf, uint16 referralCode) external;
        function borrow(address asset, uint256 amount, uint256 interestRateMode, uint16 referralCode, address onBehalfOf) external;
        function repay(address asset, uint256 amount, uint256 interestRateMode, address onBehalfOf) external returns (uint256);
        function withdraw(address asset, uint256 amount, address to) external returns (uint256);
        function liquidationCall(address collateralAsset, address debtAsset, address user, uint256 debtToCover, bool receiveAToken) external;
    }
}

/// Loans at a variable rate.
pub(super) const VARIABLE: U256 = uint!(2_U256);
/// One unit of the market's base currency, in which prices are given.
pub(super) const BASE: u64 = 100_000_000;

/// A deployed market.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) pool: Address,
    pub(super) oracle: Address,
    /// What is lent; its price is 1.
    pub(super) dollar: Address,
    /// What secures loans; its price is 2000 at first.
    pub(super) collateral: Address,
}

/// `thousandths` / 1000 in Aave's unit of rates, 10^27.
fn ray(thousandths: u64) -> U256 {
    U256::from(thousandths) * U256::from(10).pow(U256::from(24))
}

impl Market {
    /// A market over two new tokens.
    pub(super) fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        Self::deploy_over(deployer, erc20::token)
    }

    /// A market over two tokens that `token` makes; anyone who sets positions up must be able to mint them.
    pub(super) fn deploy_over(
        deployer: &mut Deployer,
        token: impl Fn(&mut Deployer, &str) -> Result<Address, WorkloadError>,
    ) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        let mut libraries: Vec<(&str, Address)> = Vec::new();
        for name in [
            "SupplyLogic",
            "BorrowLogic",
            "FlashLoanLogic",
            "LiquidationLogic",
            "EModeLogic",
            "BridgeLogic",
            "ConfiguratorLogic",
            "PoolLogic",
        ] {
            let code = Artifact::load(name)?.linked(&libraries)?;
            libraries.push((name, deployer.deploy_code(name, code)?));
        }
        let provider = deployer.deploy("PoolAddressesProvider", arguments(&("Bench".to_owned(), admin)))?;
        deployer.call(admin, provider, Provider::setACLAdminCall { admin })?;
        let manager = deployer.deploy("ACLManager", arguments(&(provider,)))?;
        deployer.call(admin, provider, Provider::setACLManagerCall { manager })?;
        deployer.call(admin, manager, AccessControl::addPoolAdminCall { admin })?;
        deployer.call(admin, manager, AccessControl::addAssetListingAdminCall { admin })?;
        let linked = |name: &str, extra: Vec<u8>| -> Result<Bytes, WorkloadError> {
            let mut code = Artifact::load(name)?.linked(&libraries)?.to_vec();
            code.extend(extra);
            Ok(code.into())
        };
        let implementation = deployer.deploy_code("Pool", linked("Pool", arguments(&(provider,)))?)?;
        deployer.call(admin, provider, Provider::setPoolImplCall { implementation })?;
        let implementation = deployer.deploy_code("PoolConfigurator", linked("PoolConfigurator", Vec::new())?)?;
        deployer.call(admin, provider, Provider::setPoolConfiguratorImplCall { implementation })?;
        let pool = deployer.ask(provider, Provider::getPoolCall {})?;
        let configurator = deployer.ask(provider, Provider::getPoolConfiguratorCall {})?;
        let oracle = deployer.deploy("PriceOracle", Vec::new())?;
        deployer.call(admin, provider, Provider::setPriceOracleCall { oracle })?;

        let market = Self { pool, oracle, dollar: token(deployer, "USDX")?, collateral: token(deployer, "ETHX")? };
        market.list_assets(deployer, provider, configurator)?;
        market.set_price(deployer, market.dollar, 1)?;
        market.set_price(deployer, market.collateral, 2000)?;
        Ok(market)
    }

    fn list_assets(
        &self,
        deployer: &mut Deployer,
        provider: Address,
        configurator: Address,
    ) -> Result<(), WorkloadError> {
        let admin = deployer.admin;
        let implementation = arguments(&(self.pool,));
        let a_token = deployer.deploy("AToken", implementation.clone())?;
        let stable_debt = deployer.deploy("StableDebtToken", implementation.clone())?;
        let variable_debt = deployer.deploy("VariableDebtToken", implementation)?;
        let strategy =
            arguments(&(provider, ray(800), ray(0), ray(40), ray(600), ray(5), ray(600), ray(10), ray(80), ray(200)));
        let strategy = deployer.deploy("DefaultReserveInterestRateStrategy", strategy)?;
        let reserve = |asset: Address, symbol: &str| Configurator::InitReserveInput {
            aTokenImpl: a_token,
            stableDebtTokenImpl: stable_debt,
            variableDebtTokenImpl: variable_debt,
            underlyingAssetDecimals: 18,
            interestRateStrategyAddress: strategy,
            underlyingAsset: asset,
            treasury: Address::ZERO,
            incentivesController: Address::ZERO,
            aTokenName: format!("a{symbol}"),
            aTokenSymbol: format!("a{symbol}"),
            variableDebtTokenName: format!("v{symbol}"),
            variableDebtTokenSymbol: format!("v{symbol}"),
            stableDebtTokenName: format!("s{symbol}"),
            stableDebtTokenSymbol: format!("s{symbol}"),
            params: Bytes::from_static(&[0x10]),
        };
        let input = vec![reserve(self.dollar, "USDX"), reserve(self.collateral, "ETHX")];
        deployer.call(admin, configurator, Configurator::initReservesCall { input })?;
        for asset in [self.dollar, self.collateral] {
            let collateral = Configurator::configureReserveAsCollateralCall {
                asset,
                ltv: U256::from(8000),
                liquidationThreshold: U256::from(8250),
                liquidationBonus: U256::from(10_500),
            };
            deployer.call(admin, configurator, collateral)?;
            deployer.call(admin, configurator, Configurator::setReserveBorrowingCall { asset, enabled: true })?;
            let factor = U256::from(1000);
            deployer.call(admin, configurator, Configurator::setReserveFactorCall { asset, factor })?;
        }
        Ok(())
    }

    fn set_price(&self, deployer: &mut Deployer, asset: Address, price: u64) -> Result<(), WorkloadError> {
        let call = Oracle::setAssetPriceCall { asset, price: U256::from(price * BASE) };
        deployer.call(deployer.admin, self.oracle, call)?;
        Ok(())
    }
}
