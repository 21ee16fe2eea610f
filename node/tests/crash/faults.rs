//! Full disks, folders that cannot be written, damaged files, other chains and other versions.

use super::{
    chain::{LONG, WORK},
    program::{FAILURE, Run, SUCCESS, braid, stored_head, verify},
};
use crate::arguments;
use braid_storage::store::{MdbxOptions, MdbxStore, Store, Table};
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A file system in memory.
struct Mount {
    folder: PathBuf,
    _parent: tempfile::TempDir,
}

impl Mount {
    /// `None`, said aloud, if it cannot be mounted.
    fn new(options: &str) -> Option<Self> {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("mount");
        fs::create_dir(&folder).unwrap();
        if mount(&["-t", "tmpfs", "-o", options, "tmpfs"], &folder) {
            return Some(Self { folder, _parent: parent });
        }
        eprintln!("SKIPPED: no file system can be mounted here");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.folder).stderr(Stdio::null()).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let status = Command::new("mount").args(arguments).arg(folder).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A folder with the genesis file and the blocks, and one with the chain imported.
fn imported() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let files = WORK.write(folder.path());
    let datadir = folder.path().join("chain");
    braid(arguments!["import", &files.blocks, "--genesis", &files.genesis, "--datadir", &datadir]).expect(SUCCESS);
    (folder, datadir)
}

#[test]
fn a_full_disk_is_an_error_that_loses_nothing_and_the_import_goes_on_with_more_space() {
    let Some(mount) = Mount::new("size=2m") else { return };
    let source = tempfile::tempdir().unwrap();
    let files = LONG.write(source.path());
    let datadir = mount.folder.join("chain");
    let import = || {
        braid(arguments![
            "import",
            &files.blocks,
            "--genesis",
            &files.genesis,
            "--datadir",
            &datadir,
            "--blocks-per-commit",
            "4",
            "--no-progress"
        ])
    };
    import().fails_with(&["no space left", "free some space and run the command again", "ends at block"]);
    let head = stored_head(&datadir).expect("there is a database");
    assert!((1..LONG.head().number).contains(&head.number), "{head:?}");
    assert_eq!(LONG.heads[head.number as usize], head);
    verify(&datadir).expect(SUCCESS);
    assert!(self::mount(&["-o", "remount,size=64m"], &mount.folder), "the file system can be made larger");
    import().expect(SUCCESS);
    assert_eq!(stored_head(&datadir), Some(LONG.head()));
    verify(&datadir).expect(SUCCESS);
}

#[test]
fn a_folder_that_cannot_be_written_can_be_read() {
    let Some(mount) = Mount::new("size=64m") else { return };
    let source = tempfile::tempdir().unwrap();
    let files = WORK.write(source.path());
    let datadir = mount.folder.join("chain");
    braid(arguments!["import", &files.blocks, "--genesis", &files.genesis, "--datadir", &datadir]).expect(SUCCESS);
    assert!(self::mount(&["-o", "remount,ro"], &mount.folder), "it can be made read-only");
    let below = mount.folder.join("below");
    for run in [
        braid(arguments!["import", &files.blocks, "--datadir", &datadir]),
        braid(arguments!["db", "unwind", "--to", "1", "--datadir", &datadir]),
        braid(arguments!["db", "compact", "--datadir", &datadir]),
        braid(arguments!["init", &files.genesis, "--datadir", &below]),
    ] {
        run.fails_with(&["Read-only file system", "writable"]);
    }
    verify(&datadir).expect(SUCCESS);
    braid(arguments!["db", "stats", "--datadir", &datadir]).expect(SUCCESS);
    let out = source.path().join("out.rlp");
    braid(arguments!["export", &out, "--datadir", &datadir]).expect(SUCCESS);
    assert_eq!(fs::read(out).unwrap(), WORK.rlp());
    let inside = mount.folder.join("out.rlp");
    braid(arguments!["export", &inside, "--datadir", &datadir]).fails_with(&["cannot write", "Read-only"]);
}

/// Everything that may be asked of a damaged database: an error in one line or the truth, never a signal.
fn ask(folder: &Path, datadir: &Path) -> Vec<Run> {
    let blocks = folder.join("chain.rlp");
    let runs = vec![
        verify(datadir),
        braid(arguments!["db", "stats", "--datadir", datadir]),
        braid(arguments!["import", &blocks, "--datadir", datadir, "--no-progress"]),
    ];
    for run in &runs {
        match run.code {
            Some(SUCCESS) => {}
            Some(FAILURE) => drop(run.error()),
            code => panic!("{code:?}: {}", run.stderr),
        }
    }
    runs
}

#[test]
fn a_truncated_database_is_refused() {
    let (folder, datadir) = imported();
    let file = datadir.join("db/mdbx.dat");
    let whole = fs::read(&file).unwrap();
    for length in [0, 1, 4096, 3 * 4096, 100_000] {
        fs::write(&file, &whole[..length]).unwrap();
        for run in ask(folder.path(), &datadir) {
            run.error();
        }
    }
    fs::write(&file, &whole).unwrap();
    verify(&datadir).expect(SUCCESS);
}

#[test]
fn a_changed_bit_is_found_or_does_no_harm() {
    let (folder, datadir) = imported();
    let file = datadir.join("db/mdbx.dat");
    let whole = fs::read(&file).unwrap();
    // The file is larger than what is in use.
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    let (mut found, mut harmless) = (0, 0);
    for round in 0..40u64 {
        fs::write(&file, &whole).unwrap();
        let place = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) % used;
        let bent = [whole[place as usize] ^ 1 << (round % 8)];
        OpenOptions::new().write(true).open(&file).unwrap().write_at(&bent, place).unwrap();
        match ask(folder.path(), &datadir)[0].code {
            Some(SUCCESS) => harmless += 1,
            _ => found += 1,
        }
    }
    eprintln!("{found} changed bits were found, {harmless} are in pages that are not in use");
    assert!(found > 0);
}

#[test]
fn another_genesis_is_refused_by_name() {
    let (folder, datadir) = imported();
    let other = folder.path().join("other.json");
    fs::write(&other, WORK.genesis.replace("0x1c9c380", "0x1c9c381")).unwrap();
    let blocks = folder.path().join("chain.rlp");
    for run in [
        braid(arguments!["init", &other, "--datadir", &datadir]),
        braid(arguments!["import", &blocks, "--genesis", &other, "--datadir", &datadir]),
    ] {
        run.fails_with(&["holds another chain", &WORK.heads[0].hash.to_string(), "use another folder"]);
    }
    // The same first block, but other rules for what is there already.
    fs::write(&other, WORK.genesis.replace("\"londonBlock\": 0", "\"londonBlock\": 0, \"grayGlacierBlock\": 3"))
        .unwrap();
    let run = braid(arguments!["init", &other, "--datadir", &datadir]);
    run.fails_with(&["blocks up to 12", "other fork rules"]);
    // The copy of the genesis was exchanged behind the database's back.
    fs::write(datadir.join("genesis.json"), WORK.genesis.replace("0x1c9c380", "0x1c9c381")).unwrap();
    verify(&datadir).fails_with(&["genesis block", "restore it"]);
    fs::write(datadir.join("genesis.json"), &WORK.genesis).unwrap();
    let same = folder.path().join("genesis.json");
    let again = braid(arguments!["init", &same, "--datadir", &datadir]);
    assert!(again.expect(SUCCESS).stdout.contains("was initialised before"), "{}", again.stdout);
    assert_eq!(stored_head(&datadir), Some(WORK.head()));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (folder, datadir) = imported();
    let schema = |number: u32| {
        let options = MdbxOptions { size_limit: 1 << 30, ..MdbxOptions::default() };
        let store = MdbxStore::open(&datadir.join("db"), options).unwrap();
        let mut transaction = store.begin_write().unwrap();
        transaction.put(Table::Metadata, b"schema", &number.to_be_bytes()).unwrap();
        transaction.commit().unwrap();
    };
    schema(braid_storage::SCHEMA_VERSION + 1);
    for run in ask(folder.path(), &datadir) {
        run.fails_with(&["schema version", "newer version"]);
    }
    schema(braid_storage::SCHEMA_VERSION);
    verify(&datadir).expect(SUCCESS);
}
