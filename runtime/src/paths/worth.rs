//! Whether recording and replaying a function are worth it, as far as a worker has seen.
//!
//! [`Appetite`] says how soon another way is recorded, [`Trend`] whether the next transaction is replayed or the function rests in the interpreter.

/// Replays after which it is looked whether enough of them came to an end.
const WINDOW: u32 = 32;
/// Replays that all came to nothing, after which nobody waits for the end of the window.
const HOPELESS: u32 = 16;
/// Of so many replays, one at least must come to an end: it saves as much as three in vain cost.
const WORTHWHILE: u32 = 4;
/// Runs in the interpreter before a function that left its ways too often is replayed again. In between more ways are recorded.
const FIRST_PAUSE: u32 = 128;
/// The pause doubles each time, up to this.
const LONGEST_PAUSE: u32 = 1 << 14;

/// Replays to the end, since a way was recorded, that pay for it.
const EARNED: u32 = 12;

/// How soon another way is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appetite {
    /// Runs in the interpreter before the next recording, in quarters of `record_after`.
    quarters: u32,
    /// Replays to the end since the last recording.
    ended: u32,
}

impl Default for Appetite {
    fn default() -> Self {
        Self { quarters: 4, ended: 0 }
    }
}

impl Appetite {
    /// Runs in the interpreter before the next recording.
    pub(super) fn wants(self, record_after: u32) -> u32 {
        (record_after.saturating_mul(self.quarters) / 4).max(1)
    }

    /// Notes how a replay went.
    pub(super) fn note(&mut self, to_the_end: bool) {
        self.ended += u32::from(to_the_end);
    }

    /// A way is recorded beside `ways` others. The next one comes sooner if those were worth it, and later if not.
    pub(super) fn records(&mut self, ways: u32) {
        if self.ended >= EARNED {
            self.quarters = (self.quarters / 2).clamp(1, 4);
        } else if ways > 0 {
            self.quarters = (4 * self.quarters).min(64);
        }
        self.ended = 0;
    }
}

/// Whether replays of a function are worth it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trend {
    /// Replays of the present window.
    tried: u32,
    /// Those of them that came to an end.
    ended: u32,
    /// Runs in the interpreter before the next replay.
    pause: u32,
    last_pause: u32,
}

impl Trend {
    /// Whether the next transaction is to be replayed.
    pub(super) const fn allows(&mut self) -> bool {
        let is_over = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        is_over
    }

    /// Notes how a replay went.
    pub(super) fn note(&mut self, to_the_end: bool) {
        self.tried += 1;
        self.ended += u32::from(to_the_end);
        let is_hopeless = self.tried == HOPELESS && self.ended == 0;
        if self.tried < WINDOW && !is_hopeless {
            return;
        }
        if self.ended * WORTHWHILE < self.tried {
            self.pause = (2 * self.last_pause).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
        *self = Self { pause: self.pause, last_pause: self.pause, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes `count` replays.
    fn replays(trend: &mut Trend, count: u32, to_the_end: bool) {
        (0..count).for_each(|_| trend.note(to_the_end));
    }

    /// Runs in the interpreter until a replay is allowed again.
    fn rest(trend: &mut Trend) -> u32 {
        (0..).take_while(|_| !trend.allows()).count() as u32
    }

    #[test]
    fn a_function_rests_longer_each_time_its_replays_all_fail() {
        let mut trend = Trend::default();
        for pause in [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE] {
            replays(&mut trend, HOPELESS - 1, false);
            assert!(trend.allows(), "not before {HOPELESS} failures");
            replays(&mut trend, 1, false);
            assert_eq!(rest(&mut trend), pause);
        }
    }

    #[test]
    fn no_rest_is_longer_than_the_longest() {
        let mut trend = Trend::default();
        for _ in 0..20 {
            replays(&mut trend, HOPELESS, false);
            assert!(rest(&mut trend) <= LONGEST_PAUSE);
        }
        replays(&mut trend, HOPELESS, false);
        assert_eq!(rest(&mut trend), LONGEST_PAUSE);
    }

    #[test]
    fn one_replay_in_four_is_enough_to_go_on() {
        let mut trend = Trend::default();
        replays(&mut trend, WINDOW / WORTHWHILE, true);
        replays(&mut trend, WINDOW - WINDOW / WORTHWHILE, false);
        assert_eq!(rest(&mut trend), 0);

        replays(&mut trend, WINDOW / WORTHWHILE - 1, true);
        replays(&mut trend, WINDOW - WINDOW / WORTHWHILE + 1, false);
        assert_eq!(rest(&mut trend), FIRST_PAUSE);
    }

    #[test]
    fn a_good_window_makes_the_next_rest_short_again() {
        let mut trend = Trend::default();
        for _ in 0..3 {
            replays(&mut trend, HOPELESS, false);
            rest(&mut trend);
        }
        replays(&mut trend, WINDOW, true);
        replays(&mut trend, HOPELESS, false);
        assert_eq!(rest(&mut trend), FIRST_PAUSE);
    }

    #[test]
    fn the_first_way_is_recorded_after_as_many_runs_as_configured() {
        assert_eq!(Appetite::default().wants(24), 24);
        assert_eq!(Appetite::default().wants(0), 1, "never after none at all");
    }

    #[test]
    fn ways_that_nobody_takes_make_the_next_one_rarer() {
        let mut appetite = Appetite::default();
        appetite.records(0);
        assert_eq!(appetite.wants(24), 24, "the first way has not had its chance");
        for (ways, wanted) in [(1, 96), (2, 384), (3, 384)] {
            appetite.records(ways);
            assert_eq!(appetite.wants(24), wanted);
        }
    }

    #[test]
    fn ways_that_are_taken_make_the_next_one_come_sooner() {
        let mut appetite = Appetite::default();
        for wanted in [12, 6, 6] {
            (0..EARNED).for_each(|_| appetite.note(true));
            appetite.records(1);
            assert_eq!(appetite.wants(24), wanted);
        }
        (0..EARNED).for_each(|_| appetite.note(false));
        appetite.records(1);
        assert_eq!(appetite.wants(24), 24, "replays in vain earn nothing");
    }
}
