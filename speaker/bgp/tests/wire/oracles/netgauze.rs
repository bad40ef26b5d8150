//! `netgauze-bgp-pkt`, made to fail on whatever it finds wrong.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what we do not write has no place here"
)]

use std::collections::HashMap;

use bgp::wire::{Open, Session};
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::capabilities::BgpCapability;
use netgauze_bgp_pkt::community::{ExtendedCommunity, TransitiveTwoOctetExtendedCommunity};
use netgauze_bgp_pkt::iana::RouteRefreshSubcode;
use netgauze_bgp_pkt::notification::BgpNotificationMessage;
use netgauze_bgp_pkt::path_attribute::{
    As4PathSegment, MpReach, MpUnreach, Origin, PathAttributeValue,
};
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_iana::address_family::AddressType;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

use super::Meaning;

fn read(octets: &[u8], four_octet_as: bool) -> BgpMessage {
    let none = HashMap::new;
    let mut context = BgpParsingContext::new(
        four_octet_as,
        none(),
        HashMap::new(),
        true,
        true,
        true,
        true,
    );
    let mut reader = SliceReader::new(octets);
    BgpMessage::parse(&mut reader, &mut context).expect("netgauze reads it")
}

pub(crate) fn update(octets: &[u8], session: &Session) -> Meaning {
    let BgpMessage::Update(update) = read(octets, session.four_octet_as) else {
        panic!("an UPDATE")
    };
    let net =
        |one: &netgauze_bgp_pkt::nlri::Ipv4UnicastAddress| one.network().address().to_string();
    let mut meaning = Meaning {
        announced: update.nlri().iter().map(net).collect(),
        withdrawn: update.withdraw_routes().iter().map(net).collect(),
        ..Meaning::default()
    };
    for attribute in update.path_attributes() {
        note(attribute.value(), &mut meaning);
    }
    meaning
}

fn numbers(segments: &[As4PathSegment]) -> Vec<u32> {
    segments
        .iter()
        .flat_map(|segment| segment.as_numbers().to_vec())
        .collect()
}

fn note(value: &PathAttributeValue, meaning: &mut Meaning) {
    match value {
        PathAttributeValue::Origin(origin) => meaning.igp = *origin == Origin::IGP,
        PathAttributeValue::AsPath(path) => meaning.as_path = path.clone().into(),
        PathAttributeValue::As4Path(path) => meaning.as4_path = numbers(path.segments()),
        PathAttributeValue::NextHop(next_hop) => meaning.next_hops.push(next_hop.next_hop().into()),
        PathAttributeValue::MultiExitDiscriminator(med) => {
            meaning.multi_exit_disc = Some(med.metric());
        }
        PathAttributeValue::LocalPreference(pref) => meaning.local_pref = Some(pref.metric()),
        PathAttributeValue::Communities(list) => {
            meaning.communities = list.communities().iter().map(|one| one.value()).collect();
        }
        PathAttributeValue::ExtendedCommunities(list) => {
            meaning.route_targets = list.communities().iter().map(route_target).collect();
        }
        PathAttributeValue::LargeCommunities(list) => {
            let parts = |one: &netgauze_bgp_pkt::community::LargeCommunity| {
                [one.global_admin(), one.local_data1(), one.local_data2()]
            };
            meaning.large_communities = list.communities().iter().map(parts).collect();
        }
        PathAttributeValue::OnlyToCustomer(otc) => meaning.only_to_customer = Some(otc.asn()),
        PathAttributeValue::MpReach(MpReach::Ipv6Unicast {
            next_hop_global,
            next_hop_local,
            nlri,
        }) => {
            meaning.next_hops.push((*next_hop_global).into());
            meaning
                .next_hops
                .extend(next_hop_local.iter().copied().map(std::net::IpAddr::V6));
            meaning.announced = nlri
                .iter()
                .map(|one| one.network().address().to_string())
                .collect();
        }
        PathAttributeValue::MpReach(MpReach::Ipv4Unicast {
            next_hop,
            next_hop_local,
            nlri,
        }) => {
            meaning.next_hops.push(*next_hop);
            meaning
                .next_hops
                .extend(next_hop_local.iter().copied().map(std::net::IpAddr::V6));
            meaning.announced = nlri
                .iter()
                .map(|one| one.network().address().to_string())
                .collect();
        }
        PathAttributeValue::MpUnreach(MpUnreach::Ipv6Unicast { nlri }) => {
            meaning.withdrawn = nlri
                .iter()
                .map(|one| one.network().address().to_string())
                .collect();
        }
        other => panic!("we do not write {other:?}"),
    }
}

fn route_target(community: &ExtendedCommunity) -> (u16, u32) {
    match community {
        ExtendedCommunity::TransitiveTwoOctet(
            TransitiveTwoOctetExtendedCommunity::RouteTarget {
                global_admin,
                local_admin,
            },
        ) => (*global_admin, *local_admin),
        other => panic!("{other:?} is no route target"),
    }
}

pub(crate) fn is_end_of_rib(octets: &[u8]) -> bool {
    let BgpMessage::Update(update) = read(octets, true) else {
        panic!("an UPDATE")
    };
    update.end_of_rib().is_some()
}

pub(crate) fn assert_open(octets: &[u8], open: &Open) {
    let BgpMessage::Open(read) = read(octets, true) else {
        panic!("an OPEN")
    };
    assert_eq!((read.my_as(), read.my_asn4()), (23_456, open.asn.0));
    assert_eq!(
        (read.hold_time(), read.bgp_id()),
        (open.hold_time, open.router_id.address())
    );
    let capabilities = read.capabilities();
    assert_eq!(capabilities.len(), open.capabilities.len());
    let has = |is: fn(&BgpCapability) -> bool| capabilities.iter().any(|one| is(one));
    assert!(has(|one| *one == BgpCapability::RouteRefresh));
    assert!(has(|one| *one == BgpCapability::EnhancedRouteRefresh));
    assert!(has(|one| *one == BgpCapability::ExtendedMessage));
    assert!(has(
        |one| matches!(one, BgpCapability::FourOctetAs(four) if four.asn4() == 4_200_000_000)
    ));
    assert!(has(
        |one| matches!(one, BgpCapability::MultiProtocolExtensions(family)
        if family.address_type() == AddressType::Ipv6Unicast)
    ));
    assert!(has(
        |one| matches!(one, BgpCapability::GracefulRestartCapability(restart)
        if restart.restart() && restart.graceful_notification() && restart.time() == 30
            && restart.address_families().iter().all(|family| family.forwarding_state()))
    ));
    assert!(has(
        |one| matches!(one, BgpCapability::ExtendedNextHopEncoding(list)
        if list.encodings().iter().all(|one| one.address_type() == AddressType::Ipv4Unicast))
    ));
    assert!(has(|one| matches!(one, BgpCapability::BgpRole(_))));
}

pub(crate) fn assert_notification(octets: &[u8], code: u8) {
    let BgpMessage::Notification(read) = read(octets, true) else {
        panic!("a NOTIFICATION")
    };
    let expected = match read {
        BgpNotificationMessage::MessageHeaderError(_) => 1,
        BgpNotificationMessage::OpenMessageError(_) => 2,
        BgpNotificationMessage::UpdateMessageError(_) => 3,
        BgpNotificationMessage::HoldTimerExpiredError(_) => 4,
        BgpNotificationMessage::FiniteStateMachineError(_) => 5,
        BgpNotificationMessage::CeaseError(_) => 6,
        BgpNotificationMessage::RouteRefreshError(_) => 7,
    };
    assert_eq!(code, expected);
}

pub(crate) fn assert_end_of_refresh_v6(octets: &[u8]) {
    let BgpMessage::RouteRefresh(read) = read(octets, true) else {
        panic!("a ROUTE-REFRESH")
    };
    assert_eq!(read.address_type(), AddressType::Ipv6Unicast);
    assert_eq!(
        read.operation_type(),
        RouteRefreshSubcode::EndOfRouteRefresh
    );
}
