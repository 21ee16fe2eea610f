//! Safe 1.4.1 as published: proxies of one to three owners whose transactions relayers send with the owners' signatures.

use super::{
    super::{
        WorkloadError,
        block_builder::{Call, ETHER},
        erc20,
        sampling::Zipf,
        uniswap::RouterV2,
    },
    exchanges::Exchanges,
    keys::Key,
    stage::Stage,
    tokens::Tokens,
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, sol};

sol! {
    interface SafeWallet {
        function setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver) external;
        function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures) external payable returns (bool success);
        function getTransactionHash(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce) external view returns (bytes32);
    }
    interface Factory {
        function createProxyWithNonce(address singleton, bytes initializer, uint256 saltNonce) external returns (address proxy);
    }
    interface Batch {
        function multiSend(bytes transactions) external payable;
    }
}

const GAS_LIMIT: u64 = 700_000;

/// One wallet. Owners are in the order of their addresses, as signatures must be.
#[derive(Debug)]
struct Wallet {
    address: Address,
    owners: Vec<Key>,
    threshold: usize,
    nonce: u64,
}

/// The published contracts, and the wallets that the block uses.
#[derive(Debug)]
pub(super) struct Safes {
    singleton: Address,
    factory: Address,
    batch: Address,
    handler: Address,
    wallets: Vec<Option<Wallet>>,
    ranks: Zipf,
    turn: usize,
    made: usize,
}

/// What a wallet is told to do.
struct Order {
    to: Address,
    value: U256,
    data: Vec<u8>,
    /// Whether the wallet runs the code of `to` as its own.
    delegate: bool,
}

/// One call in the packed form that the batch contract takes.
fn packed(to: Address, value: U256, data: &[u8]) -> Vec<u8> {
    let length = U256::from(data.len()).to_be_bytes::<32>();
    [&[0][..], to.as_slice(), &value.to_be_bytes::<32>(), &length, data].concat()
}

impl Safes {
    /// Deploys the contracts. `uses` is how often the block will use wallets.
    pub(super) fn deploy(deployer: &mut Deployer, uses: usize) -> Result<Self, WorkloadError> {
        let count = uses.max(8);
        Ok(Self {
            singleton: deployer.deploy("Safe", Vec::new())?,
            factory: deployer.deploy("SafeProxyFactory", Vec::new())?,
            batch: deployer.deploy("MultiSend", Vec::new())?,
            handler: deployer.deploy("CompatibilityFallbackHandler", Vec::new())?,
            wallets: (0..count).map(|_| None).collect(),
            ranks: Zipf::new(count, 0.7),
            turn: 0,
            made: 0,
        })
    }

    fn creation(&self, owners: &[Key], threshold: usize, salt: u64) -> Factory::createProxyWithNonceCall {
        let setup = SafeWallet::setupCall {
            owners: owners.iter().map(|key| key.address).collect(),
            threshold: U256::from(threshold),
            to: Address::ZERO,
            data: Bytes::new(),
            fallbackHandler: self.handler,
            paymentToken: Address::ZERO,
            payment: U256::ZERO,
            paymentReceiver: Address::ZERO,
        };
        Factory::createProxyWithNonceCall {
            singleton: self.singleton,
            initializer: setup.abi_encode().into(),
            saltNonce: U256::from(salt),
        }
    }

    /// A transaction that makes a new wallet.
    pub(super) fn create(&mut self, stage: &mut Stage, sender: Address) -> Call {
        let owners: Vec<Key> = (0..2).map(|_| Key::random(&mut stage.random)).collect();
        self.made += 1;
        let call = self.creation(&owners, 2, 1_000_000 + self.made as u64);
        Call::contract(sender, self.factory, call.abi_encode(), GAS_LIMIT)
    }

    /// The singleton that proxies point to.
    pub(super) const fn singleton(&self) -> Address {
        self.singleton
    }

    fn open(&self, stage: &mut Stage, index: usize) -> Result<Wallet, WorkloadError> {
        let (count, threshold) = [(1, 1), (2, 2), (3, 2), (3, 3)][index % 4];
        let mut owners: Vec<Key> = (0..count).map(|_| Key::random(&mut stage.random)).collect();
        owners.sort_by_key(|key| key.address);
        let creation = self.creation(&owners, threshold, index as u64);
        let address = stage.deployer.call(stage.deployer.admin, self.factory, creation)?;
        stage.deployer.fund(address, ETHER * U256::from(1000));
        Ok(Wallet { address, owners, threshold, nonce: 0 })
    }

    /// A transaction of some wallet: payments in ether and tokens, batches of them, and swaps.
    pub(super) fn execute(
        &mut self,
        stage: &mut Stage,
        tokens: &Tokens,
        exchanges: &Exchanges,
        sender: Address,
    ) -> Result<Call, WorkloadError> {
        let index = self.ranks.sample(&mut stage.random);
        let mut wallet = match self.wallets[index].take() {
            Some(wallet) => wallet,
            None => self.open(stage, index)?,
        };
        let turn = self.turn;
        self.turn += 1;
        let order = match turn % 5 {
            0 => Order { to: stage.recipient(), value: stage.ether(1, 3), data: Vec::new(), delegate: false },
            1 | 2 => {
                let (to, data) = self.payment(stage, tokens, &wallet)?;
                Order { to, value: U256::ZERO, data, delegate: false }
            }
            3 => {
                let (first, second) = (self.payment(stage, tokens, &wallet)?, self.payment(stage, tokens, &wallet)?);
                let (to, value) = (stage.recipient(), stage.ether(1, 3));
                let calls = [
                    packed(first.0, U256::ZERO, &first.1),
                    packed(second.0, U256::ZERO, &second.1),
                    packed(to, value, &[]),
                ];
                self.batch(calls.concat())
            }
            _ => {
                let token = tokens.traded().next().unwrap_or_default();
                let (amount, router) = (stage.ether(1, 20), exchanges.v2.router);
                tokens.give(&mut stage.deployer, token, wallet.address, amount)?;
                let approve = erc20::approveCall { spender: router, amount }.abi_encode();
                let swap = RouterV2::swapExactTokensForETHCall {
                    amountIn: amount,
                    amountOutMin: U256::ZERO,
                    path: vec![token, tokens.weth],
                    to: wallet.address,
                    deadline: U256::MAX,
                }
                .abi_encode();
                self.batch([packed(token, U256::ZERO, &approve), packed(router, U256::ZERO, &swap)].concat())
            }
        };
        let call = sign(stage, &mut wallet, sender, order)?;
        self.wallets[index] = Some(wallet);
        Ok(call)
    }

    fn payment(
        &self,
        stage: &mut Stage,
        tokens: &Tokens,
        wallet: &Wallet,
    ) -> Result<(Address, Vec<u8>), WorkloadError> {
        let (token, to, amount) = (tokens.any(stage), stage.recipient(), stage.ether(1, 100));
        tokens.give(&mut stage.deployer, token, wallet.address, amount)?;
        Ok((token, erc20::transferCall { to, amount }.abi_encode()))
    }

    fn batch(&self, calls: Vec<u8>) -> Order {
        let data = Batch::multiSendCall { transactions: calls.into() }.abi_encode();
        Order { to: self.batch, value: U256::ZERO, data, delegate: true }
    }
}

/// The order with the signatures of as many owners as it takes. The wallet itself says what they sign.
fn sign(stage: &mut Stage, wallet: &mut Wallet, sender: Address, order: Order) -> Result<Call, WorkloadError> {
    let (operation, data): (u8, Bytes) = (u8::from(order.delegate), order.data.into());
    let question = SafeWallet::getTransactionHashCall {
        to: order.to,
        value: order.value,
        data: data.clone(),
        operation,
        safeTxGas: U256::ZERO,
        baseGas: U256::ZERO,
        gasPrice: U256::ZERO,
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        nonce: U256::from(wallet.nonce),
    };
    wallet.nonce += 1;
    let hash = stage.deployer.ask(wallet.address, question)?;
    let signers = &wallet.owners[..wallet.threshold];
    let signatures: Vec<u8> = signers.iter().flat_map(|key| key.sign(hash).as_bytes()).collect();
    let input = SafeWallet::execTransactionCall {
        to: order.to,
        value: order.value,
        data,
        operation,
        safeTxGas: U256::ZERO,
        baseGas: U256::ZERO,
        gasPrice: U256::ZERO,
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        signatures: signatures.into(),
    };
    Ok(Call::contract(sender, wallet.address, input.abi_encode(), GAS_LIMIT))
}
