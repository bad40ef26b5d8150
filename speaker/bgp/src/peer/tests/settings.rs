//! What OPENs settle and refuse, what changes in the middle of a session, what is shown.

use std::net::Ipv4Addr;

use super::{ACCEPTED, Bench, DIALED, emit, open, opening, session};
use crate::far_side::{FarSide, Heard};
use crate::fixtures::{V4, V6, address, config, router_id, routes, s, v4, v6};
use crate::wire::{
    Capability, Error, Message, NextHop, NextHopEncoding, Open, PathAttributes, Role, announce,
};
use crate::{
    Asn, Config, ConnectionId, Families, FamilyWithheld, Fault, Input, Output, PeerAsn, State, Why,
};

/// Our side's configuration against the peer's OPEN: what we make of it.
fn verdict(ours: Config, theirs: &Message) -> Option<(u8, u8)> {
    let mut bench = Bench::new(ours);
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, theirs);
    let codes = bench.codes(DIALED);
    assert_eq!(codes.is_none(), bench.peer.state() == State::OpenConfirm);
    codes
}

fn with_asn(asn: u32) -> Message {
    opening(|open| {
        open.asn = Asn(asn);
        open.capabilities.pop();
        open.capabilities.push(Capability::FourOctetAs(Asn(asn)));
    })
}

/// RFC 4271 §6.2.
#[test]
fn only_the_as_that_is_meant_is_let_in() {
    let refused = Some(Error::BadPeerAs.codes());
    for (peer_asn, theirs, expected) in [
        (PeerAsn::Exactly(Asn(65_002)), 65_002, None),
        (PeerAsn::Exactly(Asn(65_002)), 65_003, refused),
        (PeerAsn::Exactly(Asn(65_001)), 65_001, None),
        (PeerAsn::Internal, 65_001, None),
        (PeerAsn::Internal, 65_002, refused),
        (PeerAsn::External, 65_002, None),
        (PeerAsn::External, 65_001, refused),
        (PeerAsn::External, 4_200_000_000, None),
    ] {
        let ours = Config {
            peer_asn,
            ..config(1)
        };
        assert_eq!(verdict(ours, &with_asn(theirs)), expected, "{peer_asn:?}");
    }
}

/// RFC 6286 §2.2: unique within an AS.
#[test]
fn an_internal_peer_with_our_identifier_is_refused_and_an_external_one_is_not() {
    let internal = Config {
        peer_asn: PeerAsn::Internal,
        ..config(1)
    };
    let clash = |asn| {
        opening(|open| {
            open.asn = Asn(asn);
            open.capabilities.pop();
            open.router_id = router_id(1);
        })
    };
    let refused = Some(Error::BadBgpIdentifier.codes());
    assert_eq!(verdict(internal, &clash(65_001)), refused);
    assert_eq!(verdict(config(1), &clash(65_002)), None);
}

/// RFC 4271 §6.2.
#[test]
fn a_hold_time_of_a_second_or_two_is_refused() {
    for (hold_time, refused) in [(0, false), (1, true), (2, true), (3, false)] {
        let theirs = opening(|open| open.hold_time = hold_time);
        let expected = refused.then_some(Error::UnacceptableHoldTime.codes());
        assert_eq!(verdict(config(1), &theirs), expected);
    }
}

/// RFC 9234 §4.2.
#[test]
fn roles_have_to_fit_where_both_sides_name_one() {
    let mismatch = Some(Error::RoleMismatch.codes());
    for (ours, theirs, expected) in [
        (Some(Role::Customer), Some(Role::Provider), None),
        (Some(Role::Customer), Some(Role::Customer), mismatch),
        (Some(Role::Peer), Some(Role::RouteServer), mismatch),
        (Some(Role::Customer), None, None),
        (None, Some(Role::Customer), None),
    ] {
        let ours = Config {
            role: ours,
            ..config(1)
        };
        let theirs = opening(|open| {
            open.capabilities.extend(theirs.map(Capability::Role));
        });
        assert_eq!(verdict(ours, &theirs), expected);
    }
}

/// RFC 5492 §5: the peer hears which family it misses.
#[test]
fn a_peer_without_a_family_of_ours_is_refused_by_name() {
    let families = Families::from_iter([V6]);
    let ours = Config {
        families,
        ..config(1)
    };
    let mut bench = Bench::new(ours);
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, &opening(|open| open.capabilities.clear()));
    let notification = bench.notified(DIALED).unwrap();
    assert_eq!(notification.error(), Some(Error::UnsupportedCapability));
    assert_eq!(notification.data(), [1, 4, 0, 2, 0, 1]);
}

fn our_open(config: Config, local: &str) -> Open {
    let mut bench = Bench::new(config);
    bench.handle(Input::Start);
    bench.handle(Input::Connected {
        connection: DIALED,
        local: local.parse().unwrap(),
        remote: address(2),
    });
    match bench.said(DIALED).pop() {
        Some(Heard::Open(open)) => open,
        other => panic!("an OPEN, not {other:?}"),
    }
}

#[test]
fn our_open_names_what_we_honour_and_nothing_else() {
    let ours = Config {
        role: Some(Role::Customer),
        ..config(1)
    };
    let expected = Open {
        asn: Asn(65_001),
        hold_time: 90,
        router_id: router_id(1),
        capabilities: vec![
            Capability::Multiprotocol(V4.into()),
            Capability::Multiprotocol(V6.into()),
            Capability::RouteRefresh,
            Capability::EnhancedRouteRefresh,
            Capability::FourOctetAs(Asn(65_001)),
            Capability::ExtendedMessage,
            Capability::Role(Role::Customer),
            Capability::Fqdn {
                host: "node-1".to_owned(),
                domain: String::new(),
            },
        ],
    };
    assert_eq!(our_open(ours.clone(), "192.0.2.1"), expected);
    // Between internal peers there are no roles, and over IPv6 there is RFC 8950.
    let internal = Config {
        peer_asn: PeerAsn::Internal,
        ..ours
    };
    let capabilities = our_open(internal, "fd00::1").capabilities;
    assert!(!capabilities.contains(&Capability::Role(Role::Customer)));
    let encodings = vec![NextHopEncoding::IPV4_OVER_IPV6];
    assert!(capabilities.contains(&Capability::ExtendedNextHop(encodings)));
    // An IPv4 address on a socket of both families is one.
    let mapped = our_open(config(1), "::ffff:192.0.2.1").capabilities;
    assert!(mapped.iter().all(|one| one.code() != 5));
}

/// I9: no session resets because of our own configuration, unless who we are has changed.
#[test]
fn what_can_change_within_a_session_does_not_reset_it() {
    let changes: [fn(&mut Config); 12] = [
        |_| {},
        |config| config.hold_time = s(30),
        |config| config.keepalive_time = Some(s(5)),
        |config| config.connect_retry_time = s(5),
        |config| config.mode = crate::Mode::Passive,
        |config| config.next_hop_v4 = Some(Ipv4Addr::new(192, 0, 2, 77)),
        |config| config.next_hop_v6 = None,
        |config| config.max_prefixes = 1,
        |config| config.hostname.clear(),
        |config| config.families = Families::from_iter([V4]),
        |config| config.connect_retry_time = s(1),
        |config| config.peer_asn = PeerAsn::Exactly(Asn(65_002)),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut bench = Bench::established();
        let mut config = config(1);
        change(&mut config);
        bench.handle(Input::Reconfigure(config));
        assert_eq!(bench.whys(), Vec::<&Why>::new(), "change {n}");
        assert_eq!(bench.peer.state(), State::Established, "change {n}");
    }
}

#[test]
fn another_identity_ends_the_session_with_a_word_and_dials_at_once() {
    let changes: [fn(&mut Config); 5] = [
        |config| config.local_asn = Asn(64_999),
        |config| config.router_id = router_id(99),
        |config| config.role = Some(Role::Customer),
        |config| config.peer_asn = PeerAsn::Exactly(Asn(65_003)),
        |config| config.peer_asn = PeerAsn::Internal,
    ];
    for change in changes {
        let mut bench = Bench::established();
        let mut config = config(1);
        change(&mut config);
        bench.handle(Input::Reconfigure(config));
        let changed = Error::OtherConfigurationChange.codes();
        assert_eq!(bench.codes(DIALED), Some(changed));
        assert_eq!(bench.whys(), [&Why::Reconfigured]);
        assert_eq!(bench.dialled(), Some(ConnectionId::Dialed(1)));
    }
}

#[test]
fn a_family_more_is_negotiated_anew() {
    let mut bench = Bench::new(Config {
        families: Families::from_iter([V4]),
        ..config(1)
    });
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, &Message::Open(open(2)));
    bench.handle(Input::Reconfigure(config(1)));
    assert_eq!(
        bench.codes(DIALED),
        Some(Error::OtherConfigurationChange.codes())
    );
}

#[test]
fn a_corrected_configuration_is_tried_at_once() {
    let mut bench = Bench::new(Config {
        peer_asn: PeerAsn::Exactly(Asn(65_003)),
        ..config(1)
    });
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, &Message::Open(open(2)));
    assert_eq!(bench.peer.state(), State::Idle);
    bench.handle(Input::Reconfigure(config(1)));
    assert_eq!(bench.dialled(), Some(ConnectionId::Dialed(1)));
}

/// The peer announces that many prefixes.
fn flood(bench: &mut Bench, count: u32) {
    let attributes = PathAttributes {
        as_path: vec![Asn(65_002)],
        next_hop: NextHop::V4(Ipv4Addr::new(192, 0, 2, 2)),
        multi_exit_disc: None,
        local_pref: None,
        communities: Vec::new(),
        extended_communities: Vec::new(),
        large_communities: Vec::new(),
    };
    let mut bytes = Vec::new();
    announce(V4, &attributes, (0..count).map(v4), &session(), &mut bytes).unwrap();
    bench.handle(Input::Received {
        connection: DIALED,
        bytes: &bytes,
    });
}

/// RFC 4486 §4.
#[test]
fn a_peer_that_sends_too_many_prefixes_is_left_alone_for_minutes() {
    let mut bench = Bench::established();
    flood(&mut bench, 1_000);
    assert_eq!(bench.peer.state(), State::Established);
    assert_eq!(bench.peer.status().families.v4.received, 1_000);
    flood(&mut bench, 1_001);
    let notification = bench.notified(DIALED).unwrap();
    assert_eq!(notification.error(), Some(Error::MaximumPrefixes));
    assert_eq!(notification.data(), [0, 1, 1, 0, 0, 3, 0xe8]);
    assert_eq!(bench.peer.state(), State::Idle);
    bench.accepted(ACCEPTED);
    assert!(bench.closed(ACCEPTED));
    let waited = bench.wait();
    assert!(waited <= s(300) && waited >= s(225), "{waited:?}");
    assert_eq!(bench.peer.state(), State::Connect);
}

#[test]
fn a_raised_limit_is_tried_at_once() {
    let mut bench = Bench::established();
    flood(&mut bench, 1_001);
    bench.handle(Input::Reconfigure(Config {
        max_prefixes: 2_000,
        ..config(1)
    }));
    assert_eq!(bench.peer.state(), State::Connect);
}

/// I10: what a peer tells us changes nothing of what we tell it.
#[test]
fn what_is_received_alters_nothing_that_is_told() {
    let mut bench = Bench::established();
    bench.handle(Input::Desired(routes([v4(1), v6(1)], 1)));
    bench.sent(0);
    flood(&mut bench, 500);
    assert_eq!(bench.outputs, []);
}

#[test]
fn status_says_what_was_settled_and_what_is_told() {
    let mut bench = Bench::new(Config {
        next_hop_v6: None,
        ..config(1)
    });
    bench.handle(Input::Start);
    bench.connected(DIALED);
    bench.receive(DIALED, &Message::Open(open(2)));
    bench.receive(DIALED, &Message::Keepalive);
    bench.handle(Input::Desired(routes([v4(1), v4(2), v6(1)], 1)));
    flood(&mut bench, 3);
    let status = bench.peer.status();
    assert_eq!(
        (status.state, status.since),
        (State::Established, Some(bench.now))
    );
    assert_eq!((status.established, status.last_error), (1, None));
    let negotiated = status.negotiated.unwrap();
    assert_eq!(
        (negotiated.local, negotiated.remote),
        (address(1), address(2))
    );
    assert_eq!(negotiated.session.remote_asn, Asn(65_002));
    assert_eq!(negotiated.router_id, router_id(2));
    let (v4, v6) = (status.families.v4, status.families.v6);
    assert_eq!((v4.advertised, v4.received, v4.withheld), (2, 3, None));
    let withheld = Some(FamilyWithheld::NextHopUnknown);
    assert_eq!((v6.advertised, v6.withheld), (0, withheld));
    assert_eq!((status.counters.opens, status.counters.keepalives), (1, 1));
    assert_eq!(status.counters.updates, 1);
}

#[test]
fn the_number_of_prefixes_told_is_reported_when_it_changes() {
    let mut bench = Bench::established();
    let advertised = |bench: &Bench| {
        let mut outputs = bench.outputs.iter();
        outputs.find_map(|output| match output {
            Output::Advertised(counts) => Some((counts.v4, counts.v6)),
            Output::Connect(_)
            | Output::Transmit { .. }
            | Output::Close(_)
            | Output::StateChanged { .. } => None,
        })
    };
    for (desired, expected) in [
        (routes([], 1), Some((0, 0))),
        (routes([v4(1), v4(2), v6(1)], 1), Some((2, 1))),
        (routes([v4(1), v4(2), v6(1)], 2), None),
        (routes([v4(1)], 2), Some((1, 0))),
    ] {
        bench.handle(Input::Desired(desired));
        assert_eq!(advertised(&bench), expected);
        bench.sent(0);
    }
}

/// A router must not hear End-of-RIB before the first plan: it would drop what it kept of us.
#[test]
fn nothing_is_told_before_the_routes_are_known() {
    let mut bench = Bench::established();
    assert_eq!(bench.said(DIALED), []);
    bench.handle(Input::Desired(routes([v4(1)], 1)));
    assert_eq!(
        bench.said(DIALED),
        [Heard::EndOfRib(V4), Heard::EndOfRib(V6)]
    );
}

#[test]
fn a_family_left_out_is_withdrawn_and_comes_back_without_a_reset() {
    let mut bench = Bench::established();
    let desired = routes([v4(1), v6(1)], 1);
    bench.handle(Input::Desired(desired.clone()));
    let mut far = FarSide {
        session: Some(session()),
        ..FarSide::default()
    };
    let hear = |bench: &Bench, far: &mut FarSide| {
        for output in &bench.outputs {
            if let Output::Transmit { bytes, .. } = output {
                far.hear(bytes);
            }
        }
    };
    hear(&bench, &mut far);
    assert!(far.holds(&desired));
    bench.handle(Input::Reconfigure(Config {
        next_hop_v6: None,
        ..config(1)
    }));
    hear(&bench, &mut far);
    assert_eq!(far.routes.keys().collect::<Vec<_>>(), [&v4(1)]);
    bench.handle(Input::Reconfigure(config(1)));
    hear(&bench, &mut far);
    assert!(far.holds(&desired));
}

#[test]
fn a_fault_is_kept_with_its_words_after_all_is_well_again() {
    let mut bench = Bench::open_sent();
    bench.receive(DIALED, &with_asn(65_001));
    bench.wait();
    let again = bench.dialled().unwrap();
    bench.connected(again);
    bench.handle(Input::Received {
        connection: again,
        bytes: &emit(&Message::Open(open(2))),
    });
    bench.receive(again, &Message::Keepalive);
    let status = bench.peer.status();
    assert_eq!(status.state, State::Established);
    let fault = status.last_error.unwrap().fault;
    assert!(matches!(fault, Fault::Sent(error) if error.error() == Some(Error::BadPeerAs)));
}
