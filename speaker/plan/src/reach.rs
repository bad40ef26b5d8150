//! By which of its own addresses a node is known to BGP peers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{IpFamily, NodeName};

use crate::{Interface, Prefix};

/// Where a peer is to send what routes attract, in the family that the session's own connection
/// has no address of. In the other one it is that address, and nothing stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NextHops {
    /// For IPv4 routes over IPv6.
    pub v4: Option<Ipv4Addr>,
    /// For IPv6 routes over IPv4.
    pub v6: Option<Ipv6Addr>,
}

/// The next hops of routes to a peer: addresses of the interface that leads there, which holds the
/// source address, or else whose prefix holds the peer, or else by which the default route leaves.
pub fn next_hops(interfaces: &[Interface], peer: IpAddr, source: Option<IpAddr>) -> NextHops {
    let family = IpFamily::of(peer);
    let holds_source = |one: &&Interface| {
        let source = source.filter(|source| !source.is_unspecified());
        source.is_some_and(|source| one.prefixes.iter().any(|p| p.address == source))
    };
    let on_link = |one: &&Interface| one.prefixes.iter().any(|prefix| contains(prefix, peer));
    let default = |one: &&Interface| one.default_route(family);
    let leads = first(interfaces, holds_source)
        .or_else(|| first(interfaces, on_link))
        .or_else(|| first(interfaces, default));
    let Some(leads) = leads else {
        return NextHops::default();
    };
    match family {
        IpFamily::V4 => NextHops {
            v4: None,
            v6: leads.prefixes.iter().filter_map(global_v6).min(),
        },
        IpFamily::V6 => NextHops {
            v4: leads.prefixes.iter().filter_map(global_v4).min(),
            v6: None,
        },
    }
}

/// Whether an address lies in a prefix of one of the interfaces, so that no router is on the way.
pub fn is_on_link(interfaces: &[Interface], address: IpAddr) -> bool {
    let mut prefixes = interfaces.iter().flat_map(|one| &one.prefixes);
    prefixes.any(|prefix| contains(prefix, address))
}

/// The BGP Identifier of a node for which no BGPPeer names one (RFC 4271 §4.2): its IPv4 address
/// on the interface of the default route, or else its lowest one; of a node without any, a hash of
/// its name, which no other node has as long as nobody is unlucky. Never 0.0.0.0.
pub fn router_id(interfaces: &[Interface], node: &NodeName) -> Ipv4Addr {
    let lowest = |interface: &Interface| interface.prefixes.iter().filter_map(global_v4).min();
    let fit = || interfaces.iter().filter(|interface| interface.is_fit());
    let default = fit().filter(|interface| interface.default_route_v4);
    let address = default.filter_map(lowest).min();
    address
        .or_else(|| fit().filter_map(lowest).min())
        .unwrap_or_else(|| Ipv4Addr::from_bits(hash(node.as_str()).max(1)))
}

fn first<'a>(
    interfaces: &'a [Interface],
    wanted: impl FnMut(&&'a Interface) -> bool,
) -> Option<&'a Interface> {
    let wanted = interfaces.iter().filter(wanted);
    wanted.min_by(|one, other| one.name.cmp(&other.name))
}

fn contains(prefix: &Prefix, address: IpAddr) -> bool {
    let bits = match (prefix.address, address) {
        (IpAddr::V4(own), IpAddr::V4(other)) => {
            u128::from((own.to_bits() ^ other.to_bits()).leading_zeros())
        }
        (IpAddr::V6(own), IpAddr::V6(other)) => {
            u128::from((own.to_bits() ^ other.to_bits()).leading_zeros())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    bits >= u128::from(prefix.length)
}

fn global_v4(prefix: &Prefix) -> Option<Ipv4Addr> {
    match prefix.address {
        IpAddr::V4(address) => {
            let usable = !address.is_link_local() && !address.is_loopback();
            usable.then_some(address)
        }
        IpAddr::V6(_) => None,
    }
}

fn global_v6(prefix: &Prefix) -> Option<Ipv6Addr> {
    match prefix.address {
        IpAddr::V6(address) => {
            let usable = !address.is_unicast_link_local() && !address.is_loopback();
            usable.then_some(address)
        }
        IpAddr::V4(_) => None,
    }
}

/// FNV-1a of 32 bits.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use model::InterfaceName;

    use super::*;
    use crate::InterfaceKind;

    fn interface(name: &str, addresses: &[(&str, u8)]) -> Interface {
        Interface {
            name: InterfaceName::new(name),
            kind: InterfaceKind::Ethernet,
            up: true,
            enslaved: false,
            prefixes: addresses
                .iter()
                .map(|(address, length)| Prefix {
                    address: address.parse().unwrap(),
                    length: *length,
                })
                .collect(),
            default_route_v4: false,
            default_route_v6: false,
        }
    }

    /// `eth0` has the default routes, `eth1` leads to a segment of its own.
    fn interfaces() -> Vec<Interface> {
        let mut eth0 = interface(
            "eth0",
            &[("10.99.0.11", 24), ("fe80::11", 64), ("fd99::11", 64)],
        );
        eth0.default_route_v4 = true;
        eth0.default_route_v6 = true;
        let eth1 = interface("eth1", &[("10.98.0.11", 24), ("fd98::11", 64)]);
        vec![eth1, eth0]
    }

    fn hops(peer: &str, source: Option<&str>) -> NextHops {
        let source = source.map(|source| source.parse().unwrap());
        next_hops(&interfaces(), peer.parse().unwrap(), source)
    }

    #[test]
    fn the_other_familys_next_hop_is_on_the_interface_that_leads_to_the_peer() {
        let v6 = |address: &str| NextHops {
            v4: None,
            v6: Some(address.parse().unwrap()),
        };
        let v4 = |address: &str| NextHops {
            v4: Some(address.parse().unwrap()),
            v6: None,
        };
        assert_eq!(hops("10.99.0.1", None), v6("fd99::11"));
        assert_eq!(hops("10.98.0.1", None), v6("fd98::11"));
        assert_eq!(hops("fd98::1", None), v4("10.98.0.11"));
        // Behind the default route.
        assert_eq!(hops("192.0.2.1", None), v6("fd99::11"));
        assert_eq!(hops("2001:db8::1", None), v4("10.99.0.11"));
        // By the source address, whatever the route.
        assert_eq!(hops("192.0.2.1", Some("10.98.0.11")), v6("fd98::11"));
        assert_eq!(hops("fd99::1", Some("fd98::11")), v4("10.98.0.11"));
    }

    #[test]
    fn no_interface_leads_nowhere() {
        let peer = "10.99.0.1".parse().unwrap();
        assert_eq!(next_hops(&[], peer, None), NextHops::default());
        let alone = [interface("eth0", &[("10.97.0.1", 24)])];
        assert_eq!(next_hops(&alone, peer, None), NextHops::default());
    }

    #[test]
    fn the_identifier_is_the_address_that_the_default_route_leaves_by() {
        let node = NodeName::new("n1");
        let identifier = router_id(&interfaces(), &node);
        assert_eq!(identifier, Ipv4Addr::new(10, 99, 0, 11));
        let without_route = [interface("eth1", &[("10.98.0.11", 24)])];
        assert_eq!(
            router_id(&without_route, &node),
            Ipv4Addr::new(10, 98, 0, 11)
        );
    }

    #[test]
    fn a_node_without_ipv4_is_told_from_others_by_its_name() {
        let v6_only = [interface("eth0", &[("fd99::11", 64)])];
        let one = router_id(&v6_only, &NodeName::new("n1"));
        let other = router_id(&v6_only, &NodeName::new("n2"));
        assert_ne!(one, other);
        assert!(!one.is_unspecified());
        assert_eq!(router_id(&v6_only, &NodeName::new("n1")), one);
    }
}
