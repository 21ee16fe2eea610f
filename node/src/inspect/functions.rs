//! Names of functions, and of contracts: from the interfaces that the user gives, else from those that everybody knows.

use super::{artifact::Interface, words};
use alloy_json_abi::JsonAbi;
use alloy_primitives::{
    Address, Selector, keccak256,
    map::{AddressMap, HashMap},
};
use braid_runtime::oracle::Function;

/// Functions of tokens, wrapped ether, exchanges, vaults and wallets.
const WELL_KNOWN: &[&str] = &[
    // ERC-20, with ERC-2612 and what most tokens add.
    "transfer(address,uint256)",
    "transferFrom(address,address,uint256)",
    "approve(address,uint256)",
    "balanceOf(address)",
    "allowance(address,address)",
    "totalSupply()",
    "decimals()",
    "name()",
    "symbol()",
    "increaseAllowance(address,uint256)",
    "decreaseAllowance(address,uint256)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "nonces(address)",
    "mint(address,uint256)",
    "mint(uint256)",
    "mint()",
    "burn(uint256)",
    "burn(address,uint256)",
    "burnFrom(address,uint256)",
    // ERC-721.
    "safeTransferFrom(address,address,uint256)",
    "safeTransferFrom(address,address,uint256,bytes)",
    "setApprovalForAll(address,bool)",
    "isApprovedForAll(address,address)",
    "ownerOf(uint256)",
    "getApproved(uint256)",
    "tokenURI(uint256)",
    "safeMint(address,uint256)",
    // ERC-1155.
    "safeTransferFrom(address,address,uint256,uint256,bytes)",
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    "balanceOf(address,uint256)",
    "balanceOfBatch(address[],uint256[])",
    // ERC-4626.
    "deposit(uint256,address)",
    "mint(uint256,address)",
    "withdraw(uint256,address,address)",
    "redeem(uint256,address,address)",
    "totalAssets()",
    "convertToShares(uint256)",
    "convertToAssets(uint256)",
    // Wrapped ether.
    "deposit()",
    "withdraw(uint256)",
    // Uniswap v2: router, pair, factory.
    "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
    "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)",
    "swapExactETHForTokens(uint256,address[],address,uint256)",
    "swapTokensForExactETH(uint256,uint256,address[],address,uint256)",
    "swapExactTokensForETH(uint256,uint256,address[],address,uint256)",
    "swapETHForExactTokens(uint256,address[],address,uint256)",
    "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
    "swapExactETHForTokensSupportingFeeOnTransferTokens(uint256,address[],address,uint256)",
    "swapExactTokensForETHSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
    "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
    "addLiquidityETH(address,uint256,uint256,uint256,address,uint256)",
    "removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)",
    "removeLiquidityETH(address,uint256,uint256,uint256,address,uint256)",
    "swap(uint256,uint256,address,bytes)",
    "getReserves()",
    "mint(address)",
    "burn(address)",
    "skim(address)",
    "sync()",
    "token0()",
    "token1()",
    "getPair(address,address)",
    "createPair(address,address)",
    // Uniswap v3: routers, pool, position manager, quoter; the universal router.
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
    "exactInput((bytes,address,uint256,uint256,uint256))",
    "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
    "exactOutput((bytes,address,uint256,uint256,uint256))",
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
    "exactInput((bytes,address,uint256,uint256))",
    "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint160))",
    "exactOutput((bytes,address,uint256,uint256))",
    "swap(address,bool,int256,uint160,bytes)",
    "mint(address,int24,int24,uint128,bytes)",
    "burn(int24,int24,uint128)",
    "collect(address,int24,int24,uint128,uint128)",
    "flash(address,uint256,uint256,bytes)",
    "slot0()",
    "liquidity()",
    "observe(uint32[])",
    "uniswapV3SwapCallback(int256,int256,bytes)",
    "uniswapV3MintCallback(uint256,uint256,bytes)",
    "uniswapV2Call(address,uint256,uint256,bytes)",
    "execute(bytes,bytes[],uint256)",
    "execute(bytes,bytes[])",
    "multicall(bytes[])",
    "multicall(uint256,bytes[])",
    // Wallets and account abstraction.
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
    "handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address)",
    "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)",
    "validateUserOp((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes),bytes32,uint256)",
    // Staking and voting as they are usually written.
    "stake(uint256)",
    "getReward()",
    "exit()",
    "claim()",
    "delegate(address)",
    "castVote(uint256,uint8)",
    "propose(address[],uint256[],bytes[],string)",
];

/// A function as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FunctionName {
    /// Name of the contract, if an interface of it was given.
    pub(super) contract: Option<String>,
    /// With the types of its parameters.
    pub(super) signature: Option<String>,
}

/// The names that are known.
#[derive(Clone, Debug)]
pub(super) struct Functions {
    well_known: HashMap<Selector, &'static str>,
    contracts: AddressMap<usize>,
    interfaces: Vec<(String, HashMap<Selector, String>)>,
}

impl Functions {
    pub(super) fn new() -> Self {
        let well_known = WELL_KNOWN.iter().map(|signature| (selector(signature), *signature));
        Self { well_known: well_known.collect(), contracts: AddressMap::default(), interfaces: Vec::new() }
    }

    /// Adds an interface, for these contracts.
    pub(super) fn add(&mut self, interface: Interface, contracts: impl IntoIterator<Item = Address>) {
        let index = self.interfaces.len();
        self.contracts.extend(contracts.into_iter().map(|address| (address, index)));
        self.interfaces.push((interface.name, signatures(&interface.abi)));
    }

    /// Whether the interface of this contract has the function.
    pub(super) fn has(&self, contract: &Address, selector: Selector) -> bool {
        let interface = self.contracts.get(contract).map(|index| &self.interfaces[*index]);
        interface.is_some_and(|(_, signatures)| signatures.contains_key(&selector))
    }

    /// The name of a contract, if an interface of it was given.
    pub(super) fn contract(&self, address: &Address) -> Option<&str> {
        self.contracts.get(address).map(|index| self.interfaces[*index].0.as_str())
    }

    pub(super) fn name(&self, function: &Function) -> FunctionName {
        let interface = self.contracts.get(&function.code).map(|index| &self.interfaces[*index]);
        let signature = function.selector.and_then(|selector| {
            let own = interface.and_then(|(_, signatures)| signatures.get(&selector).cloned());
            own.or_else(|| self.well_known.get(&selector).map(|signature| (*signature).to_owned()))
        });
        FunctionName { contract: interface.map(|(name, _)| name.clone()), signature }
    }

    /// `Token.transfer`, or as near to it as it gets.
    pub(super) fn text(&self, function: &Function) -> String {
        let FunctionName { contract, signature } = self.name(function);
        let contract = contract.unwrap_or_else(|| words::short(&function.code.to_string()));
        match (signature, function.selector) {
            (Some(signature), _) => format!("{contract}.{}", signature.split('(').next().unwrap_or_default()),
            (None, Some(selector)) => format!("{contract}.{selector}"),
            (None, None) => format!("{contract} (no function named)"),
        }
    }
}

fn selector(signature: &str) -> Selector {
    Selector::from_slice(&keccak256(signature)[..4])
}

fn signatures(abi: &JsonAbi) -> HashMap<Selector, String> {
    abi.functions().map(|function| (function.selector(), function.signature())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::fixed_bytes;

    #[test]
    fn well_known_functions_have_names() {
        let functions = Functions::new();
        assert_eq!(functions.well_known.len(), WELL_KNOWN.len(), "no two have one selector");
        let code = Address::repeat_byte(0xab);
        for (selector, expected) in [
            (fixed_bytes!("a9059cbb"), "transfer"),
            (fixed_bytes!("022c0d9f"), "swap"),
            (fixed_bytes!("128acb08"), "swap"),
            (fixed_bytes!("38ed1739"), "swapExactTokensForTokens"),
            (fixed_bytes!("414bf389"), "exactInputSingle"),
            (fixed_bytes!("3593564c"), "execute"),
            (fixed_bytes!("f242432a"), "safeTransferFrom"),
            (fixed_bytes!("6e553f65"), "deposit"),
            (fixed_bytes!("01020304"), "0x01020304"),
        ] {
            let text = functions.text(&Function { code, selector: Some(selector) });
            assert_eq!(text, format!("{}.{expected}", words::short(&code.to_string())));
        }
    }

    #[test]
    fn an_interface_names_its_own_functions() {
        let abi: JsonAbi = serde_json::from_str(
            r#"[{"type": "function", "name": "poke", "inputs": [{"name": "a", "type": "tuple[]", "components": [{"name": "b", "type": "uint8"}]}], "outputs": [], "stateMutability": "nonpayable"}]"#,
        )
        .unwrap();
        let mut functions = Functions::new();
        let code = Address::repeat_byte(1);
        let interface = Interface { name: "Poke".to_owned(), abi, code: None };
        functions.add(interface, [code]);
        assert!(functions.has(&code, selector("poke((uint8)[])")) && !functions.has(&code, selector("poke()")));
        let poke = Function { code, selector: Some(selector("poke((uint8)[])")) };
        assert_eq!(functions.text(&poke), "Poke.poke");
        assert_eq!(functions.name(&poke).signature.as_deref(), Some("poke((uint8)[])"));
        assert_eq!(functions.contract(&code), Some("Poke"));
    }
}
