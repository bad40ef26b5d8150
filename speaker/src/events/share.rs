//! How many Events a peer may cost.

use std::time::Duration;

use tokio::time::Instant;

use crate::bgp::Change;

/// Events that a peer may cost at once.
const BURST: u32 = 10;

/// How often it may cost another one after that. A peer that flaps all day on a hundred nodes is
/// one Event every three seconds.
const INTERVAL: Duration = Duration::from_mins(5);

/// How long to wait after one that could not be sent.
const RETRY: Duration = Duration::from_secs(30);

/// What was told of a peer, and when more may be.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: Option<Change>,
    /// Until when its Events of the past are paid for, at one in [`INTERVAL`].
    paid: Option<Instant>,
    retry: Option<Instant>,
}

impl Told {
    /// When a change may be told, at the earliest at once; `None` if it has been.
    pub(super) fn due(&self, change: &Change, now: Instant) -> Option<Instant> {
        if self.last.as_ref() == Some(change) {
            return None;
        }
        let credit = INTERVAL * (BURST - 1);
        let share = self.paid.and_then(|paid| paid.checked_sub(credit));
        [share, self.retry].into_iter().flatten().chain([now]).max()
    }

    /// It was told.
    pub(super) fn sent(&mut self, change: &Change, now: Instant) {
        self.last = Some(change.clone());
        self.retry = None;
        self.paid = Some(self.paid.map_or(now, |paid| paid.max(now)) + INTERVAL);
    }

    /// It could not be told.
    pub(super) fn failed(&mut self, now: Instant) {
        self.retry = Some(now + RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(number: u32) -> Change {
        Change::Ended(number.to_string())
    }

    #[test]
    fn a_change_is_told_at_once_and_only_once() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.due(&Change::Established, now), Some(now));
        told.sent(&Change::Established, now);
        assert_eq!(told.due(&Change::Established, now), None);
        assert_eq!(told.due(&ended(1), now), Some(now));
    }

    #[test]
    fn a_peer_that_flaps_has_its_share_and_no_more() {
        let (mut told, start) = (Told::default(), Instant::now());
        let mut events = 0;
        for second in 0..3600 {
            let now = start + Duration::from_secs(second.into());
            if told.due(&ended(second), now) == Some(now) {
                told.sent(&ended(second), now);
                events += 1;
            }
        }
        // An hour has twelve times five minutes.
        assert_eq!(events, BURST + 11);
        let rested = start + Duration::from_hours(3);
        assert_eq!(told.due(&Change::Established, rested), Some(rested));
    }

    #[test]
    fn what_could_not_be_told_is_tried_again_later() {
        let (mut told, now) = (Told::default(), Instant::now());
        told.failed(now);
        assert_eq!(told.due(&ended(1), now), Some(now + RETRY));
        let later = now + RETRY;
        assert_eq!(told.due(&ended(1), later), Some(later));
        told.sent(&ended(1), later);
        assert_eq!(told.due(&Change::Established, later), Some(later));
    }
}
