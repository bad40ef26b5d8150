//! Drains: the order in which a peer is told, and every way out of it.

use std::time::Duration;

use super::{ACCEPTED, Bench, DIALED, closed, open, session};
use crate::far_side::FarSide;
use crate::fixtures::{config, routes, s, v4, v6};
use crate::wire::{Error, Message};
use crate::{
    Asn, Community, Config, ConnectionId, Drain, DrainStage, Input, Output, PeerAsn, RouteSet,
    Shutdown, State, Why,
};

fn drain(wait: Duration) -> Input<'static> {
    Input::Drain(Drain {
        wait,
        text: "the node is drained".to_owned(),
    })
}

/// A session on which both families were told, and what the peer makes of it.
struct Told {
    bench: Bench,
    far: FarSide,
    desired: RouteSet,
}

impl Told {
    fn new() -> Self {
        let far = FarSide {
            session: Some(session()),
            ..FarSide::default()
        };
        let desired = routes([v4(1), v4(2), v6(1)], 1);
        let mut told = Self {
            bench: Bench::established(),
            far,
            desired: desired.clone(),
        };
        told.hear(Input::Desired(desired));
        told.hand_over();
        told
    }

    /// An input, and what the peer is told by it.
    fn hear(&mut self, input: Input<'_>) {
        self.bench.handle(input);
        for output in &self.bench.outputs {
            if let Output::Transmit { bytes, .. } = output {
                self.far.hear(bytes);
            }
        }
    }

    /// The socket takes all.
    fn hand_over(&mut self) {
        self.hear(Input::Sent {
            connection: DIALED,
            queued: 0,
        });
    }

    fn pass(&mut self, time: Duration) {
        self.bench.now += time;
        self.hear(Input::Timeout);
    }

    fn stage(&self) -> Option<DrainStage> {
        self.bench.peer.status().drain
    }

    /// Whether each route is marked, or none.
    fn marked(&self) -> bool {
        let mark = |held: &crate::far_side::Held| {
            let communities = &held.attributes.communities;
            communities.contains(&Community::GRACEFUL_SHUTDOWN)
        };
        let marked = self.far.routes.values().filter(|held| mark(held)).count();
        assert!(marked == 0 || marked == self.far.routes.len());
        marked > 0
    }

    fn codes(&self) -> Option<(u8, u8)> {
        self.bench.codes(DIALED)
    }
}

/// RFC 8326 §4.3, RFC 9003.
#[test]
fn a_peer_is_told_to_prefer_others_then_withdrawn_from_then_left() {
    let mut told = Told::new();
    told.hear(drain(s(5)));
    assert!(told.marked() && told.far.holds(&told.desired));
    assert_eq!(told.stage(), Some(DrainStage::Telling));
    // The wait begins as the socket has taken the last of it.
    told.pass(Duration::from_millis(800));
    told.hand_over();
    told.pass(Duration::from_millis(4_900));
    assert!(told.far.holds(&told.desired));
    told.pass(Duration::from_millis(100));
    assert_eq!(told.far.routes.len(), 0);
    assert_eq!(told.stage(), Some(DrainStage::Withdrawing));
    assert_eq!(told.bench.peer.state(), State::Established);
    told.hand_over();
    let goodbye = told.bench.notified(DIALED).unwrap();
    assert_eq!(goodbye.error(), Some(Error::AdministrativeShutdown));
    assert_eq!(goodbye.shutdown_text(), Ok(Some("the node is drained")));
    assert!(told.bench.closed(DIALED));
    assert_eq!(told.bench.whys(), [&Why::Drained]);
    assert_eq!(told.bench.peer.state(), State::Idle);
    assert_eq!(told.stage(), Some(DrainStage::Left));
}

#[test]
fn a_peer_that_is_left_is_neither_dialled_nor_let_in_until_the_drain_ends() {
    let mut told = Told::new();
    told.hear(drain(Duration::ZERO));
    told.hand_over();
    assert_eq!(told.bench.peer.deadline(), None);
    told.bench.accepted(ACCEPTED);
    assert!(told.bench.closed(ACCEPTED));
    told.hear(Input::Start);
    told.hear(Input::Reconfigure(Config {
        hold_time: s(30),
        ..config(1)
    }));
    assert_eq!(told.bench.dialled(), None);
    assert_eq!(told.bench.peer.state(), State::Idle);
    told.hear(Input::Resume);
    assert_eq!(told.bench.dialled(), Some(ConnectionId::Dialed(1)));
    assert_eq!(told.bench.whys(), [&Why::Resumed]);
}

#[test]
fn without_a_wait_the_routes_go_at_once() {
    let mut told = Told::new();
    told.hear(drain(Duration::ZERO));
    assert_eq!(told.far.routes.len(), 0);
    told.hand_over();
    assert_eq!(told.codes(), Some(Error::AdministrativeShutdown.codes()));
}

/// RFC 8326 §4.2: within an AS the community may mean nothing.
#[test]
fn an_internal_peer_is_told_the_lowest_preference_as_well() {
    let internal = Config {
        peer_asn: PeerAsn::Internal,
        ..config(1)
    };
    let mut bench = Bench::new(internal);
    bench.handle(Input::Start);
    bench.connected(DIALED);
    let mut theirs = open(2);
    theirs.asn = Asn(65_001);
    theirs.capabilities.pop();
    bench.receive(DIALED, &Message::Open(theirs));
    bench.receive(DIALED, &Message::Keepalive);
    bench.sent(0);
    let mut internal = session();
    (internal.remote_asn, internal.ebgp) = (internal.local_asn, false);
    internal.four_octet_as = false;
    let far = FarSide {
        session: Some(internal),
        ..FarSide::default()
    };
    let desired = routes([v4(1), v6(1)], 1);
    let mut told = Told {
        bench,
        far,
        desired: desired.clone(),
    };
    let preference = |told: &Told| -> Vec<Option<u32>> {
        let held = told.far.routes.values();
        held.map(|held| held.attributes.local_pref).collect()
    };
    told.hear(Input::Desired(desired));
    assert_eq!(preference(&told), [Some(100); 2]);
    told.hear(drain(s(5)));
    assert_eq!(preference(&told), [Some(0); 2]);
    assert!(told.marked());
    told.hear(Input::Resume);
    assert_eq!(preference(&told), [Some(100); 2]);
}

/// The label is taken away again: the routes are as they were, at once, on the same session.
#[test]
fn a_drain_that_ends_early_leaves_the_session_and_returns_the_routes() {
    for passed in [0, 4_999, 5_000] {
        let mut told = Told::new();
        told.hear(drain(s(5)));
        told.hand_over();
        told.pass(Duration::from_millis(passed));
        assert_eq!(told.far.routes.is_empty(), passed == 5_000);
        told.hear(Input::Resume);
        assert!(told.far.holds(&told.desired), "after {passed} ms");
        assert!(!told.marked());
        assert_eq!(told.stage(), None);
        assert_eq!(told.bench.peer.state(), State::Established);
        told.pass(s(10));
        assert!(told.far.holds(&told.desired));
    }
}

#[test]
fn what_changes_during_a_drain_is_told_and_what_goes_is_withdrawn_at_once() {
    let mut told = Told::new();
    told.hear(drain(s(5)));
    told.hand_over();
    told.desired = told
        .desired
        .with([(v4(1), None), (v4(9), Some(crate::fixtures::with_med(1)))]);
    told.hear(Input::Desired(told.desired.clone()));
    assert!(told.far.holds(&told.desired) && told.marked());
    told.hand_over();
    told.pass(s(5));
    told.hear(Input::Desired(told.desired.clone()));
    assert_eq!(told.far.routes.len(), 0, "nothing comes back at the end");
    told.hand_over();
    told.hear(Input::Desired(routes([v4(7)], 1)));
    assert_eq!(told.bench.outputs, []);
}

/// The process must end in time, whatever a peer does.
#[test]
fn a_peer_that_does_not_read_is_left_a_second_later_at_each_step() {
    let mut told = Told::new();
    told.hear(drain(s(5)));
    told.pass(s(1));
    told.pass(s(5));
    assert_eq!(told.stage(), Some(DrainStage::Withdrawing));
    told.pass(s(1));
    assert_eq!(told.stage(), Some(DrainStage::Left));
    assert!(told.bench.closed(DIALED));
}

#[test]
fn a_session_that_fails_during_a_drain_is_not_begun_again() {
    let mut told = Told::new();
    told.hear(drain(s(5)));
    told.hear(closed(DIALED));
    assert_eq!(told.stage(), Some(DrainStage::Left));
    assert_eq!(told.bench.peer.state(), State::Idle);
    assert_eq!(told.bench.peer.deadline(), None);
}

#[test]
fn a_peer_without_a_session_is_just_left() {
    for mut bench in [
        Bench::new(config(1)),
        Bench::started(),
        Bench::open_sent(),
        Bench::open_confirm(),
    ] {
        bench.handle(drain(s(5)));
        assert_eq!(bench.peer.status().drain, Some(DrainStage::Left));
        assert_eq!(bench.peer.state(), State::Idle);
        assert_eq!(bench.peer.deadline(), None);
    }
}

#[test]
fn a_peer_that_was_stopped_is_not_begun_by_the_end_of_a_drain() {
    let mut told = Told::new();
    told.hear(drain(s(5)));
    told.hear(Input::Stop(Shutdown::Deconfigured));
    told.hear(Input::Resume);
    assert_eq!(told.bench.peer.state(), State::Idle);
    told.hear(Input::Start);
    assert_eq!(told.bench.dialled(), Some(ConnectionId::Dialed(1)));
}

#[test]
fn a_wait_that_is_changed_counts_from_when_the_peer_was_told() {
    let mut told = Told::new();
    told.hear(drain(s(60)));
    told.hand_over();
    told.pass(s(10));
    told.hear(drain(s(5)));
    assert_eq!(told.stage(), Some(DrainStage::Withdrawing));
}

/// A change of what the routes carry must not undo the mark.
#[test]
fn another_next_hop_during_a_drain_keeps_the_mark() {
    let mut told = Told::new();
    told.hear(drain(s(5)));
    told.hear(Input::Reconfigure(Config {
        next_hop_v4: Some("192.0.2.77".parse().unwrap()),
        ..config(1)
    }));
    assert!(told.marked() && told.far.holds(&told.desired));
}
