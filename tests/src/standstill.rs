//! Whether the machine itself stood still: on a virtual one a processor may be taken away for tens of
//! milliseconds, and whatever was to run on it is late through no fault of its own.
//!
//! A thread for each processor, bound to it and before all others there, wakes up every millisecond
//! and notes when that was late.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, gettid};

use crate::shell;

/// How often each processor is looked at.
const EVERY: Duration = Duration::from_millis(1);
/// Later than this is no matter of timers any more.
const LATE: Duration = Duration::from_millis(3);

/// A time in which a processor ran nothing, not even what comes before everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill {
    /// Which processor.
    pub processor: usize,
    /// When it should have run something.
    pub from: SystemTime,
    /// When it did.
    pub to: SystemTime,
}

impl Standstill {
    /// How much of a time it takes up.
    pub fn within(&self, from: SystemTime, to: SystemTime) -> Duration {
        let (from, to) = (self.from.max(from), self.to.min(to));
        to.duration_since(from).unwrap_or_default()
    }
}

/// Watches all processors from its start to its [`Self::finish`].
#[derive(Debug)]
pub struct Witness {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Standstill>>>>,
}

impl Witness {
    /// Begin to watch.
    pub fn start() -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let mut witness = Self {
            over: Arc::clone(&over),
            threads: Vec::new(),
        };
        for processor in processors()? {
            let over = Arc::clone(&over);
            let thread = thread::Builder::new()
                .name(format!("witness-{processor}"))
                .spawn(move || watch(processor, &over))?;
            witness.threads.push(thread);
        }
        Ok(witness)
    }

    /// All standstills since the start.
    pub fn finish(mut self) -> Result<Vec<Standstill>> {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(found) => all.extend(found?),
                Err(_) => bail!("a witness panicked"),
            }
        }
        Ok(all)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// The most that one processor stood still in a time.
pub fn longest(standstills: &[Standstill], from: SystemTime, to: SystemTime) -> Duration {
    let of = |processor| {
        let own = standstills
            .iter()
            .filter(|one| one.processor == processor)
            .map(|one| one.within(from, to));
        own.sum::<Duration>()
    };
    let processors = standstills.iter().map(|one| one.processor);
    processors.map(of).max().unwrap_or_default()
}

/// The processors that this process may run on.
fn processors() -> Result<Vec<usize>> {
    let set = nix::sched::sched_getaffinity(Pid::from_raw(0))?;
    let mut all = Vec::new();
    for number in 0..CpuSet::count() {
        if set.is_set(number)? {
            all.push(number);
        }
    }
    Ok(all)
}

fn watch(processor: usize, over: &AtomicBool) -> Result<Vec<Standstill>> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    let this = gettid().to_string();
    shell::run(&["chrt", "--fifo", "--pid", "99", &this])?;
    // Otherwise up to 50 µs later, to wake several threads at once.
    fs::write(format!("/proc/{this}/timerslack_ns"), "1").context("sharpening its timer")?;
    let mut found = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let due = Instant::now() + EVERY;
        thread::sleep(EVERY);
        let late = Instant::now().saturating_duration_since(due);
        if late >= LATE {
            let to = SystemTime::now();
            found.push(Standstill {
                processor,
                from: to - late,
                to,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn what_counts_is_the_processor_that_stood_still_longest_in_that_time() {
        let stood = |processor, from, to| Standstill {
            processor,
            from: at(from),
            to: at(to),
        };
        let all = [stood(0, 10, 30), stood(1, 15, 25), stood(1, 40, 70)];
        let longest = |from, to| longest(&all, at(from), at(to)).as_millis();
        assert_eq!(longest(0, 35), 20);
        assert_eq!(longest(20, 50), 15);
        assert_eq!(longest(30, 40), 0);
        assert_eq!(longest(80, 90), 0);
    }
}
