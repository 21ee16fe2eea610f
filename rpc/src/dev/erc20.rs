//! Balances and allowances of tokens, whatever language the token is written in.
//!
//! No standard says where a token keeps its numbers. So `balanceOf` or `allowance` is executed once and the slots that it reads are noted, also those of implementations
//! behind a proxy and of contracts that keep the numbers for others; then each of them in turn is given a probe, and the one with which the call returns the probe is the
//! right one. Numbers that share their slot with something else are tried by their width.

use crate::{
    Backend, MethodSet, RpcError,
    methods::Number,
    simulate::{Call, CallFailure, Checks, NotExecuted, Overrides, Simulation},
};
use alloy_primitives::{Address, Bytes, U256, map::HashSet};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::{SolCall, sol};
use braid_chain::StateEdit;
use revm::{
    Database, Inspector,
    bytecode::opcode::SLOAD,
    context_interface::result::ExecutionResult,
    interpreter::{
        Interpreter,
        interpreter_types::{InputsTr, Jumps},
    },
};

sol! {
    function balanceOf(address owner) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
}

/// Most slots that are tried.
const MOST_SLOTS: usize = 256;
/// Widths of numbers, in bits, from the narrowest on: what is above in the slot stays as it is, if the token does not count it.
const WIDTHS: [usize; 6] = [96, 112, 128, 248, 255, 256];
/// Not a number that a contract has by chance; it fits into every width.
const PROBE: U256 = U256::from_limbs([0x1d8a_77c3_0b5e_4f29, 0, 0, 0]);

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "anvil_dealERC20(address: Address, token: Address, balance: Quantity) -> Null",
        "Gives an account another balance of a token. The slot is found by looking what `balanceOf` reads; the total supply stays.",
        |backend, (owner, token, balance): (Address, Address, Number)| {
            let call = balanceOfCall { owner }.abi_encode();
            set(backend, token, call.into(), balance.0, "balance")
        },
    );
    for alias in ["hardhat_dealERC20", "anvil_setERC20Balance"] {
        methods.alias(alias, "anvil_dealERC20");
    }
    methods.slow(
        "anvil_setERC20Allowance(owner: Address, spender: Address, token: Address, amount: Quantity) -> Null",
        "Lets an account spend so much of what another one has of a token. The slot is found by looking what `allowance` reads.",
        |backend, (owner, spender, token, amount): (Address, Address, Address, Number)| {
            let call = allowanceCall { owner, spender }.abi_encode();
            set(backend, token, call.into(), amount.0, "allowance")
        },
    );
}

/// Makes a call of a token return a number from now on.
fn set(backend: &Backend, token: Address, input: Bytes, wanted: U256, what: &str) -> Result<(), RpcError> {
    let request = TransactionRequest { to: Some(token.into()), input: input.into(), ..TransactionRequest::default() };
    let found = backend.on_state(None, |context| {
        let simulation = backend.simulation(context, Overrides::default())?;
        Search { simulation, request: &request, gas_cap: backend.options().gas_cap }.find(wanted)
    })?;
    let Some((address, slot, value)) = found else {
        return Err(RpcError::internal(format!("Unable to set ERC20 {what}, no slot found")));
    };
    backend.required_producer()?.edit(&[StateEdit::Slot(address, slot, value)])?;
    Ok(())
}

/// A slot of an account, and a value for it.
type Found = (Address, U256, U256);

struct Search<'a> {
    simulation: Simulation,
    request: &'a TransactionRequest,
    gas_cap: u64,
}

impl Search<'_> {
    /// The slot, and the value with which the call returns what is wanted.
    fn find(mut self, wanted: U256) -> Result<Option<Found>, CallFailure> {
        for (address, slot) in self.slots()? {
            let before = self.simulation.state.storage(address, slot)?;
            for width in WIDTHS {
                let mask = U256::MAX >> (256 - width);
                let with = |number: U256| (before & !mask) | number;
                if PROBE == before & mask || wanted > mask {
                    continue;
                }
                if self.returns(address, slot, with(PROBE), PROBE)?
                    && self.returns(address, slot, with(wanted), wanted)?
                {
                    return Ok(Some((address, slot, with(wanted))));
                }
            }
            self.simulation.state.insert_account_storage(address, slot, before)?;
        }
        Ok(None)
    }

    /// The slots that the call reads, in their order.
    fn slots(&mut self) -> Result<Vec<(Address, U256)>, CallFailure> {
        let call = Call::new(self.request, &self.simulation.environment, self.gas_cap)?;
        let mut reads = Reads::default();
        let mut evm = self.simulation.evm_with(&call, &mut reads);
        let outcome = evm.inspect(call.transaction, Checks::CALL);
        drop(evm);
        match outcome.map_err(NotExecuted::from) {
            Err(NotExecuted::Failed(failure)) => Err(failure),
            // It is no token.
            Err(NotExecuted::Invalid(_)) => Ok(Vec::new()),
            Ok(_) => Ok(reads.order),
        }
    }

    /// Whether the call returns a number while a slot has a value.
    fn returns(&mut self, address: Address, slot: U256, value: U256, number: U256) -> Result<bool, CallFailure> {
        self.simulation.state.insert_account_storage(address, slot, value)?;
        let call = Call::new(self.request, &self.simulation.environment, self.gas_cap)?;
        let result = self.simulation.run(call)?.result;
        Ok(match result {
            ExecutionResult::Success { output, .. } => output.data()[..] == number.to_be_bytes::<32>(),
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => false,
        })
    }
}

/// Notes the slots that are read.
#[derive(Debug, Default)]
struct Reads {
    order: Vec<(Address, U256)>,
    seen: HashSet<(Address, U256)>,
}

impl<CTX> Inspector<CTX> for Reads {
    fn step(&mut self, interpreter: &mut Interpreter, _context: &mut CTX) {
        if interpreter.bytecode.opcode() == SLOAD
            && self.order.len() < MOST_SLOTS
            && let Ok(slot) = interpreter.stack.peek(0)
        {
            let place = (interpreter.input.target_address(), slot);
            if self.seen.insert(place) {
                self.order.push(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::test_node::{ALICE, BOB, Node};
    use alloy_primitives::{Address, B256, U256, hex, keccak256};
    use alloy_sol_types::SolCall;
    use braid_chain::MiningMode;
    use serde_json::{Value, json};

    const TOKEN: Address = Address::repeat_byte(0x70);
    const IMPLEMENTATION: Address = Address::repeat_byte(0x1a);

    /// Code for both calls. Numbers are in the mapping 3, allowances in a mapping of mappings there, as Solidity lays them out; `vyper` hashes the number of the mapping
    /// first. Of what is read only so many bits count, if not all. Slots 0 and 1 are read before, and slot 1 has to be zero.
    fn token(vyper: bool, bits: Option<u8>) -> String {
        let (key, map) = if vyper { ("20", "00") } else { ("00", "20") };
        let check = "600054506001541560105760006000fd5b";
        let first = format!("60043560{key}52600360{map}526040600020");
        let is_balance = "60243515603657";
        let second = format!("60{map}5260243560{key}526040600020");
        let mask = bits.map_or_else(String::new, |bits| format!("600160{bits:02x}1b6001900316"));
        format!("0x{check}{first}{is_balance}{second}5b54{mask}60005260206000f3")
    }

    async fn node(code: &str) -> Node {
        let node = Node::new(MiningMode::Manual);
        node.call("anvil_setCode", json!([TOKEN, code])).await;
        node.call("anvil_setStorageAt", json!([TOKEN, "0x0", "0x64"])).await;
        node
    }

    async fn number(node: &Node, input: Vec<u8>) -> U256 {
        let call = json!({"to": TOKEN, "data": hex::encode_prefixed(input)});
        let answer: Value = node.call("eth_call", json!([call])).await;
        serde_json::from_value(answer).unwrap()
    }

    async fn balance(node: &Node, owner: Address) -> U256 {
        number(node, super::balanceOfCall { owner }.abi_encode()).await
    }

    async fn allowance(node: &Node, owner: Address, spender: Address) -> U256 {
        number(node, super::allowanceCall { owner, spender }.abi_encode()).await
    }

    #[tokio::test]
    async fn the_slot_of_a_token_is_found_however_it_lays_out_its_mappings() {
        for vyper in [false, true] {
            let node = node(&token(vyper, None)).await;
            for amount in [U256::from(5), U256::MAX, U256::ZERO] {
                node.call("anvil_dealERC20", json!([ALICE, TOKEN, amount])).await;
                assert_eq!((balance(&node, ALICE).await, balance(&node, BOB).await), (amount, U256::ZERO));
            }
            node.call("anvil_setERC20Balance", json!([BOB, TOKEN, "7"])).await;
            node.call("anvil_setERC20Allowance", json!([ALICE, BOB, TOKEN, "0x9"])).await;
            assert_eq!(allowance(&node, ALICE, BOB).await, U256::from(9));
            assert_eq!(allowance(&node, BOB, ALICE).await, U256::ZERO);
            assert_eq!((balance(&node, ALICE).await, balance(&node, BOB).await), (U256::ZERO, U256::from(7)));
            for (slot, value) in [(0, 0x64), (1, 0)] {
                let found = node.call("eth_getStorageAt", json!([TOKEN, format!("{slot:#x}")])).await;
                assert_eq!(found, json!(B256::with_last_byte(value)), "other slots stay");
            }
        }
    }

    #[tokio::test]
    async fn a_balance_behind_a_proxy_is_found_in_the_proxy() {
        let node = node(&token(false, None)).await;
        node.call("anvil_setCode", json!([IMPLEMENTATION, token(false, None)])).await;
        // Delegates everything to what slot 9 says.
        let proxy = "0x366000600037600060003660006009545af43d600060003e3d6000f3";
        node.call("anvil_setCode", json!([TOKEN, proxy])).await;
        node.call("anvil_setStorageAt", json!([TOKEN, "0x9", B256::from(IMPLEMENTATION.into_word())])).await;
        for amount in [3_u64, 0, 11] {
            node.call("hardhat_dealERC20", json!([ALICE, TOKEN, amount])).await;
            assert_eq!(balance(&node, ALICE).await, U256::from(amount));
        }
        let slot = keccak256([ALICE.into_word().0, U256::from(3).to_be_bytes::<32>()].concat());
        assert_eq!(node.call("eth_getStorageAt", json!([TOKEN, slot])).await, json!(B256::with_last_byte(11)));
    }

    #[tokio::test]
    async fn what_shares_the_slot_stays() {
        let node = node(&token(false, Some(128))).await;
        let slot = keccak256([ALICE.into_word().0, U256::from(3).to_be_bytes::<32>()].concat());
        let flag = U256::from(1) << 255;
        node.call("anvil_setStorageAt", json!([TOKEN, slot, B256::from(flag)])).await;
        node.call("anvil_dealERC20", json!([ALICE, TOKEN, "0x10"])).await;
        assert_eq!(balance(&node, ALICE).await, U256::from(16));
        let found = node.call("eth_getStorageAt", json!([TOKEN, slot])).await;
        assert_eq!(serde_json::from_value::<U256>(found).unwrap(), flag | U256::from(16));
        let (code, message) = node.error("anvil_dealERC20", json!([ALICE, TOKEN, U256::MAX])).await;
        assert_eq!((code, message.as_str()), (-32603, "Unable to set ERC20 balance, no slot found"));
    }

    #[tokio::test]
    async fn what_is_no_token_is_told() {
        let node = Node::new(MiningMode::Manual);
        for token in [ALICE, Address::with_last_byte(2)] {
            let (_, message) = node.error("anvil_setERC20Allowance", json!([ALICE, BOB, token, "0x1"])).await;
            assert_eq!(message, "Unable to set ERC20 allowance, no slot found");
        }
    }
}
