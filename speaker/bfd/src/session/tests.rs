//! Every cell of the state machine, and what its packets say.

mod absence;
mod negotiation;
mod table;
mod waits;

use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use crate::{
    Begin, Config, Diagnostic, Disable, Discard, Input, Output, Packet, Role, Session, State, Why,
};

const OURS: NonZeroU32 = NonZeroU32::new(0x0a0a_0a0a).unwrap();
const THEIRS: NonZeroU32 = NonZeroU32::new(0x0b0b_0b0b).unwrap();

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn mult(count: u8) -> NonZeroU8 {
    NonZeroU8::new(count).unwrap()
}

fn config() -> Config {
    Config {
        desired_min_tx: ms(50),
        required_min_rx: ms(100),
        detect_mult: mult(3),
        role: Role::Active,
    }
}

/// What the far side says, in that state.
fn from_far(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: mult(3),
        my_discriminator: THEIRS,
        your_discriminator: Some(OURS),
        desired_min_tx: ms(50),
        required_min_rx: ms(20),
        required_min_echo_rx: Duration::ZERO,
    }
}

/// One session under test, and a clock.
struct Bench {
    session: Session,
    now: Instant,
    outputs: Vec<Output>,
}

impl Bench {
    fn new(config: Config) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
        let now = Instant::now();
        Self {
            session: Session::new(OURS, config, 1),
            now,
            outputs: Vec::new(),
        }
    }

    /// Started, with the first packet sent.
    fn down() -> Self {
        Self::started(config())
    }

    fn started(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.tell(Input::Start(Begin::Anew));
        bench
    }

    fn init() -> Self {
        let mut bench = Self::down();
        bench.hear(&from_far(State::Down));
        assert_eq!(bench.session.state(), State::Init);
        bench
    }

    /// Up, with the change to the fast rate confirmed.
    fn up() -> Self {
        Self::up_with(config())
    }

    fn up_with(config: Config) -> Self {
        let mut bench = Self::started(config);
        bench.hear(&from_far(State::Init));
        bench.hear(&final_from_far());
        bench.hear(&from_far(State::Up));
        assert_eq!(bench.session.state(), State::Up);
        assert!(!bench.session.status().polling);
        bench
    }

    fn admin_down() -> Self {
        let mut bench = Self::up();
        bench.tell(Input::Disable(Disable::Administrative));
        bench
    }

    fn in_state(state: State) -> Self {
        match state {
            State::AdminDown => Self::admin_down(),
            State::Down => Self::down(),
            State::Init => Self::init(),
            State::Up => Self::up(),
        }
    }

    /// Waits for the packet that is adopted.
    fn listening() -> Self {
        let mut bench = Self::new(config());
        bench.tell(Input::Start(Begin::Adopt));
        bench
    }

    /// What is to be done in answer to that input alone.
    fn handle(&mut self, input: Input<'_>) -> &[Output] {
        self.session.handle(input, self.now);
        self.outputs = std::iter::from_fn(|| self.session.poll()).collect();
        &self.outputs
    }

    fn tell(&mut self, input: Input<'_>) {
        self.handle(input);
    }

    fn hear(&mut self, packet: &Packet) -> &[Output] {
        self.handle(Input::Datagram(&packet.encode()))
    }

    fn pass(&mut self, time: Duration) -> &[Output] {
        self.now += time;
        self.handle(Input::Timeout)
    }

    /// Lets the next timer expire; how long that took.
    fn wait(&mut self) -> Duration {
        let deadline = self.session.deadline().unwrap();
        let waited = deadline.saturating_duration_since(self.now);
        self.pass(waited);
        waited
    }

    /// Goes on to the next packet while the far side, in that state, keeps us company.
    fn next_packet(&mut self, state: State) -> (Duration, Packet) {
        let mut waited = Duration::ZERO;
        loop {
            self.hear(&from_far(state));
            assert!(self.sent().is_empty(), "nothing is due yet");
            let deadline = self.session.deadline().unwrap();
            let step = (deadline - self.now).min(ms(90));
            self.pass(step);
            waited += step;
            if let [packet] = *self.sent() {
                return (waited, packet);
            }
        }
    }

    /// The packets that the last input made it send.
    fn sent(&self) -> Vec<Packet> {
        let packets = self.outputs.iter().filter_map(|output| match output {
            Output::Transmit(octets) => Some(Packet::decode(octets).unwrap()),
            Output::StateChanged { .. } | Output::NotAdopted | Output::Silent { .. } => None,
        });
        packets.collect()
    }

    /// What it did besides.
    fn done(&self) -> Vec<Output> {
        let is_packet = |output: &&Output| matches!(output, Output::Transmit(_));
        let others = self.outputs.iter().filter(|output| !is_packet(output));
        others.copied().collect()
    }
}

fn final_from_far() -> Packet {
    Packet {
        is_final: true,
        ..from_far(State::Up)
    }
}

fn changed(from: State, to: State, why: Why) -> Output {
    Output::StateChanged { from, to, why }
}
