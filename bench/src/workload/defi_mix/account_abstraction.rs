//! ERC-4337 with the entry point v0.7 and the sample account, factory and paymaster published with it.

use super::{
    super::{
        WorkloadError,
        block_builder::{Call, ETHER},
        erc20,
        sampling::Zipf,
    },
    keys::Key,
    stage::Stage,
    tokens::Tokens,
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, B256, Bytes, U256, aliases::U48};
use alloy_sol_types::{SolCall, SolValue, sol};

sol! {
    struct PackedUserOperation {
        address sender;
        uint256 nonce;
        bytes initCode;
        bytes callData;
        bytes32 accountGasLimits;
        uint256 preVerificationGas;
        bytes32 gasFees;
        bytes paymasterAndData;
        bytes signature;
    }
    interface EntryPoint {
        function handleOps(PackedUserOperation[] ops, address beneficiary) external;
        function getUserOpHash(PackedUserOperation userOp) external view returns (bytes32);
        function depositTo(address account) external payable;
    }
    interface AccountFactory {
        function createAccount(address owner, uint256 salt) external returns (address);
        function getAddress(address owner, uint256 salt) external view returns (address);
    }
    interface Account {
        function execute(address dest, uint256 value, bytes func) external;
    }
    interface Paymaster {
        function getHash(PackedUserOperation userOp, uint48 validUntil, uint48 validAfter) external view returns (bytes32);
        function deposit() external payable;
    }
}

/// Paymasters, each with money of its own at the entry point.
const PAYMASTERS: usize = 4;
/// Gas that an operation may use for validation, for its call, and around both; the paymaster's two amounts after that.
const VERIFICATION_GAS: u128 = 200_000;
const CREATION_GAS: u128 = 500_000;
const CALL_GAS: u128 = 120_000;
const PAYMASTER_GAS: (u128, u128) = (60_000, 30_000);
const GAS_LIMIT: u64 = 1_600_000;
/// Until when a paymaster's word holds: the largest 48-bit number but 65,535.
const FOREVER: u64 = (1 << 48) - (1 << 16);

/// An account that was used before.
#[derive(Debug)]
struct Account4337 {
    owner: Key,
    address: Address,
    nonce: u64,
}

/// The published contracts, and the accounts that the block uses.
#[derive(Debug)]
pub(super) struct AccountAbstraction {
    entry_point: Address,
    factory: Address,
    signer: Key,
    paymasters: Vec<Address>,
    paymaster_ranks: Zipf,
    accounts: Vec<Option<Account4337>>,
    ranks: Zipf,
    turn: usize,
    made: u64,
}

/// Two 128-bit numbers in one word, the first above the second.
fn packed(high: u128, low: u128) -> B256 {
    let mut word = B256::ZERO;
    word[..16].copy_from_slice(&high.to_be_bytes());
    word[16..].copy_from_slice(&low.to_be_bytes());
    word
}

impl AccountAbstraction {
    /// Deploys the contracts. `uses` is how often the block will hand bundles in.
    pub(super) fn deploy(deployer: &mut Deployer, uses: usize) -> Result<Self, WorkloadError> {
        let (admin, count) = (deployer.admin, (2 * uses).max(8));
        let entry_point = deployer.deploy("EntryPoint", Vec::new())?;
        let factory = deployer.deploy("SimpleAccountFactory", arguments(&(entry_point,)))?;
        let signer = Key::of("paymaster");
        let mut paymasters = Vec::with_capacity(PAYMASTERS);
        for _ in 0..PAYMASTERS {
            let paymaster = deployer.deploy("VerifyingPaymaster", arguments(&(entry_point, signer.address)))?;
            deployer.call_with_value(admin, paymaster, ETHER * U256::from(1000), Paymaster::depositCall {})?;
            paymasters.push(paymaster);
        }
        Ok(Self {
            entry_point,
            factory,
            signer,
            paymasters,
            paymaster_ranks: Zipf::new(PAYMASTERS, 1.0),
            accounts: (0..count).map(|_| None).collect(),
            ranks: Zipf::new(count, 0.6),
            turn: 0,
            made: 0,
        })
    }

    fn open(&self, stage: &mut Stage, index: usize) -> Result<Account4337, WorkloadError> {
        let (deployer, owner) = (&mut stage.deployer, Key::random(&mut stage.random));
        let creation = AccountFactory::createAccountCall { owner: owner.address, salt: U256::from(index) };
        let address = deployer.call(deployer.admin, self.factory, creation)?;
        let deposit = EntryPoint::depositToCall { account: address };
        deployer.call_with_value(deployer.admin, self.entry_point, ETHER, deposit)?;
        Ok(Account4337 { owner, address, nonce: 0 })
    }

    /// A transaction that makes a new account.
    pub(super) fn create(&mut self, stage: &mut Stage, sender: Address) -> Call {
        self.made += 1;
        let (owner, salt) = (stage.stranger(), U256::from(1_000_000 + self.made));
        let input = AccountFactory::createAccountCall { owner, salt }.abi_encode();
        Call::contract(sender, self.factory, input, GAS_LIMIT)
    }

    /// A bundle of one operation, or of two; one in eight makes its account first, and every other one has it paid for.
    pub(super) fn bundle(
        &mut self,
        stage: &mut Stage,
        tokens: &Tokens,
        sender: Address,
    ) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let mut ops = vec![if turn % 8 == 5 {
            self.first_operation(stage, tokens)?
        } else {
            self.operation(stage, tokens, turn % 2 == 1)?
        }];
        if turn % 4 == 2 {
            ops.push(self.operation(stage, tokens, true)?);
        }
        let input = EntryPoint::handleOpsCall { ops, beneficiary: sender }.abi_encode();
        Ok(Call::contract(sender, self.entry_point, input, GAS_LIMIT))
    }

    /// An operation of an account that is there.
    fn operation(
        &mut self,
        stage: &mut Stage,
        tokens: &Tokens,
        sponsored: bool,
    ) -> Result<PackedUserOperation, WorkloadError> {
        let index = self.ranks.sample(&mut stage.random);
        let mut account = match self.accounts[index].take() {
            Some(account) => account,
            None => self.open(stage, index)?,
        };
        let operation = self.signed(stage, tokens, &account, Bytes::new(), sponsored)?;
        account.nonce += 1;
        self.accounts[index] = Some(account);
        Ok(operation)
    }

    /// The first operation of an account, which makes it. A paymaster pays, since it has nothing yet.
    fn first_operation(&mut self, stage: &mut Stage, tokens: &Tokens) -> Result<PackedUserOperation, WorkloadError> {
        self.made += 1;
        let owner = Key::random(&mut stage.random);
        let salt = U256::from(1_000_000 + self.made);
        let address =
            stage.deployer.ask(self.factory, AccountFactory::getAddressCall { owner: owner.address, salt })?;
        let creation = AccountFactory::createAccountCall { owner: owner.address, salt }.abi_encode();
        let init_code = [self.factory.as_slice(), &creation].concat();
        let account = Account4337 { owner, address, nonce: 0 };
        self.signed(stage, tokens, &account, init_code.into(), true)
    }

    /// A token payment of an account, signed by its owner and if it is sponsored by a paymaster.
    fn signed(
        &self,
        stage: &mut Stage,
        tokens: &Tokens,
        account: &Account4337,
        init_code: Bytes,
        sponsored: bool,
    ) -> Result<PackedUserOperation, WorkloadError> {
        let (token, to, amount) = (tokens.any(stage), stage.recipient(), stage.ether(1, 100));
        tokens.give(&mut stage.deployer, token, account.address, amount)?;
        let payment = erc20::transferCall { to, amount }.abi_encode();
        let execute = Account::executeCall { dest: token, value: U256::ZERO, func: payment.into() };
        let verification = if init_code.is_empty() { VERIFICATION_GAS } else { CREATION_GAS };
        let mut operation = PackedUserOperation {
            sender: account.address,
            nonce: U256::from(account.nonce),
            initCode: init_code,
            callData: execute.abi_encode().into(),
            accountGasLimits: packed(verification, CALL_GAS),
            preVerificationGas: U256::from(50_000),
            gasFees: packed(100_000_000, 2_000_000_000),
            paymasterAndData: Bytes::new(),
            signature: Bytes::new(),
        };
        if sponsored {
            let paymaster = self.paymasters[self.paymaster_ranks.sample(&mut stage.random)];
            let (until, after) = (U48::from(FOREVER), U48::ZERO);
            let limits = packed(PAYMASTER_GAS.0, PAYMASTER_GAS.1);
            let mut data = [paymaster.as_slice(), limits.as_slice(), &(until, after).abi_encode_params()].concat();
            operation.paymasterAndData = data.clone().into();
            let question = Paymaster::getHashCall { userOp: operation.clone(), validUntil: until, validAfter: after };
            let hash = stage.deployer.ask(paymaster, question)?;
            data.extend(self.signer.sign_message(hash).as_bytes());
            operation.paymasterAndData = data.into();
        }
        let question = EntryPoint::getUserOpHashCall { userOp: operation.clone() };
        let hash = stage.deployer.ask(self.entry_point, question)?;
        operation.signature = account.owner.sign_message(hash).as_bytes().to_vec().into();
        Ok(operation)
    }
}
