use proptest::prelude::*;

use super::*;

fn nonzero(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn packet() -> Packet {
    Packet {
        diagnostic: Diagnostic::NeighborSignaledSessionDown,
        state: State::Up,
        poll: true,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(3).unwrap(),
        my_discriminator: nonzero(0x0102_0304),
        your_discriminator: NonZeroU32::new(0xa0b0_c0d0),
        desired_min_tx: Duration::from_millis(50),
        required_min_rx: Duration::from_millis(300),
        required_min_echo_rx: Duration::ZERO,
    }
}

/// By hand from the figure of §4.1: version 1 and diagnostic 3; Up (3) and Poll; multiplier;
/// length; both discriminators; 50,000 µs, 300,000 µs, 0.
const OCTETS: [u8; 24] = [
    0x23, 0xe0, 0x03, 0x18, //
    0x01, 0x02, 0x03, 0x04, //
    0xa0, 0xb0, 0xc0, 0xd0, //
    0x00, 0x00, 0xc3, 0x50, //
    0x00, 0x04, 0x93, 0xe0, //
    0x00, 0x00, 0x00, 0x00,
];

/// RFC 5880 §4.1.
#[test]
fn a_packet_has_the_layout_of_the_figure() {
    assert_eq!(packet().encode(), OCTETS);
    assert_eq!(Packet::decode(&OCTETS), Ok(packet()));
}

/// RFC 5880 §4.1.
#[test]
fn each_state_and_each_flag_has_its_bit() {
    type Field = fn(&mut Packet);
    let cases: [(u8, Field); 8] = [
        (0x00, |packet| packet.state = State::AdminDown),
        (0x40, |packet| packet.state = State::Down),
        (0x80, |packet| packet.state = State::Init),
        (0xc0, |packet| packet.state = State::Up),
        (0x60, |packet| packet.poll = true),
        (0x50, |packet| packet.is_final = true),
        (0x48, |packet| packet.control_plane_independent = true),
        (0x42, |packet| packet.demand = true),
    ];
    for (octet, set) in cases {
        let mut packet = Packet {
            poll: false,
            state: State::Down,
            ..packet()
        };
        set(&mut packet);
        assert_eq!(packet.encode()[1], octet);
        assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
    }
}

/// RFC 5880 §4.1.
#[test]
fn each_diagnostic_has_its_code() {
    for code in 0..32 {
        let diagnostic = Diagnostic::from_code(code);
        assert_eq!(diagnostic.code(), code);
        assert_eq!(matches!(diagnostic, Diagnostic::Reserved(_)), code > 8);
    }
}

/// The packet with some octets replaced.
fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut octets = OCTETS.to_vec();
    for (at, octet) in changes {
        octets[*at] = *octet;
    }
    octets
}

fn assert_discarded(octets: &[u8], reason: Discard) {
    assert_eq!(Packet::decode(octets), Err(reason));
}

/// RFC 5880 §6.8.6: the version number is 1.
#[test]
fn another_version_is_discarded() {
    for version in [0, 2, 7] {
        assert_discarded(&with(&[(0, version << 5)]), Discard::Version);
    }
}

/// RFC 5880 §6.8.6: 24 octets at least, 26 with an authentication section, and no more than came.
#[test]
fn a_length_that_is_too_small_or_beyond_the_payload_is_discarded() {
    for length in [0, 23, 25, 255] {
        assert_discarded(&with(&[(3, length)]), Discard::Length);
    }
    let authenticated = [&with(&[(1, 0xe4), (3, 25)]), &[0, 0, 0][..]].concat();
    assert_discarded(&authenticated, Discard::Length);
    for length in 0..24 {
        assert_discarded(&OCTETS[..length], Discard::Truncated);
    }
}

/// What follows in the datagram is not ours to judge.
#[test]
fn octets_behind_the_packet_are_ignored() {
    let longer = [&OCTETS[..], &[0xff; 8]].concat();
    assert_eq!(Packet::decode(&longer), Ok(packet()));
}

/// RFC 5880 §6.8.6: the detect multiplier is not zero.
#[test]
fn a_multiplier_of_zero_is_discarded() {
    assert_discarded(&with(&[(2, 0)]), Discard::DetectMult);
}

/// RFC 5880 §6.8.6: the multipoint bit is zero.
#[test]
fn a_multipoint_packet_is_discarded() {
    assert_discarded(&with(&[(1, 0xe1)]), Discard::Multipoint);
}

/// RFC 5880 §6.8.6: My Discriminator is not zero.
#[test]
fn a_packet_whose_sender_has_no_discriminator_is_discarded() {
    let none = [(4, 0), (5, 0), (6, 0), (7, 0)];
    assert_discarded(&with(&none), Discard::MyDiscriminator);
}

/// RFC 5880 §6.8.6: who is in Init or Up knows our discriminator.
#[test]
fn a_packet_without_our_discriminator_is_discarded_unless_its_sender_is_down() {
    for (state, flags) in [(State::Init, 0x80), (State::Up, 0xc0)] {
        let octets = with(&[(1, flags), (8, 0), (9, 0), (10, 0), (11, 0)]);
        assert_discarded(&octets, Discard::YourDiscriminator);
        assert_eq!(State::from_bits(flags >> 6), state);
    }
    for flags in [0x00, 0x40] {
        let octets = with(&[(1, flags), (8, 0), (9, 0), (10, 0), (11, 0)]);
        let decoded = Packet::decode(&octets).unwrap();
        assert_eq!(decoded.lookup(), Lookup::Source);
    }
}

/// RFC 5880 §6.8.6: authentication is not in use here.
#[test]
fn an_authenticated_packet_is_discarded() {
    let octets = [&with(&[(1, 0xe4), (3, 28)]), &[1, 4, 0, 0][..]].concat();
    assert_discarded(&octets, Discard::Authentication);
}

/// RFC 5880 §6.3: by the discriminator alone, once it is known.
#[test]
fn a_packet_with_our_discriminator_is_found_by_it_alone() {
    assert_eq!(
        packet().lookup(),
        Lookup::Discriminator(nonzero(0xa0b0_c0d0))
    );
}

#[test]
fn every_reason_has_a_place_a_label_and_words_of_its_own() {
    let mut discards = Discards::default();
    for (at, reason) in Discard::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, at);
        discards.add(reason);
        assert_eq!(discards.of(reason), 1);
        for other in &Discard::ALL[..at] {
            assert_ne!(reason.label(), other.label());
            assert_ne!(reason.to_string(), other.to_string());
        }
    }
    assert_eq!(discards.total(), 11);
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let times = (any::<u32>(), any::<u32>(), any::<u32>());
    let names = (1..=u32::MAX, any::<u32>());
    (
        0..32_u8,
        0..4_u8,
        any::<[bool; 4]>(),
        1..=u8::MAX,
        names,
        times,
    )
        .prop_map(
            |(diagnostic, state, [poll, is_final, c, demand], mult, (my, your), (tx, rx, echo))| {
                let your_discriminator = NonZeroU32::new(your);
                let state = State::from_bits(if your == 0 { state & 1 } else { state });
                Packet {
                    diagnostic: Diagnostic::from_code(diagnostic),
                    state,
                    poll,
                    is_final,
                    control_plane_independent: c,
                    demand,
                    detect_mult: NonZeroU8::new(mult).unwrap(),
                    my_discriminator: nonzero(my),
                    your_discriminator,
                    desired_min_tx: Duration::from_micros(tx.into()),
                    required_min_rx: Duration::from_micros(rx.into()),
                    required_min_echo_rx: Duration::from_micros(echo.into()),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_reads_the_same(packet in any_packet()) {
        prop_assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
    }

    #[test]
    fn every_cut_packet_is_discarded_with_its_reason(packet in any_packet(), length in 0..24_usize) {
        prop_assert_eq!(Packet::decode(&packet.encode()[..length]), Err(Discard::Truncated));
    }

    /// Each octet of the first four with each value, so that what is accepted differs in what a
    /// packet may say, and in nothing else.
    #[test]
    fn a_packet_with_one_octet_changed_says_so_or_is_discarded(
        packet in any_packet(), at in 0..24_usize, octet in any::<u8>(),
    ) {
        let mut octets = packet.encode();
        octets[at] = octet;
        match Packet::decode(&octets) {
            Ok(read) => prop_assert_eq!(read.encode(), octets),
            Err(reason) => prop_assert!(at < 12, "{reason}"),
        }
    }

    #[test]
    fn any_octets_have_a_verdict(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(packet) = Packet::decode(&octets) {
            prop_assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
    }
}
