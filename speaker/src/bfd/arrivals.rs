//! When datagrams are looked for, and since when they have been there.
//!
//! ```text
//!   far side      p         p         p         p                p
//!   we, watching  w    t    w    t    w    t    w     three sessions at 10 ms: 660 times a second
//!   we, sleeping       t         t         t          340 times
//! ```
//!
//! To wake up for every datagram is most of what BFD costs. While all sessions are steady nothing
//! that may come is urgent except by its absence, and that is told by deadlines. So where the next
//! deadline is near, the thread sleeps until then and reads what has come meanwhile; when each came
//! is what the kernel noted, so that a silence is measured as exactly as before.
//!
//! Whoever sends more than sessions do is read as it comes, lest what counts finds the queue full.

use std::time::{Duration, Instant, SystemTime};

/// What is not looked for longer than this: by so much a far side's word that it goes Down, or its
/// poll, may wait for us.
const NEAR: Duration = Duration::from_millis(10);

/// More datagrams than this, and twice those of all sessions, found after one sleep are a flood.
const FLOOD: usize = 64;

/// How long nothing is slept through after a flood.
const WARY: Duration = Duration::from_secs(1);

/// See the module's text.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// When the sockets were last read until they were empty.
    read: Instant,
    slept: bool,
    wary_until: Option<Instant>,
}

impl Arrivals {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            read: now,
            slept: false,
            wary_until: None,
        }
    }

    /// Chooses whether to sleep until the deadline, and not to wake up for what comes before.
    pub(super) fn choose(&mut self, all_steady: bool, deadline: Option<Instant>, now: Instant) {
        let near = deadline.is_some_and(|at| at.saturating_duration_since(now) <= NEAR);
        self.slept = all_steady && near && self.wary_until.is_none_or(|until| until <= now);
    }

    /// Whether that was slept, so that there may be something on any socket.
    pub(super) fn has_slept(&self) -> bool {
        self.slept
    }

    /// Something else woke us that counts as now, and what came before it too.
    pub(super) fn interrupted(&mut self, now: Instant) {
        self.read = now;
    }

    /// When a datagram came. The kernel's note is by the wall clock, which may have jumped: it counts
    /// only as far as it lies between two readings.
    pub(super) fn came(&self, note: Option<SystemTime>, wall: SystemTime, now: Instant) -> Instant {
        if !self.slept {
            return now;
        }
        let waited = note.and_then(|note| wall.duration_since(note).ok());
        let came = now.checked_sub(waited.unwrap_or_default());
        came.unwrap_or(now).max(self.read).min(now)
    }

    /// All were read, this many, for so many sessions.
    pub(super) fn were_read(&mut self, datagrams: usize, sessions: usize, now: Instant) {
        if datagrams > FLOOD.max(2 * sessions) {
            self.wary_until = Some(now + WARY);
        }
        self.read = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// One that has read everything by now.
    fn arrivals() -> (Arrivals, Instant, SystemTime) {
        let now = Instant::now();
        (Arrivals::new(now), now, SystemTime::now())
    }

    fn sleeps(arrivals: &mut Arrivals, all_steady: bool, wait: u64, now: Instant) -> bool {
        arrivals.choose(all_steady, Some(now + ms(wait)), now);
        arrivals.has_slept()
    }

    #[test]
    fn only_a_near_deadline_of_steady_sessions_is_slept_until() {
        let (mut arrivals, now, _) = arrivals();
        assert!(sleeps(&mut arrivals, true, 10, now));
        assert!(!sleeps(&mut arrivals, true, 11, now));
        assert!(!sleeps(&mut arrivals, false, 1, now));
        arrivals.choose(true, None, now);
        assert!(!arrivals.has_slept());
    }

    #[test]
    fn what_came_in_a_sleep_came_when_the_kernel_noted_it() {
        let (mut arrivals, start, wall) = arrivals();
        assert!(sleeps(&mut arrivals, true, 8, start));
        let (now, wall) = (start + ms(8), wall + ms(8));
        let came = |before| arrivals.came(Some(wall - ms(before)), wall, now);
        assert_eq!(came(3), now - ms(3));
        // The wall clock jumped, forwards and backwards.
        assert_eq!(came(3_600_000), start);
        assert_eq!(arrivals.came(Some(wall + ms(50)), wall, now), now);
        assert_eq!(arrivals.came(None, wall, now), now);
    }

    #[test]
    fn whoever_watches_reads_at_once_whatever_the_kernel_notes() {
        let (mut arrivals, start, wall) = arrivals();
        assert!(!sleeps(&mut arrivals, false, 8, start));
        assert_eq!(arrivals.came(Some(wall - ms(5)), wall, start), start);
    }

    #[test]
    fn nothing_came_before_what_was_done_meanwhile() {
        let (mut arrivals, start, wall) = arrivals();
        assert!(sleeps(&mut arrivals, true, 8, start));
        let (order, now) = (start + ms(4), start + ms(5));
        arrivals.interrupted(order);
        let came = arrivals.came(Some(wall), wall + ms(5), now);
        assert_eq!(came, order);
    }

    #[test]
    fn after_a_flood_all_is_read_as_it_comes_for_a_while() {
        let (mut arrivals, now, _) = arrivals();
        arrivals.were_read(64, 3, now);
        arrivals.were_read(200, 100, now);
        assert!(sleeps(&mut arrivals, true, 1, now));
        arrivals.were_read(65, 3, now);
        assert!(!sleeps(&mut arrivals, true, 1, now + ms(999)));
        assert!(sleeps(&mut arrivals, true, 1, now + ms(1_000)));
    }
}
