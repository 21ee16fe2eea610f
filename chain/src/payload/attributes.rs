//! What block is wanted.

use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B64, B256, Bytes, keccak256};
use alloy_rlp::Encodable;
use std::fmt;

/// What a block is to be, apart from its transactions (`PayloadAttributes` of the Engine API).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadAttributes {
    /// Timestamp, in seconds; later than that of the parent.
    pub timestamp: u64,
    /// `prevRandao`, which the header has in place of its mix hash.
    pub prev_randao: B256,
    /// Who gets the tips.
    pub fee_recipient: Address,
    /// Withdrawals, from Shanghai on.
    pub withdrawals: Option<Withdrawals>,
    /// Root of the parent beacon block, from Cancun on.
    pub parent_beacon_block_root: Option<B256>,
    /// Slot of the beacon chain, from Amsterdam on.
    pub slot_number: Option<u64>,
    /// Up to 32 bytes of anything.
    pub extra_data: Bytes,
    /// Gas limit that is aimed at, in gas; that of the parent if there is none. A block comes nearer by less than a 1024th.
    pub gas_limit: Option<u64>,
}

/// What development tools want to be otherwise than the rules say. Nobody else would take such a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderOverrides {
    /// Base fee, in wei.
    pub base_fee: Option<u64>,
    /// Gas limit, in gas, however far from that of the parent.
    pub gas_limit: Option<u64>,
    /// Excess blob gas, in gas.
    pub excess_blob_gas: Option<u64>,
}

/// Names a block that is being built (`PayloadId` of the Engine API).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadId(pub B64);

impl PayloadId {
    /// The id of the block with these attributes on this parent: the same for the same, another for anything else.
    pub fn new(parent: B256, attributes: &PayloadAttributes) -> Self {
        let mut bytes = parent.to_vec();
        attributes.timestamp.encode(&mut bytes);
        attributes.prev_randao.encode(&mut bytes);
        attributes.fee_recipient.encode(&mut bytes);
        attributes.parent_beacon_block_root.unwrap_or_default().encode(&mut bytes);
        attributes.slot_number.unwrap_or_default().encode(&mut bytes);
        attributes.gas_limit.unwrap_or_default().encode(&mut bytes);
        attributes.extra_data.encode(&mut bytes);
        if let Some(withdrawals) = &attributes.withdrawals {
            withdrawals.encode(&mut bytes);
        }
        let hash = keccak256(bytes);
        Self(B64::from_slice(&hash[..8]))
    }
}

impl fmt::Display for PayloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_counts() {
        let some = PayloadAttributes { timestamp: 12, ..PayloadAttributes::default() };
        let mut ids = vec![PayloadId::new(B256::ZERO, &some), PayloadId::new(B256::repeat_byte(1), &some)];
        let changes: [fn(&mut PayloadAttributes); 8] = [
            |attributes| attributes.timestamp = 13,
            |attributes| attributes.prev_randao = B256::repeat_byte(1),
            |attributes| attributes.fee_recipient = Address::repeat_byte(1),
            |attributes| attributes.withdrawals = Some(Withdrawals::default()),
            |attributes| attributes.parent_beacon_block_root = Some(B256::repeat_byte(1)),
            |attributes| attributes.slot_number = Some(1),
            |attributes| attributes.extra_data = Bytes::from_static(b"x"),
            |attributes| attributes.gas_limit = Some(1),
        ];
        for change in changes {
            let mut other = some.clone();
            change(&mut other);
            ids.push(PayloadId::new(B256::ZERO, &other));
        }
        let count = ids.len();
        ids.sort_unstable_by_key(|id| id.0);
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(PayloadId::new(B256::ZERO, &some), PayloadId::new(B256::ZERO, &some.clone()));
    }
}
