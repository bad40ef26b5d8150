//! Two connections to one peer, in all orders (RFC 4271 §6.8).

use super::{ACCEPTED, Bench, DIALED, open};
use crate::fixtures::{config, router_id};
use crate::wire::{Error, Message, Open};
use crate::{Asn, ConnectionId, Input, Output, PeerAsn, State};

/// Both connections stand, neither has an OPEN of the peer.
fn both() -> Bench {
    let mut bench = Bench::started();
    bench.accepted(ACCEPTED);
    bench.connected(DIALED);
    bench
}

/// The peer's OPEN comes on `first`, then on `second`; which one is left.
fn left(
    mut bench: Bench,
    theirs: &Open,
    first: ConnectionId,
    second: ConnectionId,
) -> ConnectionId {
    let open = Message::Open(theirs.clone());
    bench.receive(first, &open);
    bench.receive(second, &open);
    let collision = Some(Error::ConnectionCollisionResolution.codes());
    let lost: Vec<ConnectionId> = [first, second]
        .into_iter()
        .filter(|id| bench.closed(*id) && bench.codes(*id) == collision)
        .collect();
    assert_eq!(lost.len(), 1, "one of them is given up, with a word");
    assert_eq!(bench.peer.state(), State::OpenConfirm);
    assert!(bench.peer.status().last_error.is_none());
    let kept = if lost == [first] { second } else { first };
    bench.receive(kept, &Message::Keepalive);
    assert_eq!(bench.peer.state(), State::Established);
    kept
}

#[test]
fn the_side_with_the_higher_identifier_keeps_its_connection() {
    let orders = [(DIALED, ACCEPTED), (ACCEPTED, DIALED)];
    for (first, second) in orders {
        // We are 10.0.0.1.
        let higher = Open {
            router_id: router_id(2),
            ..open(2)
        };
        assert_eq!(left(both(), &higher, first, second), ACCEPTED);
    }
    for (first, second) in orders {
        let mut ours = config(9);
        ours.router_id = router_id(9);
        let mut bench = Bench::new(ours);
        bench.handle(Input::Start);
        bench.accepted(ACCEPTED);
        bench.connected(DIALED);
        assert_eq!(left(bench, &open(2), first, second), DIALED);
    }
}

/// RFC 6286 §2.3.
#[test]
fn with_one_identifier_the_higher_as_keeps_its_connection() {
    for (asn, kept) in [(64_000, DIALED), (66_000, ACCEPTED)] {
        let mut theirs = Open {
            asn: Asn(asn),
            router_id: router_id(1),
            ..open(2)
        };
        theirs.capabilities.pop();
        let capability = crate::wire::Capability::FourOctetAs(Asn(asn));
        theirs.capabilities.push(capability);
        assert_eq!(left(both(), &theirs, DIALED, ACCEPTED), kept);
    }
}

#[test]
fn a_session_that_stands_is_kept_against_a_newcomer() {
    let mut bench = Bench::established();
    bench.accepted(ACCEPTED);
    assert!(!bench.closed(ACCEPTED));
    bench.receive(ACCEPTED, &Message::Open(open(2)));
    assert!(bench.closed(ACCEPTED));
    let collision = Error::ConnectionCollisionResolution;
    assert_eq!(bench.codes(ACCEPTED), Some(collision.codes()));
    assert_eq!(bench.peer.state(), State::Established);
}

#[test]
fn a_session_gives_up_the_attempt_at_another() {
    let mut bench = Bench::started();
    bench.accepted(ACCEPTED);
    bench.receive(ACCEPTED, &Message::Open(open(2)));
    bench.receive(ACCEPTED, &Message::Keepalive);
    assert_eq!(bench.peer.state(), State::Established);
    assert!(bench.closed(DIALED));
}

#[test]
fn a_peer_that_connects_again_replaces_its_connection() {
    let mut bench = both();
    let again = ConnectionId::Accepted(1);
    bench.accepted(again);
    assert!(bench.closed(ACCEPTED) && !bench.closed(again));
    bench.accepted(ConnectionId::Accepted(2));
    assert!(bench.closed(again));
}

#[test]
fn a_session_outlives_any_number_of_newcomers() {
    let mut bench = Bench::started();
    bench.accepted(ACCEPTED);
    bench.receive(ACCEPTED, &Message::Open(open(2)));
    bench.receive(ACCEPTED, &Message::Keepalive);
    for n in 1..20 {
        bench.accepted(ConnectionId::Accepted(n));
        assert_eq!(bench.closed(ConnectionId::Accepted(n - 1)), n > 1);
    }
    assert_eq!(bench.peer.state(), State::Established);
}

/// Both sides may give up the connection that the other one keeps: that is no error of either.
#[test]
fn losing_both_connections_to_a_collision_is_no_error_and_tried_again() {
    let mut bench = Bench::open_confirm();
    let lost = Message::Notification(Error::ConnectionCollisionResolution.into());
    bench.receive(DIALED, &lost);
    assert_eq!(bench.peer.state(), State::Active);
    assert_eq!(bench.peer.status().last_error, None);
    bench.wait();
    assert_eq!(bench.dialled(), Some(ConnectionId::Dialed(1)));
}

#[test]
fn a_silent_newcomer_does_not_keep_us_from_dialling() {
    let mut bench = Bench::started();
    bench.failed(DIALED);
    bench.accepted(ACCEPTED);
    bench.wait();
    assert_eq!(bench.dialled(), Some(ConnectionId::Dialed(1)));
}

#[test]
fn with_an_internal_peer_the_same_rule_holds() {
    let mut ours = config(1);
    ours.local_asn = Asn(65_002);
    ours.peer_asn = PeerAsn::Internal;
    let mut bench = Bench::new(ours);
    bench.handle(Input::Start);
    bench.accepted(ACCEPTED);
    bench.connected(DIALED);
    assert_eq!(left(bench, &open(2), DIALED, ACCEPTED), ACCEPTED);
}

#[test]
fn a_used_connection_is_not_taken_twice() {
    let mut bench = both();
    assert_eq!(bench.accepted(ACCEPTED), []);
    let twice = ConnectionId::Dialed(5);
    assert_eq!(bench.accepted(twice), [Output::Close(twice)]);
}
