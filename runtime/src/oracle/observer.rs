//! Watches a transaction for what the state it leaves behind does not show: which balances it really looked at.

use alloy_primitives::{
    Address, U256,
    map::{AddressMap, AddressSet},
};
use revm::{
    Database, Inspector,
    bytecode::opcode,
    context::{BlockEnv, CfgEnv, Context, TxEnv},
    interpreter::{
        Interpreter,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, Jumps},
    },
};

/// What one transaction observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Observations {
    /// Accounts whose exact balance was read.
    pub(super) balances: AddressSet,
    /// Accounts of which it was observed whether they are empty.
    pub(super) lives: AddressSet,
    /// The balance that an account needed to have before the transaction for its transfers to go through, in wei.
    pub(super) needed: AddressMap<U256>,
}

/// Collects [`Observations`].
#[derive(Clone, Debug, Default)]
pub(super) struct Observer {
    observations: Observations,
}

impl Observer {
    /// Takes what was observed since the last call.
    pub(super) fn take(&mut self) -> Observations {
        std::mem::take(&mut self.observations)
    }
}

type EvmContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB>;

impl<DB: Database> Inspector<EvmContext<DB>> for Observer {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, context: &mut EvmContext<DB>) {
        let this = interpreter.input.target_address();
        // The n-th word from the top; the instruction fails anyway where there is none.
        let word = |depth: usize| {
            let stack = interpreter.stack.data();
            stack.len().checked_sub(depth + 1).map(|index| stack[index])
        };
        let account = |depth: usize| word(depth).map(|word| Address::from_word(word.into()));
        let observations = &mut self.observations;
        match interpreter.bytecode.opcode() {
            opcode::BALANCE => observations.balances.extend(account(0)),
            opcode::SELFBALANCE => {
                observations.balances.insert(this);
            }
            opcode::EXTCODEHASH => observations.lives.extend(account(0)),
            opcode::SELFDESTRUCT => {
                observations.balances.insert(this);
                observations.lives.extend(account(0));
            }
            opcode::CALL => {
                observations.lives.extend(account(1));
                observations.send(context, this, word(2));
            }
            opcode::CALLCODE => observations.send(context, this, word(2)),
            opcode::CREATE | opcode::CREATE2 => observations.send(context, this, word(0)),
            _ => {}
        }
    }
}

impl Observations {
    /// `sender` is about to part with `value`.
    fn send<DB: Database>(&mut self, context: &EvmContext<DB>, sender: Address, value: Option<U256>) {
        let Some(value) = value.filter(|value| !value.is_zero()) else { return };
        let Some(account) = context.journaled_state.inner.state.get(&sender) else { return };
        match account.info.balance.checked_sub(value) {
            // What the account received before in this transaction does not have to be there from the start.
            Some(rest) => self.require(sender, account.original_info().balance.saturating_sub(rest)),
            // The transfer fails, and more ether would change that.
            None => {
                self.balances.insert(sender);
            }
        }
    }

    /// Notes that `account` needed `balance` before the transaction.
    pub(super) fn require(&mut self, account: Address, balance: U256) {
        let needed = self.needed.entry(account).or_default();
        *needed = (*needed).max(balance);
    }
}
