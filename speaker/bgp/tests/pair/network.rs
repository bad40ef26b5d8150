//! The network between two peers. TCP neither loses nor reorders within a connection, so that what
//! a bad network does is: delay each connection for itself, hold octets back, refuse, reset.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bgp::wire::{Framer, Message, decode};
use bgp::{
    CloseReason, Config, ConnectError, ConnectionId, Input, Mode, Output, Peer, RouteSet, State,
    Why,
};

use crate::far_side::FarSide;
use crate::fixtures::address;

/// What a connection holds on its way, as two sockets' buffers do.
const WINDOW: usize = 128 * 1024;

/// One of the two ends.
pub(crate) type End = usize;

/// Both speakers, and all between them.
pub(crate) struct Network {
    pub(crate) now: Instant,
    pub(crate) sides: [Side; 2],
    wires: Vec<Wire>,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    random: u64,
    /// The longest delay of an octet.
    pub(crate) delay: Duration,
    /// Whether what that end sends is held back.
    pub(crate) cut: [bool; 2],
}

/// One speaker with its driver.
pub(crate) struct Side {
    pub(crate) peer: Peer,
    pub(crate) config: Config,
    pub(crate) desired: RouteSet,
    /// Whether it reads from its sockets.
    pub(crate) reading: bool,
    /// Attempts and connections that its driver has open, and on which wire each is.
    live: BTreeMap<ConnectionId, Option<usize>>,
    accepted: u64,
    pub(crate) dials: usize,
    /// What it makes of what it is sent, on each connection.
    far: BTreeMap<ConnectionId, FarSide>,
    /// Every change of its state.
    pub(crate) changes: Vec<(Instant, State, Why)>,
    /// The most octets that its driver ever held.
    pub(crate) most_queued: usize,
}

/// A TCP connection.
struct Wire {
    ids: [ConnectionId; 2],
    open: [bool; 2],
    /// From each end.
    flows: [Flow; 2],
}

#[derive(Default)]
struct Flow {
    /// The sender's driver holds these.
    queued: VecDeque<u8>,
    /// Octets on their way or unread.
    taken: usize,
    unread: Vec<u8>,
    /// The last arrival that was planned; later ones come after it.
    last: Option<Instant>,
}

enum Event {
    Syn {
        from: End,
        id: ConnectionId,
    },
    Connected {
        at: End,
        wire: usize,
    },
    Refused {
        at: End,
        id: ConnectionId,
    },
    Octets {
        wire: usize,
        from: End,
        bytes: Vec<u8>,
    },
    Over {
        wire: usize,
        from: End,
        reason: CloseReason,
    },
}

impl Network {
    pub(crate) fn new(configs: [Config; 2], seed: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the fake clock starts somewhere")]
        let now = Instant::now();
        let mut random = seed;
        let sides = configs.map(|config| Side {
            peer: Peer::new(config.clone(), splitmix(&mut random)),
            config,
            desired: RouteSet::default(),
            reading: true,
            live: BTreeMap::new(),
            accepted: 0,
            dials: 0,
            far: BTreeMap::new(),
            changes: Vec::new(),
            most_queued: 0,
        });
        Self {
            now,
            sides,
            wires: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            random,
            delay: Duration::from_millis(20),
            cut: [false; 2],
        }
    }

    /// Starts both with what each is to tell.
    pub(crate) fn start(&mut self, desired: [RouteSet; 2]) {
        for (end, desired) in desired.into_iter().enumerate() {
            self.desire(end, desired);
            self.handle(end, Input::Start);
        }
    }

    pub(crate) fn desire(&mut self, end: End, desired: RouteSet) {
        self.sides[end].desired = desired.clone();
        self.handle(end, Input::Desired(desired));
    }

    pub(crate) fn state(&self, end: End) -> State {
        self.sides[end].peer.state()
    }

    pub(crate) fn both(&self, state: State) -> bool {
        self.state(0) == state && self.state(1) == state
    }

    /// What that end was told on its session.
    pub(crate) fn far(&self, end: End) -> &FarSide {
        let side = &self.sides[end];
        let newest = side.far.iter().filter(|(id, _)| side.live.contains_key(id));
        let most = newest.max_by_key(|(_, far)| far.heard.len());
        most.expect("a connection").1
    }

    /// Whether both stand and hold what the other one desires.
    pub(crate) fn converged(&self) -> bool {
        self.both(State::Established)
            && self.far(0).holds(&self.sides[1].desired)
            && self.far(1).holds(&self.sides[0].desired)
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until that is so.
    pub(crate) fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            if !self.step(end) {
                panic!("not so after {limit:?}: {}", self.story());
            }
        }
    }

    /// The last changes at both ends, for a person to read.
    fn story(&self) -> String {
        let since = |at: &Instant| self.now.saturating_duration_since(*at);
        let of = |end: End| {
            let changes = self.sides[end].changes.iter().rev().take(12);
            changes.map(move |(at, state, why)| (since(at), end, format!("{state}: {why}")))
        };
        let mut changes: Vec<_> = of(0).chain(of(1)).collect();
        changes.sort();
        let lines = changes.iter().rev();
        lines
            .map(|(ago, end, what)| format!("\n  {ago:?} ago, {end} to {what}"))
            .collect()
    }

    /// Gives an input to one end, and does what it asks for.
    pub(crate) fn handle(&mut self, end: End, input: Input<'_>) {
        self.sides[end].peer.handle(input, self.now);
        let side = &mut self.sides[end];
        let outputs: Vec<Output> = std::iter::from_fn(|| side.peer.poll()).collect();
        let mut written = BTreeSet::new();
        for output in outputs {
            match output {
                Output::Connect(id) => self.connect(end, id),
                Output::Transmit { connection, bytes } => {
                    self.transmit(end, connection, &bytes);
                    written.insert(connection);
                }
                Output::Close(id) => self.close(end, id, CloseReason::Finished),
                Output::StateChanged { from, to, why } => {
                    assert_ne!(from, to);
                    self.sides[end].changes.push((self.now, to, why));
                }
                Output::Advertised(_) => {}
            }
        }
        let deadline = self.sides[end].peer.deadline();
        assert!(
            deadline.is_none_or(|due| due > self.now),
            "it was just seen to"
        );
        let live = &self.sides[end].live;
        assert!(live.len() <= 2, "never more than two: {live:?}");
        for id in written {
            self.flush(end, id);
        }
    }

    /// Resets every connection, as a firewall might, so that both ends notice.
    pub(crate) fn reset(&mut self) {
        for wire in 0..self.wires.len() {
            for end in 0..2 {
                self.ended(wire, end, CloseReason::Reset);
            }
        }
    }

    /// The process of one end dies and another one takes its place; the kernel closes its sockets.
    pub(crate) fn restart(&mut self, end: End) {
        let ids: Vec<ConnectionId> = self.sides[end].live.keys().copied().collect();
        for id in ids {
            self.close(end, id, CloseReason::Reset);
        }
        self.begin_anew(end);
    }

    /// The whole machine of one end is another one: the far side hears nothing of it before it
    /// speaks.
    pub(crate) fn reboot(&mut self, end: End) {
        for wire in std::mem::take(&mut self.sides[end].live)
            .into_values()
            .flatten()
        {
            self.wires[wire].open[end] = false;
        }
        self.begin_anew(end);
    }

    fn begin_anew(&mut self, end: End) {
        self.forget_attempts(end);
        let seed = splitmix(&mut self.random);
        let side = &mut self.sides[end];
        side.peer = Peer::new(side.config.clone(), seed);
        side.far.clear();
        let desired = side.desired.clone();
        self.handle(end, Input::Desired(desired));
        self.handle(end, Input::Start);
    }

    /// Attempts die with their process, whatever became of them on the other side.
    fn forget_attempts(&mut self, end: End) {
        let mut made = Vec::new();
        self.queue.retain(|_, event| match event {
            Event::Syn { from, .. } => *from != end,
            Event::Refused { at, .. } => *at != end,
            Event::Connected { at, wire } => {
                made.extend((*at == end).then_some(*wire));
                *at != end
            }
            Event::Octets { .. } | Event::Over { .. } => true,
        });
        for wire in made {
            self.over(wire, end, CloseReason::Reset);
        }
    }

    /// Octets that no speaker has sent arrive at that end.
    pub(crate) fn forge(&mut self, end: End, bytes: &[u8]) {
        let side = &self.sides[end];
        let connection = side.live.iter().find(|(_, wire)| wire.is_some());
        if let Some((connection, _)) = connection.map(|(id, wire)| (*id, *wire)) {
            self.handle(end, Input::Received { connection, bytes });
        }
    }

    pub(crate) fn reconfigure(&mut self, end: End, config: Config) {
        self.sides[end].config = config.clone();
        self.handle(end, Input::Reconfigure(config));
    }

    pub(crate) fn set_reading(&mut self, end: End, reading: bool) {
        self.sides[end].reading = reading;
        for wire in 0..self.wires.len() {
            self.read(wire, 1 - end);
        }
    }

    /// The next thing that happens before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let timers = [0, 1].map(|end| self.sides[end].peer.deadline());
        let timer = (0..2).filter_map(|end| Some((timers[end]?, end))).min();
        let event = self.queue.first_key_value().map(|(key, _)| *key);
        match (timer, event) {
            // Octets first, as deadline() asks for.
            (timer, Some((at, _))) if at <= end && timer.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                let (_, event) = self.queue.pop_first().expect("it is there");
                self.happen(event);
                true
            }
            (Some((due, side)), _) if due <= end => {
                self.now = self.now.max(due);
                self.handle(side, Input::Timeout);
                true
            }
            _ => false,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Syn { from, id } => self.syn(from, id),
            Event::Connected { at, wire } => {
                let connection = self.wires[wire].ids[at];
                if let Some(on) = self.sides[at].live.get_mut(&connection) {
                    *on = Some(wire);
                    let (local, remote) = addresses(at);
                    self.handle(
                        at,
                        Input::Connected {
                            connection,
                            local,
                            remote,
                        },
                    );
                } else {
                    self.over(wire, at, CloseReason::Reset);
                }
            }
            Event::Refused { at, id } => {
                if self.sides[at].live.remove(&id).is_some() {
                    let error = ConnectError::Refused;
                    let connection = id;
                    self.handle(at, Input::ConnectFailed { connection, error });
                }
            }
            Event::Octets { wire, from, bytes } => {
                if self.cut[from] {
                    return self.later(wire, from, |wire| Event::Octets { wire, from, bytes });
                }
                self.wires[wire].flows[from].unread.extend(bytes);
                self.read(wire, from);
            }
            Event::Over { wire, from, reason } => {
                if self.cut[from] {
                    return self.later(wire, from, |wire| Event::Over { wire, from, reason });
                }
                self.read(wire, from);
                self.ended(wire, 1 - from, reason);
            }
        }
    }

    /// What is held back is tried again, in its order.
    fn later(&mut self, wire: usize, from: End, event: impl FnOnce(usize) -> Event) {
        let at = self.now + Duration::from_millis(100);
        self.plan(at, event(wire));
        self.wires[wire].flows[from].last = Some(at);
    }

    fn connect(&mut self, end: End, id: ConnectionId) {
        self.sides[end].live.insert(id, None);
        self.sides[end].dials += 1;
        let at = self.now + self.some_delay();
        self.plan(at, Event::Syn { from: end, id });
    }

    fn syn(&mut self, from: End, id: ConnectionId) {
        // Lost, and answered by nobody: the attempt times out.
        if self.cut.contains(&true) || !self.sides[from].live.contains_key(&id) {
            return;
        }
        let back = self.now + self.some_delay();
        let to = 1 - from;
        if self.sides[to].config.mode == Mode::Dial {
            return self.plan(back, Event::Refused { at: from, id });
        }
        let connection = ConnectionId::Accepted(self.sides[to].accepted);
        self.sides[to].accepted += 1;
        let mut ids = [id; 2];
        ids[to] = connection;
        let wire = self.wires.len();
        self.wires.push(Wire {
            ids,
            open: [true; 2],
            flows: [Flow::default(), Flow::default()],
        });
        self.plan(back, Event::Connected { at: from, wire });
        self.wires[wire].flows[to].last = Some(back);
        self.sides[to].live.insert(connection, Some(wire));
        let (local, remote) = addresses(to);
        self.handle(
            to,
            Input::Accepted {
                connection,
                local,
                remote,
            },
        );
    }

    fn transmit(&mut self, end: End, id: ConnectionId, bytes: &[u8]) {
        let wire = self.sides[end].live[&id].expect("a connection that stands");
        let far = &mut self.sides[end].far;
        let far = far.entry(id).or_default();
        if far.ours.is_none() {
            far.ours = Some(first_open(bytes));
            far.settle();
        }
        let flow = &mut self.wires[wire].flows[end];
        flow.queued.extend(bytes);
        let queued = flow.queued.len();
        let side = &mut self.sides[end];
        side.most_queued = side.most_queued.max(queued);
    }

    /// Gives the socket what it takes, and says so.
    fn flush(&mut self, end: End, id: ConnectionId) {
        let Some(Some(wire)) = self.sides[end].live.get(&id).copied() else {
            return;
        };
        if self.push_out(wire, end) {
            let queued = self.wires[wire].flows[end].queued.len();
            let connection = id;
            self.handle(end, Input::Sent { connection, queued });
        }
    }

    fn push_out(&mut self, wire: usize, from: End) -> bool {
        let delay = self.some_delay();
        let flow = &mut self.wires[wire].flows[from];
        let room = WINDOW.saturating_sub(flow.taken).min(flow.queued.len());
        if room == 0 {
            return false;
        }
        let bytes: Vec<u8> = flow.queued.drain(..room).collect();
        flow.taken += room;
        let at = flow.last.map_or(self.now, |last| last.max(self.now)) + delay;
        flow.last = Some(at);
        self.plan(at, Event::Octets { wire, from, bytes });
        true
    }

    /// The receiver takes what has arrived, if it reads at all.
    fn read(&mut self, wire: usize, from: End) {
        let to = 1 - from;
        let id = self.wires[wire].ids[to];
        if !self.wires[wire].open[to] {
            self.wires[wire].flows[from].unread.clear();
            return self.over(wire, to, CloseReason::Reset);
        }
        if !self.sides[to].reading {
            return;
        }
        let flow = &mut self.wires[wire].flows[from];
        let bytes = std::mem::take(&mut flow.unread);
        flow.taken -= bytes.len();
        for piece in bytes.chunks(16 * 1024) {
            if !self.wires[wire].open[to] {
                return;
            }
            self.sides[to].far.entry(id).or_default().hear(piece);
            let (connection, bytes) = (id, piece);
            self.handle(to, Input::Received { connection, bytes });
        }
        let sender = self.wires[wire].ids[from];
        if self.wires[wire].open[from] && !self.wires[wire].flows[from].queued.is_empty() {
            self.flush(from, sender);
        }
    }

    /// One end closes: what it had written still goes out.
    fn close(&mut self, end: End, id: ConnectionId, reason: CloseReason) {
        if let Some(Some(wire)) = self.sides[end].live.remove(&id) {
            self.push_out(wire, end);
            self.over(wire, end, reason);
        }
    }

    /// The kernel of one end ends the connection; the other end hears of it.
    fn over(&mut self, wire: usize, from: End, reason: CloseReason) {
        self.wires[wire].open[from] = false;
        if self.wires[wire].open[1 - from] {
            let delay = self.some_delay();
            let flow = &mut self.wires[wire].flows[from];
            let at = flow.last.map_or(self.now, |last| last.max(self.now)) + delay;
            flow.last = Some(at);
            self.plan(at, Event::Over { wire, from, reason });
        }
    }

    /// The kernel of that end finds the connection over.
    fn ended(&mut self, wire: usize, end: End, reason: CloseReason) {
        self.wires[wire].open[end] = false;
        let connection = self.wires[wire].ids[end];
        if self.sides[end].live.get(&connection) == Some(&Some(wire)) {
            self.sides[end].live.remove(&connection);
            self.handle(end, Input::Closed { connection, reason });
        }
    }

    fn plan(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    fn some_delay(&mut self) -> Duration {
        let longest = u64::try_from(self.delay.as_micros()).unwrap().max(1);
        Duration::from_micros(splitmix(&mut self.random) % longest)
    }
}

fn addresses(end: End) -> (std::net::IpAddr, std::net::IpAddr) {
    let speaker = |end: End| address(u8::try_from(end + 1).unwrap());
    (speaker(end), speaker(1 - end))
}

/// What a speaker says first.
fn first_open(bytes: &[u8]) -> bgp::wire::Open {
    let mut framer = Framer::new();
    framer.push(bytes);
    let frame = framer.poll().unwrap().unwrap();
    match decode(&frame, None) {
        Ok(Message::Open(open)) => open,
        other => panic!("OPEN comes first, not {other:?}"),
    }
}

pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
