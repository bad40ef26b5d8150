//! When each VIP is announced next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What lies between one announcement and the next, so that they go out 0, 20, 100, 500 ms, 1.1,
/// 2.2 and 4.4 s after the start; then comes the slow refresh. Each gap counts from the moment of
/// the announcement before it: where pacing delays one, those after it do not catch up in a heap.
const GAPS: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(400),
    Duration::from_millis(600),
    Duration::from_millis(1_100),
    Duration::from_millis(2_200),
];

/// How far a VIP has come.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Announcements sent since the start.
    sent: usize,
    due: Instant,
}

/// All VIPs with their next announcement, in the order in which they are due and, at the same
/// time, sorted by address: every VIP has its first announcement before any has its second.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    progress: BTreeMap<IpAddr, Progress>,
    order: BTreeSet<(Instant, IpAddr)>,
}

impl Schedule {
    /// Begins (again) with the first announcement at `now`.
    pub(crate) fn start(&mut self, vip: IpAddr, now: Instant) {
        self.put(vip, Progress { sent: 0, due: now });
    }

    /// Forgets a VIP.
    pub(crate) fn stop(&mut self, vip: IpAddr) {
        if let Some(progress) = self.progress.remove(&vip) {
            self.order.remove(&(progress.due, vip));
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The VIP whose announcement is due first, and when.
    pub(crate) fn first(&self) -> Option<(Instant, IpAddr)> {
        self.order.first().copied()
    }

    /// Notes that the VIP was announced now.
    pub(crate) fn announced(&mut self, vip: IpAddr, refresh: Duration, now: Instant) {
        if let Some(Progress { sent, .. }) = self.progress.get(&vip).copied() {
            let gap = GAPS.get(sent).copied().unwrap_or(refresh);
            self.put(
                vip,
                Progress {
                    sent: sent + 1,
                    due: now + gap,
                },
            );
        }
    }

    fn put(&mut self, vip: IpAddr, progress: Progress) {
        self.stop(vip);
        self.order.insert((progress.due, vip));
        self.progress.insert(vip, progress);
    }
}
