use std::net::Ipv4Addr;

use super::*;
use crate::wire::Forwarding;
use crate::{AfiSafi, Family, RouterId};

fn open(asn: u32, capabilities: &[Capability]) -> Open {
    Open {
        asn: Asn(asn),
        hold_time: 90,
        router_id: RouterId::from(Ipv4Addr::new(10, 0, 0, 1)).unwrap(),
        capabilities: capabilities.to_vec(),
    }
}

fn multiprotocol(family: Family) -> Capability {
    Capability::Multiprotocol(family.into())
}

fn graceful(notification: bool) -> Capability {
    Capability::GracefulRestart(GracefulRestart {
        restarting: false,
        notification,
        restart_time: 30,
        families: vec![(Family::Ipv4Unicast.into(), Forwarding::Preserved)],
    })
}

/// RFC 4760 §8: families that both name, and IPv4 unicast of whoever names none.
#[test]
fn families_are_those_that_both_speak() {
    let (v4, v6) = (Family::Ipv4Unicast, Family::Ipv6Unicast);
    let evpn = Capability::Multiprotocol(AfiSafi { afi: 25, safi: 70 });
    let both = [multiprotocol(v4), multiprotocol(v6)];
    let cases: [(&[Capability], Vec<Family>); 4] = [
        (&both, vec![v4, v6]),
        (&[], vec![v4]),
        (&[multiprotocol(v6)], vec![v6]),
        (&[evpn], vec![]),
    ];
    for (theirs, expected) in cases {
        let session = Session::negotiate(&open(1, &both), &open(2, theirs));
        assert_eq!(session.families.iter().collect::<Vec<_>>(), expected);
    }
}

/// RFC 5492 §3: what only one side can do is not done.
#[test]
fn a_capability_counts_where_both_have_it() {
    let all = [
        Capability::FourOctetAs(Asn(1)),
        Capability::ExtendedMessage,
        Capability::ExtendedNextHop(vec![NextHopEncoding::IPV4_OVER_IPV6]),
        Capability::RouteRefresh,
        Capability::EnhancedRouteRefresh,
        graceful(true),
    ];
    let flags = |session: &Session| {
        [
            session.four_octet_as,
            session.extended_message,
            session.extended_next_hop,
            session.route_refresh,
            session.enhanced_route_refresh,
            session.graceful_restart.is_some(),
            session.graceful_notification,
        ]
    };
    assert_eq!(
        flags(&Session::negotiate(&open(1, &all), &open(2, &all))),
        [true; 7]
    );
    assert_eq!(
        flags(&Session::negotiate(&open(1, &all), &open(2, &[]))),
        [false; 7]
    );
    assert_eq!(
        flags(&Session::negotiate(&open(1, &[]), &open(2, &all))),
        [false; 7]
    );
}

/// RFC 8950 §4: for the family and next hop that the capability names, and no other.
#[test]
fn another_extended_next_hop_is_not_ours() {
    let labeled = NextHopEncoding {
        afi: 1,
        safi: 4,
        next_hop_afi: 2,
    };
    let ours = open(
        1,
        &[Capability::ExtendedNextHop(vec![
            NextHopEncoding::IPV4_OVER_IPV6,
        ])],
    );
    let theirs = open(2, &[Capability::ExtendedNextHop(vec![labeled])]);
    assert!(!Session::negotiate(&ours, &theirs).extended_next_hop);
}

/// RFC 4271 §4.2: the smaller hold time; RFC 8538 §2: N by both.
#[test]
fn the_smaller_hold_time_counts_and_graceful_restart_is_theirs() {
    let ours = open(1, &[graceful(false)]);
    let theirs = Open {
        hold_time: 9,
        ..open(1, &[graceful(true), graceful(true)])
    };
    let session = Session::negotiate(&ours, &theirs);
    assert_eq!((session.hold_time, session.ebgp), (9, false));
    assert!(
        session
            .graceful_restart
            .is_some_and(|theirs| theirs.notification)
    );
    assert!(!session.graceful_notification);
}

/// RFC 9234 §4.2.
#[test]
fn roles_have_to_fit_where_both_claim_one() {
    let with = |role| open(1, &[Capability::Role(role)]);
    let pairs = [
        (Role::Provider, Role::Customer),
        (Role::RouteServer, Role::RouteServerClient),
        (Role::Peer, Role::Peer),
    ];
    for (one, other) in pairs {
        assert_eq!(Session::check_roles(&with(one), &with(other)), Ok(()));
        assert_eq!(Session::check_roles(&with(other), &with(one)), Ok(()));
    }
    for (one, other) in [
        (Role::Customer, Role::Customer),
        (Role::Peer, Role::Provider),
    ] {
        let refused = Session::check_roles(&with(one), &with(other)).unwrap_err();
        assert_eq!(refused.error(), Some(Error::RoleMismatch));
    }
    let none = open(2, &[]);
    assert_eq!(Session::check_roles(&with(Role::Customer), &none), Ok(()));
    assert_eq!(Session::check_roles(&none, &with(Role::Customer)), Ok(()));
}
