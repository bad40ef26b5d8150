//! How long to wait before the next attempt.

use std::time::Duration;

use crate::jitter::Jitter;

/// The first wait: short, because after the first loss of a good session nothing is known to be
/// wrong with the peer.
const FIRST: Duration = Duration::from_secs(1);

/// How long a session has to stand before the wait begins anew. A peer that resets every few
/// seconds is not dialled every few seconds.
pub(super) const STABLE: Duration = Duration::from_secs(60);

/// Doubles from one attempt to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: twice the one before, up to `longest`, less up to a
    /// quarter at random (RFC 4271 §10), so that nodes that lost the same peer do not return in
    /// step.
    pub(super) fn next(&mut self, longest: Duration, jitter: &mut Jitter) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        jitter.shorten(doubled.min(longest.max(FIRST)))
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_shortened_by_a_quarter_at_most() {
        let (mut backoff, mut jitter) = (Backoff::default(), Jitter::new(1));
        let longest = Duration::from_secs(10);
        for seconds in [1, 2, 4, 8, 10, 10] {
            let nominal = Duration::from_secs(seconds);
            let wait = backoff.next(longest, &mut jitter);
            assert!(wait <= nominal && wait >= nominal * 3 / 4, "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.next(longest, &mut jitter) <= FIRST);
    }

    #[test]
    fn no_number_of_failures_overflows_and_no_setting_makes_it_hammer() {
        let mut backoff = Backoff { failures: u32::MAX };
        let wait = backoff.next(Duration::ZERO, &mut Jitter::new(1));
        assert!(wait >= FIRST * 3 / 4);
    }
}
