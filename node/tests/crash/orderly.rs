//! Ending in order, going on, reading beside a writer, and files of every kind.

use super::{
    chain::{LONG, WORK, rlp},
    program::{Run, Running, SUCCESS, braid, stored_head, verify},
};
use crate::arguments;
use std::{fs, path::Path, time::Duration};

/// Waits until some blocks are on disk.
fn wait_for_blocks(import: &mut Running, datadir: &Path) -> u64 {
    loop {
        match stored_head(datadir) {
            Some(head) if head.number > 0 => return head.number,
            _ => assert!(!import.has_ended(), "the import ended before it had stored a block"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An import that takes a while.
fn slow_import(folder: &Path, datadir: &Path) -> (Running, [std::ffi::OsString; 9]) {
    let files = LONG.write(folder);
    let words = [
        "import".into(),
        files.blocks.into_os_string(),
        "--genesis".into(),
        files.genesis.into_os_string(),
        "--datadir".into(),
        datadir.into(),
        "--durability".into(),
        "every-block".into(),
        "--no-progress".into(),
    ];
    (Running::start(&words), words)
}

#[test]
fn signals_end_an_import_in_order_and_it_goes_on_later() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let datadir = folder.path().join("chain");
        let (mut import, words) = slow_import(folder.path(), &datadir);
        let seen = wait_for_blocks(&mut import, &datadir);
        import.signal(signal);
        let run = import.wait();
        run.expect(code);
        let head = stored_head(&datadir).unwrap();
        assert!((seen..LONG.head().number).contains(&head.number), "{seen} {head:?}");
        assert_eq!(LONG.heads[head.number as usize], head);
        let line = run.stderr.lines().last().unwrap();
        assert!(
            line.contains(&format!("ended by SIG{signal}")) && line.contains(&format!("at block {}", head.number)),
            "{line}"
        );
        let again = braid(&words);
        again.expect(SUCCESS);
        assert!(again.stderr.contains(&format!("skipped {} blocks", head.number)), "{}", again.stderr);
        assert_eq!(stored_head(&datadir), Some(LONG.head()));
    }
}

#[test]
fn others_read_while_one_imports_and_nobody_else_writes() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("chain");
    let (mut import, words) = slow_import(folder.path(), &datadir);
    let seen = wait_for_blocks(&mut import, &datadir);
    let id = import.id();
    let out = folder.path().join("part.rlp");
    let number = seen.to_string();
    let stats = braid(arguments!["db", "stats", "--json", "--datadir", &datadir]);
    let verified = verify(&datadir);
    let exported = braid(arguments!["export", &out, "--datadir", &datadir, "--to", &number]);
    let second = braid(&words);
    let unwound = braid(arguments!["db", "unwind", "--to", "0", "--datadir", &datadir]);
    let was_running = !import.has_ended();
    import.wait().expect(SUCCESS);
    for run in [&stats, &verified, &exported] {
        run.expect(SUCCESS);
    }
    let stats: serde_json::Value = serde_json::from_str(&stats.stdout).unwrap();
    assert!(stats["head"]["number"].as_u64().unwrap() >= seen);
    assert_eq!(fs::read(&out).unwrap(), rlp(&LONG.blocks[..seen as usize]));
    assert!(was_running, "the import ended too early for this test to mean anything");
    for run in [&second, &unwound] {
        run.fails_with(&["open for writing already", &id.to_string(), "end that process"]);
    }
}

fn import(datadir: &Path, file: &Path, more: &[&str]) -> Run {
    let mut words = arguments!["import", file, "--datadir", datadir].to_vec();
    words.extend(more.iter().map(std::ffi::OsStr::new));
    braid(words)
}

#[test]
fn what_is_exported_is_imported_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let files = WORK.write(folder.path());
    let first = folder.path().join("first");
    braid(arguments!["init", &files.genesis, "--datadir", &first]).expect(SUCCESS);
    import(&first, &files.blocks, &["--json"]).expect(SUCCESS);
    for (format, name) in [("rlp", "out.rlp"), ("era1", "out.era1")] {
        let out = folder.path().join(name);
        braid(arguments!["export", &out, "--datadir", &first, "--format", format]).expect(SUCCESS);
        if format == "rlp" {
            assert_eq!(fs::read(&out).unwrap(), WORK.rlp());
        }
        assert!(!folder.path().join(format!("{name}.partial")).exists());
        let datadir = folder.path().join(format);
        braid(arguments!["init", &files.genesis, "--datadir", &datadir]).expect(SUCCESS);
        import(&datadir, &out, &["--mode", "serial"]).expect(SUCCESS);
        assert_eq!(stored_head(&datadir), Some(WORK.head()));
        verify(&datadir).expect(SUCCESS);
    }
    // As geth exports it: with the first block.
    let with_genesis = folder.path().join("with-genesis.rlp");
    braid(arguments!["export", &with_genesis, "--datadir", &first, "--from", "0"]).expect(SUCCESS);
    let datadir = folder.path().join("again");
    braid(arguments!["init", &files.genesis, "--datadir", &datadir]).expect(SUCCESS);
    assert!(import(&datadir, &with_genesis, &[]).expect(SUCCESS).stderr.contains("skipped 1 blocks"));
    assert_eq!(stored_head(&datadir), Some(WORK.head()));

    let out = folder.path().join("too.far");
    let beyond = braid(arguments!["export", &out, "--datadir", &first, "--to", "13"]);
    beyond.fails_with(&["block 13 is not there", "ends at block 12"]);
    assert!(!out.exists());
}

#[test]
fn a_chain_can_be_taken_back_made_small_and_imported_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = WORK.write(folder.path());
    let datadir = folder.path().join("chain");
    let genesis = files.genesis.display().to_string();
    import(&datadir, &files.blocks, &["--genesis", &genesis, "--threads", "2"]).expect(SUCCESS);
    let unwound = braid(arguments!["db", "unwind", "--to", "5", "--datadir", &datadir, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&unwound.expect(SUCCESS).stdout).unwrap();
    assert_eq!((json["removed"].as_u64(), json["head"]["number"].as_u64()), (Some(7), Some(5)));
    assert_eq!(stored_head(&datadir), Some(WORK.heads[5]));
    braid(arguments!["db", "compact", "--datadir", &datadir]).expect(SUCCESS);
    verify(&datadir).expect(SUCCESS);
    // Two files with a gap between them, then what fills it.
    let (low, high) = (folder.path().join("low.rlp"), folder.path().join("high.rlp"));
    fs::write(&low, rlp(&WORK.blocks[..7])).unwrap();
    fs::write(&high, rlp(&WORK.blocks[7..])).unwrap();
    import(&datadir, &high, &[]).fails_with(&["high.rlp, byte 0", "block 8", "import blocks 6 to 7 first"]);
    let both = arguments!["import", &low, &high, "--datadir", &datadir];
    let run = braid(both);
    assert!(run.expect(SUCCESS).stderr.contains("skipped 5 blocks"), "{}", run.stderr);
    assert_eq!(stored_head(&datadir), Some(WORK.head()));
}
