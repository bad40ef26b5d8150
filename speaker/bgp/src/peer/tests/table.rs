//! RFC 4271 §8.2.2, cell by cell.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a row says what differs from staying without a word"
)]

use super::{ACCEPTED, Bench, DIALED, accepted, closed, connected, emit, failed, open, opening};
use crate::fixtures::{V4, s};
use crate::wire::{Error, Message, RefreshSubtype, RouteRefresh, Update};
use crate::{ConnectionId, Input, Shutdown, State};

/// What can happen, each a column of RFC 4271's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// 1
    ManualStart,
    /// 2
    ManualStop,
    /// 9 and 13, or 10 and 11: the next timer.
    Timer,
    /// 16
    TcpConnected,
    /// 17
    TcpAccepted,
    /// 18, before the connection stands
    TcpRefused,
    /// 18
    TcpClosed,
    /// 19
    Open,
    /// 22
    BadOpen,
    /// 21
    BadHeader,
    /// 25
    Notification,
    /// 26
    Keepalive,
    /// 27
    Update,
    /// 28
    BadUpdate,
    /// RFC 2918
    RouteRefresh,
}

use Event::{
    BadHeader, BadOpen, BadUpdate, Keepalive, ManualStart, ManualStop, Open, TcpAccepted,
    TcpClosed, TcpConnected, TcpRefused, Timer,
};

const EVENTS: [Event; 15] = [
    ManualStart,
    ManualStop,
    Timer,
    TcpConnected,
    TcpAccepted,
    TcpRefused,
    TcpClosed,
    Open,
    BadOpen,
    BadHeader,
    Event::Notification,
    Keepalive,
    Event::Update,
    BadUpdate,
    Event::RouteRefresh,
];

/// Where the machine goes, and with which NOTIFICATION.
type Cell = (State, Option<Error>);

fn happen(bench: &mut Bench, event: Event) {
    let update = Message::Update(Update::default());
    let refresh = Message::RouteRefresh(RouteRefresh {
        family: V4.into(),
        subtype: RefreshSubtype::Request,
    });
    // Unrecognized well-known attribute 99, and no prefixes: nothing to be treated as withdrawn.
    let bad_update = [&[0xff; 16][..], &[0, 26, 2, 0, 0, 0, 3, 0x40, 99, 0]].concat();
    let bytes = |message: &Message| emit(message);
    let received = match event {
        ManualStart => return bench.tell(Input::Start),
        ManualStop => {
            let shutdown = Shutdown::Administrative(String::new());
            return bench.tell(Input::Stop(shutdown));
        }
        Timer => {
            bench.now = bench.peer.deadline().unwrap_or(bench.now);
            return bench.tell(Input::Timeout);
        }
        TcpConnected => return bench.tell(connected(DIALED)),
        TcpAccepted => return bench.tell(accepted(ACCEPTED)),
        TcpRefused => return bench.tell(failed(DIALED)),
        TcpClosed => return bench.tell(closed(DIALED)),
        Open => bytes(&Message::Open(open(2))),
        BadOpen => bytes(&opening(|open| open.hold_time = 2)),
        BadHeader => vec![0; 19],
        Event::Notification => bytes(&Message::Notification(Error::OutOfResources.into())),
        Keepalive => bytes(&Message::Keepalive),
        Event::Update => bytes(&update),
        BadUpdate => bad_update,
        Event::RouteRefresh => bytes(&refresh),
    };
    bench.tell(Input::Received {
        connection: DIALED,
        bytes: &received,
    });
}

/// Checks a whole row: `cell` says what differs from staying without a word.
fn row(begin: impl Fn() -> Bench, cell: impl Fn(Event) -> Cell) {
    for event in EVENTS {
        let mut bench = begin();
        happen(&mut bench, event);
        let (state, error) = cell(event);
        let codes = error.map(Error::codes);
        assert_eq!(
            (bench.peer.state(), bench.codes(DIALED)),
            (state, codes),
            "{event:?} in {:?}",
            begin().peer.state()
        );
        let ended = state < State::OpenSent && begin().peer.state() >= State::OpenSent;
        if ended && event != TcpClosed {
            assert!(bench.closed(DIALED), "{event:?} closes the connection");
        }
    }
}

/// RFC 4271 §8.2.2.
#[test]
fn idle_leaves_only_by_a_start() {
    row(
        || Bench::new(crate::fixtures::config(1)),
        |event| match event {
            ManualStart => (State::Connect, None),
            _ => (State::Idle, None),
        },
    );
}

/// RFC 4271 §8.2.2.
#[test]
fn idle_after_a_failure_waits_and_refuses() {
    let begin = || {
        let mut bench = Bench::open_confirm();
        happen(&mut bench, Event::Notification);
        assert_eq!(bench.peer.state(), State::Idle);
        bench
    };
    row(begin, |event| match event {
        Timer => (State::Connect, None),
        _ => (State::Idle, None),
    });
    let mut bench = begin();
    bench.accepted(ACCEPTED);
    assert!(bench.closed(ACCEPTED));
}

/// RFC 4271 §8.2.2.
#[test]
fn active_accepts_and_dials_when_it_is_time() {
    let begin = || {
        let mut bench = Bench::started();
        bench.failed(DIALED);
        bench
    };
    row(begin, |event| match event {
        ManualStop => (State::Idle, None),
        Timer => (State::Connect, None),
        TcpAccepted => (State::OpenSent, None),
        _ => (State::Active, None),
    });
}

/// RFC 4271 §8.2.2.
#[test]
fn connect_waits_for_tcp() {
    row(Bench::started, |event| match event {
        ManualStop => (State::Idle, None),
        TcpConnected | TcpAccepted => (State::OpenSent, None),
        Timer | TcpRefused | TcpClosed => (State::Active, None),
        _ => (State::Connect, None),
    });
}

/// RFC 4271 §8.2.2, RFC 6608 §3.
#[test]
fn open_sent_takes_an_open_and_nothing_else() {
    row(Bench::open_sent, |event| match event {
        ManualStart | TcpConnected | TcpAccepted | TcpRefused => (State::OpenSent, None),
        ManualStop => (State::Idle, Some(Error::AdministrativeShutdown)),
        Timer => (State::Idle, Some(Error::HoldTimerExpired)),
        TcpClosed => (State::Active, None),
        Open => (State::OpenConfirm, None),
        BadOpen => (State::Idle, Some(Error::UnacceptableHoldTime)),
        BadHeader => (State::Idle, Some(Error::ConnectionNotSynchronized)),
        Event::Notification => (State::Idle, None),
        Keepalive | Event::Update | BadUpdate | Event::RouteRefresh => {
            (State::Idle, Some(Error::UnexpectedInOpenSent))
        }
    });
}

/// RFC 4271 §8.2.2, RFC 6608 §3.
#[test]
fn open_confirm_takes_a_keepalive_and_nothing_else() {
    row(Bench::open_confirm, |event| match event {
        ManualStart | TcpConnected | TcpAccepted | TcpRefused => (State::OpenConfirm, None),
        // The next timer is the KeepaliveTimer.
        Timer => (State::OpenConfirm, None),
        ManualStop => (State::Idle, Some(Error::AdministrativeShutdown)),
        TcpClosed => (State::Idle, None),
        BadHeader => (State::Idle, Some(Error::ConnectionNotSynchronized)),
        Event::Notification => (State::Idle, None),
        Keepalive => (State::Established, None),
        Open | BadOpen | Event::Update | BadUpdate | Event::RouteRefresh => {
            (State::Idle, Some(Error::UnexpectedInOpenConfirm))
        }
    });
}

/// RFC 4271 §8.2.2, RFC 6608 §3.
#[test]
fn established_takes_anything_but_an_open() {
    row(Bench::established, |event| match event {
        ManualStart
        | Timer
        | TcpConnected
        | TcpAccepted
        | TcpRefused
        | Keepalive
        | Event::Update
        | Event::RouteRefresh => (State::Established, None),
        ManualStop => (State::Idle, Some(Error::AdministrativeShutdown)),
        TcpClosed | Event::Notification => (State::Idle, None),
        BadHeader => (State::Idle, Some(Error::ConnectionNotSynchronized)),
        BadUpdate => (State::Idle, Some(Error::UnrecognizedWellKnownAttribute)),
        Open | BadOpen => (State::Idle, Some(Error::UnexpectedInEstablished)),
    });
}

/// RFC 4271 §8.2.2: what is no longer there says nothing more.
#[test]
fn a_connection_that_is_over_is_not_heard() {
    let mut bench = Bench::open_sent();
    happen(&mut bench, BadHeader);
    for event in [Open, Keepalive, TcpClosed, TcpRefused] {
        happen(&mut bench, event);
        assert_eq!(bench.outputs, []);
    }
}

#[test]
fn a_connection_that_comes_too_late_is_given_back() {
    let mut bench = Bench::started();
    bench.pass(s(20));
    assert!(bench.closed(DIALED));
    bench.connected(DIALED);
    assert!(bench.closed(DIALED));
    assert_eq!(bench.peer.state(), State::Active);
    bench.connected(ConnectionId::Dialed(77));
    assert!(bench.closed(ConnectionId::Dialed(77)));
}
