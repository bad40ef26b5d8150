//! One session: its machine, the socket that it sends from, and what has been said of it.

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bfd::{Begin, Disable, Discard, Input, Output, Session, State, Why};
use k8s_openapi::jiff::Timestamp;
use sys::udp::{Datagram, Sender};

use super::control::Absence;
use super::metrics::LinkCounters;
use super::status::{Adoption, Figures};
use super::{Key, Settings, Status};

/// How long after a failure to open the socket the next try follows: an address may come.
const RETRY: Duration = Duration::from_secs(1);

/// How many source ports are tried at once, should others have taken the first.
const PORTS: u32 = 64;

/// See the module's text.
pub(super) struct Link {
    pub(super) key: Key,
    pub(super) settings: Settings,
    pub(super) discriminator: NonZeroU32,
    /// What the far side was told of our absence.
    pub(super) absence: Option<Absence>,
    session: Session,
    sender: Result<Sender, SenderFailure>,
    counters: LinkCounters,
    adoption: Adoption,
    /// Whether anything has been heard, good or not.
    heard: bool,
    /// Whether our absence is being announced.
    holding: bool,
    /// Until when the far side is told that the session is not wanted.
    until: Option<Instant>,
    told: Option<Told>,
}

/// Why there is no socket, and when to try again.
struct SenderFailure {
    reason: String,
    again: Instant,
}

/// What was last said.
struct Told {
    figures: Figures,
    since: Timestamp,
    trouble: Option<String>,
}

impl Link {
    pub(super) fn new(
        key: Key,
        settings: Settings,
        discriminator: NonZeroU32,
        seed: u64,
        counters: LinkCounters,
    ) -> Self {
        let session = Session::new(discriminator, settings.config, seed);
        Self {
            key,
            settings,
            discriminator,
            absence: None,
            session,
            sender: Err(SenderFailure::none()),
            counters,
            adoption: Adoption::Settled,
            heard: false,
            holding: false,
            until: None,
            told: None,
        }
    }

    pub(super) fn start(&mut self, node: &str, begin: Begin, now: Instant) {
        self.open(node, now);
        self.adoption = match begin {
            Begin::Adopt => Adoption::Listening,
            Begin::Anew => Adoption::Settled,
        };
        self.handle(Input::Start(begin), now);
    }

    /// Whether the session under these settings is the same.
    pub(super) fn goes_on_as(&self, settings: &Settings) -> bool {
        self.settings.goes_on_as(settings)
    }

    /// Takes other settings; one that was no longer wanted is wanted again.
    pub(super) fn set(&mut self, settings: Settings, counters: LinkCounters, now: Instant) {
        let config = settings.config;
        let changed = config != self.settings.config;
        self.settings = settings;
        self.counters = counters;
        if self.until.take().is_some() {
            self.handle(Input::Start(Begin::Anew), now);
        }
        if changed {
            self.handle(Input::Reconfigure(config), now);
        }
    }

    /// Announces our absence, where there is to be one.
    pub(super) fn hold_on(&mut self, now: Instant) {
        if !self.settings.absence.is_zero() && self.until.is_none() {
            self.holding = true;
            self.handle(Input::HoldOn(self.settings.absence), now);
        }
    }

    /// Whether nothing of that remains to be done.
    pub(super) fn has_held_on(&self) -> bool {
        !self.holding || self.absence.is_some()
    }

    /// Tells the far side that we are administratively down, for as long as it may take to notice,
    /// unless it bears our absence.
    pub(super) fn leave(&mut self, now: Instant, longest: Duration) {
        if self.holding {
            return;
        }
        if let Some(until) = self.until {
            self.until = Some(until.min(now + longest));
            return;
        }
        let remote = self.session.status().remote_detection_time;
        self.until = Some(now + remote.unwrap_or_default().min(longest));
        self.handle(Input::Disable(Disable::Administrative), now);
    }

    /// Whether it left, and the far side has been told for long enough.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it is that of the path, and wanted.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        self.until.is_none() && self.key == *key
    }

    /// Whether nothing that the far side may say is urgent.
    pub(super) fn is_steady(&self) -> bool {
        self.session.is_steady()
    }

    /// Whether the datagram comes from the far side, RFC 5881 §3 and RFC 5883 §4.
    pub(super) fn is_from(&self, datagram: &Datagram) -> bool {
        let on_link = self.settings.scope.is_none_or(|s| s == datagram.interface);
        let to = |source: IpAddr| source == datagram.destination;
        let to_us = !self.key.multihop || self.settings.source.is_none_or(to);
        self.until.is_none() && self.key.remote == datagram.source.ip() && on_link && to_us
    }

    /// Whether a datagram with our discriminator may be for us: any that crossed no router, as RFC
    /// 5880 §6.3 has it; but only from the far side's address where it may come from afar.
    pub(super) fn may_be_from(&self, datagram: &Datagram) -> bool {
        !self.key.multihop || self.key.remote == datagram.source.ip()
    }

    /// A packet for this session, good or not.
    pub(super) fn hear(&mut self, payload: &[u8], now: Instant) -> Result<(), Discard> {
        let before = self.session.counters();
        self.heard = true;
        self.handle(Input::Datagram(payload), now);
        let after = self.session.counters();
        self.counters
            .received
            .inc_by(after.received - before.received);
        let more = |reason: &Discard| after.discarded.of(*reason) > before.discarded.of(*reason);
        if after.discarded == before.discarded {
            return Ok(());
        }
        Err(Discard::ALL
            .into_iter()
            .find(more)
            .unwrap_or(Discard::NoSession))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let again = self.sender.as_ref().err().map(|failure| failure.again);
        let deadlines = [self.session.deadline(), again, self.until];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn expire(&mut self, node: &str, now: Instant) {
        if self
            .sender
            .as_ref()
            .is_err_and(|failure| failure.again <= now)
        {
            self.open(node, now);
        }
        if self.is_due(now) {
            self.handle(Input::Timeout, now);
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.session.deadline().is_some_and(|at| at <= now)
    }

    /// The thread is awake for another session.
    pub(super) fn awake(&mut self, now: Instant) {
        self.handle(Input::Awake, now);
    }

    /// What there is to say, if it is something else than the last time.
    pub(super) fn news(&mut self, port: Option<&str>) -> Option<Status> {
        if self.until.is_some() {
            return None;
        }
        let figures = Figures::of(&self.session, self.adoption);
        let sender = self.sender.as_ref().err();
        let trouble = sender.map(|failure| failure.reason.as_str()).or(port);
        let told = self.told.as_ref();
        if told.is_some_and(|told| told.figures == figures && told.trouble.as_deref() == trouble) {
            return None;
        }
        let entered = told.filter(|told| told.figures.entered == figures.entered);
        let since = entered.map_or_else(Timestamp::now, |told| told.since);
        self.told = Some(Told {
            figures,
            since,
            trouble: trouble.map(ToOwned::to_owned),
        });
        Some(Status {
            figures,
            since,
            trouble: self.told.as_ref().and_then(|told| told.trouble.clone()),
        })
    }

    fn open(&mut self, node: &str, now: Instant) {
        let name = self.key.to_string();
        let to = self.settings.destination(&self.key);
        let device = self.key.device();
        let mut last = None;
        for attempt in 0..PORTS {
            let port = bfd::source_port(node, &name, attempt);
            match Sender::open(self.settings.source, port, to, device.as_ref()) {
                Ok(sender) => {
                    self.sender = Ok(sender);
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            }
        }
        self.sender = Err(SenderFailure::after(last, now));
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.session.handle(input, now);
        while let Some(output) = self.session.poll() {
            match output {
                Output::Transmit(octets) => self.send(&octets),
                Output::StateChanged { to, why, .. } => self.changed(to, why),
                Output::NotAdopted => {
                    // To one that was never heard there is no other session either.
                    self.adoption = if self.heard {
                        Adoption::Replacing
                    } else {
                        Adoption::Settled
                    };
                }
                Output::Silent { covered, confirmed } => {
                    self.absence = Some(Absence { covered, confirmed });
                }
            }
        }
    }

    fn changed(&mut self, to: State, why: Why) {
        if to == State::Up || why == Why::AdminDown {
            self.adoption = Adoption::Settled;
        }
    }

    fn send(&self, octets: &[u8]) {
        let sent = match &self.sender {
            Ok(sender) => sender.send(octets).is_ok(),
            Err(_) => false,
        };
        if sent {
            self.counters.sent.inc();
        } else {
            self.counters.send_failed.inc();
        }
    }
}

impl SenderFailure {
    /// Before the first try.
    fn none() -> Self {
        Self {
            reason: String::new(),
            again: Instant::now(),
        }
    }

    fn after(error: Option<io::Error>, now: Instant) -> Self {
        let hint = match error.as_ref().map(io::Error::kind) {
            Some(io::ErrorKind::AddrNotAvailable) => "the source address is not on this node",
            Some(io::ErrorKind::AddrInUse) => "its source ports are taken",
            Some(_) | None => "failed to open a socket",
        };
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        Self {
            reason: format!("BFD cannot send: {hint}{error}"),
            again: now + RETRY,
        }
    }
}
