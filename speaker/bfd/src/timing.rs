//! The formulas, without a clock.

use std::num::NonZeroU8;
use std::time::Duration;

/// RFC 5880 §6.8.3: a session that is not Up says nothing more often than this.
pub const SLOW_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest interval that can be set. What a busy node sends and notices more often is chance.
pub const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The longest interval that can be set.
pub const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// The longest absence that a session can be made to bear.
pub const MAX_BUDGET: Duration = Duration::from_secs(300);

/// What one end announces: how often it would send, how often it can bear to be sent to, and how
/// many packets of its own may be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timers {
    /// bfd.DesiredMinTxInterval.
    pub(crate) desired_min_tx: Duration,
    /// bfd.RequiredMinRxInterval.
    pub(crate) required_min_rx: Duration,
    /// bfd.DetectMult.
    pub(crate) detect_mult: NonZeroU8,
}

impl Timers {
    pub(crate) fn has_intervals_of(&self, other: &Self) -> bool {
        (self.desired_min_tx, self.required_min_rx) == (other.desired_min_tx, other.required_min_rx)
    }
}

/// RFC 5880 §6.8.2: packets are sent no more often than their sender would and their receiver can
/// bear.
pub(crate) fn interval(desired_min_tx: Duration, required_min_rx: Duration) -> Duration {
    desired_min_tx.max(required_min_rx)
}

/// RFC 5880 §6.8.4: in asynchronous mode the sender's multiplier counts the slower of both rates.
/// Both values are the receiver's and the sender's in turn.
pub(crate) fn detection_time(
    required_min_rx: Duration,
    desired_min_tx: Duration,
    detect_mult: NonZeroU8,
) -> Duration {
    interval(desired_min_tx, required_min_rx) * u32::from(detect_mult.get())
}

/// What is announced before an absence, so that the far side waits for `budget`: a larger multiplier,
/// and a longer interval where 255 of the one in force are not enough. `remote_min_rx` is what the
/// far side requires. A multiplier is never made smaller.
pub(crate) fn stretched(timers: Timers, remote_min_rx: Duration, budget: Duration) -> Timers {
    let budget = budget.min(MAX_BUDGET);
    let in_force = interval(timers.desired_min_tx, remote_min_rx);
    let enough = micros_up(budget.as_micros().div_ceil(255));
    let desired_min_tx = if in_force < enough {
        enough
    } else {
        timers.desired_min_tx
    };
    let interval = in_force.max(enough).as_micros().max(1);
    let count = u8::try_from(budget.as_micros().div_ceil(interval)).unwrap_or(u8::MAX);
    let detect_mult = NonZeroU8::new(count).unwrap_or(NonZeroU8::MIN);
    Timers {
        desired_min_tx,
        detect_mult: detect_mult.max(timers.detect_mult),
        ..timers
    }
}

fn micros_up(micros: u128) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn mult(count: u8) -> NonZeroU8 {
        NonZeroU8::new(count).unwrap()
    }

    fn timers(tx: u64, detect_mult: u8) -> Timers {
        Timers {
            desired_min_tx: ms(tx),
            required_min_rx: ms(10),
            detect_mult: mult(detect_mult),
        }
    }

    /// RFC 5880 §6.8.2.
    #[test]
    fn the_larger_of_both_sides_intervals_counts() {
        for (tx, rx, counts) in [(10, 50, 50), (50, 10, 50), (7, 7, 7), (5, 0, 5)] {
            assert_eq!(interval(ms(tx), ms(rx)), ms(counts));
        }
    }

    /// RFC 5880 §6.8.4.
    #[test]
    fn the_detection_time_is_the_senders_multiplier_times_the_slower_rate() {
        for (rx, tx, count, time) in [
            (10, 10, 3, 30),
            (10, 300, 3, 900),
            (300, 10, 5, 1_500),
            (50, 50, 1, 50),
            (50, 0, 255, 12_750),
        ] {
            assert_eq!(detection_time(ms(rx), ms(tx), mult(count)), ms(time));
        }
    }

    #[test]
    fn the_largest_detection_time_that_packets_can_ask_for_does_not_overflow() {
        let longest = Duration::from_micros(u32::MAX.into());
        let time = detection_time(longest, longest, NonZeroU8::MAX);
        assert_eq!(time.as_secs(), 1_095_216);
    }

    #[test]
    fn an_absence_is_covered_by_the_multiplier_alone_where_255_reach() {
        let cases = [
            (100, 10_000, 100),
            (300, 10_000, 34),
            (40, 10_200, 255),
            (1_000, 1, 3),
        ];
        for (tx, budget, count) in cases {
            let expected = timers(tx, count);
            assert_eq!(stretched(timers(tx, 3), ms(10), ms(budget)), expected);
        }
    }

    #[test]
    fn the_interval_grows_where_255_do_not_reach() {
        let stretched = stretched(timers(10, 3), ms(10), ms(10_000));
        assert_eq!(stretched.detect_mult.get(), 255);
        assert_eq!(stretched.desired_min_tx, Duration::from_micros(39_216));
        assert!(stretched.desired_min_tx * 255 >= ms(10_000));
    }

    #[test]
    fn what_the_far_side_requires_counts_as_the_interval() {
        assert_eq!(
            stretched(timers(10, 3), ms(50), ms(10_000)),
            timers(10, 200)
        );
    }

    #[test]
    fn no_budget_shortens_anything_and_the_largest_is_bounded() {
        assert_eq!(stretched(timers(50, 5), ms(0), ms(0)), timers(50, 5));
        let longest = stretched(timers(10, 3), ms(0), Duration::MAX);
        let covered = longest.desired_min_tx * u32::from(longest.detect_mult.get());
        assert!(covered >= MAX_BUDGET && covered < MAX_BUDGET + ms(1));
    }
}
