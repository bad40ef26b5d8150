//! Valid messages of every kind, with the session in which they are valid.

use std::net::Ipv6Addr;

use bgp::wire::{
    Capability, Error, Forwarding, GracefulRestart, Message, NextHop, NextHopEncoding,
    Notification, Open, PathAttributes, RefreshSubtype, Role, RouteRefresh, Session, announce,
    end_of_rib, withdraw,
};
use bgp::{Asn, Community, ExtendedCommunity, Family, LargeCommunity, RouterId};

use crate::kit::*;

/// A message, and where it belongs.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) session: Session,
    pub(crate) octets: Vec<u8>,
}

fn case(name: &'static str, session: Session, write: impl FnOnce(&Session, &mut Vec<u8>)) -> Case {
    let mut octets = Vec::new();
    write(&session, &mut octets);
    Case {
        name,
        session,
        octets,
    }
}

fn message_case(name: &'static str, message: &Message) -> Case {
    let session = Session {
        enhanced_route_refresh: true,
        ..external()
    };
    case(name, session, |session, out| {
        message.emit(Some(session), out)
    })
}

/// With a neighbour that knows two octets.
fn old() -> Session {
    Session {
        four_octet_as: false,
        ..external()
    }
}

pub(crate) fn corpus() -> Vec<Case> {
    let mut cases = vec![
        message_case("keepalive", &Message::Keepalive),
        message_case("open", &Message::Open(full_open())),
        case("open_extended", external(), |_, out| {
            out.extend(extended_open())
        }),
        message_case("notification", &Message::Notification(shutdown())),
        message_case(
            "hard_reset",
            &Message::Notification(shutdown().into_hard_reset()),
        ),
        message_case(
            "route_refresh",
            &Message::RouteRefresh(refresh(RefreshSubtype::Request)),
        ),
        message_case(
            "beginning_of_rib",
            &Message::RouteRefresh(refresh(RefreshSubtype::BeginningOfRib)),
        ),
        case("end_of_rib_v4", external(), |_, out| {
            end_of_rib(Family::Ipv4Unicast, out)
        }),
        case("end_of_rib_v6", external(), |_, out| {
            end_of_rib(Family::Ipv6Unicast, out)
        }),
        case("withdraw_v4", external(), |session, out| {
            withdraw(
                Family::Ipv4Unicast,
                [prefix("10.0.0.0/8"), prefix("192.0.2.1/32")],
                session,
                out,
            );
        }),
        case("withdraw_v6", external(), |session, out| {
            withdraw(
                Family::Ipv6Unicast,
                [prefix("2001:db8::/32"), prefix("::/0")],
                session,
                out,
            );
        }),
        case("all_places", external(), |_, out| {
            let attributes = [ORIGIN, UNREACH_V6, AS_PATH, NEXT_HOP, REACH_V6];
            out.extend(update(&[8, 10], &attributes, NLRI));
        }),
        case("all_attributes", internal(), |_, out| {
            out.extend(all_attributes())
        }),
        case("as4", old(), |_, out| out.extend(as4())),
    ];
    for (name, session, next_hop) in [
        ("announce_v4", external(), v4()),
        ("announce_v4_internal", internal(), v4()),
        ("announce_v4_old", old(), v4()),
        ("announce_v4_over_v6", over_v6(), v6()),
    ] {
        cases.push(case(name, session, |session, out| {
            let routes = [prefix("198.51.100.0/24"), prefix("203.0.113.7/32")];
            announce(
                Family::Ipv4Unicast,
                &attributes(next_hop),
                routes,
                session,
                out,
            )
            .unwrap();
        }));
    }
    cases.push(case("announce_v6", external(), |session, out| {
        let routes = [prefix("2001:db8:1::/48"), prefix("2001:db8::7/128")];
        announce(Family::Ipv6Unicast, &attributes(v6()), routes, session, out).unwrap();
    }));
    cases
}

fn over_v6() -> Session {
    Session {
        extended_next_hop: true,
        ..external()
    }
}

fn v4() -> NextHop {
    NextHop::V4([192, 0, 2, 1].into())
}

fn v6() -> NextHop {
    NextHop::V6 {
        global: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        link_local: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    }
}

pub(crate) fn attributes(next_hop: NextHop) -> PathAttributes {
    PathAttributes {
        as_path: vec![Asn(64_512), Asn(4_200_000_000)],
        next_hop,
        multi_exit_disc: Some(7),
        local_pref: Some(200),
        communities: vec![Community::GRACEFUL_SHUTDOWN, Community::new(64_512, 1)],
        extended_communities: vec![ExtendedCommunity([0, 2, 0xfc, 0, 0, 0, 0, 1])],
        large_communities: vec![LargeCommunity {
            global: 64_512,
            local1: 1,
            local2: 2,
        }],
    }
}

pub(crate) fn full_open() -> Open {
    let families = [Family::Ipv4Unicast, Family::Ipv6Unicast];
    let mut capabilities: Vec<Capability> = families
        .into_iter()
        .map(|family| Capability::Multiprotocol(family.into()))
        .collect();
    capabilities.extend([
        Capability::RouteRefresh,
        Capability::ExtendedNextHop(vec![NextHopEncoding::IPV4_OVER_IPV6]),
        Capability::ExtendedMessage,
        Capability::Role(Role::Customer),
        Capability::GracefulRestart(GracefulRestart {
            restarting: true,
            notification: true,
            restart_time: 30,
            families: families
                .map(|family| (family.into(), Forwarding::Preserved))
                .to_vec(),
        }),
        Capability::FourOctetAs(Asn(4_200_000_000)),
        Capability::EnhancedRouteRefresh,
        Capability::Fqdn {
            host: "node-1".to_owned(),
            domain: "example.net".to_owned(),
        },
        Capability::Unknown {
            code: 75,
            value: b"\x04test".as_slice().into(),
        },
    ]);
    Open {
        asn: Asn(4_200_000_000),
        hold_time: 90,
        router_id: RouterId::from([10, 0, 0, 1].into()).unwrap(),
        capabilities,
    }
}

/// RFC 9072's form, with two parameters.
fn extended_open() -> Vec<u8> {
    open(&[255, 255, 0, 14, 2, 0, 2, 2, 0, 2, 0, 6, 1, 4, 0, 1, 0, 1])
}

fn shutdown() -> Notification {
    Notification::new(Error::AdministrativeShutdown).with_text("node drained")
}

fn refresh(subtype: RefreshSubtype) -> RouteRefresh {
    RouteRefresh {
        family: Family::Ipv6Unicast.into(),
        subtype,
    }
}

/// Every attribute that is looked into, from an internal neighbour.
fn all_attributes() -> Vec<u8> {
    let values: [(u8, u8, &[u8]); 12] = [
        (0x80, 4, &[0, 0, 0, 7]),
        (0x40, 6, &[]),
        (0xc0, 7, &[0, 0, 0xfb, 0xf4, 192, 0, 2, 9]),
        (0xc0, 8, &[0xff, 0xff, 0xff, 1, 0xfc, 0, 0, 7]),
        (0x80, 9, &[10, 0, 0, 9]),
        (0x80, 10, &[10, 0, 0, 8, 10, 0, 0, 7]),
        (0xc0, 16, &[0, 2, 0xfc, 0, 0, 0, 0, 1]),
        (0xc0, 25, &[0; 20]),
        (0xc0, 32, &[0, 0, 0xfc, 0, 0, 0, 0, 1, 0, 0, 0, 2]),
        (0xc0, 35, &[0, 0, 0xfb, 0xf4]),
        (0xe0, 99, &[1, 2, 3]),
        (0x80, 200, &[]),
    ];
    let values: Vec<Vec<u8>> = values
        .iter()
        .map(|(flags, kind, value)| attribute(*flags, *kind, value))
        .collect();
    let path: &[u8] = &[0x40, 2, 12, 2, 1, 0, 0, 0xfb, 0xf4, 1, 1, 0, 0, 0, 7];
    let mut attributes = vec![ORIGIN, path, NEXT_HOP, LOCAL_PREF];
    attributes.extend(values.iter().map(Vec::as_slice));
    update(&[], &attributes, NLRI)
}

fn as4() -> Vec<u8> {
    let attributes: [&[u8]; 6] = [
        ORIGIN,
        &[0x40, 2, 6, 2, 2, 0xfb, 0xf4, 0x5b, 0xa0],
        NEXT_HOP,
        &[0xc0, 7, 6, 0x5b, 0xa0, 192, 0, 2, 9],
        &[0xc0, 17, 6, 2, 1, 0xfa, 0x56, 0xea, 0],
        &[0xc0, 18, 8, 0xfa, 0x56, 0xea, 0, 192, 0, 2, 9],
    ];
    update(&[], &attributes, NLRI)
}

#[test]
fn every_message_of_the_corpus_is_valid() {
    for Case {
        name,
        session,
        octets,
    } in corpus()
    {
        let message = read(&octets, &session).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Message::Update(update) = message {
            assert_eq!(update.treatments, [], "{name}");
        }
    }
}
