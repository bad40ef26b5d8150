use std::net::IpAddr;

use model::{AdvertisementName, InterfaceName, InterfacePattern, L2Advertisement};

use crate::interfaces::Interfaces;
use crate::{Interface, InterfaceKind, Prefix, Withheld};

const ETHERNET: InterfaceKind = InterfaceKind::Ethernet;
const VIPS: [&str; 2] = ["10.99.0.200", "fd99::200"];

#[test]
fn without_patterns_the_interface_whose_prefix_holds_the_vip_answers() {
    let interfaces = [
        interface("eth0", ETHERNET, &["10.98.0.11/24", "fd98::11/64"]).default_routes(),
        interface("eth1", ETHERNET, &["10.99.0.11/24", "fd99::11/64"]),
    ];
    for vip in VIPS {
        assert_eq!(choose(&interfaces, vip, &[&[]]), names(&["eth1"]), "{vip}");
    }
}

#[test]
fn without_patterns_and_prefix_the_default_route_of_the_family_decides() {
    let mut v4 = interface("eth0", ETHERNET, &["10.98.0.11/24"]);
    v4.default_route_v4 = true;
    let mut v6 = interface("eth1", ETHERNET, &["fd98::11/64"]);
    v6.default_route_v6 = true;
    let interfaces = [v4, v6];
    assert_eq!(choose(&interfaces, "10.99.0.200", &[&[]]), names(&["eth0"]));
    assert_eq!(choose(&interfaces, "fd99::200", &[&[]]), names(&["eth1"]));
}

#[test]
fn of_two_default_routes_the_one_that_is_up_decides() {
    let mut interfaces = [
        interface("eth0", ETHERNET, &["10.98.0.11/24", "fd98::11/64"]).default_routes(),
        interface("eth1", ETHERNET, &["10.97.0.11/24", "fd97::11/64"]).default_routes(),
    ];
    interfaces[0].up = false;
    for vip in VIPS {
        assert_eq!(choose(&interfaces, vip, &[&[]]), names(&["eth1"]), "{vip}");
    }
}

#[test]
fn patterns_name_interfaces_whatever_their_prefix() {
    let interfaces = [
        interface("bond0", ETHERNET, &["10.99.0.11/24", "fd99::11/64"]).default_routes(),
        interface("eth1", ETHERNET, &[]),
        interface("eth2", ETHERNET, &[]),
    ];
    for vip in VIPS {
        assert_eq!(
            choose(&interfaces, vip, &[&["eth*"]]),
            names(&["eth1", "eth2"])
        );
    }
}

#[test]
fn the_interfaces_of_several_advertisements_add_up() {
    let interfaces = [
        interface("eth0", ETHERNET, &["10.99.0.11/24", "fd99::11/64"]),
        interface("eth1", ETHERNET, &["10.98.0.11/24", "fd98::11/64"]),
    ];
    for vip in VIPS {
        let chosen = choose(&interfaces, vip, &[&["eth1"], &[]]);
        assert_eq!(chosen, names(&["eth0", "eth1"]), "{vip}");
    }
}

#[test]
fn of_two_interfaces_on_one_segment_the_one_with_the_vips_prefix_acts_then_the_first() {
    let mut interfaces = [
        interface("eth0", ETHERNET, &["10.98.0.11/24", "fd98::11/64"]),
        interface(
            "eth1",
            ETHERNET,
            &[
                "10.98.0.12/24",
                "10.99.0.12/24",
                "fd98::12/64",
                "fd99::12/64",
            ],
        ),
    ];
    for vip in VIPS {
        assert_eq!(
            choose(&interfaces, vip, &[&["*"]]),
            names(&["eth1"]),
            "{vip}"
        );
    }
    interfaces[0]
        .prefixes
        .extend([prefix("10.99.0.11/24"), prefix("fd99::11/64")]);
    for vip in VIPS {
        assert_eq!(choose(&interfaces, vip, &[&[]]), names(&["eth0"]), "{vip}");
    }
}

#[test]
fn the_second_interface_of_a_segment_steps_in_for_one_that_is_down() {
    let mut interfaces = [
        interface("eth0", ETHERNET, &["10.99.0.11/24", "fd99::11/64"]),
        interface("eth1", ETHERNET, &["10.99.0.12/24", "fd99::12/64"]),
    ];
    interfaces[0].up = false;
    for vip in VIPS {
        assert_eq!(choose(&interfaces, vip, &[&[]]), names(&["eth1"]), "{vip}");
    }
}

#[test]
fn when_all_are_down_the_first_is_named() {
    let mut interfaces = [interface(
        "eth0",
        ETHERNET,
        &["10.99.0.11/24", "fd99::11/64"],
    )];
    interfaces[0].up = false;
    let down = Withheld::LinkDown {
        interface: InterfaceName::new("eth0"),
    };
    for vip in VIPS {
        assert_eq!(choose(&interfaces, vip, &[&[]]), Err(down.clone()), "{vip}");
    }
}

#[test]
fn tunnels_loopback_ports_and_bridges_without_uplink_are_never_chosen() {
    let both = ["10.99.0.11/24", "fd99::11/64"];
    let mut port = interface("eth0", ETHERNET, &both);
    port.enslaved = true;
    for unfit in [
        interface("vxlan0", InterfaceKind::Tunnel, &both),
        interface("lo", InterfaceKind::Internal, &both),
        interface("docker0", InterfaceKind::Bridge { uplink: false }, &both),
        port,
    ] {
        for vip in VIPS {
            for patterns in [&[][..], &["*"][..]] {
                let chosen = choose(std::slice::from_ref(&unfit), vip, &[patterns]);
                assert_eq!(chosen, Err(Withheld::NoInterface), "{unfit:?}");
            }
        }
    }
    let bridge = [interface(
        "br0",
        InterfaceKind::Bridge { uplink: true },
        &both,
    )];
    for vip in VIPS {
        assert_eq!(choose(&bridge, vip, &[&[]]), names(&["br0"]));
    }
}

#[test]
fn a_veth_is_chosen_only_as_a_nodes_own_way_out() {
    let host_side = ["169.254.1.1/32", "fe80::1/64", "10.244.0.1/32"];
    let pods = interface("veth1", InterfaceKind::Veth, &host_side);
    let nodes = interface(
        "eth0",
        InterfaceKind::Veth,
        &["10.99.0.11/24", "fd99::11/64"],
    );
    for vip in VIPS {
        let chosen = choose(&[pods.clone(), nodes.clone()], vip, &[&["*"]]);
        assert_eq!(chosen, names(&["eth0"]), "{vip}");
        let chosen = choose(std::slice::from_ref(&pods), vip, &[&["veth1"]]);
        assert_eq!(chosen, Err(Withheld::NoInterface), "{vip}");
        let way_out = [interface("eth0", InterfaceKind::Veth, &[]).default_routes()];
        assert_eq!(choose(&way_out, vip, &[&[]]), names(&["eth0"]), "{vip}");
    }
}

#[test]
fn a_hosts_own_prefix_holds_nobody() {
    let own = [interface(
        "eth0",
        ETHERNET,
        &["10.99.0.200/32", "fd99::200/128"],
    )];
    for vip in VIPS {
        assert_eq!(
            choose(&own, vip, &[&[]]),
            Err(Withheld::NoInterface),
            "{vip}"
        );
    }
}

#[test]
fn prefixes_contain_what_shares_their_bits() {
    for (inside, text, address) in [
        (true, "10.99.0.11/24", "10.99.0.255"),
        (false, "10.99.0.11/24", "10.99.1.0"),
        (true, "10.99.0.11/0", "203.0.113.1"),
        (true, "10.99.0.11/32", "10.99.0.11"),
        (false, "10.99.0.11/32", "10.99.0.10"),
        (true, "fd99::11/64", "fd99::ffff"),
        (false, "fd99::11/64", "fd99:0:0:1::11"),
        (true, "fd99::11/128", "fd99::11"),
        (false, "fd99::11/0", "10.99.0.11"),
        (false, "10.99.0.11/0", "fd99::11"),
    ] {
        assert_eq!(
            prefix(text).contains(ip(address)),
            inside,
            "{address} in {text}"
        );
    }
}

/// Chooses for advertisements given by their interface patterns.
fn choose(
    interfaces: &[Interface],
    vip: &str,
    advertisements: &[&[&str]],
) -> Result<Vec<String>, Withheld> {
    let advertisements: Vec<_> = advertisements.iter().map(|p| advertisement(p)).collect();
    let mut interfaces = Interfaces::new(interfaces);
    let wanted = interfaces.wanted(&advertisements.iter().collect::<Vec<_>>());
    let chosen = interfaces.choose(ip(vip), &wanted)?;
    Ok(chosen.iter().map(ToString::to_string).collect())
}

fn names(names: &[&str]) -> Result<Vec<String>, Withheld> {
    Ok(names.iter().map(ToString::to_string).collect())
}

fn advertisement(patterns: &[&str]) -> L2Advertisement {
    L2Advertisement {
        name: AdvertisementName::new("any"),
        pools: Vec::new(),
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        interfaces: patterns.iter().map(|p| InterfacePattern::new(*p)).collect(),
        preferred_node_selectors: Vec::new(),
        requires: Vec::new(),
    }
}

fn interface(name: &str, kind: InterfaceKind, prefixes: &[&str]) -> Interface {
    Interface {
        name: InterfaceName::new(name),
        kind,
        up: true,
        enslaved: false,
        prefixes: prefixes.iter().map(|text| prefix(text)).collect(),
        default_route_v4: false,
        default_route_v6: false,
    }
}

impl Interface {
    fn default_routes(mut self) -> Self {
        self.default_route_v4 = true;
        self.default_route_v6 = true;
        self
    }
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix {
        address: ip(address),
        length: length.parse().unwrap(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
