//! Rates, kept as the generic cell rate algorithm: one instant each, nothing to refill.

use std::time::{Duration, Instant};

/// So many in a row, so many a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `per_second` is not zero.
    pub(crate) const fn new(per_second: u32, burst: u32) -> Self {
        Self {
            interval: Duration::from_nanos(1_000_000_000 / per_second as u64),
            burst,
        }
    }
}

/// What one sender has used of a [`Rate`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    /// When all that was taken will have been paid for; `None` as long as nothing was taken.
    paid_at: Option<Instant>,
}

impl Bucket {
    /// Takes `cost` if the rate allows it now.
    pub(crate) fn take(&mut self, rate: Rate, cost: u32, now: Instant) -> bool {
        if self.ready_at(rate, cost).is_some_and(|ready| ready > now) {
            return false;
        }
        let from = self.paid_at.map_or(now, |paid_at| paid_at.max(now));
        self.paid_at = Some(from + rate.interval * cost);
        true
    }

    /// The earliest time at which `cost` can be taken; `None` is at any time.
    pub(crate) fn ready_at(&self, rate: Rate, cost: u32) -> Option<Instant> {
        let credit = rate.interval * rate.burst.saturating_sub(cost);
        self.paid_at?.checked_sub(credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::start;

    const RATE: Rate = Rate::new(1_000, 10);

    #[test]
    fn a_full_burst_goes_at_once_and_then_one_an_interval() {
        let (mut bucket, now) = (Bucket::default(), start());
        let taken = (0..20).filter(|_| bucket.take(RATE, 1, now)).count();
        assert_eq!(taken, 10);
        assert_eq!(
            bucket.ready_at(RATE, 1),
            Some(now + Duration::from_millis(1))
        );
        assert!(!bucket.take(RATE, 1, now + Duration::from_micros(999)));
        assert!(bucket.take(RATE, 1, now + Duration::from_millis(1)));
    }

    #[test]
    fn what_is_not_used_is_saved_up_to_one_burst_only() {
        let (mut bucket, now) = (Bucket::default(), start());
        assert!(bucket.take(RATE, 10, now));
        let later = now + Duration::from_secs(3600);
        let taken = (0..20).filter(|_| bucket.take(RATE, 2, later)).count();
        assert_eq!(taken, 5);
    }
}
