//! Packets and orders in each state.

use super::*;

const STATES: [State; 4] = [State::AdminDown, State::Down, State::Init, State::Up];

/// RFC 5880 §6.8.6: the state machine, §6.2.
#[test]
fn each_state_takes_each_packet_as_the_table_says() {
    use State::{AdminDown, Down, Init, Up};
    let table = [
        (AdminDown, [AdminDown; 4]),
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
    ];
    for (state, expected) in table {
        for (heard, expected) in STATES.into_iter().zip(expected) {
            let mut bench = Bench::in_state(state);
            bench.hear(&from_far(heard));
            assert_eq!(bench.session.state(), expected, "{heard} in {state}");
        }
    }
}

#[test]
fn a_change_says_what_brought_it_about() {
    let cases = [
        (State::Down, State::Down, State::Init, Why::NeighborHeard),
        (State::Down, State::Init, State::Up, Why::BothHeard),
        (State::Init, State::Up, State::Up, Why::BothHeard),
        (
            State::Init,
            State::AdminDown,
            State::Down,
            Why::NeighborAdminDown,
        ),
        (
            State::Up,
            State::AdminDown,
            State::Down,
            Why::NeighborAdminDown,
        ),
        (
            State::Up,
            State::Down,
            State::Down,
            Why::NeighborSignaledDown(Diagnostic::None),
        ),
    ];
    for (from, heard, to, why) in cases {
        let mut bench = Bench::in_state(from);
        bench.hear(&from_far(heard));
        assert_eq!(bench.done(), [changed(from, to, why)]);
    }
}

/// RFC 5882 §3.2: neither side's AdminDown says that the path has failed.
#[test]
fn an_administrative_down_of_either_side_is_no_failure() {
    let mut theirs = Bench::up();
    theirs.hear(&from_far(State::AdminDown));
    let mut ours = Bench::up();
    ours.tell(Input::Disable(Disable::Administrative));
    for (bench, expected) in [(theirs, Why::NeighborAdminDown), (ours, Why::AdminDown)] {
        assert_eq!(bench.session.status().why, Some(expected));
        assert!(!expected.is_failure());
        assert_eq!(bench.session.counters().failures, 0);
    }
}

/// RFC 5882 §3.2: it says nothing of the path.
#[test]
fn a_far_side_that_takes_its_session_down_and_blames_us_is_no_failure() {
    let mut bench = Bench::up();
    bench.hear(&Packet {
        diagnostic: Diagnostic::NeighborSignaledSessionDown,
        ..from_far(State::Down)
    });
    assert_eq!(bench.session.state(), State::Down);
    assert_eq!(bench.session.counters().failures, 0);
}

#[test]
fn silence_a_signal_and_a_path_that_is_down_are_failures() {
    let mut silent = Bench::up();
    silent.pass(ms(1_000));
    let mut signaled = Bench::up();
    signaled.hear(&Packet {
        diagnostic: Diagnostic::ControlDetectionTimeExpired,
        ..from_far(State::Down)
    });
    let mut down = Bench::up();
    down.tell(Input::Disable(Disable::PathDown));
    let expected = [
        Why::DetectionTimeExpired,
        Why::NeighborSignaledDown(Diagnostic::ControlDetectionTimeExpired),
        Why::PathDown,
    ];
    for (bench, expected) in [silent, signaled, down].iter().zip(expected) {
        assert_eq!(bench.session.counters().failures, 1);
        assert_eq!(bench.session.status().why, Some(expected));
        assert!(expected.is_failure());
    }
}

/// RFC 5880 §6.8.6: the diagnostic after a packet, §6.8.4: and after silence, §6.8.16: and after an
/// order.
#[test]
fn a_new_state_has_its_diagnostic_and_is_told_at_once() {
    let mut bench = Bench::up();
    bench.hear(&from_far(State::Down));
    let [told] = *bench.sent() else { panic!() };
    let signaled = Diagnostic::NeighborSignaledSessionDown;
    assert_eq!((told.state, told.diagnostic), (State::Down, signaled));

    let mut bench = Bench::up();
    bench.pass(ms(300));
    let [told] = *bench.sent() else { panic!() };
    let expired = Diagnostic::ControlDetectionTimeExpired;
    assert_eq!((told.state, told.diagnostic), (State::Down, expired));

    for (order, diagnostic) in [
        (Disable::Administrative, Diagnostic::AdministrativelyDown),
        (Disable::PathDown, Diagnostic::PathDown),
    ] {
        let mut bench = Bench::up();
        bench.tell(Input::Disable(order));
        let [told] = *bench.sent() else { panic!() };
        assert_eq!(
            (told.state, told.diagnostic),
            (State::AdminDown, diagnostic)
        );
    }
}

/// RFC 5880 §6.8.7: what a packet says.
#[test]
fn packets_say_what_the_section_lists() {
    let bench = Bench::down();
    let expected = Packet {
        diagnostic: Diagnostic::None,
        state: State::Down,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: mult(3),
        my_discriminator: OURS,
        your_discriminator: None,
        desired_min_tx: ms(1_000),
        required_min_rx: ms(100),
        required_min_echo_rx: Duration::ZERO,
    };
    assert_eq!(bench.sent(), [expected]);
    let mut bench = Bench::up();
    let (_, packet) = bench.next_packet(State::Up);
    let expected = Packet {
        state: State::Up,
        your_discriminator: Some(THEIRS),
        desired_min_tx: ms(50),
        ..expected
    };
    assert_eq!(packet, expected);
}

/// RFC 5880 §6.8.16: from AdminDown a session begins in Down.
#[test]
fn a_session_that_is_enabled_begins_in_down() {
    let mut bench = Bench::admin_down();
    bench.tell(Input::Start(Begin::Anew));
    let expected = changed(State::AdminDown, State::Down, Why::Enabled);
    assert_eq!(bench.done(), [expected]);
    assert_eq!(bench.sent()[0].state, State::Down);
}

/// RFC 5880 §6.8.16: the far side is told for a detection time at least, here for as long as it lasts.
#[test]
fn a_session_that_is_disabled_goes_on_saying_so_slowly() {
    let mut bench = Bench::admin_down();
    for _ in 0..10 {
        let (waited, packet) = bench.next_packet(State::Down);
        assert_eq!(packet.state, State::AdminDown);
        assert!((ms(750)..=ms(1_000)).contains(&waited));
    }
}

/// RFC 5880 §6.8.6: a packet that comes in AdminDown is discarded.
#[test]
fn a_session_that_is_disabled_counts_packets_as_discarded_and_answers_none() {
    let mut bench = Bench::admin_down();
    let poll = Packet {
        poll: true,
        ..from_far(State::Down)
    };
    assert_eq!(bench.hear(&poll), []);
    let discarded = bench.session.counters().discarded;
    assert_eq!(discarded.of(Discard::AdminDown), 1);
}

/// RFC 5880 §6.1: the passive side waits to be spoken to; §6.8.7: and says nothing before.
#[test]
fn a_passive_session_says_nothing_before_it_is_spoken_to() {
    let mut bench = Bench::started(Config {
        role: Role::Passive,
        ..config()
    });
    assert_eq!(bench.outputs, []);
    assert_eq!(bench.session.deadline(), None);
    let first = Packet {
        your_discriminator: None,
        ..from_far(State::Down)
    };
    bench.hear(&first);
    assert_eq!(bench.session.state(), State::Init);
    assert_eq!(bench.sent()[0].your_discriminator, Some(THEIRS));
    bench.hear(&from_far(State::Up));
    assert_eq!(bench.session.state(), State::Up);
    bench.pass(ms(5_000));
    assert_eq!(bench.session.state(), State::Down);
    assert_eq!(bench.sent(), [], "silent again");
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn a_session_that_is_not_started_says_and_hears_nothing() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.session.deadline(), None);
    assert_eq!(bench.hear(&from_far(State::Down)), []);
    assert_eq!(bench.pass(ms(10_000)), []);
    let discarded = bench.session.counters().discarded;
    assert_eq!(discarded.of(Discard::NoSession), 1);
}

/// RFC 5880 §6.8.6: a discriminator that is not ours is that of no session here.
#[test]
fn a_packet_for_another_session_changes_nothing() {
    let mut bench = Bench::up();
    let before = bench.session.status();
    let foreign = Packet {
        your_discriminator: Some(THEIRS),
        ..from_far(State::Down)
    };
    assert_eq!(bench.hear(&foreign), []);
    let mut after = bench.session.status();
    assert_eq!(after.counters.discarded.of(Discard::NoSession), 1);
    after.counters = before.counters;
    assert_eq!(after, before);
}

/// RFC 5880 §6.8.6: what the far side calls the session, and where it stands, is as it said last.
#[test]
fn the_far_sides_words_are_kept() {
    let mut bench = Bench::up();
    let renamed = Packet {
        my_discriminator: OURS,
        diagnostic: Diagnostic::PathDown,
        ..from_far(State::Up)
    };
    bench.hear(&renamed);
    let remote = bench.session.status().remote.unwrap();
    assert_eq!(remote.discriminator, OURS);
    assert_eq!(remote.diagnostic, Diagnostic::PathDown);
    bench.wait();
    assert_eq!(bench.sent()[0].your_discriminator, Some(OURS));
}
