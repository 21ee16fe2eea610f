//! An example of a chain's own precompile: the native coin wrapped as a token.
//!
//! [`WrappedCoin`] does in native code what the well-known wrapper contract does in bytecode: `deposit` turns the wei
//! sent along into a token balance, `transfer` moves token balances, `withdraw` pays wei out, `balanceOf` tells a
//! balance. It shows each part of the seam:
//!
//! * **the declaration** follows from the call data and the caller alone: the holder's slot lies at the holder's
//!   address, so the touched slots are known before running, and two transfers between four holders are independent;
//! * **state** is reached through [`StateAccess`] only: storage, a payment, logs;
//! * **failure** that the caller may handle (too little balance, unknown function) reverts; errors of the access itself
//!   are passed on with `?`.
//!
//! To install it, give its account a nonce of one in the genesis (else EIP-161 would delete the account with all token
//! balances once no wei are wrapped), and pass it to the provider:
//!
//! ```
//! use braid_precompiles::{BraidPrecompiles, ChainPrecompile, ChainPrecompiles, example::WrappedCoin};
//! use revm::primitives::{Address, address, hardfork::SpecId};
//! use std::sync::Arc;
//!
//! const WRAPPED_COIN: Address = address!("0x0000000000000000000000000000000000001000");
//! let own: Arc<dyn ChainPrecompile> = Arc::new(WrappedCoin::new(WRAPPED_COIN));
//! let chain = Arc::new(ChainPrecompiles::new([(WRAPPED_COIN, own)])?);
//! let precompiles = BraidPrecompiles::new(SpecId::OSAKA, None, Some(chain));
//! assert!(precompiles.contains(&WRAPPED_COIN));
//! # Ok::<(), braid_precompiles::ChainPrecompilesError>(())
//! ```

use crate::chain::{
    AccessError, ChainCall, ChainPrecompile, ChainPrecompileError, DeclaredAccess, DeclaredAccesses, StateAccess,
    StateKey,
};
use revm::{
    precompile::calc_linear_cost,
    primitives::{Address, B256, Bytes, U256, b256},
};

/// `Transfer(address,address,uint256)`.
const TRANSFER_EVENT: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `Deposit(address,uint256)`.
const DEPOSIT_EVENT: B256 = b256!("0xe1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c");
/// `Withdrawal(address,uint256)`.
const WITHDRAWAL_EVENT: B256 = b256!("0x7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65");

/// Gas of any call before its state accesses, and per word of call data on top.
const BASE_GAS: u64 = 200;
const WORD_GAS: u64 = 3;

/// The native coin wrapped as a token, as a precompile. See the [module](self) for what it shows.
#[derive(Clone, Copy, Debug)]
pub struct WrappedCoin {
    address: Address,
}

/// The functions of [`WrappedCoin`], in Solidity's call encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrappedCoinCall {
    /// `deposit()`: wraps the wei sent with the call.
    Deposit,
    /// `withdraw(uint256)`: pays that many wei to the caller.
    Withdraw(U256),
    /// `transfer(address,uint256)`: moves tokens of the caller.
    Transfer(Address, U256),
    /// `balanceOf(address)`: the tokens of a holder.
    BalanceOf(Address),
}

impl WrappedCoinCall {
    const DEPOSIT: [u8; 4] = [0xd0, 0xe3, 0x0d, 0xb0];
    const WITHDRAW: [u8; 4] = [0x2e, 0x1a, 0x7d, 0x4d];
    const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
    const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

    /// Reads call data; `None` if it is not exactly one of the functions with well-formed arguments.
    pub fn decode(input: &[u8]) -> Option<Self> {
        let (selector, arguments) = input.split_first_chunk::<4>()?;
        let (words, rest) = arguments.as_chunks::<32>();
        if !rest.is_empty() {
            return None;
        }
        match (*selector, words) {
            (Self::DEPOSIT, []) => Some(Self::Deposit),
            (Self::WITHDRAW, [amount]) => Some(Self::Withdraw(U256::from_be_bytes(*amount))),
            (Self::TRANSFER, [to, amount]) => Some(Self::Transfer(decode_address(to)?, U256::from_be_bytes(*amount))),
            (Self::BALANCE_OF, [holder]) => Some(Self::BalanceOf(decode_address(holder)?)),
            _ => None,
        }
    }

    /// The call data of this call.
    pub fn encode(&self) -> Bytes {
        let mut data = Vec::with_capacity(68);
        match self {
            Self::Deposit => data.extend(Self::DEPOSIT),
            Self::Withdraw(amount) => {
                data.extend(Self::WITHDRAW);
                data.extend(amount.to_be_bytes::<32>());
            }
            Self::Transfer(to, amount) => {
                data.extend(Self::TRANSFER);
                data.extend(to.into_word());
                data.extend(amount.to_be_bytes::<32>());
            }
            Self::BalanceOf(holder) => {
                data.extend(Self::BALANCE_OF);
                data.extend(holder.into_word());
            }
        }
        data.into()
    }
}

fn decode_address(word: &[u8; 32]) -> Option<Address> {
    let (padding, address) = word.split_at(12);
    padding.iter().all(|&byte| byte == 0).then(|| Address::from_slice(address))
}

fn encode_word(value: U256) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes::<32>())
}

fn revert() -> ChainPrecompileError {
    ChainPrecompileError::Revert(Bytes::new())
}

impl WrappedCoin {
    /// The precompile for `address`, which must be the one that it is installed at.
    pub const fn new(address: Address) -> Self {
        Self { address }
    }

    /// The slot that holds the tokens of `holder`.
    pub fn slot_of(holder: Address) -> U256 {
        U256::from_be_bytes(holder.into_word().0)
    }

    fn holding(&self, holder: Address) -> StateKey {
        StateKey::Storage(self.address, Self::slot_of(holder))
    }

    fn tokens(&self, state: &mut dyn StateAccess, holder: Address) -> Result<U256, AccessError> {
        state.storage(self.address, Self::slot_of(holder))
    }

    fn add(&self, state: &mut dyn StateAccess, holder: Address, amount: U256) -> Result<(), ChainPrecompileError> {
        let tokens = self.tokens(state, holder)?.checked_add(amount).ok_or_else(revert)?;
        Ok(state.set_storage(self.address, Self::slot_of(holder), tokens)?)
    }

    fn subtract(&self, state: &mut dyn StateAccess, holder: Address, amount: U256) -> Result<(), ChainPrecompileError> {
        let tokens = self.tokens(state, holder)?.checked_sub(amount).ok_or_else(revert)?;
        Ok(state.set_storage(self.address, Self::slot_of(holder), tokens)?)
    }
}

impl ChainPrecompile for WrappedCoin {
    fn required_gas(&self, input: &[u8]) -> u64 {
        calc_linear_cost(input.len(), BASE_GAS, WORD_GAS)
    }

    fn declared_accesses(&self, input: &[u8], caller: Address) -> DeclaredAccesses {
        let own = DeclaredAccess::write(self.holding(caller));
        match WrappedCoinCall::decode(input) {
            Some(WrappedCoinCall::Deposit) => [own].into(),
            Some(WrappedCoinCall::Withdraw(_)) => {
                [own, DeclaredAccess::write(StateKey::Balance(self.address)), DeclaredAccess::credit(caller)].into()
            }
            Some(WrappedCoinCall::Transfer(to, _)) => [own, DeclaredAccess::write(self.holding(to))].into(),
            Some(WrappedCoinCall::BalanceOf(holder)) => [DeclaredAccess::read(self.holding(holder))].into(),
            None => DeclaredAccesses::none(),
        }
    }

    fn run(&self, call: &ChainCall<'_>, state: &mut dyn StateAccess) -> Result<Bytes, ChainPrecompileError> {
        let function = WrappedCoinCall::decode(call.input).ok_or_else(revert)?;
        if !call.value.is_zero() && function != WrappedCoinCall::Deposit {
            return Err(revert());
        }
        let caller = call.caller;
        match function {
            WrappedCoinCall::Deposit => {
                self.add(state, caller, call.value)?;
                state.log(&[DEPOSIT_EVENT, caller.into_word()], encode_word(call.value))?;
                Ok(Bytes::new())
            }
            WrappedCoinCall::Withdraw(amount) => {
                self.subtract(state, caller, amount)?;
                state.transfer(self.address, caller, amount)?;
                state.log(&[WITHDRAWAL_EVENT, caller.into_word()], encode_word(amount))?;
                Ok(Bytes::new())
            }
            WrappedCoinCall::Transfer(to, amount) => {
                self.subtract(state, caller, amount)?;
                self.add(state, to, amount)?;
                state.log(&[TRANSFER_EVENT, caller.into_word(), to.into_word()], encode_word(amount))?;
                Ok(encode_word(U256::ONE))
            }
            WrappedCoinCall::BalanceOf(holder) => Ok(encode_word(self.tokens(state, holder)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::primitives::keccak256;

    const HOLDER: Address = Address::with_last_byte(0xaa);

    #[test]
    fn selectors_and_topics_are_those_of_the_signatures() {
        for (selector, signature) in [
            (WrappedCoinCall::DEPOSIT, "deposit()"),
            (WrappedCoinCall::WITHDRAW, "withdraw(uint256)"),
            (WrappedCoinCall::TRANSFER, "transfer(address,uint256)"),
            (WrappedCoinCall::BALANCE_OF, "balanceOf(address)"),
        ] {
            assert_eq!(selector, keccak256(signature)[..4], "{signature}");
        }
        for (topic, signature) in [
            (TRANSFER_EVENT, "Transfer(address,address,uint256)"),
            (DEPOSIT_EVENT, "Deposit(address,uint256)"),
            (WITHDRAWAL_EVENT, "Withdrawal(address,uint256)"),
        ] {
            assert_eq!(topic, keccak256(signature), "{signature}");
        }
    }

    #[test]
    fn call_data_survives_the_round_trip() {
        for call in [
            WrappedCoinCall::Deposit,
            WrappedCoinCall::Withdraw(U256::MAX),
            WrappedCoinCall::Transfer(HOLDER, U256::ONE),
            WrappedCoinCall::BalanceOf(HOLDER),
        ] {
            assert_eq!(WrappedCoinCall::decode(&call.encode()), Some(call));
        }
    }

    #[test]
    fn malformed_call_data_is_not_decoded() {
        let transfer = WrappedCoinCall::Transfer(HOLDER, U256::ONE).encode();
        let mut dirty_address = transfer.to_vec();
        dirty_address[4] = 1;
        let long = [&transfer[..], &[0; 32]].concat();
        for data in [&[][..], &transfer[..3], &transfer[..67], &long, &dirty_address, &[0xff; 4]] {
            assert_eq!(WrappedCoinCall::decode(data), None, "{data:02x?}");
        }
    }
}
