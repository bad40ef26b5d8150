//! RFC 4271: what RFC 7606 has left of its error handling. Headers and OPENs are tested beside
//! their code.

use bgp::Families;
use bgp::wire::{AttributeType, Error, Notification, Treatment};

use crate::kit::*;

/// RFC 4271 §6.3: lengths that exceed the message are a malformed attribute list.
#[test]
fn lengths_beyond_the_message_end_the_session() {
    let bodies: [&[u8]; 6] = [
        &[0, 5, 0, 0],
        &[0, 1, 0, 0],
        &[0, 0, 0, 1],
        &[0, 0, 0xff, 0xff],
        &[0xff, 0xff, 0, 0],
        &[0, 4, 24, 198, 51, 100, 0],
    ];
    for body in bodies {
        let refused = read(&message(UPDATE, body), &external());
        assert_eq!(
            refused,
            Err(Notification::new(Error::MalformedAttributeList)),
            "{body:?}"
        );
    }
}

/// RFC 4271 §6.3: data is the attribute.
#[test]
fn a_well_known_attribute_that_nobody_knows_ends_the_session() {
    for kind in [0, 11, 99, 255] {
        let unknown = attribute(0x40, kind, &[1, 2, 3]);
        let notification = read(&announcement(&[&unknown]), &external()).unwrap_err();
        assert_eq!(
            notification.error(),
            Some(Error::UnrecognizedWellKnownAttribute)
        );
        assert_eq!(notification.data(), unknown);
    }
}

/// RFC 4271 §6.3: prefixes that cannot be read.
#[test]
fn a_network_field_that_cannot_be_read_ends_the_session() {
    for field in [&[33, 1, 2, 3, 4, 5][..], &[24, 198, 51], &[8]] {
        let attributes = [ORIGIN, AS_PATH, NEXT_HOP];
        let announced = read(&update(&[], &attributes, field), &external());
        let withdrawn = read(&update(field, &[], &[]), &external());
        let expected = Err(Notification::new(Error::InvalidNetworkField));
        assert_eq!(
            (announced, withdrawn),
            (expected.clone(), expected),
            "{field:?}"
        );
    }
}

/// RFC 4271 §6.3: NEXT_HOP has to be the address of a host.
#[test]
fn a_next_hop_that_is_no_host_makes_the_routes_withdrawn() {
    for address in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 5],
        [255, 255, 255, 255],
    ] {
        let next_hop = attribute(0x40, 3, &address);
        let read = read_update(
            &update(&[], &[ORIGIN, AS_PATH, &next_hop], NLRI),
            &external(),
        );
        let read = read.unwrap();
        assert_eq!(
            read.treatments,
            [(AttributeType::NEXT_HOP, Treatment::Withdraw)]
        );
        assert_eq!(
            (read.announced.len(), read.withdrawn),
            (0, vec![prefix("198.51.100.0/24")])
        );
    }
}

/// RFC 4271 §4.3: withdrawn routes need no attributes.
#[test]
fn routes_are_withdrawn_without_attributes() {
    let read = read_update(&update(NLRI, &[], &[]), &external()).unwrap();
    assert_eq!(read.withdrawn, [prefix("198.51.100.0/24")]);
    assert_eq!((read.treatments.len(), read.end_of_rib), (0, None));
}

/// RFC 4271 §4.3: a prefix may be withdrawn and announced in one message.
#[test]
fn a_message_may_withdraw_and_announce() {
    let octets = update(&[8, 10], &[ORIGIN, AS_PATH, NEXT_HOP], NLRI);
    let read = read_update(&octets, &external()).unwrap();
    assert_eq!(read.withdrawn, [prefix("10.0.0.0/8")]);
    assert_eq!(read.announced, [prefix("198.51.100.0/24")]);
}

/// RFC 4271 §4.3: the length has two octets if the flag says so, needed or not.
#[test]
fn an_extended_length_is_read_where_its_flag_is_set() {
    let long = [0x50, 1, 0, 1, 0];
    let read = read_update(&update(&[], &[&long, AS_PATH, NEXT_HOP], NLRI), &external());
    assert_eq!(read.unwrap().treatments, []);
}

/// RFC 4271 §5: attributes come in any order.
#[test]
fn the_order_of_attributes_means_nothing() {
    let read = read_update(
        &update(&[], &[NEXT_HOP, AS_PATH, ORIGIN], NLRI),
        &external(),
    );
    assert_eq!(read, read_update(&announcement(&[]), &external()));
}

/// RFC 4271 §6.4: there is no answer to a NOTIFICATION, whatever it holds.
#[test]
fn any_notification_is_read() {
    for body in [&[0, 0][..], &[255, 255, 255], &[6, 2, 200, 1]] {
        assert!(read(&message(3, body), &external()).is_ok(), "{body:?}");
    }
}

/// RFC 4760 §8: prefixes of a family that was not agreed on mean nothing.
#[test]
fn ipv4_prefixes_of_a_session_without_ipv4_are_left_out() {
    let mut session = external();
    session.families = [bgp::Family::Ipv6Unicast].into_iter().collect();
    assert_ne!(session.families, Families::BOTH);
    let octets = update(&[8, 10], &[ORIGIN, AS_PATH, NEXT_HOP], NLRI);
    let read = read_update(&octets, &session).unwrap();
    assert_eq!((read.withdrawn.len(), read.announced.len()), (0, 0));
}
