//! File systems that are full or cannot be written. They have to be mounted, which not every user may do; then the tests
//! say that they were skipped.

use super::chain::{self, assert_sound, options};
use braid_storage::{Database, StorageError, store::StoreError};
use std::{
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
        std::fs::create_dir(&folder).unwrap();
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

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let Some(mount) = Mount::new("size=2m") else { return };
    let database = match Database::create(&mount.folder, &chain::genesis(), options()) {
        Ok(database) => database,
        Err(error) => panic!("2 MiB are enough to begin: {error}"),
    };
    let mut head = 0;
    let error = loop {
        match chain::extend(&database, 5) {
            Ok(number) => head = number,
            Err(error) => break error,
        }
        assert!(head < 100_000, "the disk does not fill");
    };
    assert!(matches!(error, StorageError::Store(StoreError::DiskFull(_))), "{error}");
    assert!(head > 0);
    assert_eq!(database.head().unwrap().number, head);
    assert_eq!(database.snapshot().unwrap().block().number, head);
    assert_eq!(database.verify(|_| {}).unwrap().head.number, head);
    drop(database);
    assert!(mount_larger(&mount), "the file system can be made larger");
    let database = Database::open(&mount.folder, None, options()).unwrap();
    assert_eq!(assert_sound(&database), head);
    assert_eq!(chain::extend(&database, 5).unwrap(), head + 5);
}

fn mount_larger(mount: &Mount) -> bool {
    self::mount(&["-o", "remount,size=16m"], &mount.folder)
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_for_writing_and_can_be_read() {
    let Some(mount) = Mount::new("size=8m") else { return };
    let database = Database::create(&mount.folder, &chain::genesis(), options()).unwrap();
    chain::extend(&database, 5).unwrap();
    drop(database);
    assert!(self::mount(&["-o", "remount,ro"], &mount.folder), "it can be made read-only");
    for result in
        [Database::open(&mount.folder, None, options()), Database::create(&mount.folder, &chain::genesis(), options())]
    {
        let Err(error) = result else { panic!("a read-only folder was opened for writing") };
        assert!(matches!(error, StorageError::Store(StoreError::Folder { .. })), "{error}");
        assert!(error.to_string().contains("Read-only"), "{error}");
    }
    let reader = Database::open_read_only(&mount.folder, None, options()).unwrap();
    assert_eq!(assert_sound(&reader), 5);
    assert!(chain::extend(&reader, 1).is_err());
    let below = mount.folder.join("below");
    let error = Database::create(&below, &chain::genesis(), options()).map(drop).unwrap_err();
    assert!(matches!(error, StorageError::Store(StoreError::Folder { .. })), "{error}");
}
