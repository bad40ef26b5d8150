//! When packets leave, and when a far side is given up.

use super::*;

/// RFC 5880 §6.8.3: not more often than once a second while not Up. §6.8.7: jittered.
#[test]
fn a_session_that_is_not_up_speaks_once_a_second() {
    for state in [State::AdminDown, State::Down, State::Init] {
        let mut bench = Bench::in_state(state);
        let company = match state {
            State::Down => State::AdminDown,
            State::AdminDown | State::Init | State::Up => State::Down,
        };
        bench.next_packet(company);
        for _ in 0..20 {
            let (waited, packet) = bench.next_packet(company);
            assert!(
                (ms(750)..=ms(1_000)).contains(&waited),
                "{state} {waited:?}"
            );
            assert_eq!(packet.desired_min_tx, ms(1_000));
        }
    }
}

/// RFC 5880 §6.8.2, §6.8.7: the interval is the larger of ours and what the far side requires.
#[test]
fn the_slower_side_sets_the_rate() {
    for (required, interval) in [(20, 50), (50, 50), (200, 200)] {
        let mut bench = Bench::up();
        let packet = Packet {
            required_min_rx: ms(required),
            ..from_far(State::Up)
        };
        bench.hear(&packet);
        assert_eq!(bench.session.status().transmit_interval, Some(ms(interval)));
        bench.wait();
        bench.hear(&packet);
        let waited = bench.wait();
        let range = ms(interval) * 3 / 4..=ms(interval);
        assert!(range.contains(&waited), "{waited:?}");
    }
}

/// RFC 5880 §6.8.7: with a multiplier of one a packet comes before 90 % of the interval has passed.
#[test]
fn a_multiplier_of_one_leaves_room_for_delay() {
    let mut bench = Bench::up_with(Config {
        detect_mult: mult(1),
        ..config()
    });
    bench.next_packet(State::Up);
    for _ in 0..200 {
        let (waited, _) = bench.next_packet(State::Up);
        assert!((Duration::from_micros(37_500)..=ms(45)).contains(&waited));
    }
}

/// RFC 5880 §6.8.7: not before three quarters of the interval have passed.
#[test]
fn a_steady_session_speaks_early_where_the_process_is_awake_anyway() {
    let mut bench = Bench::up();
    for _ in 0..100 {
        bench.next_packet(State::Up);
        bench.now += Duration::from_nanos(37_499_999);
        assert_eq!(bench.handle(Input::Awake), []);
        bench.now += Duration::from_nanos(1);
        bench.tell(Input::Awake);
        assert_eq!(bench.sent().len(), 1);
        assert_eq!(bench.handle(Input::Awake), [], "and once");
    }
}

#[test]
fn a_session_that_is_not_steady_keeps_to_its_time() {
    for state in [State::AdminDown, State::Down, State::Init] {
        let mut bench = Bench::in_state(state);
        assert!(!bench.session.is_steady());
        bench.now += ms(750);
        assert_eq!(bench.handle(Input::Awake), [], "{state}");
    }
    let mut bench = Bench::up();
    assert!(bench.session.is_steady());
    bench.tell(Input::Reconfigure(Config {
        desired_min_tx: ms(70),
        ..config()
    }));
    assert!(!bench.session.is_steady(), "a Final is awaited");
}

/// RFC 5880 §6.8.4: the far side's multiplier times the slower of its rate and what we require.
#[test]
fn a_far_side_that_is_silent_for_the_detection_time_is_given_up() {
    for (their_tx, their_mult, time) in [(50, 3, 300), (400, 3, 1_200), (10, 1, 100)] {
        let mut bench = Bench::up();
        bench.hear(&Packet {
            desired_min_tx: ms(their_tx),
            detect_mult: mult(their_mult),
            ..from_far(State::Up)
        });
        assert_eq!(bench.session.status().detection_time, Some(ms(time)));
        bench.pass(ms(time) - Duration::from_nanos(1));
        assert_eq!(bench.session.state(), State::Up);
        bench.pass(Duration::from_nanos(1));
        let expected = changed(State::Up, State::Down, Why::DetectionTimeExpired);
        assert_eq!(bench.done(), [expected]);
    }
}

/// RFC 5880 §6.8.4: in Init as well.
#[test]
fn a_far_side_that_falls_silent_in_init_is_given_up() {
    let mut bench = Bench::init();
    bench.pass(ms(300));
    let expected = changed(State::Init, State::Down, Why::DetectionTimeExpired);
    assert_eq!(bench.done(), [expected]);
    assert_eq!(bench.session.counters().failures, 0, "it was not up");
}

/// RFC 5880 §6.8.1: after a detection time of silence its discriminator is forgotten, in any state.
#[test]
fn a_far_side_that_is_gone_is_forgotten() {
    for state in [State::AdminDown, State::Down, State::Init, State::Up] {
        let mut bench = Bench::in_state(state);
        bench.hear(&from_far(State::AdminDown));
        assert!(bench.session.status().remote.is_some());
        bench.pass(ms(300));
        assert_eq!(bench.session.status().remote, None, "{state}");
        bench.pass(ms(1_000));
        assert_eq!(bench.sent()[0].your_discriminator, None);
    }
}

/// RFC 5880 §6.8.7: a far side that requires zero gets no periodic packets.
#[test]
fn a_far_side_that_wants_nothing_gets_nothing_but_answers_and_new_states() {
    let mut bench = Bench::up();
    let quiet = Packet {
        required_min_rx: Duration::ZERO,
        desired_min_tx: ms(2_000),
        ..from_far(State::Up)
    };
    bench.hear(&quiet);
    assert_eq!(bench.session.status().transmit_interval, None);
    assert_eq!(bench.session.status().remote_detection_time, None);
    assert_eq!(bench.pass(ms(3_000)), []);
    bench.hear(&Packet {
        poll: true,
        ..quiet
    });
    assert!(bench.sent()[0].is_final);
    bench.tell(Input::Disable(Disable::Administrative));
    assert_eq!(bench.sent().len(), 1);
    bench.hear(&from_far(State::Down));
    assert_eq!(bench.pass(ms(1_000)).len(), 1, "it wants them again");
}

/// RFC 5880 §6.8.7: while a far side that is Up demands it, periodic packets leave only to poll.
#[test]
fn a_far_side_in_demand_mode_gets_nothing_but_polls() {
    let mut bench = Bench::up();
    let demanding = Packet {
        demand: true,
        desired_min_tx: ms(2_000),
        ..from_far(State::Up)
    };
    bench.hear(&demanding);
    assert_eq!(bench.session.status().transmit_interval, None);
    bench.pass(ms(500));
    assert_eq!(bench.outputs, []);
    bench.tell(Input::Reconfigure(Config {
        desired_min_tx: ms(70),
        ..config()
    }));
    assert!(bench.sent()[0].poll);
}

/// RFC 5880 §6.8.7: a poll is answered at once, whatever the timers and the state.
#[test]
fn a_poll_is_answered_at_once_in_each_state() {
    for state in [State::Down, State::Init, State::Up] {
        let mut bench = Bench::in_state(state);
        let company = match state {
            State::Down => State::AdminDown,
            State::Init => State::Down,
            State::AdminDown | State::Up => State::Up,
        };
        let before = bench.session.next_transmission();
        bench.hear(&Packet {
            poll: true,
            ..from_far(company)
        });
        let [answer] = *bench.sent() else { panic!() };
        assert!(answer.is_final && !answer.poll);
        assert_eq!(bench.session.next_transmission(), before, "independent");
    }
}

/// RFC 5880 §6.5: never Poll and Final in one packet.
#[test]
fn while_both_sides_poll_answers_and_questions_are_packets_of_their_own() {
    let mut bench = Bench::down();
    bench.hear(&Packet {
        poll: true,
        ..from_far(State::Init)
    });
    let [answer] = *bench.sent() else { panic!() };
    assert!(answer.is_final && !answer.poll);
    assert!(bench.session.status().polling);
    bench.wait();
    let [question] = *bench.sent() else { panic!() };
    assert!(question.poll && !question.is_final);
}

#[test]
fn a_process_that_was_held_up_sends_one_packet_and_no_burst() {
    let mut bench = Bench::up();
    bench.hear(&Packet {
        desired_min_tx: ms(20_000),
        ..from_far(State::Up)
    });
    bench.pass(ms(10_000));
    assert_eq!(bench.sent().len(), 1);
    assert!(bench.wait() >= Duration::from_micros(37_500));
}

#[test]
fn a_packet_that_is_handed_in_late_counts_before_the_detection_time() {
    let mut bench = Bench::up();
    bench.now += ms(10_000);
    bench.tell(Input::Datagram(&[0; 3]));
    bench.tell(Input::Reconfigure(config()));
    bench.hear(&from_far(State::Up));
    bench.tell(Input::Timeout);
    assert_eq!(bench.session.state(), State::Up);
    assert_eq!(bench.session.counters().failures, 0);
}

#[test]
fn a_packet_for_nobody_keeps_no_session_alive() {
    let mut bench = Bench::up();
    for _ in 0..30 {
        bench.now += ms(10);
        bench.tell(Input::Datagram(&[0x20; 24]));
    }
    bench.tell(Input::Timeout);
    assert_eq!(bench.session.state(), State::Down);
}

#[test]
fn intervals_that_cannot_be_are_read_as_their_nearest() {
    let bench = Bench::up_with(Config {
        desired_min_tx: Duration::ZERO,
        required_min_rx: Duration::MAX,
        ..config()
    });
    let status = bench.session.status();
    assert_eq!(status.transmit_interval, Some(ms(20)), "the far side's");
    assert_eq!(status.detection_time, Some(ms(180_000)));
}

/// Nothing is allocated for a packet: the room that was there at the start is enough for ever.
#[test]
fn the_room_for_outputs_is_never_outgrown() {
    let mut bench = Bench::new(config());
    let room = bench.session.outbox.capacity();
    bench.tell(Input::Start(Begin::Adopt));
    for state in [State::Up, State::Down, State::Down, State::Init].repeat(1_000) {
        bench.now += ms(60);
        bench.hear(&Packet {
            poll: true,
            ..from_far(state)
        });
        bench.tell(Input::HoldOn(ms(100)));
        bench.tell(Input::Start(Begin::Anew));
        bench.tell(Input::Timeout);
    }
    assert_eq!(bench.session.outbox.capacity(), room);
}
