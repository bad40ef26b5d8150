//! How long to wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// After the first failure. Short, because the commonest failure is a connection that was cut and
/// can be had again at once.
const FIRST: Duration = Duration::from_millis(200);

/// At most. Short enough that a person who has mended the cause sees it heal; with jitter, a
/// thousand nodes ask a returning API server some 1,600 times a second for their six watches.
const CAP: Duration = Duration::from_secs(5);

/// Exponential, capped, with jitter.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The wait after one more failure: between half and the whole of 200 ms, 400 ms … 5 s.
    pub(super) fn next_delay(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.attempts.min(8)).min(CAP);
        self.attempts = self.attempts.saturating_add(1);
        let nanoseconds = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(between(nanoseconds / 2..nanoseconds))
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// A number from the range, near enough to uniform. The keys of the standard library's hasher are
/// random, and that is all the chance that jitter needs.
pub(super) fn between(range: Range<u64>) -> u64 {
    let width = range.end.saturating_sub(range.start).max(1);
    range.start + RandomState::new().hash_one(()) % width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_start_again_after_success() {
        let mut backoff = Backoff::default();
        for whole in [200, 400, 800, 1600, 3200, 5000, 5000] {
            let delay = backoff.next_delay();
            assert!(
                delay >= Duration::from_millis(whole) / 2,
                "{delay:?} of {whole} ms"
            );
            assert!(
                delay < Duration::from_millis(whole),
                "{delay:?} of {whole} ms"
            );
        }
        backoff.reset();
        assert!(backoff.next_delay() < FIRST);
    }

    #[test]
    fn many_failures_never_overflow() {
        let mut backoff = Backoff { attempts: u32::MAX };
        assert!(backoff.next_delay() <= CAP);
    }

    #[test]
    fn two_processes_do_not_wait_alike() {
        let draws: std::collections::BTreeSet<_> = (0..64).map(|_| between(0..1 << 40)).collect();
        assert!(draws.len() > 32, "{draws:?}");
    }
}
