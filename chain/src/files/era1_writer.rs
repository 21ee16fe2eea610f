//! Writing era1 archives.

use super::{
    Accumulator, MAX_RECORDS,
    e2store::{self, compress},
    era1::block_index,
};
use alloy_consensus::{TxReceipt, proofs::calculate_receipt_root};
use alloy_primitives::{B256, U256};
use braid_runtime::{Block, Receipt};
use std::io::{self, Write};

/// An archive that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Era1Error {
    /// The file could not be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A block from after the merge.
    #[error("block {number} is from after the merge; era1 archives end before it")]
    AfterMerge {
        /// Its number.
        number: u64,
    },
    /// More blocks than an archive can have.
    #[error("an era1 archive has at most {MAX_RECORDS} blocks")]
    TooManyBlocks,
    /// A block that does not follow the one before it.
    #[error("block {number} does not follow block {last}")]
    NotChild {
        /// Its number.
        number: u64,
        /// Number of the block before.
        last: u64,
    },
    /// The receipts are not those of the block.
    #[error(
        "block {number}: the receipts have root {computed}, the header says {stated}; before Byzantium receipts have state \
         roots, which are not stored"
    )]
    Receipts {
        /// Its number.
        number: u64,
        /// In the header.
        stated: B256,
        /// Of the receipts.
        computed: B256,
    },
}

/// Writes consecutive blocks into an archive.
#[derive(Debug)]
pub struct Era1Writer<W> {
    stream: W,
    written: u64,
    accumulator: Accumulator,
    offsets: Vec<u64>,
    last: Option<(u64, B256)>,
}

impl<W: Write> Era1Writer<W> {
    /// Begins an archive.
    pub fn new(mut stream: W) -> Result<Self, Era1Error> {
        let written = e2store::write(&mut stream, e2store::VERSION, &[])?;
        Ok(Self { stream, written, accumulator: Accumulator::default(), offsets: Vec::new(), last: None })
    }

    /// Adds a block with its receipts and the total difficulty up to and with it.
    pub fn push(&mut self, block: &Block, receipts: &[Receipt], total_difficulty: U256) -> Result<(), Era1Error> {
        let header = &block.header;
        let number = header.number;
        let hash = header.hash_slow();
        if let Some((last, parent)) = self.last
            && (last.checked_add(1) != Some(number) || header.parent_hash != parent)
        {
            return Err(Era1Error::NotChild { number, last });
        }
        if header.difficulty.is_zero() {
            return Err(Era1Error::AfterMerge { number });
        }
        let receipts: Vec<_> = receipts.iter().map(|receipt| receipt.clone().into_with_bloom()).collect();
        let computed = calculate_receipt_root(&receipts);
        if computed != header.receipts_root {
            return Err(Era1Error::Receipts { number, stated: header.receipts_root, computed });
        }
        if !self.accumulator.push(hash, total_difficulty) {
            return Err(Era1Error::TooManyBlocks);
        }
        let mut receipts_rlp = Vec::new();
        alloy_rlp::encode_list(&receipts, &mut receipts_rlp);
        self.offsets.push(self.written);
        self.write(e2store::COMPRESSED_HEADER, &compress(&alloy_rlp::encode(header))?)?;
        self.write(e2store::COMPRESSED_BODY, &compress(&alloy_rlp::encode(&block.body))?)?;
        self.write(e2store::COMPRESSED_RECEIPTS, &compress(&receipts_rlp)?)?;
        self.write(e2store::TOTAL_DIFFICULTY, &total_difficulty.to_le_bytes::<32>())?;
        self.last = Some((number, hash));
        Ok(())
    }

    /// Ends the archive; gives the stream and the root of the accumulator.
    pub fn finish(mut self) -> Result<(W, B256), Era1Error> {
        let root = self.accumulator.root();
        self.write(e2store::ACCUMULATOR, root.as_slice())?;
        let first = self.last.map_or(0, |(last, _)| (last + 1).saturating_sub(self.offsets.len() as u64));
        let index = block_index(first, &self.offsets, self.written);
        self.write(e2store::BLOCK_INDEX, &index)?;
        self.stream.flush()?;
        Ok((self.stream, root))
    }

    fn write(&mut self, kind: u16, data: &[u8]) -> io::Result<()> {
        self.written += e2store::write(&mut self.stream, kind, data)?;
        Ok(())
    }
}
