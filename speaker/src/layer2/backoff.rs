//! Waiting before another try.

use std::time::Duration;

/// Short enough for "a new interface answers within 100 ms", long enough to cost nothing while it
/// fails; what is tried is local, so that nothing is gained by jitter.
const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(10);

/// Waits that double from one failure to the next.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait after this failure.
    pub(super) fn after_failure(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LAST);
        wait
    }

    /// It worked: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_limit_and_starts_anew_after_success() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..10)
            .map(|_| backoff.after_failure().as_millis())
            .collect();
        let expected = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
        assert_eq!(waits, expected);
        backoff.reset();
        assert_eq!(backoff.after_failure(), FIRST);
    }
}
