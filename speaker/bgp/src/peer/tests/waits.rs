//! How long a peer is left alone after what, and which timer ends what.

use std::time::Duration;

use super::{ACCEPTED, Bench, DIALED, open, opening};
use crate::far_side::Heard;
use crate::fixtures::{config, s};
use crate::wire::{Error, Message, Notification};
use crate::{CloseReason, Config, ConnectionId, Input, Mode, Output, Shutdown, State};

/// Fails every attempt; the waits between them.
fn waits(bench: &mut Bench, count: usize) -> Vec<Duration> {
    let wait = |_| {
        let attempt = bench.dialled().unwrap();
        bench.failed(attempt);
        bench.wait()
    };
    (0..count).map(wait).collect()
}

fn assert_about(waits: &[Duration], seconds: &[u64]) {
    let nominal = seconds.iter().map(|seconds| s(*seconds));
    for (wait, nominal) in waits.iter().zip(nominal) {
        assert!(*wait <= nominal && *wait >= nominal * 3 / 4, "{waits:?}");
    }
}

/// RFC 4271 §10: less a jitter.
#[test]
fn attempts_that_fail_are_repeated_ever_more_rarely() {
    let mut bench = Bench::started();
    assert_about(&waits(&mut bench, 9), &[1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

/// Establishes and loses the session after a time; how long until the next attempt.
fn session_of(bench: &mut Bench, time: Duration) -> Duration {
    let id = bench.dialled().unwrap();
    bench.connected(id);
    bench.receive(id, &Message::Open(open(2)));
    bench.receive(id, &Message::Keepalive);
    assert_eq!(bench.peer.state(), State::Established);
    bench.now += time;
    bench.handle(Input::Closed {
        connection: id,
        reason: CloseReason::Reset,
    });
    assert_eq!(bench.peer.state(), State::Idle);
    bench.wait()
}

#[test]
fn a_peer_that_resets_every_second_is_not_dialled_every_second() {
    let mut bench = Bench::started();
    let waits: Vec<Duration> = (0..8).map(|_| session_of(&mut bench, s(1))).collect();
    assert_about(&waits, &[1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn after_a_session_that_stood_for_a_while_the_waits_begin_anew() {
    let mut bench = Bench::started();
    let waits: Vec<Duration> = [1, 1, 1, 60, 1]
        .map(|time| session_of(&mut bench, s(time)))
        .to_vec();
    assert_about(&waits, &[1, 2, 4, 1, 2]);
}

#[test]
fn a_peer_that_refuses_while_it_is_idle_may_come_by_itself() {
    let mut bench = Bench::open_sent();
    bench.handle(Input::Closed {
        connection: DIALED,
        reason: CloseReason::Finished,
    });
    assert_eq!(bench.peer.state(), State::Active);
    bench.accepted(ACCEPTED);
    assert!(!bench.closed(ACCEPTED));
}

/// RFC 4271 §8.2.2: a large hold time until the peer has said its own.
#[test]
fn an_open_may_take_four_minutes() {
    let mut bench = Bench::open_sent();
    assert_eq!(bench.wait(), s(240));
    assert_eq!(bench.codes(DIALED), Some(Error::HoldTimerExpired.codes()));
    assert_eq!(bench.peer.state(), State::Idle);
}

#[test]
fn an_attempt_takes_twenty_seconds_at_most() {
    let mut bench = Bench::started();
    assert_eq!(bench.wait(), s(20));
    assert_eq!(bench.peer.state(), State::Active);
}

/// RFC 4271 §4.4, §10: three times in a hold time, less a jitter.
#[test]
fn keepalives_keep_their_time_and_nothing_more_is_said() {
    let mut bench = Bench::established();
    for _ in 0..10 {
        // The peer does its part.
        bench.receive(DIALED, &Message::Keepalive);
        let waited = bench.wait();
        assert!(waited <= s(30) && waited >= s(30) * 3 / 4, "{waited:?}");
        assert_eq!(bench.said(DIALED), [Heard::Keepalive]);
        bench.sent(0);
    }
}

/// RFC 4271 §6.5.
#[test]
fn a_peer_that_falls_silent_is_given_up_after_the_hold_time() {
    let mut bench = Bench::established();
    bench.sent(0);
    let begin = bench.now;
    while bench.peer.state() == State::Established {
        bench.wait();
        bench.sent(0);
    }
    assert_eq!(bench.now - begin, s(90));
    let error = bench.peer.status().last_error.unwrap().to_string();
    assert!(error.contains("nothing came from the peer"), "{error}");
}

/// RFC 4271 §4.2: the smaller of both; zero is none.
#[test]
fn the_hold_time_is_the_smaller_of_both_sides() {
    for (ours, theirs, settled, keepalive) in [(90, 30, 30, 10), (9, 90, 9, 3), (0, 90, 0, 1)] {
        let mut config = config(1);
        config.hold_time = s(ours);
        let mut bench = Bench::new(config);
        bench.handle(Input::Start);
        bench.connected(DIALED);
        bench.receive(DIALED, &opening(|open| open.hold_time = theirs));
        let negotiated = bench.peer.status().negotiated.unwrap();
        assert_eq!(negotiated.hold_time, s(settled));
        assert_eq!(negotiated.keepalive_time, s(keepalive));
    }
}

#[test]
fn without_a_hold_time_a_session_stands_in_silence() {
    let mut config = config(1);
    config.hold_time = s(0);
    let mut bench = Bench::new(config);
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, &Message::Open(open(2)));
    // But not in the middle of being made.
    assert_eq!(bench.peer.deadline(), Some(bench.now + s(240)));
    bench.receive(DIALED, &Message::Keepalive);
    assert_eq!(bench.peer.deadline(), None);
}

/// RFC 9687 §3.
#[test]
fn a_peer_that_takes_nothing_is_given_up_after_eight_minutes() {
    let mut bench = Bench::established();
    bench.sent(100);
    let begin = bench.now;
    while bench.peer.state() == State::Established {
        bench.receive(DIALED, &Message::Keepalive);
        bench.wait();
        assert_ne!(
            bench.said(DIALED),
            [Heard::Keepalive],
            "nothing is heaped up"
        );
    }
    assert_eq!(bench.now - begin, s(480));
    assert_eq!(
        bench.codes(DIALED),
        Some(Error::SendHoldTimerExpired.codes())
    );
}

/// RFC 9687 §3: any progress will do.
#[test]
fn a_peer_that_takes_a_little_is_kept() {
    let mut bench = Bench::established();
    bench.sent(100);
    for queued in (1..100).rev() {
        bench.now += s(60);
        bench.receive(DIALED, &Message::Keepalive);
        bench.sent(queued);
    }
    assert_eq!(bench.peer.state(), State::Established);
    bench.sent(0);
    bench.pass(s(1));
    assert_eq!(bench.peer.state(), State::Established);
}

/// RFC 9003 §2, RFC 4486 §4.
#[test]
fn a_shutdown_carries_its_words_and_ends_all_waits() {
    let mut bench = Bench::established();
    let shutdown = Shutdown::Administrative("node drained".to_owned());
    bench.handle(Input::Stop(shutdown));
    let notification = bench.notified(DIALED).unwrap();
    assert_eq!(notification.shutdown_text(), Ok(Some("node drained")));
    assert!(bench.closed(DIALED));
    assert_eq!(bench.peer.deadline(), None);
    for (shutdown, error) in [
        (Shutdown::Reset(String::new()), Error::AdministrativeReset),
        (Shutdown::Deconfigured, Error::PeerDeconfigured),
    ] {
        let mut bench = Bench::open_sent();
        bench.handle(Input::Stop(shutdown));
        assert_eq!(bench.codes(DIALED), Some(error.codes()));
    }
}

#[test]
fn an_attempt_is_given_up_with_a_stop_and_begins_again_with_a_start() {
    let mut bench = Bench::started();
    bench.handle(Input::Stop(Shutdown::Deconfigured));
    assert!(bench.closed(DIALED));
    bench.handle(Input::Start);
    assert_eq!(bench.dialled(), Some(ConnectionId::Dialed(1)));
}

#[test]
fn modes_say_who_connects() {
    for (mode, dials, accepts) in [
        (Mode::Dial, true, false),
        (Mode::Passive, false, true),
        (Mode::Both, true, true),
    ] {
        let mut bench = Bench::new(Config { mode, ..config(1) });
        bench.handle(Input::Start);
        assert_eq!(bench.dialled().is_some(), dials, "{mode:?}");
        bench.accepted(ACCEPTED);
        assert_eq!(!bench.closed(ACCEPTED), accepts, "{mode:?}");
    }
}

#[test]
fn a_passive_peer_waits_without_a_timer_and_refuses_for_a_while_after_a_failure() {
    let mode = Mode::Passive;
    let mut bench = Bench::new(Config { mode, ..config(1) });
    bench.handle(Input::Start);
    assert_eq!(bench.peer.deadline(), None);
    bench.accepted(ACCEPTED);
    let bad = Message::Notification(Notification::new(Error::OutOfResources));
    bench.receive(ACCEPTED, &bad);
    assert_eq!(bench.peer.state(), State::Idle);
    bench.wait();
    assert_eq!(bench.peer.state(), State::Active);
    assert!(
        bench
            .outputs
            .iter()
            .all(|o| !matches!(o, Output::Connect(_)))
    );
}
