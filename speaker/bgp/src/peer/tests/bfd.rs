//! What BFD does to sessions, state by state.

use std::time::Duration;

use super::{ACCEPTED, Bench, DIALED, open};
use crate::fixtures::{config, s};
use crate::wire::{Error, Message};
use crate::{
    Config, ConnectError, ConnectionId, Fault, Input, Path, Protection, Shutdown, State, Why,
};

fn protected(protection: Protection) -> Config {
    Config {
        protection,
        ..config(1)
    }
}

/// Started, and not told anything of BFD.
fn started(protection: Protection) -> Bench {
    let mut bench = Bench::new(protected(protection));
    bench.tell(Input::Start);
    bench
}

fn in_state(protection: Protection, state: State) -> Bench {
    let mut bench = started(protection);
    bench.tell(Input::Path(Path::Up));
    if state >= State::OpenSent {
        bench.connected(DIALED);
    }
    if state >= State::OpenConfirm {
        bench.receive(DIALED, &Message::Open(open(2)));
    }
    if state >= State::Established {
        bench.receive(DIALED, &Message::Keepalive);
        bench.sent(0);
    }
    assert_eq!(bench.peer.state(), state);
    bench
}

const WITH_CONNECTION: [State; 3] = [State::OpenSent, State::OpenConfirm, State::Established];

/// RFC 5882 §4.1, RFC 9384 §3.
#[test]
fn a_path_that_fails_ends_what_stands_and_where_it_is_strict_everything() {
    for (protection, ends) in [
        (Protection::None, &[][..]),
        (Protection::Bfd, &[State::Established]),
        (Protection::StrictBfd, &WITH_CONNECTION),
    ] {
        for state in WITH_CONNECTION {
            let mut bench = in_state(protection, state);
            bench.tell(Input::PathFailed);
            let ended = ends.contains(&state);
            let said = ended.then(|| Error::BfdDown.codes());
            assert_eq!(bench.codes(DIALED), said, "{protection:?} in {state}");
            assert_eq!(bench.closed(DIALED), ended);
            let now = if ended { State::Active } else { state };
            assert_eq!(bench.peer.state(), now);
        }
    }
}

#[test]
fn a_path_that_failed_is_tried_again_within_a_second_and_may_be_tried_by_the_peer() {
    let mut bench = in_state(Protection::Bfd, State::Established);
    bench.tell(Input::PathFailed);
    bench.tell(Input::Path(Path::Down));
    bench.accepted(ACCEPTED);
    assert_eq!(bench.peer.state(), State::OpenSent);
    let mut bench = in_state(Protection::Bfd, State::Established);
    bench.tell(Input::PathFailed);
    bench.tell(Input::Path(Path::Down));
    assert!(bench.wait() <= s(1));
    assert!(bench.dialled().is_some());
}

/// RFC 5882 §3.2, §4.1: neither says that the path failed. FRR begins BFD anew some seconds after BGP.
#[test]
fn whatever_bfd_says_but_a_failure_leaves_a_session_alone() {
    for protection in [Protection::None, Protection::Bfd, Protection::StrictBfd] {
        let mut bench = in_state(protection, State::Established);
        for path in [
            Path::Down,
            Path::Up,
            Path::Off,
            Path::Listening,
            Path::Replacing,
            Path::Down,
            Path::Up,
        ] {
            bench.tell(Input::Path(path));
            assert_eq!(bench.outputs, [], "{path:?}");
        }
        bench.pass(s(20));
        assert_eq!(bench.peer.state(), State::Established);
    }
}

/// After how many seconds a new peer is dialled of which BFD says this, 20 at most.
fn dialled_after(protection: Protection, path: Option<Path>) -> Option<u64> {
    let mut bench = started(protection);
    if bench.dialled().is_some() {
        return Some(0);
    }
    if let Some(path) = path {
        bench.tell(Input::Path(path));
    }
    for seconds in 0..=20 {
        if bench.dialled().is_some() {
            return Some(seconds);
        }
        bench.pass(s(1));
    }
    None
}

#[test]
fn a_peer_is_dialled_once_no_session_of_before_can_take_it_along() {
    for (path, strict, loose) in [
        (None, None, Some(5)),
        (Some(Path::Listening), None, Some(5)),
        (Some(Path::Replacing), None, Some(2)),
        (Some(Path::Down), None, Some(0)),
        (Some(Path::Off), Some(0), Some(0)),
        (Some(Path::Up), Some(0), Some(0)),
    ] {
        assert_eq!(dialled_after(Protection::None, path), Some(0), "{path:?}");
        assert_eq!(dialled_after(Protection::Bfd, path), loose, "{path:?}");
        assert_eq!(
            dialled_after(Protection::StrictBfd, path),
            strict,
            "{path:?}"
        );
    }
}

#[test]
fn a_session_that_replaces_another_is_up_before_open() {
    let mut bench = started(Protection::Bfd);
    bench.tell(Input::Path(Path::Listening));
    bench.tell(Input::Path(Path::Replacing));
    bench.pass(s(1));
    assert_eq!(bench.dialled(), None);
    bench.tell(Input::Path(Path::Up));
    bench.pass(s(1));
    assert!(bench.dialled().is_some());
    assert_eq!(bench.whys(), [&Why::PathUp]);
}

/// FRR dials as BFD comes up, is refused, and ends whatever session has come to stand by then.
#[test]
fn a_peer_whose_bfd_comes_up_with_ours_dials_first() {
    let short = Duration::from_millis(100);
    for (protection, before) in [
        (Protection::Bfd, Path::Replacing),
        (Protection::StrictBfd, Path::Down),
    ] {
        let waiting = || {
            let mut bench = started(protection);
            bench.tell(Input::Path(before));
            bench.tell(Input::Path(Path::Up));
            bench.pass(short);
            assert_eq!(bench.dialled(), None, "{protection:?}");
            bench
        };
        let mut bench = waiting();
        assert!(bench.wait() <= short * 2);
        assert!(bench.dialled().is_some());
        let mut bench = waiting();
        bench.accepted(ACCEPTED);
        assert_eq!(bench.said(ACCEPTED).len(), 1);
        bench.pass(s(1));
        assert_eq!(bench.dialled(), None);
    }
    // One that is adopted was up there all the time.
    let mut bench = started(Protection::Bfd);
    bench.tell(Input::Path(Path::Up));
    assert!(bench.dialled().is_some());
}

#[test]
fn a_strict_session_that_waits_for_long_says_so_and_goes_on_waiting() {
    let mut bench = started(Protection::StrictBfd);
    bench.tell(Input::Path(Path::Down));
    assert!(bench.peer.status().waits_for_bfd);
    let mut failed = 0;
    for _ in 0..120 {
        bench.pass(s(1));
        assert_eq!(bench.dialled(), None);
        let fault = Fault::NotConnected(ConnectError::BfdDown);
        failed += bench
            .whys()
            .iter()
            .filter(|w| ***w == Why::Failed(fault.clone()))
            .count();
    }
    assert!((3..=8).contains(&failed), "{failed}");
    let error = bench.peer.status().last_error.unwrap().to_string();
    assert!(error.contains("bfdStrict"), "{error}");
    bench.tell(Input::Path(Path::Up));
    bench.pass(s(1));
    assert!(bench.dialled().is_some());
    assert!(!bench.peer.status().waits_for_bfd);
}

#[test]
fn a_peer_that_connects_meanwhile_is_answered_once_bfd_is_up() {
    for protection in [Protection::Bfd, Protection::StrictBfd] {
        let mut bench = started(protection);
        bench.accepted(ACCEPTED);
        bench.receive(ACCEPTED, &Message::Open(open(2)));
        assert_eq!(bench.outputs, []);
        bench.tell(Input::Path(Path::Up));
        assert_eq!(bench.said(ACCEPTED).len(), 2);
        assert_eq!(bench.peer.state(), State::OpenConfirm);
        assert_eq!(bench.dialled(), None);
    }
}

#[test]
fn a_peer_that_says_more_than_open_before_us_is_not_kept() {
    let mut bench = started(Protection::StrictBfd);
    bench.accepted(ACCEPTED);
    for _ in 0..5 {
        bench.tell(Input::Received {
            connection: ACCEPTED,
            bytes: &[0xff; 1000],
        });
    }
    assert!(bench.closed(ACCEPTED));
    bench.tell(Input::Path(Path::Up));
    assert!(bench.dialled().is_some());
}

#[test]
fn an_attempt_that_succeeds_while_bfd_is_down_waits_with_its_open() {
    let mut bench = in_state(Protection::StrictBfd, State::Connect);
    bench.tell(Input::Path(Path::Down));
    bench.connected(DIALED);
    assert_eq!(bench.said(DIALED), []);
    bench.tell(Input::Path(Path::Up));
    bench.pass(s(1));
    assert_eq!(bench.said(DIALED).len(), 1);
}

#[test]
fn what_is_no_longer_strict_no_longer_waits() {
    let mut bench = started(Protection::StrictBfd);
    bench.tell(Input::Path(Path::Down));
    bench.tell(Input::Reconfigure(protected(Protection::Bfd)));
    assert!(bench.dialled().is_some());
}

#[test]
fn a_peer_that_is_stopped_is_not_dialled_when_bfd_comes_up() {
    let mut bench = started(Protection::StrictBfd);
    bench.tell(Input::Stop(Shutdown::Deconfigured));
    bench.tell(Input::Path(Path::Up));
    assert_eq!(bench.outputs, []);
    bench.tell(Input::Start);
    assert_eq!(bench.dialled(), Some(ConnectionId::Dialed(0)));
}
