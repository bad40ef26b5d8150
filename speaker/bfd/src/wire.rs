//! The control packet, RFC 5880 §4.1, and the checks of §6.8.6 that it has to pass.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! | version | diag  |sta|P|F|C|A|D|M|  detect mult  |    length     |
//! |                       my discriminator                        |
//! |                      your discriminator                       |
//! |                desired min TX interval, in µs                 |
//! |                required min RX interval, in µs                |
//! |              required min echo RX interval, in µs             |
//! ```

mod diagnostic;
mod discard;

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

pub use self::diagnostic::Diagnostic;
pub use self::discard::{Discard, Discards};

/// Octets of a control packet without authentication: all that we send.
pub const LENGTH: usize = LENGTH_FIELD as usize;

const LENGTH_FIELD: u8 = 24;

/// The shortest packet with an authentication section.
const LENGTH_WITH_AUTHENTICATION: usize = 26;
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// RFC 5880 §4.1, §6.8.1: the state of a session, as a packet names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Held down on purpose; says nothing about the path.
    AdminDown = 0,
    /// Nothing that counts has been heard.
    Down = 1,
    /// The far side is heard and does not hear us yet, as far as we know.
    Init = 2,
    /// Both hear each other.
    Up = 3,
}

impl State {
    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            3.. => Self::Up,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// One control packet that passed the checks, or one to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Why the sender's state changed last.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// The sender asks for an answer with `is_final`.
    pub poll: bool,
    /// The sender answers a poll.
    pub is_final: bool,
    /// The sender's BFD lives on when its control plane does not. Never set by us, never used.
    pub control_plane_independent: bool,
    /// The sender wants no periodic packets.
    pub demand: bool,
    /// How many packets may be missed.
    pub detect_mult: NonZeroU8,
    /// The sender's name for the session.
    pub my_discriminator: NonZeroU32,
    /// The receiver's name for it, `None` while the sender does not know it.
    pub your_discriminator: Option<NonZeroU32>,
    /// No packets will come more often than this, before jitter.
    pub desired_min_tx: Duration,
    /// No packets must come more often than this; zero for none at all.
    pub required_min_rx: Duration,
    /// Likewise for Echo packets. Zero, from us: they are not supported.
    pub required_min_echo_rx: Duration,
}

/// How the session that a packet belongs to is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// RFC 5880 §6.3: by this local discriminator alone, wherever the packet came from.
    Discriminator(NonZeroU32),
    /// RFC 5881 §3, RFC 5883 §4: the sender does not know ours yet; by its address, and by the
    /// interface where the path is a single hop, by our address where it is not.
    Source,
}

impl Packet {
    /// Reads the payload of a datagram by the rules of RFC 5880 §6.8.6, in their order, as far as
    /// they need no session. What follows the packet in its datagram is ignored.
    pub fn decode(payload: &[u8]) -> Result<Self, Discard> {
        let ([head, my, your, tx, rx, echo, ..], _) = payload.as_chunks() else {
            return Err(Discard::Truncated);
        };
        let [first, flags, mult, length] = *head;
        if first >> 5 != VERSION {
            return Err(Discard::Version);
        }
        let authenticated = flags & AUTHENTICATION != 0;
        let shortest = if authenticated {
            LENGTH_WITH_AUTHENTICATION
        } else {
            LENGTH
        };
        if !(shortest..=payload.len()).contains(&usize::from(length)) {
            return Err(Discard::Length);
        }
        let detect_mult = NonZeroU8::new(mult).ok_or(Discard::DetectMult)?;
        if flags & MULTIPOINT != 0 {
            return Err(Discard::Multipoint);
        }
        let my_discriminator = discriminator(*my).ok_or(Discard::MyDiscriminator)?;
        let state = State::from_bits(flags >> 6);
        let your_discriminator = discriminator(*your);
        let knows_us = your_discriminator.is_some();
        if !knows_us && !matches!(state, State::Down | State::AdminDown) {
            return Err(Discard::YourDiscriminator);
        }
        if authenticated {
            return Err(Discard::Authentication);
        }
        Ok(Self {
            diagnostic: Diagnostic::from_code(first & 0x1f),
            state,
            poll: flags & POLL != 0,
            is_final: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            detect_mult,
            my_discriminator,
            your_discriminator,
            desired_min_tx: time(*tx),
            required_min_rx: time(*rx),
            required_min_echo_rx: time(*echo),
        })
    }

    /// The octets of the packet. Times are cut to whole microseconds, and to the 71 minutes that
    /// the fields have room for.
    pub fn encode(&self) -> [u8; LENGTH] {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = (self.state as u8) << 6
            | bit(self.poll, POLL)
            | bit(self.is_final, FINAL)
            | bit(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | bit(self.demand, DEMAND);
        let first = VERSION << 5 | self.diagnostic.code();
        let your_discriminator = self.your_discriminator.map_or(0, NonZeroU32::get);
        let words = [
            [first, flags, self.detect_mult.get(), LENGTH_FIELD],
            self.my_discriminator.get().to_be_bytes(),
            your_discriminator.to_be_bytes(),
            micros(self.desired_min_tx),
            micros(self.required_min_rx),
            micros(self.required_min_echo_rx),
        ];
        let mut octets = [0; LENGTH];
        octets.copy_from_slice(words.as_flattened());
        octets
    }

    /// Which session the packet is for.
    pub fn lookup(&self) -> Lookup {
        self.your_discriminator
            .map_or(Lookup::Source, Lookup::Discriminator)
    }
}

fn discriminator(octets: [u8; 4]) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::from_be_bytes(octets))
}

fn time(octets: [u8; 4]) -> Duration {
    Duration::from_micros(u32::from_be_bytes(octets).into())
}

fn micros(time: Duration) -> [u8; 4] {
    u32::try_from(time.as_micros())
        .unwrap_or(u32::MAX)
        .to_be_bytes()
}

#[cfg(test)]
mod tests;
