//! The timers of one connection, as absolute deadlines.

use std::time::{Duration, Instant};

/// RFC 4271 §8.2.2: how long an OPEN may take to come, by far longer than any path needs.
pub(super) const LARGE_HOLD_TIME: Duration = Duration::from_secs(240);

/// RFC 9687 §4: the least time that a peer may take nothing of what waits for it.
const SEND_HOLD_TIME: Duration = Duration::from_secs(480);

/// RFC 4271 §4.4: the least time between two KEEPALIVEs.
pub(super) const KEEPALIVE_TIME: Duration = Duration::from_secs(1);

/// Which deadlines run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Timers {
    /// HoldTimer: nothing heard.
    pub(super) hold: Option<Instant>,
    /// KeepaliveTimer: nothing said.
    pub(super) keepalive: Option<Instant>,
    /// SendHoldTimer: nothing taken.
    pub(super) send_hold: Option<Instant>,
}

impl Timers {
    /// The earliest.
    pub(super) fn deadline(self) -> Option<Instant> {
        [self.hold, self.keepalive, self.send_hold]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Whether a deadline runs and has come.
pub(super) fn is_due(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

/// RFC 9687 §4: the larger of 8 min and twice the hold time.
pub(super) fn send_hold_time(hold_time: Duration) -> Duration {
    SEND_HOLD_TIME.max(hold_time * 2)
}

/// A third of the hold time, or less where less was configured; and never more than one a second (RFC
/// 4271 §4.4).
pub(super) fn keepalive_time(configured: Option<Duration>, hold_time: Duration) -> Duration {
    let third = hold_time / 3;
    configured
        .map_or(third, |configured| configured.min(third))
        .max(KEEPALIVE_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// RFC 4271 §4.4: a third of the hold time, at most one a second.
    #[test]
    fn keepalives_are_never_rarer_than_a_third_of_the_hold_time() {
        for (configured, hold_time, expected) in [
            (None, s(90), s(30)),
            (Some(s(30)), s(9), s(3)),
            (Some(s(5)), s(90), s(5)),
            (Some(s(0)), s(90), s(1)),
            (None, s(3), s(1)),
        ] {
            assert_eq!(keepalive_time(configured, hold_time), expected);
        }
    }

    /// RFC 9687 §4.
    #[test]
    fn the_send_hold_time_is_twice_the_hold_time_and_at_least_eight_minutes() {
        assert_eq!(send_hold_time(s(90)), s(480));
        assert_eq!(send_hold_time(s(600)), s(1_200));
    }
}
