//! One replica that would lead, without a clock and without a connection.
//!
//! ```text
//!             the lease is free, or has not changed for as long as it says
//!   ┌─────────┐ ───────────────── write, taken ───────────────────▶ ┌─────────┐
//!   │ Standby │                                                     │ Leading │ ─▶ renews
//!   └─────────┘ ◀─── another holds it, or no renewal came in time ─ └─────────┘
//!        │                                                               │
//!        └───────────────── Resign ──────────▶ Resigned ◀────────────────┘  (gives it back)
//! ```
//!
//! No other machine's clock counts: how long a lease has not changed is measured here, from when the
//! last change was read; how long we hold it, from when the write that was taken had been sent. So
//! whoever waits begins to count later than whoever holds it, and both clocks need only run at the
//! same speed. Each write names the version that it was decided on, so that of two who try one wins.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How a lease is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    /// Who we are; no two processes are the same.
    pub(super) identity: String,
    /// What our identity begins with, and that of whoever was in our place before: it is known to be
    /// dead, so that its lease need not run out.
    pub(super) place: Option<String>,
    /// For how long a lease holds without being renewed.
    pub(super) duration: Duration,
    /// How long before that we take it for lost, so that what is under way has ended by then.
    pub(super) margin: Duration,
    /// How often it is renewed.
    pub(super) renew: Duration,
    /// How long to wait after a write that failed or was refused.
    pub(super) retry: Duration,
}

impl Terms {
    /// For how long one write lets us lead.
    fn tenure(&self) -> Duration {
        self.duration.saturating_sub(self.margin)
    }

    /// Its version, if whoever holds it was in our place. This is asked once, of the first that is
    /// read: two living processes in one place, by mistake, do not go on taking it from each other.
    fn inherit(&self, seen: &Seen) -> Option<String> {
        let place = self.place.as_deref()?;
        let predecessor = seen.holder.as_deref()?.starts_with(place);
        predecessor.then(|| seen.version.clone())
    }
}

/// The lease as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its version, which changes with each write.
    pub(super) version: String,
    /// Who holds it, if anybody.
    pub(super) holder: Option<String>,
    /// For how long without being renewed.
    pub(super) duration: Duration,
    /// How many times it went to another holder.
    pub(super) transitions: i32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// The lease was read: as it is, or that there is none.
    Seen(Option<Seen>),
    /// Our write was taken; the lease as it is now.
    Written(Seen),
    /// Our write was refused, as the lease has changed.
    Refused,
    /// Nobody knows what became of our write.
    Failed,
    /// The deadline has come.
    Timeout,
    /// We go.
    Resign,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Write the lease.
    Write(Write),
    /// From now on we lead, or no longer do.
    Leads(bool),
}

/// What the lease shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// The version it is decided on; `None` creates it.
    pub(super) version: Option<String>,
    /// Who shall hold it; `None` gives it back.
    pub(super) holder: Option<String>,
    /// Whether it goes to another holder by this.
    pub(super) acquires: bool,
    /// See [`Seen::transitions`].
    pub(super) transitions: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Standby,
    /// The write that was last taken had been sent then.
    Leading {
        confirmed: Instant,
    },
    Resigned,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Candidate {
    terms: Terms,
    state: State,
    /// The lease as it was last read, once it was.
    seen: Option<Option<Seen>>,
    /// Since when it is so.
    since: Instant,
    /// The version in which our predecessor has left it to us.
    inherited: Option<String>,
    /// When the write that is under way was sent.
    writing: Option<Instant>,
    /// No write before then.
    not_before: Instant,
    outbox: VecDeque<Output>,
}

impl Candidate {
    /// One that has read nothing and therefore does nothing.
    pub(super) fn new(terms: Terms, now: Instant) -> Self {
        Self {
            terms,
            state: State::Standby,
            seen: None,
            since: now,
            inherited: None,
            writing: None,
            not_before: now,
            outbox: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub(super) fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Seen(seen) => self.see(seen, now),
            Input::Written(seen) => self.taken(seen, now),
            Input::Refused | Input::Failed => {
                self.writing = None;
                self.not_before = now + self.terms.retry;
            }
            Input::Timeout => {}
            Input::Resign => self.resign(),
        }
        self.lose_if_late(now);
        self.write_if_due(now);
    }

    /// The next thing to do.
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// When to call with [`Input::Timeout`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        let write = self.write_due();
        [write, self.held_until()].into_iter().flatten().min()
    }

    /// Until when we lead if nothing more is heard; `None` while we do not. Whatever may only be done
    /// by who leads must be begun before then.
    pub(super) fn held_until(&self) -> Option<Instant> {
        match self.state {
            State::Leading { confirmed } => Some(confirmed + self.terms.tenure()),
            State::Standby | State::Resigned => None,
        }
    }

    fn see(&mut self, seen: Option<Seen>, now: Instant) {
        if self.seen.as_ref() == Some(&seen) {
            return;
        }
        let ours =
            seen.as_ref().and_then(|seen| seen.holder.as_ref()) == Some(&self.terms.identity);
        if self.seen.is_none() {
            self.inherited = seen.as_ref().and_then(|seen| self.terms.inherit(seen));
        }
        self.seen = Some(seen);
        self.since = now;
        if !ours && matches!(self.state, State::Leading { .. }) {
            self.state = State::Standby;
            self.outbox.push_back(Output::Leads(false));
        }
    }

    fn taken(&mut self, seen: Seen, now: Instant) {
        let Some(confirmed) = self.writing.take() else {
            return;
        };
        let ours = seen.holder.as_ref() == Some(&self.terms.identity);
        self.see(Some(seen), now);
        let in_time = now < confirmed + self.terms.tenure();
        match self.state {
            State::Standby if ours && in_time => {
                self.state = State::Leading { confirmed };
                self.outbox.push_back(Output::Leads(true));
            }
            State::Leading { .. } => self.state = State::Leading { confirmed },
            State::Standby | State::Resigned => {}
        }
    }

    fn resign(&mut self) {
        let led = matches!(self.state, State::Leading { .. });
        self.state = State::Resigned;
        if led {
            self.outbox.push_back(Output::Leads(false));
            if let Some(Some(seen)) = &self.seen {
                self.outbox.push_back(Output::Write(Write {
                    version: Some(seen.version.clone()),
                    holder: None,
                    acquires: false,
                    transitions: seen.transitions,
                }));
            }
        }
    }

    fn lose_if_late(&mut self, now: Instant) {
        if self.held_until().is_some_and(|until| until <= now) {
            self.state = State::Standby;
            self.outbox.push_back(Output::Leads(false));
        }
    }

    fn write_if_due(&mut self, now: Instant) {
        if self.write_due().is_none_or(|due| due > now) {
            return;
        }
        let Some(seen) = &self.seen else {
            return;
        };
        let acquires = self.state == State::Standby;
        let transitions = seen.as_ref().map_or(0, |seen| seen.transitions);
        self.writing = Some(now);
        self.outbox.push_back(Output::Write(Write {
            version: seen.as_ref().map(|seen| seen.version.clone()),
            holder: Some(self.terms.identity.clone()),
            acquires,
            transitions: transitions.saturating_add(i32::from(acquires && seen.is_some())),
        }));
    }

    fn is_held(&self, seen: &Seen) -> bool {
        seen.holder.is_some() && self.inherited.as_ref() != Some(&seen.version)
    }

    fn write_due(&self) -> Option<Instant> {
        if self.writing.is_some() {
            return None;
        }
        let due = match (self.state, self.seen.as_ref()?) {
            (State::Resigned, _) => return None,
            (State::Leading { confirmed }, _) => confirmed + self.terms.renew,
            (State::Standby, Some(seen)) if self.is_held(seen) => self.since + seen.duration,
            (State::Standby, _) => self.since,
        };
        Some(due.max(self.not_before))
    }
}

#[cfg(test)]
mod tests;
