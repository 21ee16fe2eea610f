//! Blocks in small numbers.

use super::World;
use crate::{
    blocks::{Call, Key, Kind},
    contracts,
};
use alloy_primitives::{Address, Bytes, U256};

/// What one transaction does. Numbers for accounts are those of [`World::address`].
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Pays without data; nothing at all, if `wei` is zero.
    Pay { to: u8, wei: u64 },
    /// Pays more than most accounts have.
    PayFortune { to: u8 },
    /// Counts.
    Count { slot: u8 },
    /// Moves tokens.
    MoveTokens { to: u8, amount: u8 },
    /// Follows a chain of slots.
    Follow { add: u8 },
    /// CREATE2, and maybe destroys the new contract at once.
    Make { salt: u8, wei: u8, destroys: u8 },
    /// CREATE from a contract.
    Bear { slot: u8, wei: u8 },
    /// Calls a contract that the factory may have made; destroys it if `to` is not zero.
    CallChild { salt: u8, wei: u8, to: u8 },
    /// Calls a contract that can be destroyed; does so if `to` is not zero.
    Destroy { which: u8, wei: u8, to: u8 },
    /// Lets a contract pay, maybe more than it has.
    PayFrom { to: u8, wei: u64 },
    /// Looks at an account.
    Look { at: u8, back: u8, old: bool },
    /// Fails, one way or another.
    Fail { to: u8, how: u8 },
    /// Calls a precompile.
    Precompile { number: u8, wei: u8, length: u8 },
    /// Calls itself many times.
    Dive { depth: u16, slot: u8 },
    /// Calls through a router, with any call instruction.
    Route { to: u8, scheme: u8, first: u8, second: u8, wei: u8 },
    /// Transient storage.
    Transient { slot: u8 },
    /// Pays the beneficiary and looks at its balance.
    Bribe { wei: u8, threshold: u64 },
    /// Creates a contract: 0 an ordinary one, 1 one that destroys itself at once, 2 one without code, 3 fails.
    Create { what: u8, wei: u8 },
    /// EIP-7702: authorizations as (account, delegate, nonce too high by, right chain), then a call.
    Delegate { authorizations: Vec<(u8, u8, u8, bool)>, to: u8, first: u8, second: u8 },
    /// Calls an account that may be delegated.
    CallAccount { to: u8, first: u8, second: u8 },
}

/// The EIP-2930 list of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListPlan {
    /// None.
    None,
    /// Some accounts and slots that may be used.
    Some,
    /// Hundreds of slots that nobody uses.
    Huge,
}

/// What is wrong with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Its nonce comes later.
    NonceGap,
    /// Less gas than the cheapest transaction costs.
    TooLittleGas,
    /// Offers less than the base fee, or nothing.
    TooCheap,
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct TransactionPlan {
    /// Who sends it.
    pub sender: u8,
    /// What it does.
    pub(super) action: Action,
    /// Kind of transaction, as far as the fork knows it.
    pub kind: u8,
    /// Gas above the least, in thousands; the highest value is more than enough for anything.
    pub gas: u8,
    /// Wei per gas for the beneficiary.
    pub tip: u8,
    /// Declared accesses.
    pub list: ListPlan,
    /// What is wrong with it.
    pub fault: Fault,
}

/// One block.
#[derive(Clone, Debug)]
pub struct BlockPlan {
    /// Index into [`FORKS`](super::FORKS).
    pub fork: usize,
    /// Who gets the fees.
    pub beneficiary: u8,
    /// Base fee in wei per gas, from London on.
    pub base_fee: u64,
    /// Transactions.
    pub transactions: Vec<TransactionPlan>,
    /// Withdrawals: to whom, and how many gwei.
    pub withdrawals: Vec<(u8, u64)>,
    /// Leave transactions in that make the block invalid.
    pub keeps_invalid: bool,
}

fn from(number: impl Into<u64>) -> U256 {
    U256::from(number.into())
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

impl TransactionPlan {
    /// The transaction before it is signed, and by whom.
    pub(super) fn call(&self, world: &World, base_fee: u64) -> (Key, Call) {
        let key = world.key(self.sender);
        let mut call = self.action.call(world);
        let tip = u128::from(self.tip);
        let price = u128::from(base_fee) + tip;
        call = call.price(price, tip).gas(match self.gas {
            u8::MAX => 1_000_000,
            thousands => 21_000 + 200 * u64::from(thousands),
        });
        if matches!(self.action, Action::Dive { .. }) {
            call.gas = call.gas.saturating_mul(8);
        }
        if call.kind == Kind::Legacy {
            call.kind = world.kind(self.kind);
        }
        if matches!(call.kind, Kind::Blob(_)) && call.to.is_none() {
            call.kind = Kind::DynamicFee;
        }
        if call.kind != Kind::Legacy {
            call.list = world.list(self.list, self.sender);
        }
        match self.fault {
            Fault::None => {}
            Fault::NonceGap => call.nonce = Some(77),
            Fault::TooLittleGas => call.gas = 20_999,
            Fault::TooCheap => (call.price, call.tip) = (0, 0),
        }
        (key, call)
    }
}

impl Action {
    fn call(&self, world: &World) -> Call {
        let at = |number: u8| world.address(number);
        // Zero stands for nobody where an argument may be left out.
        let maybe = |number: u8| if number == 0 { U256::ZERO } else { word(at(number)) };
        match *self {
            Self::Pay { to, wei } => Call::to(at(to)).value(wei),
            Self::PayFortune { to } => Call::to(at(to)).value(U256::from(10).pow(U256::from(21)) - from(10_000_000u64)),
            Self::Count { slot } => Call::to(World::COUNTER).words(&[from(slot)]),
            Self::MoveTokens { to, amount } => Call::to(World::TOKEN).words(&[word(at(to)), from(amount)]),
            Self::Follow { add } => Call::to(World::CHAIN).words(&[from(add)]),
            Self::Make { salt, wei, destroys } => {
                Call::to(World::FACTORY).words(&[from(salt), from(wei), maybe(destroys)])
            }
            Self::Bear { slot, wei } => Call::to(World::NURSERY).words(&[from(slot)]).value(from(wei)),
            Self::CallChild { salt, wei, to } => {
                Call::to(contracts::factory_child(World::FACTORY, salt.into())).words(&[maybe(to)]).value(from(wei))
            }
            Self::Destroy { which, wei, to } => {
                Call::to(World::DESTROYERS[usize::from(which) % 3]).words(&[maybe(to)]).value(from(wei))
            }
            Self::PayFrom { to, wei } => Call::to(World::PAYER).words(&[word(at(to)), from(wei)]),
            Self::Look { at: of, back, old } => {
                Call::to(if old { World::OLD_READER } else { World::READER }).words(&[word(at(of)), from(back)])
            }
            Self::Fail { to, how } => Call::to(World::FAILER).words(&[word(at(to)), from(how)]),
            Self::Precompile { number, wei, length } => {
                Call::to(World::PRECOMPILE_CALLER).words(&[from(number), from(length), from(5u8)]).value(from(wei))
            }
            Self::Dive { depth, slot } => Call::to(World::DEEP).words(&[from(depth), from(slot)]),
            Self::Route { to, scheme, first, second, wei } => Call::to(World::ROUTER)
                .words(&[word(at(to)), from(scheme % 4), maybe(first), from(second)])
                .value(from(wei)),
            Self::Transient { slot } => Call::to(World::TRANSIENT).words(&[from(slot)]),
            Self::Bribe { wei, threshold } => Call::to(World::BRIBER).words(&[from(wei), from(threshold)]),
            Self::Create { what, wei } => Call::create(match what % 4 {
                0 => contracts::destroyer_init(),
                1 => contracts::stillborn_init(),
                2 => Bytes::new(),
                _ => Bytes::from_static(&[0xfe]),
            })
            .value(from(wei)),
            Self::Delegate { ref authorizations, to, first, second } => {
                let call = Call::to(at(to)).words(&[maybe(first), from(second)]);
                let signed = authorizations.iter().map(|(account, delegate, ahead, right_chain)| {
                    let nonce = world.nonce(*account) + u64::from(*ahead);
                    let delegate = if *delegate == 0 { Address::ZERO } else { at(*delegate) };
                    world.key(*account).authorize(if *right_chain { 1 } else { 5 }, delegate, nonce)
                });
                if world.knows_delegations() && !authorizations.is_empty() {
                    call.authorizations(signed.collect())
                } else {
                    call
                }
            }
            Self::CallAccount { to, first, second } => Call::to(at(to)).words(&[maybe(first), from(second)]),
        }
    }
}
