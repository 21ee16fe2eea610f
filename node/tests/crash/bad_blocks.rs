//! Wrong blocks and wrong files: one line that names the place and the reason, and everything before it stays.

use super::{
    chain::{WORK, rlp},
    program::{SUCCESS, braid, stored_head, verify},
};
use crate::arguments;
use alloy_primitives::B256;
use braid_runtime::Block;
use std::{
    fs,
    path::{Path, PathBuf},
};

struct Setting {
    folder: tempfile::TempDir,
    genesis: PathBuf,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let genesis = WORK.write(folder.path()).genesis;
        Self { folder, genesis }
    }

    /// Imports a file into a new folder; it must fail with these words and leave this head.
    #[track_caller]
    fn refuses(&self, bytes: &[u8], words: &[&str], head: u64) {
        let file = self.file(bytes);
        let datadir = tempfile::tempdir_in(self.folder.path()).unwrap();
        let run = braid(arguments![
            "import",
            &file,
            "--genesis",
            &self.genesis,
            "--datadir",
            datadir.path(),
            "--no-progress"
        ]);
        run.fails_with(words);
        run.fails_with(&[&file.display().to_string(), &format!("ends at block {head} "), "on disk"]);
        assert_eq!(stored_head(datadir.path()), Some(WORK.heads[head as usize]));
        verify(datadir.path()).expect(SUCCESS);
        // What is right goes on from there.
        let whole = self.file(&WORK.rlp());
        braid(arguments!["import", &whole, "--datadir", datadir.path()]).expect(SUCCESS);
        assert_eq!(stored_head(datadir.path()), Some(WORK.head()));
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("blocks");
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn changed(index: usize, change: impl FnOnce(&mut Block)) -> (Vec<u8>, B256) {
    let mut blocks = WORK.blocks.clone();
    change(&mut blocks[index]);
    (rlp(&blocks), blocks[index].header.hash_slow())
}

#[test]
fn a_wrong_block_is_named_with_its_place_and_reason() {
    let setting = Setting::new();
    let place = format!("byte {}", rlp(&WORK.blocks[..6]).len());
    let (bytes, hash) = changed(6, |block| block.header.state_root = B256::repeat_byte(1));
    setting.refuses(&bytes, &[&place, "block 7", &hash.to_string(), "state root"], 6);
    let (bytes, _) = changed(6, |block| block.header.gas_used += 1);
    setting.refuses(&bytes, &[&place, "block 7", "gas"], 6);
    let (bytes, _) = changed(6, |block| drop(block.body.transactions.pop()));
    setting.refuses(&bytes, &[&place, "block 7", "transactions"], 6);
    let (bytes, _) = changed(6, |block| block.header.parent_hash = B256::repeat_byte(2));
    setting.refuses(&bytes, &[&place, "block 7", "parent", "another chain"], 6);
}

#[test]
fn damaged_files_are_called_so() {
    let setting = Setting::new();
    let whole = WORK.rlp();
    let fifth = rlp(&WORK.blocks[..4]).len();
    setting.refuses(&whole[..fifth + 100], &[&format!("byte {fifth}"), "ends inside a block", "incomplete"], 4);
    let mut bent = whole.clone();
    bent[fifth] = 0x00;
    setting.refuses(&bent, &[&format!("byte {fifth}")], 4);
    setting.refuses(b"", &["empty"], 0);
    setting.refuses(b"no blocks", &["not a file of blocks"], 0);
    let other = [&whole[..], b"more"].concat();
    setting.refuses(&other, &[&format!("byte {}", whole.len())], 12);
}

#[test]
fn damaged_archives_are_called_so() {
    let setting = Setting::new();
    let datadir = setting.folder.path().join("source");
    let blocks = setting.file(&WORK.rlp());
    braid(arguments!["import", &blocks, "--genesis", &setting.genesis, "--datadir", &datadir]).expect(SUCCESS);
    let archive = setting.folder.path().join("archive.era1");
    braid(arguments!["export", &archive, "--datadir", &datadir, "--format", "era1"]).expect(SUCCESS);
    let whole = fs::read(&archive).unwrap();
    // The index at the end has 16 + 8 * 12 bytes after its header, the accumulator 32.
    let end = whole.len() - (8 + 16 + 8 * 12) - (8 + 32);
    setting.refuses(&whole[..end], &["byte", "incomplete"], 12);
    setting.refuses(&whole[..end - 1], &["byte", "incomplete"], 11);
    let mut bent = whole.clone();
    bent[end + 20] ^= 1;
    setting.refuses(&bent, &["accumulator"], 12);
    let mut bent = whole.clone();
    bent[end - 1] ^= 1;
    setting.refuses(&bent, &["total difficulty"], 11);
    bent[8] = 9;
    setting.refuses(&bent, &["record"], 0);
}

#[test]
fn wrong_commands_say_what_to_do() {
    let setting = Setting::new();
    let datadir = setting.folder.path().join("chain");
    let blocks = setting.file(&WORK.rlp());
    let nowhere = setting.folder.path().join("nowhere");
    let first = |words: &[&Path]| {
        let words: Vec<_> = words.iter().map(|word| word.as_os_str()).collect();
        braid(words)
    };
    let path = Path::new;
    for words in [
        &[path("import"), &blocks, path("--datadir"), &datadir][..],
        &[path("db"), path("stats"), path("--datadir"), &datadir],
        &[path("db"), path("verify"), path("--datadir"), &datadir],
        &[path("export"), &nowhere, path("--datadir"), &datadir],
    ] {
        first(words).fails_with(&["holds no chain", "braid init"]);
    }
    assert!(!datadir.exists() && !nowhere.exists(), "nothing is made on the way");
    braid(arguments!["init", &nowhere, "--datadir", &datadir]).fails_with(&["cannot read", "nowhere"]);
    braid(arguments!["init", &blocks, "--datadir", &datadir]).error();
    braid(arguments!["init", &setting.genesis, "--datadir", &datadir]).expect(SUCCESS);
    braid(arguments!["import", &nowhere, "--datadir", &datadir]).fails_with(&["nowhere", "No such file"]);
    braid(arguments!["db", "unwind", "--to", "3", "--datadir", &datadir]).fails_with(&["block 3 lies beyond the head"]);
}
