//! The session with one far side, RFC 5880 §6.8.
//!
//! ```text
//!                      AdminDown, or nothing heard
//!                  ┌──────────────────────────────────┐
//!                  ▼                                  │
//!  Start       ┌──────┐   Down    ┌──────┐  Init, Up  │  ┌────┐
//! ───────────▶ │ Down │ ────────▶ │ Init │ ─────────▶ ├─ │ Up │
//!              └──────┘           └──────┘            │  └────┘
//!               ▲    │   Init                         │    ▲
//!       Start   │    └────────────────────────────────│────┤
//!               │         Up, where it is adopted     │    │
//!          ┌───────────┐                              │    │
//!          │ AdminDown │ ◀── Disable, anywhere   Down ┘ ───┘
//!          └───────────┘       from the far side, of Up only
//! ```
//!
//! Over the arrows stands the state that a packet names. `session/receive.rs` takes packets,
//! `session/transmit.rs` sends them, `session/negotiation.rs` keeps the intervals that both sides
//! agree on, `session/absence.rs` has what is said before a restart and looked for after it.
//!
//! **Time.** Whatever comes, at most one periodic packet leaves for one input, however late the
//! input is: a process that was held up does not make up for it. And only [`Input::Timeout`] ends a
//! session for silence, so that a driver that hands in what has arrived before it reports the
//! timeout never takes its own lateness for the far side's.

mod absence;
mod config;
mod event;
mod negotiation;
mod receive;
mod status;
mod transmit;

use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use self::absence::Mode;
pub use self::config::{Config, Role};
pub use self::event::{Begin, Disable, Input, Output, Why};
use self::negotiation::{Effective, Poll};
pub use self::status::{Counters, Remote, Status};
use crate::jitter::{Draw, Jitter};
use crate::timing::{self, Timers};
use crate::wire::{Diagnostic, State};

/// The most outputs of one input: a change of state, an answer, a packet, silence; and what the
/// input before may have left. Room that is never outgrown by a driver that drains.
const OUTPUTS: usize = 8;

/// The machine of one session. Call [`handle`](Self::handle), then [`poll`](Self::poll) until there
/// is nothing left, then wait for the next input or the [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Session {
    config: Config,
    mode: Mode,
    /// bfd.LocalDiscr.
    local_discriminator: NonZeroU32,
    /// bfd.SessionState.
    state: State,
    /// bfd.LocalDiag.
    diagnostic: Diagnostic,
    /// bfd.RemoteDiscr, bfd.RemoteSessionState, bfd.RemoteMinRxInterval, bfd.RemoteDemandMode; none
    /// while bfd.RemoteDiscr is zero.
    remote: Option<Remote>,
    /// bfd.DesiredMinTxInterval, bfd.RequiredMinRxInterval, bfd.DetectMult: what packets say.
    announced: Timers,
    /// What we go by, which may lag behind (RFC 5880 §6.8.3).
    effective: Effective,
    sequence: Poll,
    last_received: Option<Instant>,
    last_sent: Option<Instant>,
    /// How much earlier than after a whole interval the next packet leaves.
    draw: Draw,
    jitter: Jitter,
    /// A poll is to be answered.
    final_due: bool,
    /// The state changed and nobody has been told.
    state_untold: bool,
    since: Option<Instant>,
    why: Option<Why>,
    counters: Counters,
    outbox: VecDeque<Output>,
}

impl Session {
    /// A session that is not started. The same seed gives the same jitter; each session and node
    /// has its own. The discriminator is its own among the node's sessions: see
    /// [`local_discriminator`](crate::local_discriminator).
    pub fn new(local_discriminator: NonZeroU32, config: Config, seed: u64) -> Self {
        let config = config.bounded();
        let announced = negotiation::slow(&config);
        let mut jitter = Jitter::new(seed);
        Self {
            config,
            mode: Mode::Stopped,
            local_discriminator,
            state: State::Down,
            diagnostic: Diagnostic::None,
            remote: None,
            announced,
            effective: Effective::of(&announced),
            sequence: Poll::Idle,
            last_received: None,
            last_sent: None,
            draw: jitter.draw(),
            jitter,
            final_due: false,
            state_untold: false,
            since: None,
            why: None,
            counters: Counters::default(),
            outbox: VecDeque::with_capacity(OUTPUTS),
        }
    }

    /// Takes in what happened at `now`, which never runs backwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Start(begin) => self.start(begin, now),
            Input::Datagram(payload) => self.receive(payload, now),
            Input::Timeout => self.expire(now),
            Input::Awake => self.hasten(now),
            Input::Reconfigure(config) => self.config = config.bounded(),
            Input::Disable(reason) => self.disable(reason, now),
            Input::HoldOn(budget) => self.hold_on(budget),
        }
        self.negotiate();
        self.transmit(now);
        self.fall_silent_if_held();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// When to call with [`Input::Timeout`]; `None` while there is nothing to wait for. Packets
    /// that have arrived by then are to be handed in first, all of them: this is what keeps a
    /// process that was held up from declaring a far side dead that spoke in time.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.mode.deadline(),
            self.detection_deadline(),
            self.next_transmission(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether all is said: the session is Up and nothing is being negotiated, so that whatever the
    /// far side says next may wait for a moment, as long as the time at which it came is known.
    pub fn is_steady(&self) -> bool {
        let running = matches!(self.mode, Mode::Running);
        running && self.state == State::Up && self.sequence == Poll::Idle
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What has been counted since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What an operator is shown.
    pub fn status(&self) -> Status {
        Status {
            state: self.state,
            since: self.since,
            why: self.why,
            diagnostic: self.diagnostic,
            local_discriminator: self.local_discriminator,
            remote: self.remote,
            detect_mult: self.announced.detect_mult,
            transmit_interval: self.transmit_interval(),
            detection_time: self.detection_time(),
            remote_detection_time: self.remote_detection_time(),
            polling: self.sequence.is_active(),
            counters: self.counters,
        }
    }

    fn start(&mut self, begin: Begin, now: Instant) {
        self.mode = match (&self.mode, begin) {
            (Mode::Stopped, Begin::Adopt) => Mode::Listening {
                until: now + self.listening_time(),
            },
            (Mode::Stopped | Mode::Holding { .. } | Mode::Silent, _) => Mode::Running,
            (Mode::Listening { .. } | Mode::Running, _) => self.mode,
        };
        if self.state == State::AdminDown {
            self.enter(State::Down, Diagnostic::None, Why::Enabled, now);
        }
    }

    /// RFC 5880 §6.8.16.
    fn disable(&mut self, reason: Disable, now: Instant) {
        let (diagnostic, why) = match reason {
            Disable::Administrative => (Diagnostic::AdministrativelyDown, Why::AdminDown),
            Disable::PathDown => (Diagnostic::PathDown, Why::PathDown),
        };
        self.mode = Mode::Running;
        self.enter(State::AdminDown, diagnostic, why, now);
    }

    fn enter(&mut self, to: State, diagnostic: Diagnostic, why: Why, now: Instant) {
        let from = mem::replace(&mut self.state, to);
        self.diagnostic = diagnostic;
        if from == to {
            return;
        }
        self.since = Some(now);
        self.why = Some(why);
        self.counters.note(from, to, why);
        self.state_untold = true;
        self.sequence = Poll::Idle;
        self.outbox
            .push_back(Output::StateChanged { from, to, why });
    }

    /// RFC 5880 §6.8.4, §6.8.1: after the detection time a session that was there is Down, and the
    /// far side's discriminator is forgotten, in any state.
    fn expire(&mut self, now: Instant) {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if is_due(self.mode.deadline()) {
            self.begin_anew();
        }
        if !is_due(self.detection_deadline()) {
            return;
        }
        self.remote = None;
        match self.state {
            State::Init | State::Up => self.enter(
                State::Down,
                Diagnostic::ControlDetectionTimeExpired,
                Why::DetectionTimeExpired,
                now,
            ),
            State::AdminDown | State::Down => {}
        }
    }

    fn detection_deadline(&self) -> Option<Instant> {
        self.last_received?.checked_add(self.detection_time()?)
    }

    /// How long we wait for the far side; none while there is nobody to wait for.
    fn detection_time(&self) -> Option<Duration> {
        self.remote.map(|remote| {
            timing::detection_time(
                self.effective.required_min_rx,
                remote.desired_min_tx,
                remote.detect_mult,
            )
        })
    }

    /// How long the far side waits for us; none if it expects nothing.
    fn remote_detection_time(&self) -> Option<Duration> {
        let remote = self.remote?;
        (!remote.required_min_rx.is_zero()).then(|| {
            timing::detection_time(
                remote.required_min_rx,
                self.announced.desired_min_tx,
                self.announced.detect_mult,
            )
        })
    }
}

#[cfg(test)]
mod tests;
