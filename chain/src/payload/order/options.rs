//! How a block's transactions are ordered.

/// Basis points of the whole.
pub(super) const WHOLE: u16 = 10_000;

/// How the transactions of a block are chosen and ordered, beyond their tips. Nonces of a sender, the limits of a block and who sent first among those
/// that are equal hold whatever is set here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderOptions {
    /// Whether, when more is waiting than a block has room for, transactions of a contract that would make the block's longest chain make way for
    /// others of equal standing, and wait for the next block.
    pub selection: bool,
    /// Whether members of long chains are spread over the block, between transactions of equal standing that do not depend on them.
    pub spreading: bool,
    /// By so much, in basis points, tips per gas may differ for transactions to count as equal. With 0 only those that pay exactly the same are
    /// exchanged. What a block earns by tips is at most this much below what it would earn by fees alone, reckoned with expected gas.
    pub tip_tolerance: u16,
    /// Cores that a chain shall not keep waiting: chains up to the block's gas divided by this make way for nobody.
    pub cores: u16,
    /// Blocks for which a transaction makes way at most.
    pub longest_wait: u64,
    /// Candidates below which the order is left as it is.
    pub least: usize,
}

impl OrderOptions {
    /// By fees alone.
    pub const FEES: Self =
        Self { selection: false, spreading: false, tip_tolerance: 0, cores: 16, longest_wait: 4, least: 64 };

    /// For parallel execution: among equals, what is contended makes way.
    pub const PARALLEL: Self = Self { selection: true, ..Self::FEES };
}

impl Default for OrderOptions {
    fn default() -> Self {
        Self::PARALLEL
    }
}

/// What ordering did to a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrangement {
    /// Candidates that were looked at.
    pub candidates: usize,
    /// Those of them whose accesses were foretold.
    pub known: usize,
    /// Transactions that are not where they would be by fees alone.
    pub moved: usize,
    /// Transactions that would be in the block by fees alone and wait.
    pub passed_over: usize,
    /// Foretold gas of the longest chain, by fees alone.
    pub path_by_fees: u64,
    /// Foretold gas of the longest chain of this block.
    pub path: u64,
    /// Time that all this took, in nanoseconds.
    pub nanos: u64,
}
