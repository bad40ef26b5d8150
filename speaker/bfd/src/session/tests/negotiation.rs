//! Changes of a live session.

use super::*;

fn faster_rx() -> Config {
    Config {
        required_min_rx: ms(40),
        ..config()
    }
}

fn slower_tx() -> Config {
    Config {
        desired_min_tx: ms(500),
        ..config()
    }
}

/// RFC 5880 §6.8.3: what is slow until Up becomes fast then, by a poll sequence.
#[test]
fn a_session_that_comes_up_asks_for_its_own_rate() {
    let mut bench = Bench::down();
    bench.hear(&from_far(State::Init));
    let [packet] = *bench.sent() else { panic!() };
    assert_eq!((packet.state, packet.poll), (State::Up, true));
    assert_eq!(packet.desired_min_tx, ms(50));
    let status = bench.session.status();
    assert_eq!(status.transmit_interval, Some(ms(50)), "at once");
}

/// RFC 5880 §6.5: periodic packets carry the question until it is answered, and none is added.
#[test]
fn packets_ask_until_there_is_an_answer() {
    let mut bench = Bench::up();
    bench.next_packet(State::Up);
    bench.tell(Input::Reconfigure(faster_rx()));
    assert_eq!(bench.sent(), [], "no packet more");
    for _ in 0..5 {
        let (waited, packet) = bench.next_packet(State::Up);
        assert!((Duration::from_micros(37_500)..=ms(50)).contains(&waited));
        assert!(packet.poll && !packet.is_final);
        assert_eq!(packet.required_min_rx, ms(40));
    }
    bench.hear(&final_from_far());
    assert!(!bench.next_packet(State::Up).1.poll);
}

/// RFC 5880 §6.8.3: we send as often as before until the far side knows that we shall send less.
#[test]
fn a_slower_rate_of_ours_waits_for_the_answer() {
    let mut bench = Bench::up();
    bench.next_packet(State::Up);
    bench.tell(Input::Reconfigure(slower_tx()));
    let (waited, packet) = bench.next_packet(State::Up);
    assert!(waited <= ms(50));
    assert_eq!((packet.poll, packet.desired_min_tx), (true, ms(500)));
    assert_eq!(bench.session.status().transmit_interval, Some(ms(50)));
    bench.hear(&final_from_far());
    assert_eq!(bench.session.status().transmit_interval, Some(ms(500)));
}

/// RFC 5880 §6.8.3: we wait as long as before until the far side knows that it has to send more.
#[test]
fn a_shorter_detection_time_waits_for_the_answer() {
    let mut bench = Bench::up();
    let time = |bench: &Bench| bench.session.status().detection_time.unwrap();
    assert_eq!(time(&bench), ms(300));
    bench.tell(Input::Reconfigure(faster_rx()));
    bench.next_packet(State::Up);
    assert_eq!(time(&bench), ms(300));
    bench.hear(&final_from_far());
    assert_eq!(time(&bench), ms(150));
}

/// RFC 5880 §6.8.3: every other change is in force at once; §6.8.10, §6.8.11: at any time.
#[test]
fn a_faster_rate_and_a_longer_detection_time_are_in_force_at_once() {
    let mut bench = Bench::up();
    bench.tell(Input::Reconfigure(Config {
        desired_min_tx: ms(30),
        required_min_rx: ms(200),
        ..config()
    }));
    let status = bench.session.status();
    assert_eq!(status.transmit_interval, Some(ms(30)));
    assert_eq!(status.detection_time, Some(ms(600)));
    assert!(status.polling);
}

/// RFC 5880 §6.8.3: a far side that requires less is sent to more often from the last packet on, at
/// once if that is over.
#[test]
fn an_interval_that_the_far_side_shortens_counts_from_the_last_packet() {
    let mut bench = Bench::up();
    let slow = Packet {
        required_min_rx: ms(10_000),
        desired_min_tx: ms(10_000),
        ..from_far(State::Up)
    };
    bench.hear(&slow);
    bench.pass(ms(5_000));
    bench.hear(&slow);
    let at = bench.now;
    bench.hear(&from_far(State::Up));
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.now, at);
}

/// RFC 5880 §6.8.3: a second change waits for the first one's answer, and for a packet without.
#[test]
fn a_change_during_a_sequence_waits_for_its_end() {
    let mut bench = Bench::up();
    bench.tell(Input::Reconfigure(slower_tx()));
    assert_eq!(bench.next_packet(State::Up).1.desired_min_tx, ms(500));
    bench.tell(Input::Reconfigure(Config {
        desired_min_tx: ms(800),
        ..config()
    }));
    assert_eq!(bench.next_packet(State::Up).1.desired_min_tx, ms(500));
    bench.hear(&final_from_far());
    assert!(!bench.session.status().polling);
    bench.hear(&final_from_far());
    assert!(!bench.session.status().polling, "the answer once more");
    bench.hear(&from_far(State::Up));
    assert!(bench.session.status().polling);
    let (_, packet) = bench.next_packet(State::Up);
    assert_eq!((packet.poll, packet.desired_min_tx), (true, ms(800)));
    assert_eq!(bench.session.status().transmit_interval, Some(ms(500)));
}

#[test]
fn an_answer_that_nobody_asked_for_ends_nothing() {
    let mut bench = Bench::up();
    bench.tell(Input::Reconfigure(slower_tx()));
    bench.hear(&final_from_far());
    assert!(bench.session.status().polling, "the question was not sent");
}

/// RFC 5880 §6.8.12: a multiplier is in the next packet, and asks nothing.
#[test]
fn a_new_multiplier_is_told_with_the_next_packet() {
    let mut bench = Bench::up();
    bench.tell(Input::Reconfigure(Config {
        detect_mult: mult(7),
        ..config()
    }));
    assert_eq!(bench.sent(), []);
    let (_, packet) = bench.next_packet(State::Up);
    assert_eq!((packet.detect_mult, packet.poll), (mult(7), false));
}

#[test]
fn the_same_configuration_changes_nothing() {
    let mut bench = Bench::up();
    let before = bench.session.status();
    bench.tell(Input::Reconfigure(config()));
    assert_eq!(bench.session.status(), before);
    assert_eq!(bench.outputs, []);
}

/// RFC 5880 §6.8.3: not Up is slow at once, whatever was being asked.
#[test]
fn a_session_that_goes_down_during_a_sequence_is_slow_at_once() {
    let mut bench = Bench::up();
    bench.tell(Input::Reconfigure(Config {
        desired_min_tx: ms(1_000),
        ..config()
    }));
    bench.next_packet(State::Up);
    bench.hear(&from_far(State::Down));
    let status = bench.session.status();
    assert_eq!(status.transmit_interval, Some(ms(1_000)));
    assert!(!status.polling);
}

/// RFC 5880 §6.8.2: what the far side announces counts from the packet on that says so.
#[test]
fn a_far_side_that_slows_down_is_waited_for_longer() {
    let mut bench = Bench::up();
    let slower = Packet {
        poll: true,
        desired_min_tx: ms(1_000),
        ..from_far(State::Up)
    };
    bench.hear(&slower);
    assert_eq!(bench.session.status().detection_time, Some(ms(3_000)));
}
