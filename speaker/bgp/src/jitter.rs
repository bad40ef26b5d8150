//! Chance from a seed.

use std::time::Duration;

/// Shortens waits at random. Steele and Vigna's SplitMix64: any seed will do, and the same seed
/// gives the same waits.
#[derive(Debug, Clone)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// RFC 4271 §10: a timer runs for between three quarters of its value and all of it.
    pub(crate) fn shorten(&mut self, full: Duration) -> Duration {
        let quarter = full / 4;
        let part = u32::try_from(self.next() >> 48).unwrap_or(0);
        full - quarter.saturating_mul(part) / (1 << 16)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4271 §10.
    #[test]
    fn a_timer_runs_for_at_least_three_quarters_of_its_value() {
        let mut jitter = Jitter::new(7);
        let full = Duration::from_secs(40);
        let waits: Vec<Duration> = (0..1_000).map(|_| jitter.shorten(full)).collect();
        assert!(
            waits
                .iter()
                .all(|wait| *wait <= full && *wait >= full * 3 / 4)
        );
        assert!(waits.iter().any(|wait| *wait < full * 31 / 40));
        assert!(waits.iter().any(|wait| *wait > full * 39 / 40));
    }

    #[test]
    fn the_longest_wait_there_is_does_not_overflow() {
        assert!(Jitter::new(3).shorten(Duration::MAX) >= Duration::MAX / 4 * 3);
    }
}
