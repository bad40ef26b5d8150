//! Graceful restart: what OPEN says, how we go, and how a peer that restarts comes back.

use super::{ACCEPTED, Bench, DIALED, open, opening};
use crate::far_side::Heard;
use crate::fixtures::{V4, V6, config, routes, s, v4, v6};
use crate::wire::{self, Capability, Error, Forwarding, Message, Open};
use crate::{Config, ConnectionId, Families, GracefulRestart, Input, Output, Shutdown, State, Why};

const SETTINGS: GracefulRestart = GracefulRestart {
    restart_time: s(30),
    notification: false,
    forwarding: Forwarding::Preserved,
};

fn graceful(settings: GracefulRestart) -> Config {
    Config {
        graceful_restart: Some(settings),
        ..config(1)
    }
}

/// What a router says that helps us restart, and keeps nothing of its own.
fn helping(notification: bool) -> Message {
    opening(|open| {
        let helper = wire::GracefulRestart {
            restarting: false,
            notification,
            restart_time: 120,
            families: Vec::new(),
        };
        open.capabilities.push(Capability::GracefulRestart(helper));
    })
}

/// A session on the connection that we made, with that OPEN of the peer's.
fn established(config: Config, theirs: &Message) -> Bench {
    let mut bench = Bench::new(config);
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, theirs);
    bench.receive(DIALED, &Message::Keepalive);
    assert_eq!(bench.peer.state(), State::Established);
    bench.sent(0);
    bench
}

/// The capability in our OPEN, the last input having made us say it.
fn said(bench: &Bench, on: ConnectionId) -> Option<wire::GracefulRestart> {
    let opens = bench.said(on);
    let ours = opens.iter().find_map(|heard| match heard {
        Heard::Open(open) => Some(open),
        Heard::Keepalive | Heard::EndOfRib(_) | Heard::RouteRefresh(_) | Heard::Notification(_) => {
            None
        }
    });
    capability(ours.expect("an OPEN"))
}

fn capability(open: &Open) -> Option<wire::GracefulRestart> {
    open.capabilities.iter().find_map(|one| {
        if let Capability::GracefulRestart(restart) = one {
            Some(restart.clone())
        } else {
            None
        }
    })
}

/// RFC 4724 §3, RFC 8538 §2.
#[test]
fn open_says_how_long_we_may_be_away_and_what_went_on_meanwhile() {
    let cases = [
        (SETTINGS, Families::BOTH, 30),
        (
            GracefulRestart {
                restart_time: s(5_000),
                notification: true,
                ..SETTINGS
            },
            Families::from_iter([V6]),
            4_095,
        ),
        (
            GracefulRestart {
                forwarding: Forwarding::Lost,
                ..SETTINGS
            },
            Families::BOTH,
            30,
        ),
    ];
    for (settings, families, restart_time) in cases {
        let mut bench = Bench::new(Config {
            families,
            ..graceful(settings)
        });
        bench.handle(Input::Start);
        bench.connected(DIALED);
        let expected = wire::GracefulRestart {
            restarting: true,
            notification: settings.notification,
            restart_time,
            families: families
                .iter()
                .map(|family| (family.into(), settings.forwarding))
                .collect(),
        };
        assert_eq!(said(&bench, DIALED), Some(expected));
    }
}

#[test]
fn without_settings_nothing_is_asked_of_the_peer() {
    let mut bench = Bench::started();
    bench.connected(DIALED);
    assert_eq!(said(&bench, DIALED), None);
}

/// RFC 4724 §4.1: R is there to be read by a peer that restarts as well; it must not wait for one
/// that waits for it.
#[test]
fn we_are_restarting_until_the_peer_was_told_all_once() {
    let mut bench = established(graceful(SETTINGS), &helping(false));
    let again = |bench: &mut Bench, on: ConnectionId| {
        bench.wait();
        let dialled = bench.dialled();
        assert_eq!(dialled, Some(on));
        bench.connected(on);
        said(bench, on).unwrap().restarting
    };
    bench.handle(super::closed(DIALED));
    let second = ConnectionId::Dialed(1);
    assert!(again(&mut bench, second), "it was told nothing yet");
    bench.receive(second, &helping(false));
    bench.receive(second, &Message::Keepalive);
    bench.handle(Input::Desired(routes([v4(1), v6(1)], 1)));
    bench.handle(super::closed(second));
    assert!(!again(&mut bench, ConnectionId::Dialed(2)));
}

/// I9.
#[test]
fn another_way_to_restart_waits_for_the_next_open() {
    let settings = [
        None,
        Some(SETTINGS),
        Some(GracefulRestart {
            notification: true,
            ..SETTINGS
        }),
        Some(GracefulRestart {
            forwarding: Forwarding::Lost,
            ..SETTINGS
        }),
    ];
    for before in settings {
        for after in settings {
            let of = |graceful_restart| Config {
                graceful_restart,
                ..config(1)
            };
            let mut bench = established(of(before), &helping(true));
            bench.handle(Input::Reconfigure(of(after)));
            assert_eq!(bench.outputs, []);
        }
    }
}

/// RFC 4724 §4.1: the peer keeps our routes if TCP ends without a NOTIFICATION.
#[test]
fn a_restart_says_nothing_to_a_peer_that_keeps_our_routes_and_goodbye_to_any_other() {
    let goodbye = Some(Error::AdministrativeShutdown.codes());
    let cases = [
        (graceful(SETTINGS), helping(false), None),
        (graceful(SETTINGS), Message::Open(open(2)), goodbye),
        (config(1), helping(false), goodbye),
    ];
    for (ours, theirs, expected) in cases {
        let mut bench = established(ours, &theirs);
        let shutdown = Shutdown::Restarting("restarts".to_owned());
        bench.handle(Input::Stop(shutdown));
        assert_eq!(bench.codes(DIALED), expected);
        assert!(bench.closed(DIALED));
        assert_eq!(bench.whys(), [&Why::Stopped]);
        assert_eq!(bench.peer.state(), State::Idle);
    }
}

/// RFC 8538 §3: with the N bit a Cease alone would be taken for a restart.
#[test]
fn a_peer_that_keeps_routes_after_a_notification_is_left_by_a_hard_reset() {
    let with_n = GracefulRestart {
        notification: true,
        ..SETTINGS
    };
    let text = || "moving".to_owned();
    let cases = [
        (Shutdown::Administrative(text()), true, (6, 2)),
        (Shutdown::Deconfigured, true, (6, 3)),
        (Shutdown::Reset(text()), false, (6, 4)),
    ];
    for (shutdown, hard, codes) in cases {
        for theirs in [false, true] {
            let mut bench = established(graceful(with_n), &helping(theirs));
            bench.handle(Input::Stop(shutdown.clone()));
            let told = bench.notified(DIALED).unwrap();
            let inner = told.hard_reset_reason();
            assert_eq!(inner.is_some(), hard && theirs, "{shutdown:?}");
            let meant = inner.unwrap_or(told);
            assert_eq!((meant.code(), meant.subcode()), codes);
        }
    }
}

/// RFC 4724 §4.2, §5.
#[test]
fn a_peer_that_restarts_replaces_its_session_and_hears_nothing_on_the_old_one() {
    let mut bench = established(graceful(SETTINGS), &helping(false));
    bench.handle(Input::Desired(routes([v4(1)], 1)));
    bench.now += s(10);
    bench.accepted(ACCEPTED);
    assert_eq!(bench.peer.state(), State::Established);
    bench.receive(ACCEPTED, &helping(false));
    assert_eq!(bench.said(DIALED), []);
    assert!(bench.closed(DIALED));
    assert_eq!(bench.whys(), [&Why::PeerRestarted]);
    assert_eq!(bench.peer.state(), State::OpenConfirm);
    bench.receive(ACCEPTED, &Message::Keepalive);
    assert_eq!(bench.peer.state(), State::Established);
    assert_eq!(
        bench.said(ACCEPTED),
        [Heard::EndOfRib(V4), Heard::EndOfRib(V6)]
    );
    assert!(bench.outputs.iter().any(|output| matches!(
        output,
        Output::Advertised(told) if told.v4 == 1
    )));
}

#[test]
fn without_graceful_restart_a_session_is_kept_against_a_newcomer() {
    let mut bench = established(graceful(SETTINGS), &Message::Open(open(2)));
    bench.now += s(10);
    bench.accepted(ACCEPTED);
    bench.receive(ACCEPTED, &Message::Open(open(2)));
    let collision = Some(Error::ConnectionCollisionResolution.codes());
    assert_eq!(bench.codes(ACCEPTED), collision);
    assert_eq!(bench.peer.state(), State::Established);
}
