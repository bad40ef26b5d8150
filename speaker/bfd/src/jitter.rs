//! Chance from a seed.

use std::num::NonZeroU8;
use std::time::Duration;

/// How much shorter than its interval a wait is: 0 to 65,535 parts of all that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Draw(u16);

/// Draws. Steele and Vigna's SplitMix64: any seed will do, and the same seed gives the same waits.
#[derive(Debug, Clone)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> Draw {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [high, low, ..] = (mixed ^ (mixed >> 31)).to_be_bytes();
        Draw(u16::from_be_bytes([high, low]))
    }
}

impl Draw {
    /// The one that makes the wait shortest.
    pub(crate) const SHORTEST: Self = Self(u16::MAX);

    /// RFC 5880 §6.8.7: a packet follows the one before after 75 to 100 % of the interval, and after
    /// 75 to 90 % where one that is missed is enough to take the session down.
    pub(crate) fn shorten(self, interval: Duration, detect_mult: NonZeroU8) -> Duration {
        let (longest, spread) = if detect_mult == NonZeroU8::MIN {
            (interval / 10 * 9, interval / 100 * 15)
        } else {
            (interval, interval / 4)
        };
        longest - spread * u32::from(self.0) / 65_535
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(detect_mult: u8) -> Vec<Duration> {
        let mut jitter = Jitter::new(7);
        let mult = NonZeroU8::new(detect_mult).unwrap();
        (0..10_000)
            .map(|_| jitter.draw().shorten(Duration::from_millis(100), mult))
            .collect()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// RFC 5880 §6.8.7.
    #[test]
    fn packets_follow_each_other_after_three_quarters_to_all_of_the_interval() {
        let waits = waits(3);
        assert!(waits.iter().all(|wait| (ms(75)..=ms(100)).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < ms(76)) && waits.iter().any(|wait| *wait > ms(99)));
        let average = waits.iter().sum::<Duration>() / 10_000;
        assert!((ms(87)..ms(88)).contains(&average), "{average:?}");
    }

    /// RFC 5880 §6.8.7.
    #[test]
    fn with_a_multiplier_of_one_they_follow_after_nine_tenths_at_the_latest() {
        let waits = waits(1);
        assert!(waits.iter().all(|wait| (ms(75)..=ms(90)).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < ms(76)) && waits.iter().any(|wait| *wait > ms(89)));
    }

    #[test]
    fn the_longest_interval_there_is_does_not_overflow() {
        let longest = Duration::from_micros(u32::MAX.into());
        for draw in [0, u16::MAX] {
            let wait = Draw(draw).shorten(longest, NonZeroU8::MAX);
            assert!(wait <= longest && wait >= longest / 4 * 3);
        }
    }
}
