//! Files that were cut or changed: an error, never a crash, and no answer that was not written.

use super::{
    chain::{self, assert_sound, options},
    child::Process,
};
use braid_storage::Database;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
};

const DATA: &str = "mdbx.dat";

fn database(folder: &Path) {
    let database = Database::create(folder, &chain::genesis(), options()).unwrap();
    for _ in 0..20 {
        chain::extend(&database, 10).unwrap();
    }
}

#[test]
fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    database(folder.path());
    let whole = fs::read(folder.path().join(DATA)).unwrap();
    for length in [1, 4096, 3 * 4096, whole.len() / 8 / 4096 * 4096, whole.len() / 4 + 100] {
        let cut = tempfile::tempdir().unwrap();
        fs::write(cut.path().join(DATA), &whole[..length]).unwrap();
        for (way, result) in [
            ("open", Database::open(cut.path(), None, options())),
            ("read", Database::open_read_only(cut.path(), None, options())),
            ("create", Database::create(cut.path(), &chain::genesis(), options())),
        ] {
            let Err(error) = result else { panic!("{way}: a file of {length} bytes was taken for a database") };
            assert!(error.to_string().contains("database"), "{way}, {length} bytes: {error}");
            eprintln!("{way}, {length} bytes: {error}");
        }
        assert!(Process::start("child::examiner", cut.path()).ended_by_itself(), "{length} bytes");
        assert_eq!(fs::read(cut.path().join(DATA)).unwrap(), whole[..length], "the file was changed");
    }
    assert_sound(&Database::open(folder.path(), None, options()).unwrap());
}

#[test]
fn a_changed_bit_is_found_or_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    database(folder.path());
    let whole = fs::read(folder.path().join(DATA)).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for round in 0u64..60 {
        let bent = tempfile::tempdir().unwrap();
        let path = bent.path().join(DATA);
        fs::write(&path, &whole).unwrap();
        // Anywhere in the file, by a fixed sequence without a pattern.
        let place = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) % whole.len() as u64;
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_at(&[whole[place as usize] ^ 1 << (round % 8)], place).unwrap();
        drop(file);
        let mut examiner = Process::start("child::examiner", bent.path());
        match examiner.next_head() {
            Some(_) => harmless += 1,
            None => found += 1,
        }
        assert!(
            examiner.ended_by_itself(),
            "a signal ended the reader of a file with bit {} of byte {place} changed",
            round % 8
        );
    }
    eprintln!("{found} changed bits were found, {harmless} are in pages that are not in use");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(DATA), vec![0x5a; 1 << 20]).unwrap();
    let error = Database::open(folder.path(), None, options()).map(drop).unwrap_err();
    assert!(error.to_string().contains("cannot open the database"), "{error}");
}
