//! The tables by name. What stands in them is described where it is encoded, in [`crate::encoding`].

use std::fmt;

macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A named, ordered map from bytes to bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Table {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Table {
            /// Every table, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Name of the table on disk.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

tables! {
    /// Schema, chain, head, and from where on history is kept.
    Metadata = "metadata",
    /// Block number to header.
    Headers = "headers",
    /// Block number to the hash of the canonical block.
    CanonicalHashes = "canonical_hashes",
    /// Hash of a canonical block to its number.
    BlockNumbers = "block_numbers",
    /// Block number to body.
    Bodies = "bodies",
    /// Block number to receipts.
    Receipts = "receipts",
    /// Transaction hash to block number and index.
    TransactionLookup = "transaction_lookup",
    /// Address to account.
    Accounts = "accounts",
    /// Address and slot to value.
    Storage = "storage",
    /// Code hash to code.
    Bytecodes = "bytecodes",
    /// Block number and address to the account before the block.
    AccountChanges = "account_changes",
    /// Block number, address and slot to the value before the block.
    StorageChanges = "storage_changes",
    /// Address and block number to the blocks up to that number which changed the account.
    AccountHistory = "account_history",
    /// Address, slot and block number to the blocks up to that number which changed the slot.
    StorageHistory = "storage_history",
    /// Hashed address to account with storage root.
    HashedAccounts = "hashed_accounts",
    /// Hashed address and hashed slot to value.
    HashedStorage = "hashed_storage",
    /// Path to branch node of the account trie.
    AccountTrie = "account_trie",
    /// Hashed address and path to branch node of a storage trie.
    StorageTrie = "storage_trie",
}

impl Table {
    /// Position in [`Table::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
