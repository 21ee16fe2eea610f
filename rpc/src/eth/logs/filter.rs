//! Which logs are wanted.
//!
//! * `address`: one, a list of which any will do, or any address if it is missing, null or empty.
//! * `topics`: at each position a topic, a list of which any will do, or null for any; a log needs as many topics as there are positions.
//! * `blockHash`, or `fromBlock` and `toBlock` (numbers or tags).

use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bloom, BloomInput, Log};
use serde::{Deserialize, Deserializer, de};

/// Most positions of topics: a log has no more topics.
const MAX_TOPICS: usize = 4;
/// Most alternatives at one position, and most addresses (geth's limit).
const MAX_ALTERNATIVES: usize = 1000;

/// Which blocks are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogRange {
    /// One block.
    Block(B256),
    /// A range of the canonical branch, both ends included; what is missing is the latest block.
    Numbers { from: Option<BlockNumberOrTag>, to: Option<BlockNumberOrTag> },
}

/// Which logs are wanted, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFilter {
    pub(crate) range: LogRange,
    /// Any of these; any at all if there is none.
    addresses: Vec<Address>,
    /// At each position any of these; any at all if there is none.
    topics: Vec<Vec<B256>>,
    /// The same as bits of the bloom filters.
    blooms: Vec<Vec<Bloom>>,
}

impl LogFilter {
    fn new(range: LogRange, addresses: Vec<Address>, topics: Vec<Vec<B256>>) -> Self {
        let bits = |bytes: &[u8]| Bloom::from(BloomInput::Raw(bytes));
        let of_addresses = addresses.iter().map(|address| bits(address.as_slice())).collect();
        let of_topics = topics.iter().map(|any| any.iter().map(|topic| bits(topic.as_slice())).collect());
        let blooms = std::iter::once(of_addresses).chain(of_topics).filter(|any: &Vec<_>| !any.is_empty()).collect();
        Self { range, addresses, topics, blooms }
    }

    /// Whether a block or transaction with this bloom filter may have such a log.
    pub(crate) fn may_match(&self, bloom: &Bloom) -> bool {
        self.blooms.iter().all(|any| any.iter().any(|bits| bloom.contains(bits)))
    }

    /// Whether a log is wanted. Where it is does not matter.
    pub(crate) fn matches(&self, log: &Log) -> bool {
        let topics = log.data.topics();
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.len() <= topics.len()
            && self.topics.iter().zip(topics).all(|(any, topic)| any.is_empty() || any.contains(topic))
    }
}

/// One, several, or null.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<Option<T>>),
}

impl<T> OneOrMany<T> {
    /// A null among several stands for any.
    fn alternatives(list: Option<Self>) -> Vec<T> {
        match list {
            None => Vec::new(),
            Some(Self::One(value)) => vec![value],
            Some(Self::Many(values)) => values.into_iter().collect::<Option<_>>().unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    block_hash: Option<B256>,
    from_block: Option<BlockNumberOrTag>,
    to_block: Option<BlockNumberOrTag>,
    address: Option<OneOrMany<Address>>,
    topics: Option<Vec<Option<OneOrMany<B256>>>>,
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { block_hash, from_block: from, to_block: to, address, topics } = Fields::deserialize(deserializer)?;
        let range = match block_hash {
            Some(_) if from.is_some() || to.is_some() => {
                let message = "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other";
                return Err(de::Error::custom(message));
            }
            Some(hash) => LogRange::Block(hash),
            None => LogRange::Numbers { from, to },
        };
        let addresses = OneOrMany::alternatives(address);
        let topics: Vec<_> = topics.unwrap_or_default().into_iter().map(OneOrMany::alternatives).collect();
        if topics.len() > MAX_TOPICS {
            return Err(de::Error::custom("exceed max topics"));
        }
        if addresses.len() > MAX_ALTERNATIVES || topics.iter().any(|any| any.len() > MAX_ALTERNATIVES) {
            return Err(de::Error::custom("exceed max addresses or topics per search position"));
        }
        Ok(Self::new(range, addresses, topics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Bytes, LogData, logs_bloom};
    use serde_json::{Value, json};

    const A: Address = Address::repeat_byte(0xaa);
    const B: Address = Address::repeat_byte(0xbb);

    fn topic(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    fn filter(json: Value) -> LogFilter {
        serde_json::from_value(json).unwrap()
    }

    fn log(address: Address, topics: &[u8]) -> Log {
        let topics = topics.iter().map(|byte| topic(*byte)).collect();
        Log { address, data: LogData::new_unchecked(topics, Bytes::new()) }
    }

    #[test]
    fn addresses_are_one_or_many_or_any() {
        for any in [json!({}), json!({"address": null}), json!({"address": []}), json!({"address": [null]})] {
            assert!(filter(any.clone()).matches(&log(B, &[])), "{any}");
        }
        for a in [json!({"address": A}), json!({"address": [A]})] {
            assert!(filter(a.clone()).matches(&log(A, &[])));
            assert!(!filter(a).matches(&log(B, &[])));
        }
        assert!(filter(json!({"address": [A, B]})).matches(&log(B, &[1])));
    }

    #[test]
    fn topics_are_compared_by_position() {
        let cases: [(Value, &[u8], bool); 11] = [
            (json!([]), &[], true),
            (json!(null), &[1], true),
            (json!([topic(1)]), &[1, 2], true),
            (json!([topic(1)]), &[2, 1], false),
            (json!([null, topic(2)]), &[1, 2], true),
            (json!([null, topic(2)]), &[2], false),
            (json!([null, null]), &[1], false),
            (json!([[], topic(2)]), &[9, 2, 3], true),
            (json!([[topic(1), topic(3)]]), &[3], true),
            (json!([[topic(1), null]]), &[5], true),
            (json!([[topic(1), topic(3)], [topic(4)]]), &[3, 5], false),
        ];
        for (topics, of_log, expected) in cases {
            let filter = filter(json!({"topics": topics}));
            assert_eq!(filter.matches(&log(A, of_log)), expected, "{topics} {of_log:?}");
        }
    }

    #[test]
    fn the_bloom_never_hides_a_match() {
        let logs = [log(A, &[1, 2]), log(B, &[3])];
        let bloom = logs_bloom(&logs);
        let some = [json!({}), json!({"address": A, "topics": [[topic(1)], topic(2)]}), json!({"topics": [topic(3)]})];
        for wanted in some {
            assert!(filter(wanted).may_match(&bloom));
        }
        assert!(!filter(json!({"topics": [topic(9)]})).may_match(&bloom));
        assert!(!filter(json!({"address": Address::repeat_byte(0x77)})).may_match(&bloom));
        assert!(!filter(json!({"address": A})).may_match(&Bloom::ZERO));
        assert!(filter(json!({})).may_match(&Bloom::ZERO));
    }

    #[test]
    fn a_hash_and_a_range_exclude_each_other() {
        let error =
            serde_json::from_value::<LogFilter>(json!({"blockHash": topic(1), "fromBlock": "0x1"})).unwrap_err();
        assert!(error.to_string().contains("cannot specify both BlockHash"), "{error}");
        assert_eq!(filter(json!({"blockHash": topic(1)})).range, LogRange::Block(topic(1)));
        let from = Some(BlockNumberOrTag::Number(16));
        let range = LogRange::Numbers { from, to: Some(BlockNumberOrTag::Latest) };
        assert_eq!(filter(json!({"fromBlock": "0x10", "toBlock": "latest", "more": 1})).range, range);
        assert!(serde_json::from_value::<LogFilter>(json!({"topics": [null, null, null, null, null]})).is_err());
    }
}
