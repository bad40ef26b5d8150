//! `bgpkit-parser`.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what we do not write has no place here"
)]

use std::net::IpAddr;

use bgp::wire::{Open, Session};
use bgpkit_parser::models::{
    AsnLength, AttributeValue, BgpMessage, BgpOpenMessage, BgpUpdateMessage, CapabilityValue,
    Community, ExtendedCommunity, NetworkPrefix, NextHopAddress, Origin, ParamValue,
};
use bgpkit_parser::parser::bgp::parse_bgp_message;
use bytes::Bytes;

use super::Meaning;

fn read(octets: &[u8], four_octet_as: bool) -> BgpMessage {
    let width = if four_octet_as {
        AsnLength::Bits32
    } else {
        AsnLength::Bits16
    };
    let mut octets = Bytes::copy_from_slice(octets);
    let message = parse_bgp_message(&mut octets, false, &width).expect("bgpkit reads it");
    assert!(octets.is_empty(), "bgpkit reads all of it");
    message
}

fn nets(prefixes: &[NetworkPrefix]) -> Vec<String> {
    prefixes.iter().map(|one| one.prefix.to_string()).collect()
}

pub(crate) fn update(octets: &[u8], session: &Session) -> Meaning {
    let BgpMessage::Update(update) = read(octets, session.four_octet_as) else {
        panic!("an UPDATE")
    };
    let BgpUpdateMessage {
        withdrawn_prefixes,
        attributes,
        announced_prefixes,
    } = update;
    let mut meaning = Meaning {
        announced: nets(&announced_prefixes),
        withdrawn: nets(&withdrawn_prefixes),
        ..Meaning::default()
    };
    for attribute in attributes.into_attributes_iter() {
        note(attribute.value, &mut meaning);
    }
    meaning
}

fn note(value: AttributeValue, meaning: &mut Meaning) {
    match value {
        AttributeValue::Origin(origin) => meaning.igp = origin == Origin::IGP,
        AttributeValue::AsPath(path) => {
            meaning.as_path = path.to_u32_vec_opt(false).unwrap_or_default();
        }
        AttributeValue::As4Path(path) => {
            meaning.as4_path = path.to_u32_vec_opt(false).unwrap_or_default();
        }
        AttributeValue::NextHop(address) => meaning.next_hops.push(address),
        AttributeValue::MultiExitDiscriminator(med) => meaning.multi_exit_disc = Some(med),
        AttributeValue::LocalPreference(pref) => meaning.local_pref = Some(pref),
        AttributeValue::OnlyToCustomer(asn) => meaning.only_to_customer = Some(asn.to_u32()),
        AttributeValue::Communities(list) => {
            meaning.communities = list.into_iter().map(community).collect();
        }
        AttributeValue::ExtendedCommunities(list) => {
            meaning.route_targets = list.into_iter().map(route_target).collect();
        }
        AttributeValue::LargeCommunities(list) => {
            let parts = list.into_iter().map(|one| {
                let [local1, local2] = one.local_data;
                [one.global_admin, local1, local2]
            });
            meaning.large_communities = parts.collect();
        }
        AttributeValue::MpReachNlri(nlri) => {
            meaning.announced = nets(&nlri.prefixes);
            meaning.next_hops = nlri.next_hop.map(next_hops).unwrap_or_default();
        }
        AttributeValue::MpUnreachNlri(nlri) => meaning.withdrawn = nets(&nlri.prefixes),
        other => panic!("we do not write {other:?}"),
    }
}

fn next_hops(next_hop: NextHopAddress) -> Vec<IpAddr> {
    match next_hop {
        NextHopAddress::Ipv4(address) => vec![address.into()],
        NextHopAddress::Ipv6(address) => vec![address.into()],
        NextHopAddress::Ipv6LinkLocal(global, local) => vec![global.into(), local.into()],
        other => panic!("we do not write {other:?}"),
    }
}

fn community(community: Community) -> u32 {
    match community {
        Community::NoExport => 0xffff_ff01,
        Community::NoAdvertise => 0xffff_ff02,
        Community::NoExportSubConfed => 0xffff_ff03,
        Community::Custom(asn, value) => asn.to_u32() << 16 | u32::from(value),
    }
}

fn route_target(community: ExtendedCommunity) -> (u16, u32) {
    match community {
        ExtendedCommunity::TransitiveTwoOctetAs(one) if one.subtype == 2 => {
            (one.global_admin.into(), u32::from_be_bytes(one.local_admin))
        }
        other => panic!("{other:?} is no route target"),
    }
}

pub(crate) fn assert_open(octets: &[u8], open: &Open) {
    let BgpMessage::Open(read) = read(octets, true) else {
        panic!("an OPEN")
    };
    let BgpOpenMessage {
        version,
        hold_time,
        bgp_identifier,
        opt_params,
        ..
    } = read;
    assert_eq!(
        (version, hold_time, bgp_identifier),
        (4, 90, open.router_id.address())
    );
    let capabilities: Vec<_> = opt_params
        .into_iter()
        .flat_map(|parameter| match parameter.param_value {
            ParamValue::Capacities(capabilities) => capabilities,
            ParamValue::Raw(raw) => panic!("{raw:?} is no capability"),
        })
        .map(|capability| capability.value)
        .collect();
    assert_eq!(capabilities.len(), open.capabilities.len());
    let has = |is: fn(&CapabilityValue) -> bool| capabilities.iter().any(is);
    assert!(has(|one| matches!(one, CapabilityValue::RouteRefresh(_))));
    assert!(has(|one| matches!(
        one,
        CapabilityValue::BgpExtendedMessage(_)
    )));
    assert!(has(|one| matches!(
        one,
        CapabilityValue::MultiprotocolExtensions(_)
    )));
    assert!(has(
        |one| matches!(one, CapabilityValue::FourOctetAs(four) if four.asn == 4_200_000_000)
    ));
    assert!(has(
        |one| matches!(one, CapabilityValue::ExtendedNextHop(list) if list.entries.len() == 1)
    ));
    assert!(has(|one| matches!(one, CapabilityValue::BgpRole(_))));
    assert!(has(
        |one| matches!(one, CapabilityValue::GracefulRestart(restart)
        if restart.restart_state && restart.restart_time == 30
            && restart.address_families.iter().all(|family| family.forwarding_state))
    ));
}

pub(crate) fn notification(octets: &[u8]) -> ((u8, u8), Vec<u8>) {
    let BgpMessage::Notification(read) = read(octets, true) else {
        panic!("a NOTIFICATION")
    };
    (read.error.get_codes(), read.data)
}

pub(crate) fn route_refresh(octets: &[u8]) -> (u16, u8, u8) {
    let BgpMessage::RouteRefresh(read) = read(octets, true) else {
        panic!("a ROUTE-REFRESH")
    };
    (read.afi, read.subtype, read.safi)
}
