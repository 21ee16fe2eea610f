//! Era1 archives: up to 8192 consecutive blocks from before the merge, with their receipts.
//!
//! ```text
//! era1  := version, block…, accumulator, block index
//! block := compressed header, compressed body, compressed receipts, total difficulty
//! ```
//!
//! The format is in the documentation of go-ethereum's package `internal/era`. The index has the number of the first block,
//! for each block the place of its header relative to the record of the index, and the number of blocks, 8 bytes each.
//!
//! Blocks are given one by one, each checked against its own header; total difficulties must add up, and after the last
//! block the accumulator and the index must be those of the blocks.

use super::{
    Accumulator, FileErrorKind, PlacedBlock,
    e2store::{self, Record, Records},
};
use alloy_consensus::{BlockBody, Header, proofs::calculate_transaction_root};
use alloy_primitives::{B256, U256};
use alloy_rlp::{Decodable, PayloadView};
use alloy_trie::root::ordered_trie_root_encoded;
use braid_runtime::{Block, Transaction};
use std::io::Read;

type Failure = (u64, FileErrorKind);

/// The blocks of an era1 archive, one in memory at a time.
#[derive(Debug)]
pub struct Era1Blocks<R> {
    records: Records<R>,
    began: bool,
    ended: bool,
    accumulator: Accumulator,
    /// Where the headers are.
    offsets: Vec<u64>,
    last: Option<Last>,
}

/// The block before.
#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    hash: B256,
    total_difficulty: U256,
}

impl<R: Read> Era1Blocks<R> {
    /// Reads from a stream, best a buffered one.
    pub fn new(stream: R) -> Self {
        Self {
            records: Records::new(stream),
            began: false,
            ended: false,
            accumulator: Accumulator::default(),
            offsets: Vec::new(),
            last: None,
        }
    }

    fn read(&mut self) -> Result<Option<PlacedBlock>, Failure> {
        if !self.began {
            let version = self.expect(e2store::VERSION, "the version")?;
            exact_length(&version, "a version record", 0)?;
            self.began = true;
        }
        let record = self.any("a header or the accumulator")?;
        match record.kind {
            e2store::COMPRESSED_HEADER => self.block(&record).map(Some),
            e2store::ACCUMULATOR => self.end(&record).map(|()| None),
            // Archives may have further kinds of records between the blocks and the accumulator.
            _ if !self.offsets.is_empty() && !is_block_part(record.kind) => self.skip_others(),
            found => Err((record.offset, FileErrorKind::RecordType { found, expected: "a header or the accumulator" })),
        }
    }

    fn skip_others(&mut self) -> Result<Option<PlacedBlock>, Failure> {
        loop {
            let record = self.any("the accumulator")?;
            match record.kind {
                e2store::ACCUMULATOR => return self.end(&record).map(|()| None),
                found if is_block_part(found) => {
                    return Err((record.offset, FileErrorKind::RecordType { found, expected: "the accumulator" }));
                }
                _ => {}
            }
        }
    }

    fn block(&mut self, record: &Record) -> Result<PlacedBlock, Failure> {
        let offset = record.offset;
        let header: Header = decode(record, "a header")?;
        let number = header.number;
        let hash = header.hash_slow();
        if self.last.is_some_and(|last| last.number.checked_add(1) != Some(number) || header.parent_hash != last.hash) {
            return Err((offset, FileErrorKind::NotChild { number }));
        }

        let body = self.expect(e2store::COMPRESSED_BODY, "a body")?;
        let body: BlockBody<Transaction> = decode(&body, "a body")?;
        let computed = calculate_transaction_root(&body.transactions);
        check_root(offset, number, "the list of transactions", header.transactions_root, computed)?;
        check_root(offset, number, "the list of ommers", header.ommers_hash, body.calculate_ommers_root())?;

        let receipts = self.expect(e2store::COMPRESSED_RECEIPTS, "receipts")?;
        let computed = receipts_root(&receipts)?;
        check_root(offset, number, "the list of receipts", header.receipts_root, computed)?;

        let record = self.expect(e2store::TOTAL_DIFFICULTY, "a total difficulty")?;
        exact_length(&record, "a total difficulty", 32)?;
        let stated = U256::from_le_slice(&record.data);
        let computed = self.last.map(|last| last.total_difficulty.saturating_add(header.difficulty));
        // What came before the first block is not known.
        let computed = computed.unwrap_or_else(|| stated.max(header.difficulty));
        if stated != computed {
            return Err((record.offset, FileErrorKind::TotalDifficulty { number, stated, computed }));
        }
        if !self.accumulator.push(hash, stated) {
            return Err((offset, FileErrorKind::TooManyBlocks));
        }
        self.offsets.push(offset);
        self.last = Some(Last { number, hash, total_difficulty: stated });
        Ok(PlacedBlock { block: Block::new(header, body), offset: Some(offset) })
    }

    /// Accumulator and index, and nothing after them.
    fn end(&mut self, record: &Record) -> Result<(), Failure> {
        exact_length(record, "an accumulator", 32)?;
        let (stated, computed) = (B256::from_slice(&record.data), self.accumulator.root());
        if stated != computed {
            return Err((record.offset, FileErrorKind::Accumulator { stated, computed }));
        }
        let index = self.expect(e2store::BLOCK_INDEX, "the block index")?;
        let first = self.last.map(|last| (last.number + 1).saturating_sub(self.offsets.len() as u64));
        // An archive without blocks can begin anywhere.
        let first = first.unwrap_or_else(|| index.data.first_chunk().map_or(0, |first| u64::from_le_bytes(*first)));
        if index.data != block_index(first, &self.offsets, index.offset) {
            return Err((index.offset, FileErrorKind::Index));
        }
        let offset = self.records.offset;
        match self.records.next()? {
            None => Ok(()),
            Some(_) => Err((offset, FileErrorKind::TrailingBytes)),
        }
    }

    fn any(&mut self, expected: &'static str) -> Result<Record, Failure> {
        let offset = self.records.offset;
        self.records
            .next()?
            .ok_or((offset, FileErrorKind::Truncated { what: expected, missing: e2store::HEADER_LENGTH }))
    }

    fn expect(&mut self, kind: u16, expected: &'static str) -> Result<Record, Failure> {
        let record = self.any(expected)?;
        match record.kind {
            found if found == kind => Ok(record),
            found => Err((record.offset, FileErrorKind::RecordType { found, expected })),
        }
    }
}

impl<R: Read> Iterator for Era1Blocks<R> {
    type Item = Result<PlacedBlock, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let result = self.read().transpose();
        self.ended = !matches!(result, Some(Ok(_)));
        result
    }
}

/// The data of an index whose record begins at `place`.
pub(super) fn block_index(first: u64, offsets: &[u64], place: u64) -> Vec<u8> {
    let relative = offsets.iter().map(|offset| offset.wrapping_sub(place));
    let numbers = std::iter::once(first).chain(relative).chain([offsets.len() as u64]);
    numbers.flat_map(u64::to_le_bytes).collect()
}

const fn is_block_part(kind: u16) -> bool {
    matches!(
        kind,
        e2store::VERSION
            | e2store::COMPRESSED_HEADER
            | e2store::COMPRESSED_BODY
            | e2store::COMPRESSED_RECEIPTS
            | e2store::TOTAL_DIFFICULTY
            | e2store::BLOCK_INDEX
    )
}

fn exact_length(record: &Record, what: &'static str, length: usize) -> Result<(), Failure> {
    match record.data.len() {
        found if found == length => Ok(()),
        found => Err((record.offset, FileErrorKind::RecordLength { what, length: found as u64 })),
    }
}

fn decode<T: Decodable>(record: &Record, what: &'static str) -> Result<T, Failure> {
    let at = |kind| (record.offset, kind);
    let bytes = e2store::decompress(what, &record.data).map_err(at)?;
    alloy_rlp::decode_exact(&bytes).map_err(|source| at(FileErrorKind::Rlp { what, source }))
}

/// Root of the trie of receipts. Their content does not matter: before Byzantium they have state roots, after Berlin types.
fn receipts_root(record: &Record) -> Result<B256, Failure> {
    const WHAT: &str = "receipts";
    let at = |kind| (record.offset, kind);
    let bytes = e2store::decompress(WHAT, &record.data).map_err(at)?;
    let wrong = |source| at(FileErrorKind::Rlp { what: WHAT, source });
    let mut rest = bytes.as_slice();
    let items = match alloy_rlp::Header::decode_raw(&mut rest).map_err(wrong)? {
        PayloadView::List(items) if rest.is_empty() => items,
        PayloadView::List(_) => return Err(wrong(alloy_rlp::Error::UnexpectedLength)),
        PayloadView::String(_) => return Err(wrong(alloy_rlp::Error::UnexpectedString)),
    };
    let mut receipts = Vec::with_capacity(items.len());
    for item in items {
        // A typed receipt is a string around what goes into the trie (EIP-2718).
        let mut view = item;
        receipts.push(match alloy_rlp::Header::decode_raw(&mut view).map_err(wrong)? {
            PayloadView::List(_) => item,
            PayloadView::String(typed) => typed,
        });
    }
    Ok(ordered_trie_root_encoded(&receipts))
}

fn check_root(offset: u64, number: u64, what: &'static str, stated: B256, computed: B256) -> Result<(), Failure> {
    match stated == computed {
        true => Ok(()),
        false => Err((offset, FileErrorKind::Root { number, what, stated, computed })),
    }
}
