use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_route::link::State;
use netlink_packet_route::route::RouteNextHop;

use super::*;

const UP: LinkFlags = LinkFlags::Up.union(LinkFlags::LowerUp);

struct LinkBuilder(LinkMessage);

fn link(index: u32, name: &str) -> LinkBuilder {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.link_layer_type = LinkLayerType::Ether;
    message.header.flags = UP;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 9]),
        LinkAttribute::OperState(State::Up),
    ];
    LinkBuilder(message)
}

impl LinkBuilder {
    fn kind(mut self, kind: InfoKind) -> Self {
        let info = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]);
        self.0.attributes.push(info);
        self
    }

    fn master(mut self, index: u32) -> Self {
        self.0.attributes.push(LinkAttribute::Controller(index));
        self
    }

    fn flags(mut self, flags: LinkFlags) -> Self {
        self.0.header.flags = flags;
        self
    }

    fn layer(mut self, layer: LinkLayerType) -> Self {
        self.0.header.link_layer_type = layer;
        self
    }

    fn present(self) -> RouteNetlinkMessage {
        RouteNetlinkMessage::NewLink(self.0)
    }

    fn deleted(self) -> RouteNetlinkMessage {
        RouteNetlinkMessage::DelLink(self.0)
    }
}

fn address(index: u32, address: impl Into<IpAddr>, prefix_len: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = prefix_len;
    message.attributes = vec![AddressAttribute::Address(address.into())];
    message
}

fn default_route(family: AddressFamily, out_of: &[u32]) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.kind = RouteType::Unicast;
    message.attributes = match out_of {
        [index] => vec![RouteAttribute::Oif(*index)],
        several => vec![RouteAttribute::MultiPath(several.iter().map(hop).collect())],
    };
    message
}

fn hop(index: &u32) -> RouteNextHop {
    let mut hop = RouteNextHop::default();
    hop.interface_index = *index;
    hop
}

fn table(messages: impl IntoIterator<Item = RouteNetlinkMessage>) -> Table {
    let mut table = Table::default();
    for message in messages {
        table.apply(&message);
    }
    table
}

fn only(table: &Table) -> Interface {
    let interfaces = table.interfaces();
    assert_eq!(interfaces.len(), 1, "{interfaces:?}");
    interfaces.into_iter().next().expect("one interface")
}

fn named(table: &Table, name: &str) -> Interface {
    let mut interfaces = table.interfaces().into_iter();
    interfaces.find(|i| i.name == name).expect("of this name")
}

#[test]
fn shows_a_network_card_with_both_families() {
    let v4 = Ipv4Addr::new(10, 99, 0, 11);
    let v6 = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x11);
    let mut table = table([
        link(2, "eth0").present(),
        RouteNetlinkMessage::NewAddress(address(2, v6, 64)),
        RouteNetlinkMessage::NewAddress(address(2, v4, 24)),
    ]);
    let routes = [
        RouteNetlinkMessage::NewRoute(default_route(AddressFamily::Inet, &[2])),
        RouteNetlinkMessage::NewRoute(default_route(AddressFamily::Inet6, &[2])),
    ];
    table.set_routes(routes.iter());
    let expected = Interface {
        index: InterfaceIndex::new(2).expect("an index"),
        name: "eth0".to_owned(),
        mac: Some([2, 0, 0, 0, 0, 9]),
        kind: Kind::Ethernet,
        up: true,
        enslaved: false,
        bridge_has_uplink: false,
        prefixes: vec![(v4.into(), 24), (v6.into(), 64)],
        default_route_v4: true,
        default_route_v6: true,
    };
    assert_eq!(only(&table), expected);
}

#[test]
fn tells_kinds_apart() {
    for (kind, layer, expected) in [
        (Some(InfoKind::Veth), LinkLayerType::Ether, Kind::Veth),
        (Some(InfoKind::Vlan), LinkLayerType::Ether, Kind::Vlan),
        (Some(InfoKind::Bond), LinkLayerType::Ether, Kind::Bond),
        (Some(InfoKind::Bridge), LinkLayerType::Ether, Kind::Bridge),
        (Some(InfoKind::MacVlan), LinkLayerType::Ether, Kind::Macvlan),
        (Some(InfoKind::Vxlan), LinkLayerType::Ether, Kind::Tunnel),
        (Some(InfoKind::Tun), LinkLayerType::Ether, Kind::Tap),
        (Some(InfoKind::Tun), LinkLayerType::None, Kind::Tunnel),
        (Some(InfoKind::IpIp), LinkLayerType::Tunnel, Kind::Tunnel),
        (Some(InfoKind::GreTun), LinkLayerType::Ipgre, Kind::Tunnel),
        (Some(InfoKind::Wireguard), LinkLayerType::None, Kind::Tunnel),
        (Some(InfoKind::Vrf), LinkLayerType::Ether, Kind::Vrf),
        (Some(InfoKind::Dummy), LinkLayerType::Ether, Kind::Dummy),
        (Some(InfoKind::IpVlan), LinkLayerType::Ether, Kind::Other),
        (
            Some(InfoKind::Other("openvswitch".to_owned())),
            LinkLayerType::Ether,
            Kind::Ethernet,
        ),
        (None, LinkLayerType::Loopback, Kind::Loopback),
        (None, LinkLayerType::Infiniband, Kind::Other),
        (None, LinkLayerType::Ether, Kind::Ethernet),
    ] {
        assert_eq!(
            Kind::of(layer, kind.as_ref()),
            expected,
            "{kind:?}, {layer:?}"
        );
    }
}

#[test]
fn only_ethernet_has_a_mac() {
    let table = table([link(3, "ib0").layer(LinkLayerType::Infiniband).present()]);
    assert_eq!(only(&table).mac, None);
}

#[test]
fn is_up_only_with_a_carrier_and_not_dormant() {
    for (flags, up) in [
        (UP, true),
        (UP | LinkFlags::Running, true),
        (LinkFlags::Up, false),
        (LinkFlags::LowerUp, false),
        (UP | LinkFlags::Dormant, false),
    ] {
        let table = table([link(2, "eth0").flags(flags).present()]);
        assert_eq!(only(&table).up, up, "{flags:?}");
    }
}

#[test]
fn ports_are_enslaved_but_members_of_a_vrf_are_not() {
    let mut table = table([
        link(2, "eth0").master(10).present(),
        link(3, "eth1").master(11).present(),
        link(10, "br0").kind(InfoKind::Bridge).present(),
        link(11, "red").kind(InfoKind::Vrf).present(),
    ]);
    assert!(named(&table, "eth0").enslaved);
    assert!(!named(&table, "eth1").enslaved);

    table.apply(&link(2, "eth0").present());
    assert!(!named(&table, "eth0").enslaved);
}

#[test]
fn bridge_has_an_uplink_while_a_port_leads_out() {
    let bridge = || link(10, "br0").kind(InfoKind::Bridge).present();
    let mut table = table([
        bridge(),
        link(4, "veth4").kind(InfoKind::Veth).master(10).present(),
        link(5, "tap5").kind(InfoKind::Tun).master(10).present(),
    ]);
    assert!(!named(&table, "br0").bridge_has_uplink);

    table.apply(&link(2, "eth0").master(10).present());
    assert!(named(&table, "br0").bridge_has_uplink);

    table.apply(&link(2, "eth0").deleted());
    assert!(!named(&table, "br0").bridge_has_uplink);
}

#[test]
fn what_a_bridge_says_of_its_ports_removes_no_interface() {
    let mut port = link(2, "eth0");
    port.0.header.interface_family = AddressFamily::Bridge;
    let table = table([link(2, "eth0").present(), port.deleted()]);
    assert_eq!(only(&table).name, "eth0");
}

#[test]
fn removed_interface_takes_its_addresses_along() {
    let prefix = address(2, Ipv4Addr::new(10, 99, 0, 11), 24);
    let mut table = table([
        link(2, "eth0").present(),
        RouteNetlinkMessage::NewAddress(prefix),
        link(2, "eth0").deleted(),
    ]);
    assert_eq!(table.interfaces(), []);

    table.apply(&link(2, "eth0").present());
    assert_eq!(only(&table).prefixes, []);
}

#[test]
fn removed_address_is_gone() {
    let prefix = || address(2, Ipv6Addr::LOCALHOST, 64);
    let table = table([
        link(2, "eth0").present(),
        RouteNetlinkMessage::NewAddress(prefix()),
        RouteNetlinkMessage::DelAddress(prefix()),
    ]);
    assert_eq!(only(&table).prefixes, []);
}

#[test]
fn every_hop_of_a_multipath_default_route_counts() {
    let mut table = table([link(2, "eth0").present(), link(3, "eth1").present()]);
    let route = RouteNetlinkMessage::NewRoute(default_route(AddressFamily::Inet, &[2, 3]));
    table.set_routes([route].iter());
    assert!(named(&table, "eth0").default_route_v4);
    assert!(named(&table, "eth1").default_route_v4);
    assert!(!named(&table, "eth0").default_route_v6);
}

#[test]
fn other_routes_are_no_default() {
    let mut elsewhere = default_route(AddressFamily::Inet, &[2]);
    elsewhere.attributes.push(RouteAttribute::Table(100));
    let mut unreachable = default_route(AddressFamily::Inet6, &[2]);
    unreachable.header.kind = RouteType::Unreachable;
    let mut narrow = default_route(AddressFamily::Inet, &[2]);
    narrow.header.destination_prefix_length = 8;
    for route in [elsewhere, unreachable, narrow] {
        assert!(!is_default(&route), "{route:?}");
    }
}

#[test]
fn default_routes_are_read_anew_when_they_may_have_changed() {
    let mut table = table([link(2, "eth0").present(), link(3, "eth1").present()]);
    let route = || RouteNetlinkMessage::NewRoute(default_route(AddressFamily::Inet, &[2]));
    assert_eq!(table.apply(&route()), Routes::Stale);
    table.set_routes([route()].iter());

    // The kernel drops IPv4 routes through a link that goes down without a message.
    assert_eq!(
        table.apply(&link(3, "eth1").flags(LinkFlags::Up).present()),
        Routes::Known
    );
    assert_eq!(
        table.apply(&link(2, "eth0").present()),
        Routes::Known,
        "nothing changed"
    );
    assert_eq!(
        table.apply(&link(2, "eth0").flags(LinkFlags::empty()).present()),
        Routes::Stale
    );
    assert!(!named(&table, "eth0").default_route_v4);
}
