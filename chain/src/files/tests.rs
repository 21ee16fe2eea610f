//! Files of blocks, whole and damaged.

use super::*;
use crate::samples;
use alloy_consensus::{TxReceipt, proofs::calculate_receipt_root};
use alloy_primitives::{Address, U256};
use braid_runtime::{Block, Receipt};
use std::{fs, io::Write, path::PathBuf};

/// Consecutive blocks with their receipts.
fn chain(length: u64) -> Vec<(Block, Vec<Receipt>)> {
    let mut parent = Default::default();
    let mut blocks = Vec::new();
    for number in 1..=length {
        let transactions = match number % 3 {
            0 => Vec::new(),
            1 => vec![samples::legacy()],
            _ => vec![samples::legacy(), samples::dynamic_fee()],
        };
        let receipts: Vec<_> = transactions
            .iter()
            .map(|transaction| Receipt {
                tx_type: transaction.tx_type(),
                success: true,
                cumulative_gas_used: 21_000 * number,
                logs: Vec::new(),
            })
            .collect();
        let ommers = if number == 2 { vec![Default::default()] } else { Vec::new() };
        let mut block = samples::block(number, transactions, ommers, None);
        let bloomed: Vec<_> = receipts.iter().map(|receipt| receipt.clone().into_with_bloom()).collect();
        block.header.receipts_root = calculate_receipt_root(&bloomed);
        block.header.parent_hash = parent;
        block.header.difficulty = U256::from(131_072 + number);
        block.header.beneficiary = Address::with_last_byte(number as u8);
        parent = block.header.hash_slow();
        blocks.push((block, receipts));
    }
    blocks
}

fn rlp_file(blocks: &[(Block, Vec<Receipt>)]) -> Vec<u8> {
    blocks.iter().flat_map(|(block, _)| alloy_rlp::encode(block)).collect()
}

fn era1_file(blocks: &[(Block, Vec<Receipt>)]) -> Vec<u8> {
    let mut writer = Era1Writer::new(Vec::new()).unwrap();
    let mut total = U256::from(17);
    for (block, receipts) in blocks {
        total += block.header.difficulty;
        writer.push(block, receipts, total).unwrap();
    }
    writer.finish().unwrap().0
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("blocks");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The blocks up to the first error, and that.
    fn read(&self, bytes: &[u8]) -> (Vec<PlacedBlock>, Option<FileError>) {
        let mut blocks = Vec::new();
        match BlockFile::open(self.write(bytes)) {
            Err(error) => return (blocks, Some(error)),
            Ok(file) => {
                let progress = file.progress();
                for block in file {
                    match block {
                        Ok(block) => blocks.push(block),
                        Err(error) => return (blocks, Some(error)),
                    }
                }
                assert_eq!(Some(progress.position()), progress.length(), "the whole file was read");
            }
        }
        (blocks, None)
    }
}

fn assert_is_start(read: &[PlacedBlock], blocks: &[(Block, Vec<Receipt>)]) {
    assert!(read.len() <= blocks.len());
    for (read, (block, _)) in read.iter().zip(blocks) {
        assert_eq!(&read.block, block);
    }
}

#[test]
fn what_is_written_is_read_in_every_form() {
    let blocks = chain(7);
    let folder = Folder::new();
    for (kind, file) in [(FileKind::Rlp, rlp_file(&blocks)), (FileKind::Era1, era1_file(&blocks))] {
        for file in [gzip(&file), file] {
            assert_eq!(BlockFile::open(folder.write(&file)).unwrap().kind(), kind);
            let (read, error) = folder.read(&file);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(read.len(), blocks.len());
            assert_is_start(&read, &blocks);
        }
    }
}

#[test]
fn places_are_those_of_the_blocks() {
    let blocks = chain(4);
    let mut expected = 0;
    for (read, (block, _)) in Folder::new().read(&rlp_file(&blocks)).0.iter().zip(&blocks) {
        assert_eq!(read.offset, Some(expected));
        expected += alloy_rlp::encode(block).len() as u64;
    }
    let file = era1_file(&blocks);
    for read in Folder::new().read(&file).0 {
        let offset = read.offset.unwrap() as usize;
        assert_eq!(file[offset..offset + 2], [3, 0], "a compressed header begins there");
    }
}

#[test]
fn bundles_are_files_of_one_block() {
    let folder = Folder::new();
    let bundle = samples::plain();
    let path = folder.0.path().join("one.braid");
    bundle.write_to(&path).unwrap();
    for path in [path.as_path(), folder.0.path()] {
        let read: Vec<_> = BlockFile::open(path).unwrap().map(Result::unwrap).collect();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].block, bundle.block);
    }
}

#[test]
fn every_truncation_is_found() {
    let blocks = chain(3);
    let folder = Folder::new();
    let rlp = rlp_file(&blocks);
    let ends: Vec<_> = (0..=blocks.len()).map(|count| rlp_file(&blocks[..count]).len()).collect();
    for length in 0..rlp.len() {
        let (read, error) = folder.read(&rlp[..length]);
        assert_is_start(&read, &blocks);
        assert_eq!(read.len(), ends.iter().filter(|end| (1..=length).contains(end)).count());
        match (length, error.map(|error| *error.kind)) {
            (0, error) => assert!(matches!(error, Some(FileErrorKind::Empty))),
            // Nothing tells that more blocks should follow.
            (length, error) if ends.contains(&length) => assert!(error.is_none()),
            (_, error) => assert!(matches!(error, Some(FileErrorKind::Truncated { .. })), "{length}: {error:?}"),
        }
    }
    for whole in [era1_file(&blocks), gzip(&rlp), gzip(&era1_file(&blocks))] {
        for length in 0..whole.len() {
            let (read, error) = folder.read(&whole[..length]);
            assert_is_start(&read, &blocks);
            assert!(error.is_some(), "{length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn a_truncated_file_is_called_incomplete_and_the_place_is_named() {
    let blocks = chain(3);
    let file = rlp_file(&blocks);
    let (read, error) = Folder::new().read(&file[..file.len() - 5]);
    assert_eq!(read.len(), 2);
    let message = error.unwrap().to_string();
    let place = rlp_file(&blocks[..2]).len();
    let expected = format!("byte {place}: the file ends inside a block: 5 more bytes are needed; it is incomplete");
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn changed_bits_end_in_an_error_or_in_other_blocks_but_never_in_a_panic() {
    let blocks = chain(3);
    let folder = Folder::new();
    let rlp = rlp_file(&blocks);
    let era1 = era1_file(&blocks);
    for (file, is_checked) in [(rlp.clone(), false), (era1.clone(), true), (gzip(&rlp), true), (gzip(&era1), true)] {
        let mut unnoticed = 0;
        for place in 0..file.len() {
            let mut bent = file.clone();
            bent[place] ^= 1 << (place % 8);
            let (read, error) = folder.read(&bent);
            if error.is_none() {
                unnoticed += 1;
                if is_checked {
                    assert_is_start(&read, &blocks);
                    assert_eq!(read.len(), blocks.len());
                }
            }
        }
        // No checksum covers the time in a header of gzip, and repetitions can be compressed in more than one way.
        let allowed = if is_checked { file.len() / 20 } else { file.len() };
        assert!(unnoticed <= allowed, "{unnoticed} of {} changes went unnoticed", file.len());
    }
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    let folder = Folder::new();
    // Lists of 2^64 - 1, 4 GB and 255 MB that are not there.
    for start in [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
        &[0xfb, 0xff, 0xff, 0xff, 0xff],
        &[0xfb, 0x0f, 0xf0, 0x00, 0x00],
    ] {
        let (_, error) = folder.read(start);
        let kind = *error.unwrap().kind;
        assert!(matches!(kind, FileErrorKind::TooLong { .. } | FileErrorKind::Truncated { .. }), "{kind}");
    }
    let version = [0x65, 0x32, 0, 0, 0, 0, 0, 0];
    for length in [u32::MAX, 255 << 20] {
        let record = [&version[..], &[3, 0], &length.to_le_bytes(), &[0, 0]].concat();
        let kind = *folder.read(&record).1.unwrap().kind;
        assert!(matches!(kind, FileErrorKind::TooLong { .. } | FileErrorKind::Truncated { .. }), "{kind}");
    }
}

#[test]
fn other_files_are_called_so() {
    let folder = Folder::new();
    for bytes in [&b"hello"[..], &[0x80], &[0; 64], &gzip(b"hello")] {
        let error = folder.read(bytes).1.unwrap();
        assert!(error.to_string().contains("not a file of blocks"), "{error}");
    }
    let missing = BlockFile::open(folder.0.path().join("nowhere")).unwrap_err();
    assert!(matches!(*missing.kind, FileErrorKind::Io(_)), "{missing}");
}

#[test]
fn an_archive_takes_only_what_it_can_hold() {
    let mut blocks = chain(2);
    let mut writer = Era1Writer::new(Vec::new()).unwrap();
    let total = U256::from(1_000_000);
    writer.push(&blocks[0].0, &blocks[0].1, total).unwrap();
    let again = writer.push(&blocks[0].0, &blocks[0].1, total);
    assert!(matches!(again, Err(Era1Error::NotChild { number: 1, last: 1 })), "{again:?}");
    let receipts = writer.push(&blocks[1].0, &blocks[0].1, total);
    assert!(matches!(receipts, Err(Era1Error::Receipts { number: 2, .. })), "{receipts:?}");
    blocks[1].0.header.difficulty = U256::ZERO;
    let merged = writer.push(&blocks[1].0, &blocks[1].1, total);
    assert!(matches!(merged, Err(Era1Error::AfterMerge { number: 2 })), "{merged:?}");
}

#[test]
fn an_archive_whose_parts_do_not_belong_together_is_refused() {
    let blocks = chain(3);
    let folder = Folder::new();
    let push = |writer: &mut Era1Writer<Vec<u8>>, index: usize, total: u64| {
        let (block, receipts) = &blocks[index];
        writer.push(block, receipts, U256::from(total)).unwrap();
    };
    let mut writer = Era1Writer::new(Vec::new()).unwrap();
    push(&mut writer, 0, 1_000_000);
    push(&mut writer, 1, 1_000_000);
    let (read, error) = folder.read(&writer.finish().unwrap().0);
    assert_eq!(read.len(), 1);
    assert!(matches!(*error.unwrap().kind, FileErrorKind::TotalDifficulty { number: 2, .. }));

    let mut trailing = era1_file(&blocks);
    trailing.extend([0x65, 0x32, 0, 0, 0, 0, 0, 0]);
    let (read, error) = folder.read(&trailing);
    assert_eq!(read.len(), 3);
    assert!(matches!(*error.unwrap().kind, FileErrorKind::TrailingBytes));
}
