//! kill -9 at random moments: what is left is sound, and the import goes on to where it would have come anyway.
//!
//! 20 kills by default; `BRAID_TEST_KILLS=200 cargo test --release -p braid --test crash kill -- --nocapture` for more.

use super::{
    chain::LONG,
    program::{Running, SUCCESS, braid, stored_head, verify},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How often the program is killed, unless `BRAID_TEST_KILLS` says otherwise.
const KILLS: u64 = 20;

fn kills() -> u64 {
    std::env::var("BRAID_TEST_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"))
}

/// A fixed sequence without a pattern.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// Ways to import; each folder takes the next one.
const WAYS: [[&str; 6]; 5] = [
    ["--durability", "interval=0.05", "--blocks-per-commit", "8", "--mode", "parallel"],
    ["--durability", "every-block", "--blocks-per-commit", "1", "--mode", "parallel"],
    ["--durability", "none", "--blocks-per-commit", "3", "--mode", "serial"],
    ["--durability", "interval", "--blocks-per-commit", "64", "--history", "20"],
    ["--durability", "none", "--blocks-per-commit", "1", "--mode", "parallel"],
];

#[test]
fn a_killed_import_leaves_a_sound_chain_and_goes_on_to_the_same_root() {
    let source = tempfile::tempdir().unwrap();
    let files = LONG.write(source.path());
    let import = |datadir: &Path, way: &[&str; 6]| {
        let mut words: Vec<std::ffi::OsString> = ["import", "--no-progress"].map(Into::into).to_vec();
        words.extend(way.map(Into::into));
        for (option, path) in [("--datadir", datadir), ("--genesis", &files.genesis)] {
            words.extend([option.into(), path.into()]);
        }
        words.push(files.blocks.clone().into());
        words
    };

    // How long a whole import takes, and that it comes where it should.
    let whole = source.path().join("whole");
    let begin = Instant::now();
    braid(import(&whole, &WAYS[0])).expect(SUCCESS);
    let duration = begin.elapsed();
    assert_eq!(stored_head(&whole), Some(LONG.head()));

    let mut sequence = Sequence(7);
    let (mut kills_left, mut finished, mut folders) = (kills(), 0, 0);
    let mut heads = Vec::new();
    while kills_left > 0 {
        let way = &WAYS[folders % WAYS.len()];
        let folder = tempfile::tempdir().unwrap();
        let datadir = folder.path().join("chain");
        folders += 1;
        let mut last = 0;
        while kills_left > 0 {
            let mut import = Running::start(import(&datadir, way));
            let moment = Duration::from_micros(sequence.below(duration.as_micros() as u64));
            std::thread::sleep(moment);
            // What another process has seen is there to stay.
            let seen = if import.has_ended() { None } else { stored_head(&datadir) };
            if !import.kill() {
                break;
            }
            kills_left -= 1;
            let Some(head) = stored_head(&datadir) else {
                assert_eq!((seen, last), (None, 0), "a database is gone");
                continue;
            };
            assert_eq!(LONG.heads.get(head.number as usize), Some(&head), "the head is a block of the chain");
            assert!(
                head.number >= seen.map_or(last, |seen| seen.number.max(last)),
                "blocks were lost: {seen:?}, {last}"
            );
            last = head.number;
            heads.push(last);
            // Without a copy of the genesis the folder is not complete: the same command makes it so.
            if datadir.join("genesis.json").exists() {
                verify(&datadir).expect(SUCCESS);
            }
        }
        let run = braid(import(&datadir, way));
        run.expect(SUCCESS);
        assert_eq!(stored_head(&datadir), Some(LONG.head()), "{}", run.stdout);
        verify(&datadir).expect(SUCCESS);
        finished += 1;
    }
    eprintln!("killed {} times, at heads {heads:?}; {finished} imports came to the same end", kills());
    assert!(heads.iter().any(|head| (1..LONG.head().number).contains(head)), "some kill came in the middle: {heads:?}");
}
