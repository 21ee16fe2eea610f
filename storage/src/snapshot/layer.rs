//! The change of one block in memory, above the tables.

use crate::{
    AccountChange, AccountRecord, BlockChange, block::Head, encoding::HashedAccount, state::update::StateUpdate,
    trie::source::NodeBytes,
};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, AddressSet, B256Map, HashMap},
};
use alloy_trie::Nibbles;
use revm::state::Bytecode;

/// What one block changed, ready to be read through and to be written.
#[derive(Debug)]
pub struct Layer {
    block: Head,
    parent: B256,
    rewinds: bool,
    pub(crate) accounts: AddressMap<Option<AccountRecord>>,
    /// Accounts whose storage from before the block is gone.
    pub(crate) wiped: AddressSet,
    pub(crate) slots: AddressMap<HashMap<U256, U256>>,
    pub(crate) codes: B256Map<Bytecode>,
    pub(crate) update: StateUpdate,
}

impl Layer {
    /// The layer of the block with this number, hash and parent, of its change, and of the update that
    /// [`Snapshot::state_after`](super::Snapshot::state_after) computed for the same change on the state of the parent.
    pub fn new(number: u64, hash: B256, parent: B256, change: BlockChange, update: StateUpdate) -> Self {
        let BlockChange { accounts, slots, contracts } = change;
        let gone = |account: &AccountChange| account.present.is_none();
        let wiped = accounts.iter().filter(|account| account.storage_wiped || gone(account));
        let wiped: AddressSet = wiped.map(|account| account.address).collect();
        let accounts: AddressMap<_> = accounts.into_iter().map(|account| (account.address, account.present)).collect();
        let mut by_address: AddressMap<HashMap<U256, U256>> = HashMap::default();
        for slot in slots {
            if accounts.get(&slot.address) != Some(&None) {
                by_address.entry(slot.address).or_default().insert(slot.slot, slot.present);
            }
        }
        Self {
            block: Head { number, hash, state_root: update.root },
            parent,
            rewinds: false,
            accounts,
            wiped,
            slots: by_address,
            codes: contracts.into_iter().collect(),
            update,
        }
    }

    /// A layer that leads from the block `head` of the tables back to an earlier one.
    pub(crate) fn rewinding(target: Head, head: B256, change: BlockChange, update: StateUpdate) -> Self {
        Self { rewinds: true, ..Self::new(target.number, target.hash, head, change, update) }
    }

    /// Whether the layer leads back to an earlier block instead of to the next one.
    pub(crate) const fn rewinds(&self) -> bool {
        self.rewinds
    }

    /// Whether the layer can stand on the state after a block: every layer on its parent, but one that rewinds only on the tables.
    pub(crate) fn stands_on(&self, below: Head, is_table: bool) -> bool {
        self.parent == below.hash
            && if self.rewinds { is_table } else { self.block.number.checked_sub(1) == Some(below.number) }
    }

    /// The block and the state root after it.
    pub const fn block(&self) -> Head {
        self.block
    }

    /// The accounts that the block changed and what they are after it, `None` where there is none any more; in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (Address, Option<AccountRecord>)> + '_ {
        self.accounts.iter().map(|(address, account)| (*address, *account))
    }

    /// Hash of the parent block.
    pub const fn parent(&self) -> B256 {
        self.parent
    }

    /// The value of a slot, if the block set or wiped it.
    pub(crate) fn slot(&self, address: Address, slot: U256) -> Option<U256> {
        let written = self.slots.get(&address).and_then(|slots| slots.get(&slot)).copied();
        written.or_else(|| self.wiped.contains(&address).then_some(U256::ZERO))
    }

    /// The account under a hashed address, if the block changed it.
    pub(crate) fn hashed_account(&self, key: B256) -> Option<Option<HashedAccount>> {
        self.update.account(key)
    }

    /// The stored node of the account trie under a path, if the block wrote or removed it.
    pub(crate) fn account_node(&self, path: &Nibbles) -> Option<Option<NodeBytes>> {
        self.update.account_nodes.get(path).cloned()
    }

    /// The stored node of a storage trie under a path, if the block wrote or removed it.
    pub(crate) fn storage_node(&self, account: B256, path: &Nibbles) -> Option<Option<NodeBytes>> {
        let storage = self.update.storages.get(&account)?;
        storage.nodes.get(path).cloned().or_else(|| storage.wiped.then_some(None))
    }

    /// The first changed account from a hashed address on.
    pub(crate) fn account_from(&self, from: B256) -> Option<(B256, Option<HashedAccount>)> {
        first_from(&self.update.accounts, from)
    }

    /// Whether the storage of an account from before the block is gone.
    pub(crate) fn wiped_hashed(&self, account: B256) -> bool {
        self.update.storages.get(&account).is_some_and(|storage| storage.wiped)
    }

    /// The first changed slot of an account from a hashed slot on.
    pub(crate) fn slot_from(&self, account: B256, from: B256) -> Option<(B256, Option<U256>)> {
        let storage = self.update.storages.get(&account)?;
        let (key, value) = first_from(&storage.slots, from)?;
        Some((key, (!value.is_zero()).then_some(value)))
    }
}

fn first_from<V: Copy>(sorted: &[(B256, V)], from: B256) -> Option<(B256, V)> {
    sorted.get(sorted.partition_point(|(key, _)| *key < from)).copied()
}
