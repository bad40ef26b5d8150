use super::super::tests::{desired, peer};
use super::*;
use crate::bgp::{Peers, Secret};

fn range(address: &str, length: u8) -> Desired {
    let mut settings = peer();
    settings.remote = Remote::Range(Cidr::new(address.parse().unwrap(), length).unwrap());
    desired(settings, Secret::None)
}

fn waiting_for(address: &str) -> Desired {
    let mut settings = peer();
    settings.remote = Remote::Address(address.parse().unwrap());
    settings.passive = true;
    desired(settings, Secret::None)
}

fn wanted(of: impl IntoIterator<Item = (&'static str, Desired)>) -> Peers {
    let named = of.into_iter();
    std::sync::Arc::new(
        named
            .map(|(name, one)| (PeerName::new(name), one))
            .collect(),
    )
}

fn from(address: &str) -> Origin<'static> {
    Origin {
        address: address.parse().unwrap(),
        device: None,
    }
}

fn neighbor(peer: &str, address: &str) -> Option<SessionName> {
    let address = address.parse().unwrap();
    Some(SessionName::of_neighbor(&PeerName::new(peer), address))
}

#[test]
fn whoever_connects_is_the_peer_of_that_address_or_else_in_the_longest_range() {
    let wanted = wanted([
        ("all", range("0.0.0.0", 0)),
        ("leafs", range("10.99.0.0", 16)),
        ("rack", range("10.99.1.0", 24)),
        ("spine", waiting_for("10.99.1.1")),
        ("six", range("fd99::", 64)),
    ]);
    let spine = Some(SessionName::from(PeerName::new("spine")));
    assert_eq!(whose(&wanted, from("10.99.1.1:40000")), spine);
    for (address, peer, own) in [
        ("10.99.1.2:40000", "rack", "10.99.1.2"),
        ("10.99.2.2:40000", "leafs", "10.99.2.2"),
        ("192.0.2.1:40000", "all", "192.0.2.1"),
        ("[::ffff:10.99.1.2]:40000", "rack", "10.99.1.2"),
        ("[fd99::7]:40000", "six", "fd99::7"),
    ] {
        assert_eq!(whose(&wanted, from(address)), neighbor(peer, own));
    }
    assert_eq!(whose(&wanted, from("[fd98::7]:40000")), None);
}

#[test]
fn a_peer_that_we_dial_may_not_connect_nor_be_one_of_a_range_besides() {
    let mut dialled = waiting_for("10.99.0.1");
    dialled.settings.passive = false;
    let wanted = wanted([("tor-1", dialled), ("rack", range("10.99.0.0", 24))]);
    assert_eq!(whose(&wanted, from("10.99.0.1:40000")), None);
    let other = neighbor("rack", "10.99.0.2");
    assert_eq!(whose(&wanted, from("10.99.0.2:40000")), other);
}

/// The same address may be on every link.
#[test]
fn a_link_local_address_is_a_peers_on_its_link_and_in_no_range() {
    let mut on_link = waiting_for("10.99.0.1");
    on_link.settings.remote = Remote::Interface(model::InterfaceName::new("eth1"));
    on_link.remote = Some("[fe80::1%3]:179".parse().unwrap());
    let wanted = wanted([("eth1", on_link), ("all", range("::", 0))]);
    let eth1 = Some(SessionName::from(PeerName::new("eth1")));
    assert_eq!(whose(&wanted, from("[fe80::1%3]:40000")), eth1);
    assert_eq!(whose(&wanted, from("[fe80::1%4]:40000")), None);
    assert_eq!(whose(&wanted, from("[fe80::2%3]:40000")), None);
}

#[test]
fn a_range_in_a_vrf_takes_nobody_from_elsewhere() {
    let mut inside = range("10.99.0.0", 24);
    inside.settings.vrf = Some("red".to_owned());
    let wanted = wanted([("red", inside)]);
    let outside = from("10.99.0.1:40000");
    assert_eq!(whose(&wanted, outside), None);
    let device = Device::new("red");
    let inside = Origin {
        device: device.as_ref(),
        ..outside
    };
    assert_eq!(whose(&wanted, inside), neighbor("red", "10.99.0.1"));
    let name = neighbor("red", "10.99.0.1").unwrap();
    assert!(wanted_of(&wanted, &name).is_some());
}

#[test]
fn what_is_wanted_of_a_neighbour_is_that_of_its_range_with_its_address() {
    let wanted = wanted([("leafs", range("10.99.0.0", 24))]);
    let name = neighbor("leafs", "10.99.0.7").unwrap();
    let one = wanted_of(&wanted, &name).unwrap().into_owned();
    let address = "10.99.0.7".parse().unwrap();
    assert_eq!(one.settings.remote, Remote::Address(address));
    assert!(one.settings.passive);
    assert_eq!(one.remote, Some(SocketAddr::new(address, 179)));
    let whole = SessionName::from(PeerName::new("leafs"));
    assert!(wanted_of(&wanted, &whole).is_none());
}

#[test]
fn a_neighbour_is_wanted_as_long_as_its_address_is_in_that_range_and_no_others() {
    let name = neighbor("leafs", "10.99.0.7").unwrap();
    let leafs = || ("leafs", range("10.99.0.0", 24));
    assert!(wanted_of(&wanted([leafs()]), &name).is_some());
    for gone in [
        wanted([]),
        wanted([("leafs", range("10.99.1.0", 24))]),
        wanted([("leafs", waiting_for("10.99.0.7"))]),
        wanted([leafs(), ("rack", range("10.99.0.0", 28))]),
        wanted([leafs(), ("seven", waiting_for("10.99.0.7"))]),
    ] {
        assert!(wanted_of(&gone, &name).is_none(), "{gone:?}");
    }
}

/// RFC 8950 is for sessions over IPv6; over IPv4 the next hop of IPv6 routes is ours on that link.
#[test]
fn each_neighbours_next_hop_is_ours_on_its_own_link() {
    let mut leafs = range("10.99.0.0", 16);
    let interface = |name: &str, v4: &str, v6: &str| plan::Interface {
        name: model::InterfaceName::new(name),
        kind: plan::InterfaceKind::Ethernet,
        up: true,
        enslaved: false,
        prefixes: vec![prefix(v4, 24), prefix(v6, 64)],
        default_route_v4: false,
        default_route_v6: false,
    };
    leafs.interfaces = [
        interface("eth0", "10.99.0.11", "fd99::11"),
        interface("eth1", "10.99.1.11", "fd99:0:0:1::11"),
    ]
    .into();
    let wanted = wanted([("leafs", leafs)]);
    for (address, ours) in [("10.99.0.7", "fd99::11"), ("10.99.1.7", "fd99:0:0:1::11")] {
        let name = neighbor("leafs", address).unwrap();
        let one = wanted_of(&wanted, &name).unwrap();
        assert_eq!(one.next_hops.v6, Some(ours.parse().unwrap()));
    }
}

fn prefix(address: &str, length: u8) -> plan::Prefix {
    plan::Prefix {
        address: address.parse().unwrap(),
        length,
    }
}
