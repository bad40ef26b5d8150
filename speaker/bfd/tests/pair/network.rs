//! The path between two sessions, and the processes that hold them.

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use bfd::{Begin, Config, Input, Lookup, Output, Packet, Role, Session, State, Why};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn config(millis: u64, detect_mult: u8) -> Config {
    Config {
        desired_min_tx: ms(millis),
        required_min_rx: ms(millis),
        detect_mult: NonZeroU8::new(detect_mult).unwrap(),
        role: Role::Active,
    }
}

/// What the path does to what is sent from one end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) delay: Duration,
    /// Packets may arrive later than that by as much, so that they overtake each other.
    pub(crate) spread: Duration,
    /// Of a hundred packets so many are lost.
    pub(crate) loss: u32,
}

/// One end: a process with its session.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) session: Session,
    pub(crate) config: Config,
    discriminator: NonZeroU32,
    /// Until when the process does not run; what arrives waits.
    paused: Option<Instant>,
    gone: bool,
    inbox: Vec<[u8; 24]>,
    /// Every change, and when.
    pub(crate) changes: Vec<(Instant, State, Why)>,
    /// Every packet it has sent, and when.
    pub(crate) sent: Vec<(Instant, Packet)>,
    pub(crate) silent: Option<(Duration, bool)>,
    pub(crate) not_adopted: usize,
}

/// Two ends, a path, a clock.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) now: Instant,
    pub(crate) begun: Instant,
    pub(crate) sides: [Side; 2],
    pub(crate) ways: [Way; 2],
    flying: BTreeMap<(Instant, u64), (usize, [u8; 24])>,
    serial: u64,
    seed: u64,
}

impl Side {
    fn new(end: usize, config: Config, seed: u64) -> Self {
        let name = ["node-1", "router-1"][end];
        let discriminator = bfd::local_discriminator(name, "other", 0);
        Self {
            session: Session::new(discriminator, config, seed),
            config,
            discriminator,
            paused: None,
            gone: false,
            inbox: Vec::new(),
            changes: Vec::new(),
            sent: Vec::new(),
            silent: None,
            not_adopted: 0,
        }
    }

    fn is_running(&self, now: Instant) -> bool {
        !self.gone && self.paused.is_none_or(|until| until <= now)
    }
}

impl Network {
    pub(crate) fn new(configs: [Config; 2], seed: u64) -> Self {
        let now = Instant::now();
        let [first, second] = configs;
        let way = Way {
            delay: ms(1),
            spread: Duration::ZERO,
            loss: 0,
        };
        Self {
            now,
            begun: now,
            sides: [Side::new(0, first, seed), Side::new(1, second, !seed)],
            ways: [way; 2],
            flying: BTreeMap::new(),
            serial: 0,
            seed,
        }
    }

    /// Both started and Up.
    pub(crate) fn up(configs: [Config; 2], seed: u64) -> Self {
        let mut network = Self::new(configs, seed);
        for end in 0..2 {
            network.handle(end, Input::Start(Begin::Anew));
        }
        network.run(ms(4_000));
        assert!(network.is_up());
        network
    }

    pub(crate) fn is_up(&self) -> bool {
        self.sides
            .iter()
            .all(|side| side.session.state() == State::Up)
    }

    pub(crate) fn state(&self, end: usize) -> State {
        self.sides[end].session.state()
    }

    pub(crate) fn handle(&mut self, end: usize, input: Input<'_>) {
        self.sides[end].session.handle(input, self.now);
        while let Some(output) = self.sides[end].session.poll() {
            match output {
                Output::Transmit(octets) => self.transmit(end, octets),
                Output::StateChanged { to, why, .. } => {
                    self.sides[end].changes.push((self.now, to, why));
                }
                Output::NotAdopted => self.sides[end].not_adopted += 1,
                Output::Silent { covered, confirmed } => {
                    self.sides[end].silent = Some((covered, confirmed));
                }
            }
        }
    }

    pub(crate) fn reconfigure(&mut self, end: usize, config: Config) {
        self.sides[end].config = config;
        self.handle(end, Input::Reconfigure(config));
    }

    pub(crate) fn cut(&mut self, lost: bool) {
        for way in &mut self.ways {
            way.loss = if lost { 100 } else { 0 };
        }
    }

    pub(crate) fn pause(&mut self, end: usize, time: Duration) {
        self.sides[end].paused = Some(self.now + time);
    }

    /// The process dies, and what waits for it is lost.
    pub(crate) fn kill(&mut self, end: usize) {
        self.sides[end].gone = true;
        self.sides[end].inbox.clear();
    }

    /// A new process, under the same name or another.
    pub(crate) fn restart(&mut self, end: usize, begin: Begin, renamed: bool) {
        let mut side = Side::new(end, self.sides[end].config, self.seed ^ self.serial);
        if renamed {
            side.discriminator = bfd::local_discriminator("renamed", "other", 1);
            side.session = Session::new(side.discriminator, side.config, self.serial);
        }
        self.sides[end] = side;
        self.handle(end, Input::Start(begin));
    }

    /// Lets time go by.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until that is so; how long it took, if it came to that in time.
    pub(crate) fn run_until(
        &mut self,
        time: Duration,
        is_so: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let (begun, end) = (self.now, self.now + time);
        while !is_so(self) {
            if !self.step(end) {
                return None;
            }
        }
        Some(self.now - begun)
    }

    /// The next thing that happens, if it does before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let flying = self.flying.first_key_value().map(|((at, _), _)| *at);
        let timers = [0, 1].map(|one| self.due(one));
        let next = [flying, timers[0], timers[1]].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else {
            return false;
        };
        self.now = next.max(self.now);
        self.land();
        for one in 0..2 {
            if self.due(one).is_some_and(|due| due <= self.now) {
                self.wake(one);
            }
        }
        true
    }

    /// When the process has something to do.
    fn due(&self, end: usize) -> Option<Instant> {
        let side = &self.sides[end];
        if side.gone {
            return None;
        }
        let deadline = if side.inbox.is_empty() {
            side.session.deadline()
        } else {
            Some(self.now)
        };
        let paused = side.paused.unwrap_or(self.begun);
        deadline.map(|deadline| deadline.max(paused))
    }

    /// As a driver does it: everything that has arrived, then the timeout.
    fn wake(&mut self, end: usize) {
        for octets in std::mem::take(&mut self.sides[end].inbox) {
            self.handle(end, Input::Datagram(&octets));
        }
        if self.sides[end]
            .session
            .deadline()
            .is_some_and(|due| due <= self.now)
        {
            self.handle(end, Input::Timeout);
        }
    }

    fn land(&mut self) {
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (to, octets) = entry.remove();
            if self.sides[to].gone {
                continue;
            }
            self.sides[to].inbox.push(octets);
        }
        for end in 0..2 {
            if self.sides[end].is_running(self.now) && !self.sides[end].inbox.is_empty() {
                self.wake(end);
            }
        }
    }

    fn transmit(&mut self, from: usize, octets: [u8; 24]) {
        let packet = Packet::decode(&octets).unwrap();
        let _: Lookup = packet.lookup();
        self.sides[from].sent.push((self.now, packet));
        let way = self.ways[from];
        if self.chance(100) < way.loss {
            return;
        }
        let spread = way.spread * self.chance(1_000) / 1_000;
        self.serial += 1;
        let at = self.now + way.delay + spread;
        self.flying.insert((at, self.serial), (1 - from, octets));
    }

    fn chance(&mut self, of: u32) -> u32 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u32::try_from((self.seed >> 33) % u64::from(of)).unwrap()
    }
}
