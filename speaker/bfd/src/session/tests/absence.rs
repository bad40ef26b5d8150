//! A planned restart: what is said before, and what is taken up after.

use super::*;

/// Holds on and goes on until it is silent, the far side answering or not.
fn hold(bench: &mut Bench, budget: Duration, answers: bool) -> (Vec<Packet>, Output) {
    let mut said = Vec::new();
    bench.tell(Input::HoldOn(budget));
    loop {
        if let [silent] = *bench.done() {
            return (said, silent);
        }
        let (_, packet) = bench.next_packet(State::Up);
        said.push(packet);
        if let [silent] = *bench.done() {
            return (said, silent);
        }
        if answers && packet.poll {
            bench.hear(&final_from_far());
        }
    }
}

#[test]
fn three_packets_with_a_longer_detection_time_and_then_silence() {
    let mut bench = Bench::up();
    let (said, silent) = hold(&mut bench, ms(10_000), true);
    let values: Vec<_> = said
        .iter()
        .map(|packet| (packet.state, packet.detect_mult.get(), packet.poll))
        .collect();
    let expected = [
        (State::Up, 200, true),
        (State::Up, 200, false),
        (State::Up, 200, false),
    ];
    assert_eq!(values, expected);
    let expected = Output::Silent {
        covered: ms(10_000),
        confirmed: true,
    };
    assert_eq!(silent, expected);
    let poll = Packet {
        poll: true,
        ..from_far(State::Up)
    };
    assert_eq!(bench.hear(&poll), []);
    assert_eq!(bench.pass(ms(40)), []);
}

/// RFC 5880 §6.8.3: a longer interval is part of it where 255 packets are too few, and until that is
/// confirmed packets leave as often as before.
#[test]
fn the_interval_is_slowed_by_a_poll_sequence_where_255_are_too_few() {
    let fast = Config {
        desired_min_tx: ms(10),
        ..config()
    };
    let mut bench = Bench::up_with(fast);
    bench.hear(&Packet {
        required_min_rx: ms(10),
        ..from_far(State::Up)
    });
    bench.tell(Input::HoldOn(ms(10_000)));
    bench.wait();
    let [packet] = *bench.sent() else { panic!() };
    assert_eq!(packet.desired_min_tx, Duration::from_micros(39_216));
    assert_eq!((packet.detect_mult.get(), packet.poll), (255, true));
    let quick = Packet {
        required_min_rx: ms(10),
        ..from_far(State::Up)
    };
    bench.hear(&quick);
    assert!(bench.wait() <= ms(10), "not confirmed");
    bench.hear(&Packet {
        is_final: true,
        ..quick
    });
    bench.hear(&quick);
    bench.wait();
    let [Output::Silent { covered, confirmed }] = *bench.done() else {
        panic!("{:?}", bench.outputs);
    };
    assert!(covered >= ms(10_000) && confirmed);
}

#[test]
fn a_far_side_that_confirms_nothing_is_left_after_a_dozen_packets() {
    let mut bench = Bench::up();
    let (said, silent) = hold(&mut bench, ms(10_000), false);
    assert_eq!(said.len(), 12);
    let expected = Output::Silent {
        covered: ms(10_000),
        confirmed: false,
    };
    assert_eq!(silent, expected);
}

#[test]
fn a_session_that_is_not_up_falls_silent_without_a_word() {
    for mut bench in [
        Bench::down(),
        Bench::init(),
        Bench::listening(),
        Bench::new(config()),
    ] {
        bench.tell(Input::HoldOn(ms(10_000)));
        let expected = Output::Silent {
            covered: Duration::ZERO,
            confirmed: false,
        };
        assert_eq!(bench.outputs, [expected]);
        assert_eq!(bench.pass(ms(100)), []);
    }
}

#[test]
fn a_session_that_is_lost_while_it_holds_on_says_so() {
    let mut bench = Bench::up();
    bench.tell(Input::HoldOn(ms(10_000)));
    bench.hear(&from_far(State::Down));
    let silent = Output::Silent {
        covered: Duration::ZERO,
        confirmed: false,
    };
    let why = Why::NeighborSignaledDown(Diagnostic::None);
    assert_eq!(bench.done(), [changed(State::Up, State::Down, why), silent]);
}

#[test]
fn a_restart_that_is_called_off_restores_what_was() {
    let mut bench = Bench::up();
    hold(&mut bench, ms(10_000), true);
    bench.tell(Input::Start(Begin::Anew));
    let (_, packet) = bench.next_packet(State::Up);
    assert_eq!((packet.state, packet.detect_mult), (State::Up, mult(3)));
    assert_eq!(bench.session.state(), State::Up);
}

#[test]
fn a_far_side_that_kept_the_session_is_gone_on_with() {
    let mut bench = Bench::listening();
    assert_eq!(bench.outputs, [], "a word now would end it");
    bench.now += ms(30);
    bench.hear(&from_far(State::Up));
    let expected = changed(State::Down, State::Up, Why::Adopted);
    assert_eq!(bench.done(), [expected]);
    let [packet] = *bench.sent() else { panic!() };
    assert_eq!((packet.state, packet.detect_mult), (State::Up, mult(3)));
    assert!(
        packet.poll,
        "the old values are restored by a poll sequence"
    );
    assert_eq!(packet.your_discriminator, Some(THEIRS));
    bench.hear(&final_from_far());
    assert_eq!(bench.session.status().detection_time, Some(ms(300)));
}

#[test]
fn a_far_side_that_polls_is_answered_and_gone_on_with() {
    let mut bench = Bench::listening();
    bench.hear(&Packet {
        poll: true,
        ..from_far(State::Up)
    });
    let asked: Vec<_> = bench
        .sent()
        .iter()
        .map(|packet| (packet.is_final, packet.poll, packet.state))
        .collect();
    assert_eq!(asked, [(true, false, State::Up), (false, true, State::Up)]);
}

/// RFC 5880 §6.8.3: what the process before required is not known, so that the far side is waited
/// for as if that were slow, until it has answered.
#[test]
fn a_session_that_is_adopted_is_patient_until_the_far_side_has_answered() {
    let mut bench = Bench::listening();
    bench.hear(&from_far(State::Up));
    assert_eq!(bench.session.status().detection_time, Some(ms(3_000)));
}

#[test]
fn nothing_is_adopted_from_a_far_side_that_is_not_up() {
    for (heard, state) in [
        (State::AdminDown, State::Down),
        (State::Down, State::Init),
        (State::Init, State::Up),
    ] {
        let mut bench = Bench::listening();
        bench.hear(&from_far(heard));
        assert_eq!(bench.done()[0], Output::NotAdopted);
        assert_eq!(bench.session.state(), state);
        assert_eq!(bench.sent().len(), 1);
    }
}

/// The trap: the far side holds a session under another name, which it would give up only after
/// the budget. It hears our Down at once, so that all is settled before BGP begins.
#[test]
fn a_far_side_that_holds_another_session_hears_at_once_that_this_one_is_new() {
    let mut bench = Bench::listening();
    bench.hear(&Packet {
        your_discriminator: Some(THEIRS),
        ..from_far(State::Up)
    });
    assert_eq!(bench.done(), [Output::NotAdopted]);
    let [packet] = *bench.sent() else { panic!() };
    assert_eq!(
        (packet.state, packet.your_discriminator),
        (State::Down, None)
    );
    assert_eq!(bench.session.state(), State::Down);
}

#[test]
fn where_nobody_speaks_the_session_begins_after_a_second_or_two_intervals() {
    for (rx, time) in [(100, 1_000), (800, 1_600)] {
        let mut bench = Bench::new(Config {
            required_min_rx: ms(rx),
            ..config()
        });
        bench.tell(Input::Start(Begin::Adopt));
        assert_eq!(bench.wait(), ms(time));
        assert_eq!(bench.done(), [Output::NotAdopted]);
        assert_eq!(bench.sent()[0].state, State::Down);
    }
}

#[test]
fn garbage_decides_nothing_about_adoption() {
    let mut bench = Bench::listening();
    assert_eq!(bench.handle(Input::Datagram(&[0xff; 24])), []);
    bench.hear(&from_far(State::Up));
    assert_eq!(bench.session.state(), State::Up);
}

#[test]
fn a_second_process_takes_up_what_the_first_has_left() {
    let mut first = Bench::up();
    hold(&mut first, ms(10_000), true);
    let mut second = Bench::listening();
    second.hear(&from_far(State::Up));
    let (_, packet) = second.next_packet(State::Up);
    assert_eq!(packet.detect_mult, mult(3));
    assert_eq!(second.session.status().remote_detection_time, Some(ms(150)));
}
