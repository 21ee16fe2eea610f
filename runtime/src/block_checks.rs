//! What a block must have before it can be executed at all.
//!
//! Not the validation of headers, which knows the parent: only what execution itself relies on. A field that is missing here
//! would otherwise end in an error, or in an overflow, in the middle of the block.

use crate::{InvalidBlock, RecoveredBlock, chain_spec::BlockRules};
use alloy_consensus::Transaction as _;
use alloy_hardforks::EthereumHardforks;

/// Checks that the block has the fields of its fork, that its ommers are near and that its blobs fit (EIP-4844).
pub fn check_block(block: &RecoveredBlock, rules: &BlockRules<'_>) -> Result<(), InvalidBlock> {
    let header = block.header();
    let require = |is_there: bool, name| if is_there { Ok(()) } else { Err(InvalidBlock::MissingField(name)) };
    if rules.is_london_active_at_block(header.number) {
        require(header.base_fee_per_gas.is_some(), "baseFeePerGas")?;
    }
    if rules.is_shanghai_active_at_timestamp(header.timestamp) {
        require(block.withdrawals().is_some(), "withdrawals")?;
    } else if block.withdrawals().is_some() {
        return Err(InvalidBlock::UnexpectedField("withdrawals"));
    }
    if let Some(blobs) = rules.spec().blob_params(header.timestamp) {
        require(header.excess_blob_gas.is_some(), "excessBlobGas")?;
        require(header.parent_beacon_block_root.is_some(), "parentBeaconBlockRoot")?;
        let used = block
            .transactions()
            .iter()
            .fold(0_u64, |sum, tx| sum.saturating_add(tx.blob_gas_used().unwrap_or_default()));
        let limit = blobs.max_blob_gas_per_block();
        if used > limit {
            return Err(InvalidBlock::BlobGasExceeded { used, limit });
        }
    }
    if rules.is_merged() && !block.ommers().is_empty() {
        return Err(InvalidBlock::UnexpectedField("ommers"));
    }
    for ommer in block.ommers() {
        // The reward of an ommer shrinks with its distance and would be negative beyond this.
        if ommer.number >= header.number || header.number - ommer.number > 6 {
            return Err(InvalidBlock::OmmerNumber { number: ommer.number, block: header.number });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, ChainSpec};
    use alloy_consensus::{BlockBody, Header};
    use alloy_eips::eip4895::Withdrawals;
    use alloy_primitives::B256;

    fn check(fork: &str, header: Header, body: BlockBody<crate::Transaction>) -> Result<(), InvalidBlock> {
        let spec = ChainSpec::from_suite_fork(fork).unwrap();
        let block = RecoveredBlock::new_unchecked(Block::new(header, body), Vec::new());
        check_block(&block, &spec.at(block.header()))
    }

    #[test]
    fn fields_of_the_fork() {
        let london = Header { base_fee_per_gas: Some(7), ..Default::default() };
        let cancun = Header { excess_blob_gas: Some(0), parent_beacon_block_root: Some(B256::ZERO), ..london.clone() };
        let with_withdrawals = || BlockBody { withdrawals: Some(Withdrawals::default()), ..Default::default() };
        assert!(check("London", london.clone(), BlockBody::default()).is_ok());
        assert!(check("Shanghai", london.clone(), with_withdrawals()).is_ok());
        assert!(check("Cancun", cancun.clone(), with_withdrawals()).is_ok());
        for (fork, header, body, missing) in [
            ("London", Header::default(), BlockBody::default(), "baseFeePerGas"),
            ("Shanghai", london.clone(), BlockBody::default(), "withdrawals"),
            ("Cancun", Header { excess_blob_gas: None, ..cancun.clone() }, with_withdrawals(), "excessBlobGas"),
            (
                "Cancun",
                Header { parent_beacon_block_root: None, ..cancun },
                with_withdrawals(),
                "parentBeaconBlockRoot",
            ),
        ] {
            let result = check(fork, header, body);
            assert!(
                matches!(result, Err(InvalidBlock::MissingField(name)) if name == missing),
                "{missing}: {result:?}"
            );
        }
        let early = check("Paris", london, with_withdrawals());
        assert!(matches!(early, Err(InvalidBlock::UnexpectedField("withdrawals"))), "{early:?}");
    }

    #[test]
    fn ommers_are_near_and_end_with_the_merge() {
        let body = |number| BlockBody { ommers: vec![Header { number, ..Default::default() }], ..Default::default() };
        let header = Header { number: 10, ..Default::default() };
        assert!(check("Homestead", header.clone(), body(4)).is_ok());
        assert!(check("Homestead", header.clone(), body(9)).is_ok());
        for number in [3, 10, 11, u64::MAX] {
            let far = check("Homestead", header.clone(), body(number));
            assert!(matches!(far, Err(InvalidBlock::OmmerNumber { block: 10, .. })), "{number}: {far:?}");
        }
        let merged = check("Paris", Header { base_fee_per_gas: Some(7), ..header }, body(9));
        assert!(matches!(merged, Err(InvalidBlock::UnexpectedField("ommers"))), "{merged:?}");
    }
}
