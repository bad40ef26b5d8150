//! What a packet costs: `cargo run --release -p seamark-bfd --example packet_ns`
//!
//! Handled is a packet of a far side that is Up, by a session that is Up, its next timer asked for
//! as a driver does; transmitted is one periodic packet, from the timer to its octets. The figures
//! are those of the median batch, so that a busy machine disturbs them little.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use bfd::{Begin, Config, Diagnostic, Input, Output, Packet, Role, Session, State};

const PACKETS: u32 = 10_000;
const BATCHES: usize = 101;
const OURS: NonZeroU32 = NonZeroU32::MIN;

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() {
    println!("bfd_handle_packet_ns {} ns", handle());
    println!("bfd_transmit_packet_ns {} ns", transmit());
}

fn handle() -> u128 {
    let (mut session, now) = up();
    let octets = packet(State::Up).encode();
    median(|| {
        for _ in 0..PACKETS {
            session.handle(Input::Datagram(&octets), now);
            assert!(session.poll().is_none() && session.deadline().is_some());
        }
    })
}

fn transmit() -> u128 {
    let (mut session, mut now) = up();
    // A far side that is never missed.
    let patient = Packet {
        desired_min_tx: Duration::from_secs(4_000),
        detect_mult: NonZeroU8::MAX,
        ..packet(State::Up)
    };
    session.handle(Input::Datagram(&patient.encode()), now);
    while session.poll().is_some() {}
    median(|| {
        let mut sent = 0;
        for _ in 0..PACKETS {
            now = session.deadline().unwrap_or(now);
            session.handle(Input::Timeout, now);
            while let Some(output) = session.poll() {
                sent += u32::from(matches!(output, Output::Transmit(_)));
            }
        }
        assert_eq!(sent, PACKETS);
    })
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn up() -> (Session, Instant) {
    let config = Config {
        desired_min_tx: Duration::from_millis(10),
        required_min_rx: Duration::from_millis(10),
        detect_mult: NonZeroU8::MAX,
        role: Role::Active,
    };
    let now = Instant::now();
    let mut session = Session::new(OURS, config, 1);
    session.handle(Input::Start(Begin::Anew), now);
    session.handle(Input::Datagram(&packet(State::Init).encode()), now);
    let confirmed = Packet {
        is_final: true,
        ..packet(State::Up)
    };
    session.handle(Input::Datagram(&confirmed.encode()), now);
    while session.poll().is_some() {}
    assert_eq!(session.state(), State::Up);
    (session, now)
}

fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::MAX,
        my_discriminator: NonZeroU32::MAX,
        your_discriminator: Some(OURS),
        desired_min_tx: Duration::from_millis(10),
        required_min_rx: Duration::from_millis(10),
        required_min_echo_rx: Duration::ZERO,
    }
}

/// Nanoseconds for one packet.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn median(mut batch: impl FnMut()) -> u128 {
    let mut times: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let begun = Instant::now();
            batch();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times.get(BATCHES / 2).map_or(0, Duration::as_nanos) / u128::from(PACKETS)
}
