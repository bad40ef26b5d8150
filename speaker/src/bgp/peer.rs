//! The task of one peer: moves octets, deadlines and desired routes between the [`bgp::Peer`]
//! machine and its TCP connections. What is to be done is the machine's to say.
//!
//! ```text
//! driver ──Desired (watch, latest)──▶ ┌──────────┐ ──▶ dial ──▶ Socket ─▶ TCP
//! listener ──TcpStream (mpsc)───────▶ │ bgp::Peer│ ◀── Event ────┘
//! bfd ──Statuses (watch)────────────▶ └──────────┘ ──Session (watch)──▶ owner: status, metrics
//!                     deadline ─────▶      ├─────────Change (watch)───▶ events
//!                                          └─────────Wish (watch)─────▶ bfd
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bgp::{ConnectionId, Input, Output, Shutdown};
use k8s_openapi::jiff::Timestamp;
use model::{NodeName, Remote};
use plan::Ending;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::change::{Change, cause};
use super::guard::{Guard, wish};
use super::metrics::{Metrics, malformed};
use super::protection::{News, Protection};
use super::routes::{FEW, Routes};
use super::session::Session;
use super::socket::{Event, Socket};
use super::transport::{self, Transport, Unfit};
use super::{Changes, Desired, SessionName, Sessions, ended};
use crate::bfd::{Statuses, Wishes};
use crate::due::due;

/// With nothing due the loop still turns now and then.
const REST: Duration = Duration::from_secs(3600);

/// How long a neighbour in a range is remembered that has no session.
const LINGER: Duration = Duration::from_secs(120);

/// How long a peer on a link may be unheard before that is told as a failure: several times what a
/// router takes to answer a solicitation.
const PATIENCE: Duration = Duration::from_secs(15);

/// For how long a peer is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// As long as it is wanted.
    Configured,
    /// It came by itself, and goes when it has had no session for a while.
    Visiting,
}

/// Whether the peer is on a link on which it has not been heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    None,
    /// Nobody minds until then.
    Until(Instant),
    /// It was told.
    Told,
}

/// How a peer's task is tied to the others.
pub(super) struct Channels {
    /// What is wanted of the peer; the task ends when the sender is dropped.
    pub(super) desired: watch::Receiver<Desired>,
    /// Connections that the peer made.
    pub(super) accepted: mpsc::Receiver<TcpStream>,
    pub(super) sessions: watch::Sender<Sessions>,
    pub(super) changes: watch::Sender<Changes>,
    pub(super) wishes: watch::Sender<Wishes>,
    pub(super) statuses: watch::Receiver<Statuses>,
    pub(super) metrics: Metrics,
    pub(super) ending: watch::Receiver<Option<Ending>>,
}

/// See the module's text.
pub(super) struct Task {
    name: SessionName,
    node: NodeName,
    stay: Stay,
    /// Since when there has been no session.
    idle: Option<Instant>,
    silence: Silence,
    channels: Channels,
    machine: bgp::Peer,
    guard: Guard,
    protection: Protection,
    /// `None` while no session can be tried.
    transport: Option<Transport>,
    dials: BTreeMap<ConnectionId, AbortOnDropHandle<()>>,
    sockets: BTreeMap<ConnectionId, Socket>,
    /// Connections that say their last words.
    farewells: JoinSet<()>,
    outlet: mpsc::UnboundedSender<Event>,
    routes: Routes,
    accepted: u64,
}

/// Runs until the peer is wanted no more, or everything ends; the sessions are closed in order.
pub(super) async fn run(
    name: SessionName,
    node: NodeName,
    stay: Stay,
    seed: u64,
    channels: Channels,
) {
    let (outlet, mut events) = mpsc::unbounded_channel();
    let desired = channels.desired.borrow().clone();
    let config = transport::config(&desired, &node);
    let mut task = Task {
        name,
        node,
        stay,
        idle: Some(Instant::now()),
        silence: Silence::None,
        channels,
        machine: bgp::Peer::new(config, seed),
        guard: Guard::default(),
        protection: Protection::default(),
        transport: None,
        dials: BTreeMap::new(),
        sockets: BTreeMap::new(),
        farewells: JoinSet::new(),
        outlet,
        routes: Routes::default(),
        accepted: 0,
    };
    task.channels.desired.mark_changed();
    let farewell = task.serve(&mut events).await;
    task.feed(Input::Stop(farewell));
    task.sockets.clear();
    loop {
        tokio::select! {
            ended = task.farewells.join_next() => if ended.is_none() {
                return;
            },
            // Nobody handles it any more, but it has to be read.
            Some(_) = events.recv() => {}
        }
    }
}

impl Task {
    /// Returns when it is time to go, with what the peer is to be told.
    async fn serve(&mut self, events: &mut mpsc::UnboundedReceiver<Event>) -> Shutdown {
        loop {
            let deadline = self.deadline();
            let (gone, complaint) = (self.gone_at(), self.complaint());
            tokio::select! {
                biased;
                ending = ended(&mut self.channels.ending) => return self.farewell(ending),
                changed = self.channels.desired.changed() => {
                    if changed.is_err() {
                        return Shutdown::Deconfigured;
                    }
                    let desired = self.channels.desired.borrow_and_update().clone();
                    self.apply(&desired);
                }
                // Before what comes of the connection, so that a failure ends only what stood.
                Ok(()) = self.channels.statuses.changed() => self.watch_path(),
                Some(event) = events.recv() => self.take(event),
                Some(stream) = self.channels.accepted.recv() => self.accept(stream),
                () = sleep_until(deadline) => self.feed(Input::Timeout),
                () = due(gone) => {
                    let text = "no session for a while".to_owned();
                    return Shutdown::Administrative(text);
                }
                () = due(complaint) => self.complain(),
                Some(_) = self.farewells.join_next() => {}
            }
        }
    }

    fn deadline(&self) -> Instant {
        let machine = self.machine.deadline().map(Instant::from_std);
        let due = machine.into_iter().chain(self.protection.deadline()).min();
        due.unwrap_or_else(|| Instant::now() + REST)
    }

    /// What the end of this process means to the peer: to keep what it has until we are back, or
    /// that nothing is left to keep.
    fn farewell(&self, ending: Ending) -> Shutdown {
        let node = &self.node;
        match ending {
            Ending::Restarting => Shutdown::Restarting(format!("the speaker on {node} restarts")),
            Ending::Leaving(why) => {
                Shutdown::Administrative(format!("the speaker on {node} ends: {why}"))
            }
        }
    }

    /// Makes what is wanted so. Another way to the peer is another session; everything else the
    /// machine compares with what it has.
    fn apply(&mut self, desired: &Desired) {
        let config = transport::config(desired, &self.node);
        match Transport::of(desired) {
            Ok(transport) => {
                if self.transport.as_ref().is_some_and(|old| *old != transport) {
                    self.feed(Input::Stop(Shutdown::Reset(
                        "configuration changed".to_owned(),
                    )));
                }
                let wish = wish(&self.name, desired, &transport);
                self.guard.want(&self.name, wish, &self.channels.wishes);
                self.transport = Some(transport);
                self.silence = Silence::None;
                self.feed(Input::Path(self.guard.path()));
                let before = self.routes.follow(&desired.routes);
                if before.len() > FEW {
                    // Each of its routes gives back what it shares: not before the peer is told.
                    spawn_blocking(move || drop(before));
                }
                self.feed(Input::Reconfigure(config));
                self.feed(Input::Desired(self.routes.set().clone()));
                self.feed(desired.drain.clone().map_or(Input::Resume, Input::Drain));
                if transport::waits(desired) {
                    self.show(Session::asking(Timestamp::now()));
                } else {
                    self.feed(Input::Start);
                }
            }
            Err(unfit) => self.wait(&unfit),
        }
    }

    /// No session can be tried until something else is wanted.
    fn wait(&mut self, unfit: &Unfit) {
        let reason = runtime::log::chain(unfit);
        self.transport = None;
        self.guard.want(&self.name, None, &self.channels.wishes);
        self.feed(Input::Stop(Shutdown::Deconfigured));
        let now = Timestamp::now();
        match unfit {
            Unfit::Unheard(_) => {
                if self.silence == Silence::None {
                    self.silence = Silence::Until(Instant::now() + PATIENCE);
                }
                self.show(Session::waiting(reason, now));
            }
            Unfit::PasswordMissing | Unfit::Password(_) | Unfit::Device(_) | Unfit::Many(_) => {
                self.silence = Silence::None;
                self.tell(Change::Refused(reason.clone()));
                self.show(Session::refused(reason, now));
            }
        }
    }

    fn complaint(&self) -> Option<Instant> {
        match self.silence {
            Silence::None | Silence::Told => None,
            Silence::Until(at) => Some(at),
        }
    }

    /// The peer should have been heard by now.
    fn complain(&mut self) {
        self.silence = Silence::Told;
        let said = self.channels.sessions.borrow().get(&self.name).cloned();
        if let Some(reason) = said.and_then(|session| session.last_error) {
            self.tell(Change::Failing(reason));
        }
    }

    /// When the peer is forgotten, if it goes on without a session.
    fn gone_at(&self) -> Option<Instant> {
        match self.stay {
            Stay::Configured => None,
            Stay::Visiting => self.idle.map(|since| since + LINGER),
        }
    }

    /// Has the machine know how BFD stands, and shows it.
    fn watch_path(&mut self) {
        let inputs = {
            let statuses = self.channels.statuses.borrow_and_update();
            self.guard.take(&statuses)
        };
        if inputs.is_empty() {
            return;
        }
        for input in inputs {
            self.feed(input);
        }
        if self.transport.is_some() {
            self.show_status();
        }
    }

    fn accept(&mut self, stream: TcpStream) {
        let (Some(transport), Ok(local), Ok(remote)) =
            (&self.transport, stream.local_addr(), stream.peer_addr())
        else {
            return;
        };
        if let Err(error) = sys::tcp::apply(&stream, &transport.options) {
            warn!(peer = %self.name, error = %error, "cannot set up a connection of the peer");
            return;
        }
        let connection = ConnectionId::Accepted(self.accepted);
        self.accepted += 1;
        let socket = Socket::start(connection, stream, &self.outlet);
        self.sockets.insert(connection, socket);
        self.feed(Input::Accepted {
            connection,
            local: local.ip().to_canonical(),
            remote: remote.ip().to_canonical(),
        });
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Opened(connection, stream) => self.opened(connection, stream),
            Event::Failed(connection, error) => {
                if self.dials.remove(&connection).is_some() {
                    let error = transport::connect_error(&error);
                    self.feed(Input::ConnectFailed { connection, error });
                }
            }
            Event::Received(connection, bytes, _place) => {
                if self.sockets.contains_key(&connection) {
                    let bytes = &bytes;
                    let before = self.machine.counters();
                    self.feed(Input::Received { connection, bytes });
                    self.count_malformed(before);
                }
            }
            Event::Sent(connection, bytes) => {
                if let Some(socket) = self.sockets.get_mut(&connection) {
                    let queued = socket.sent(bytes);
                    self.feed(Input::Sent { connection, queued });
                }
            }
            Event::Closed(connection, error) => {
                if self.sockets.remove(&connection).is_some() {
                    let reason = transport::close_reason(error.as_ref());
                    self.feed(Input::Closed { connection, reason });
                }
            }
        }
    }

    /// What RFC 7606 lets pass is no end of a session, so that nobody would see it otherwise. Each
    /// treatment is a line once for each peer, as a peer may go on like that for ever.
    fn count_malformed(&self, before: bgp::Counters) {
        let peer = &self.name;
        let unknown = bgp::Counters::default();
        let so_far = malformed(unknown, before);
        for ((treatment, more), (_, known)) in
            (malformed(before, self.machine.counters()).into_iter()).zip(so_far)
        {
            if more > 0 {
                self.channels.metrics.malformed(peer, treatment, more);
            }
            if more > 0 && known == 0 {
                warn!(%peer, treatment, "the peer sends malformed UPDATEs; the session goes on");
            }
        }
    }

    fn opened(&mut self, connection: ConnectionId, stream: TcpStream) {
        if self.dials.remove(&connection).is_none() {
            return;
        }
        match (stream.local_addr(), stream.peer_addr()) {
            (Ok(local), Ok(remote)) => {
                let socket = Socket::start(connection, stream, &self.outlet);
                self.sockets.insert(connection, socket);
                self.feed(Input::Connected {
                    connection,
                    local: local.ip(),
                    remote: remote.ip(),
                });
            }
            // It broke before it could be used.
            (Err(error), _) | (_, Err(error)) => {
                let error = bgp::ConnectError::Other(error.to_string());
                self.feed(Input::ConnectFailed { connection, error });
            }
        }
    }

    /// One input, and everything that follows from it.
    fn feed(&mut self, input: Input<'_>) {
        // What the peer tells is counted without a word of the machine's; it is shown when a timer is
        // due, which the next KEEPALIVE's soon is.
        let drained = self.machine.drain_stage();
        let mut changed = matches!(input, Input::Timeout) && self.transport.is_some();
        self.machine.handle(input, Instant::now().into_std());
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Connect(connection) => self.dial(connection),
                Output::Transmit { connection, bytes } => {
                    if let Some(socket) = self.sockets.get_mut(&connection) {
                        socket.transmit(bytes);
                    }
                }
                Output::Close(connection) => {
                    self.dials.remove(&connection);
                    if let Some(socket) = self.sockets.remove(&connection) {
                        self.farewells.spawn(socket.flush());
                    }
                }
                Output::StateChanged { from, to, why } => {
                    changed = true;
                    self.changed(from, to, &why);
                }
                Output::Advertised(_) => changed = true,
            }
        }
        self.idle = match self.machine.state() {
            bgp::State::Established => None,
            bgp::State::Idle
            | bgp::State::Active
            | bgp::State::Connect
            | bgp::State::OpenSent
            | bgp::State::OpenConfirm => self.idle.or_else(|| Some(Instant::now())),
        };
        let stage = self.machine.drain_stage();
        let begins = stage.is_some() && drained.is_none();
        if begins && self.machine.state() == bgp::State::Established {
            self.tell(Change::Draining(self.departure()));
        }
        self.follow_protection();
        if changed || stage != drained {
            self.show_status();
        }
    }

    /// Says that the session is protected by BFD, or not.
    fn follow_protection(&mut self) {
        let established = self.machine.state() == bgp::State::Established;
        let asked = established && self.guard.is_wanted();
        let news = self
            .protection
            .follow(asked, self.guard.is_up(), Instant::now());
        let why = || self.guard.why().unwrap_or_else(|| "it begins".to_owned());
        match news {
            Some(News::Protected) => self.tell(Change::Protected),
            Some(News::Lost) => self.tell(Change::Unprotected(why())),
            Some(News::Missing) => self.tell(Change::Unprotected(format!(
                "it has not come up ({}); configure BFD for this node on the peer",
                why()
            ))),
            None => {}
        }
    }

    fn dial(&mut self, connection: ConnectionId) {
        let Some(transport) = self.transport.clone() else {
            return;
        };
        let outlet = self.outlet.clone();
        let dial = tokio::spawn(async move {
            let Transport {
                remote,
                source,
                options,
            } = transport;
            let event = match sys::tcp::dial(remote, source, &options).await {
                Ok(stream) => Event::Opened(connection, stream),
                Err(error) => Event::Failed(connection, error),
            };
            // Nobody asks any more.
            let _ = outlet.send(event);
        });
        self.dials.insert(connection, AbortOnDropHandle::new(dial));
    }

    /// What is told to people, or else a line for who asks.
    fn changed(&mut self, from: bgp::State, to: bgp::State, why: &bgp::Why) {
        match (from, to, why) {
            (_, bgp::State::Established, _) if self.guard.is_wanted() && self.guard.is_up() => {
                self.protection = Protection::Protected;
                self.tell(Change::EstablishedProtected);
            }
            (_, bgp::State::Established, _) => self.tell(Change::Established),
            (bgp::State::Established, _, bgp::Why::Drained) => {
                self.tell(Change::Drained(self.departure()));
            }
            (bgp::State::Established, _, _) => self.tell(Change::Ended(self.ending(why))),
            (_, _, bgp::Why::Failed(fault)) if self.is_news(fault) => {
                self.tell(Change::Failing(cause(why)));
            }
            (_, _, _) => {
                debug!(peer = %self.name, %from, %to, reason = %why, "BGP state changed");
            }
        }
    }

    /// Who it is, where the BGPPeer does not say.
    fn neighbor(&self) -> Option<IpAddr> {
        let on_link = match self.channels.desired.borrow().settings.remote {
            Remote::Interface(_) => self.transport.as_ref(),
            Remote::Address(_) | Remote::Range(_) => None,
        };
        let heard = on_link.map(|transport| transport.remote.ip());
        self.name.neighbor.or(heard)
    }

    /// Why a session ended, with what BFD says where that ended it.
    fn ending(&self, why: &bgp::Why) -> String {
        let cause = cause(why);
        match (why, self.guard.why()) {
            (bgp::Why::Failed(bgp::Fault::Sent(said)), Some(bfd))
                if said.error() == Some(bgp::wire::Error::BfdDown) =>
            {
                format!("{cause} (BFD: {bfd})")
            }
            (_, _) => cause,
        }
    }

    /// Why the peer is left; nothing if it is not.
    fn departure(&self) -> String {
        let desired = self.channels.desired.borrow();
        let drain = desired.drain.as_ref();
        drain.map_or_else(String::new, |drain| drain.text.clone())
    }

    fn tell(&self, change: Change) {
        change.log(&self.name);
        self.channels.changes.send_if_modified(|changes| {
            let changed = changes.get(&self.name) != Some(&change);
            if changed {
                changes.insert(self.name.clone(), change);
            }
            changed
        });
    }

    /// Whether the last that was shown of the peer says something else.
    fn is_news(&self, fault: &bgp::Fault) -> bool {
        let shown = self.channels.sessions.borrow();
        let said = shown.get(&self.name);
        let said = said.and_then(|session| session.last_error.as_ref());
        !said.is_some_and(|said| said.starts_with(&fault.to_string()))
    }

    fn show_status(&self) {
        let bfd = {
            let shown = self.channels.sessions.borrow();
            let before = shown.get(&self.name);
            self.guard.shown(before.and_then(|one| one.bfd.as_ref()))
        };
        let status = self.machine.status();
        let departure = self.departure();
        self.show(Session::of(&status, &departure, bfd, Timestamp::now()));
    }

    fn show(&self, session: Session) {
        let neighbor = self.neighbor();
        let session = Session {
            neighbor,
            ..session
        };
        self.channels.sessions.send_if_modified(|sessions| {
            let before = sessions.get(&self.name);
            let session = session.after(before);
            let changed = before != Some(&session);
            if changed {
                sessions.insert(self.name.clone(), session);
            }
            changed
        });
    }
}
