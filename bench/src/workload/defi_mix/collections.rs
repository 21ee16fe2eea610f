//! OpenZeppelin's preset ERC-721 as published: sequential mints and transfers in a dozen collections.

use super::{
    super::{WorkloadError, block_builder::Call, sampling::Zipf},
    stage::Stage,
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolCall, sol};

sol! {
    interface Collection {
        function mint(address to) external;
        function grantRole(bytes32 role, address account) external;
        function transferFrom(address from, address to, uint256 tokenId) external;
        function safeTransferFrom(address from, address to, uint256 tokenId) external;
    }
}

const COLLECTIONS: usize = 12;
const GAS_LIMIT: u64 = 400_000;

/// Collections by popularity.
#[derive(Debug)]
pub(super) struct Collections {
    /// Contract, and how many were minted before the block.
    all: Vec<(Address, u64)>,
    ranks: Zipf,
    minter: B256,
    turn: usize,
}

impl Collections {
    pub(super) fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        let mut all = Vec::with_capacity(COLLECTIONS);
        for index in 0..COLLECTIONS {
            let name = format!("PIECES{index}");
            let uri = format!("https://pieces.example/{index}/");
            all.push((deployer.deploy("PresetCollection", arguments(&(name.clone(), name, uri)))?, 0));
        }
        Ok(Self { all, ranks: Zipf::new(COLLECTIONS, 1.0), minter: keccak256("MINTER_ROLE"), turn: 0 })
    }

    /// A mint by an account that may, or a transfer of a piece that the sender has.
    pub(super) fn act(&mut self, stage: &mut Stage, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let to = stage.recipient();
        let (collection, minted) = &mut self.all[self.ranks.sample(&mut stage.random)];
        let (admin, deployer) = (stage.deployer.admin, &mut stage.deployer);
        let input = if turn.is_multiple_of(2) {
            let grant = Collection::grantRoleCall { role: self.minter, account: sender };
            deployer.call(admin, *collection, grant)?;
            Collection::mintCall { to: sender }.abi_encode()
        } else {
            let id = U256::from(*minted);
            deployer.call(admin, *collection, Collection::mintCall { to: sender })?;
            *minted += 1;
            if turn % 4 == 1 {
                Collection::transferFromCall { from: sender, to, tokenId: id }.abi_encode()
            } else {
                Collection::safeTransferFromCall { from: sender, to, tokenId: id }.abi_encode()
            }
        };
        Ok(Call::contract(sender, *collection, input, GAS_LIMIT))
    }
}
