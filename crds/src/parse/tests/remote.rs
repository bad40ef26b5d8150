//! Where peers are.

use model::{Cidr, InterfaceName, Remote};
use serde_json::{Value, json};

use super::bgp::{found, names, parse_peer, parse_peers, peer};
use super::*;

fn remote(fields: &Value) -> Remote {
    let parsed = parse_peer(fields);
    assert_eq!(parsed.problems, [], "{fields}");
    parsed.config.bgp_peers[0].remote.clone()
}

/// A peer that is not at an address.
fn elsewhere(field: &str, value: &str) -> Value {
    json!({ "peerAddress": null, field: value })
}

fn cidr(address: &str, length: u8) -> Cidr {
    Cidr::new(address.parse().unwrap(), length).unwrap()
}

#[test]
fn a_peer_is_at_an_address_on_an_interface_or_in_a_range() {
    let on_link = remote(&elsewhere("interface", "eth1.100"));
    assert_eq!(on_link, Remote::Interface(InterfaceName::new("eth1.100")));
    for (text, expected) in [
        ("192.0.2.0/24", cidr("192.0.2.0", 24)),
        ("2001:db8::/64", cidr("2001:db8::", 64)),
        ("169.254.0.0/16", cidr("169.254.0.0", 16)),
        ("192.0.2.1/32", cidr("192.0.2.1", 32)),
        ("2001:db8::1/128", cidr("2001:db8::1", 128)),
    ] {
        assert_eq!(
            remote(&elsewhere("listenRange", text)),
            Remote::Range(expected)
        );
    }
}

#[test]
fn peers_of_a_range_are_waited_for() {
    let parsed = parse_peer(&elsewhere("listenRange", "192.0.2.0/24"));
    assert!(parsed.config.bgp_peers[0].passive);
    let parsed = parse_peer(&elsewhere("interface", "eth1"));
    assert!(!parsed.config.bgp_peers[0].passive);
}

#[test]
fn a_peer_is_at_one_place() {
    for fields in [
        json!({ "peerAddress": null }),
        json!({ "interface": "eth1" }),
        json!({ "listenRange": "192.0.2.0/24" }),
        json!({ "peerAddress": null, "interface": "eth1", "listenRange": "192.0.2.0/24" }),
        json!({ "interface": "eth1", "listenRange": "192.0.2.0/24" }),
    ] {
        let parsed = parse_peer(&fields);
        assert_eq!(
            found(&parsed),
            [("spec.peerAddress", "InvalidPeer")],
            "{fields}"
        );
        assert_eq!(names(&parsed), [""; 0]);
    }
}

#[test]
fn what_is_no_interface_and_no_range_is_refused() {
    for text in [
        "",
        "eth/1",
        "eth 1",
        "eth*",
        "eth?",
        "eth[12]",
        "sixteen-letters-",
    ] {
        let parsed = parse_peer(&elsewhere("interface", text));
        assert_eq!(
            found(&parsed),
            [("spec.interface", "InvalidInterface")],
            "{text}"
        );
    }
    for text in [
        "",
        "192.0.2.1",
        "192.0.2.1/24",
        "192.0.2.0/33",
        "192.0.2.0/+24",
        "192.0.2.0/024",
        "192.0.2.0-192.0.2.9",
        "2001:db8::1/64",
        "2001:db8::/129",
        "::ffff:192.0.2.0/120",
        "fe80::/64",
        "ff02::/16",
        "224.0.0.0/4",
        "0.0.0.0/0",
        "::/0",
    ] {
        let parsed = parse_peer(&elsewhere("listenRange", text));
        assert_eq!(
            found(&parsed),
            [("spec.listenRange", "InvalidListenRange")],
            "{text}"
        );
    }
}

#[test]
fn what_does_not_go_with_an_interface_or_a_range_is_refused() {
    let parsed = parse_peer(&json!({
        "peerAddress": null, "interface": "eth1",
        "sourceAddress": "2001:db8::1", "ebgpMultiHop": true, "vrf": "red",
    }));
    assert_eq!(
        found(&parsed),
        [
            ("spec.sourceAddress", "NotOnInterface"),
            ("spec.ebgpMultiHop", "NotOnInterface"),
            ("spec.vrf", "NotOnInterface"),
        ]
    );
    let parsed = parse_peer(&json!({
        "peerAddress": null, "listenRange": "192.0.2.0/24",
        "sourceAddress": "2001:db8::1", "peerPort": 1790,
    }));
    assert_eq!(
        found(&parsed),
        [
            ("spec.sourceAddress", "DifferentFamilies"),
            ("spec.peerPort", "NotForListenRange"),
        ]
    );
}

#[test]
fn interfaces_and_ranges_that_meet_are_one_peer_and_the_older_one_is_in_force() {
    let wide = elsewhere("listenRange", "192.0.2.0/24");
    let link = elsewhere("interface", "eth1");
    let parsed = parse_peers(&[
        &peer("wide", 1, &wide),
        &peer("narrow", 2, &elsewhere("listenRange", "192.0.2.128/25")),
        &peer("link", 3, &link),
        &peer("link-again", 4, &link),
        // None of these is the same.
        &peer("beside", 5, &elsewhere("listenRange", "192.0.3.0/24")),
        &peer("inside", 6, &json!({ "peerAddress": "192.0.2.1" })),
        &peer("other", 7, &elsewhere("interface", "eth2")),
    ]);
    assert_eq!(
        names(&parsed),
        ["beside", "inside", "link", "other", "wide"]
    );
    let rest = "on nodes that this one may select too; delete one, or write nodeSelectors that no \
                node can match both of";
    assert_eq!(
        said(&parsed),
        [
            format!(
                "BGPPeer/narrow: spec.listenRange: BGPPeer wide is older and has an overlapping range \
                 in the same VRF {rest}"
            ),
            format!(
                "BGPPeer/link-again: spec.interface: BGPPeer link is older and has the same interface \
                 {rest}"
            ),
        ]
    );
}
