//! A BFD session that is watched, played by octets: each step is an octet that says what happens,
//! and its arguments.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use bfd::{
    Begin, Config, Diagnostic, Disable, Input, MAX_BUDGET, MIN_INTERVAL, Output, Packet, Role,
    SLOW_INTERVAL, Session, State,
};

const OURS: NonZeroU32 = NonZeroU32::new(7).unwrap();

/// A session, and what must be true of it.
struct Watched {
    session: Session,
    now: Instant,
    config: Config,
    state: State,
    /// When a packet left that was no answer.
    last_own: Option<Instant>,
    silent: bool,
}

/// What one input made it do.
#[derive(Default)]
struct Done {
    answers: usize,
    own: usize,
    changes: usize,
}

/// Plays a script on a new session, to its end. A step cut off is left out.
pub fn play(script: &[u8]) {
    let config = Config {
        desired_min_tx: MIN_INTERVAL,
        required_min_rx: MIN_INTERVAL,
        detect_mult: NonZeroU8::MIN,
        role: Role::Active,
    };
    let mut watched = Watched {
        session: Session::new(OURS, config, 1),
        now: Instant::now(),
        config,
        state: State::Down,
        last_own: None,
        silent: true,
    };
    let mut rest = script;
    while watched.step(&mut rest).is_some() {}
}

impl Watched {
    fn step(&mut self, script: &mut &[u8]) -> Option<()> {
        match octet(script)? % 13 {
            0 => self.handle(Input::Start(Begin::Anew)),
            1 => self.handle(Input::Start(Begin::Adopt)),
            2 => self.wait(Duration::from_micros(number(script)?)),
            3 => self.wait(Duration::from_millis(number(script)?)),
            4 => self.time_out(),
            5 => self.handle(Input::Disable(Disable::Administrative)),
            6 => self.handle(Input::Disable(Disable::PathDown)),
            7 => self.handle(Input::HoldOn(Duration::from_millis(number(script)? * 8))),
            8 => self.reconfigure(script)?,
            9 => {
                let packet = good(script)?;
                self.handle(Input::Datagram(&packet.encode()));
            }
            12.. => self.handle(Input::Awake),
            10 | 11 => {
                let length = usize::from(octet(script)?);
                let (octets, rest) = script.split_at_checked(length)?;
                *script = rest;
                self.handle(Input::Datagram(octets));
            }
        }
        Some(())
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.handle(Input::Timeout);
    }

    fn time_out(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.now = self.now.max(deadline);
            self.handle(Input::Timeout);
        }
    }

    fn reconfigure(&mut self, script: &mut &[u8]) -> Option<()> {
        self.config = Config {
            desired_min_tx: Duration::from_micros(number(script)? * 64),
            required_min_rx: Duration::from_micros(number(script)? * 64),
            detect_mult: NonZeroU8::new(octet(script)?).unwrap_or(NonZeroU8::MAX),
            role: if octet(script)? % 4 == 0 {
                Role::Passive
            } else {
                Role::Active
            },
        };
        self.handle(Input::Reconfigure(self.config));
        Some(())
    }

    fn handle(&mut self, input: Input<'_>) {
        if matches!(input, Input::Start(_) | Input::Disable(_) | Input::HoldOn(_)) {
            self.silent = false;
        }
        let asks = match input {
            Input::Datagram(payload) => Packet::decode(payload).is_ok_and(|packet| packet.poll),
            _ => false,
        };
        let remembered = self.session.status().remote.is_some();
        self.session.handle(input, self.now);
        let mut done = Done::default();
        while let Some(output) = self.session.poll() {
            self.check(&output, &mut done);
        }
        assert!(done.answers <= usize::from(asks), "an answer to no question");
        assert!(done.own <= 1 && done.changes <= 2, "no burst");
        assert_eq!(self.session.state(), self.state);
        if self.config.role == Role::Passive && !remembered {
            let known = self.session.status().remote.is_some();
            assert!(known || done.own == 0, "a passive end speaks first");
        }
        if matches!(input, Input::Timeout) {
            let deadline = self.session.deadline();
            assert!(deadline.is_none_or(|deadline| deadline > self.now));
        }
        let _ = format!("{:?}", self.session.status());
    }

    fn check(&mut self, output: &Output, done: &mut Done) {
        match output {
            Output::Transmit(octets) => {
                let packet = Packet::decode(octets).expect("a packet that anybody takes");
                self.check_packet(&packet, done);
            }
            Output::StateChanged { from, to, why } => {
                assert_eq!(*from, self.state);
                assert_ne!(from, to);
                assert!(!why.to_string().is_empty());
                self.state = *to;
                self.last_own = None;
                done.changes += 1;
            }
            Output::NotAdopted => assert_ne!(self.state, State::Up),
            Output::Silent { covered, .. } => {
                assert!(self.state == State::Up || covered.is_zero());
                self.silent = true;
            }
        }
    }

    fn check_packet(&mut self, packet: &Packet, done: &mut Done) {
        assert!(!self.silent, "it said that it would say nothing");
        assert_eq!(packet.state, self.state);
        assert_eq!(packet.my_discriminator, OURS);
        assert!(!(packet.poll && packet.is_final) && !packet.demand);
        assert!(packet.desired_min_tx <= MAX_BUDGET);
        assert!(packet.required_min_rx >= MIN_INTERVAL);
        let least = match packet.state {
            State::Up => MIN_INTERVAL,
            State::AdminDown | State::Down | State::Init => SLOW_INTERVAL,
        };
        assert!(packet.desired_min_tx >= least);
        if packet.is_final {
            done.answers += 1;
            return;
        }
        done.own += 1;
        if let Some(last) = self.last_own.replace(self.now) {
            assert!(self.now - last >= least * 3 / 4, "too early");
        }
    }
}

/// A packet as a far side in its right mind sends it.
fn good(script: &mut &[u8]) -> Option<Packet> {
    let (how, mult) = (octet(script)?, octet(script)?);
    let (tx, rx) = (number(script)?, number(script)?);
    Some(Packet {
        diagnostic: Diagnostic::None,
        state: [State::AdminDown, State::Down, State::Init, State::Up][usize::from(how % 4)],
        poll: how & 4 != 0,
        is_final: how & 8 != 0,
        control_plane_independent: how & 16 != 0,
        demand: how & 32 != 0,
        detect_mult: NonZeroU8::new(mult).unwrap_or(NonZeroU8::MIN),
        my_discriminator: NonZeroU32::MAX,
        your_discriminator: Some(if how & 64 == 0 { OURS } else { NonZeroU32::MAX }),
        desired_min_tx: Duration::from_micros(tx * 64),
        required_min_rx: Duration::from_micros(rx * 64),
        required_min_echo_rx: Duration::ZERO,
    })
}

fn octet(script: &mut &[u8]) -> Option<u8> {
    let (octet, rest) = script.split_first()?;
    *script = rest;
    Some(*octet)
}

fn number(script: &mut &[u8]) -> Option<u64> {
    Some(u64::from(octet(script)?) << 8 | u64::from(octet(script)?))
}
