//! From what the kernel says of interfaces to what a plan needs to know of them.

use std::sync::Arc;

use l2::Mac;
use model::InterfaceName;
use plan::{Interface, InterfaceKind, Prefix};
use sys::netlink::Kind;
use tokio::sync::{mpsc, watch};

use crate::index::Event;

/// Hands every change of the interfaces to the owner, until nobody sends or receives any more.
pub(crate) async fn forward(
    mut seen: watch::Receiver<Arc<[sys::netlink::Interface]>>,
    to: mpsc::Sender<Event>,
) {
    while seen.changed().await.is_ok() {
        let interfaces = seen.borrow_and_update().iter().map(interface).collect();
        if to.send(Event::Interfaces(interfaces)).await.is_err() {
            return;
        }
    }
}

fn interface(seen: &sys::netlink::Interface) -> (Interface, Option<Mac>) {
    let prefixes = seen.prefixes.iter();
    let interface = Interface {
        name: InterfaceName::new(seen.name.as_str()),
        // Without an Ethernet address there is neither ARP nor NDP to speak, whatever it is.
        kind: seen.mac.map_or(InterfaceKind::Tunnel, |_| kind(seen)),
        up: seen.up,
        enslaved: seen.enslaved,
        prefixes: prefixes
            .map(|&(address, length)| Prefix { address, length })
            .collect(),
        default_route_v4: seen.default_route_v4,
        default_route_v6: seen.default_route_v6,
    };
    (interface, seen.mac.map(Mac))
}

fn kind(seen: &sys::netlink::Interface) -> InterfaceKind {
    match seen.kind {
        Kind::Loopback | Kind::Dummy | Kind::Vrf | Kind::Other => InterfaceKind::Internal,
        Kind::Tunnel => InterfaceKind::Tunnel,
        Kind::Ethernet | Kind::Vlan | Kind::Bond | Kind::Macvlan => InterfaceKind::Ethernet,
        // A virtual machine is behind a TAP as a pod is behind a veth.
        Kind::Veth | Kind::Tap => InterfaceKind::Veth,
        Kind::Bridge => InterfaceKind::Bridge {
            uplink: seen.bridge_has_uplink,
        },
    }
}

#[cfg(test)]
mod tests {
    use sys::InterfaceIndex;

    use super::*;

    fn seen(kind: Kind) -> sys::netlink::Interface {
        sys::netlink::Interface {
            index: InterfaceIndex::new(2).unwrap(),
            name: "x0".to_owned(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            kind,
            up: true,
            enslaved: false,
            bridge_has_uplink: true,
            prefixes: vec![
                ("10.99.0.11".parse().unwrap(), 24),
                ("fd99::11".parse().unwrap(), 64),
            ],
            default_route_v4: true,
            default_route_v6: false,
        }
    }

    #[test]
    fn each_kind_is_what_can_be_behind_it() {
        for (kind, expected) in [
            (Kind::Ethernet, InterfaceKind::Ethernet),
            (Kind::Vlan, InterfaceKind::Ethernet),
            (Kind::Bond, InterfaceKind::Ethernet),
            (Kind::Macvlan, InterfaceKind::Ethernet),
            (Kind::Bridge, InterfaceKind::Bridge { uplink: true }),
            (Kind::Veth, InterfaceKind::Veth),
            (Kind::Tap, InterfaceKind::Veth),
            (Kind::Loopback, InterfaceKind::Internal),
            (Kind::Dummy, InterfaceKind::Internal),
            (Kind::Vrf, InterfaceKind::Internal),
            (Kind::Other, InterfaceKind::Internal),
            (Kind::Tunnel, InterfaceKind::Tunnel),
        ] {
            assert_eq!(interface(&seen(kind)).0.kind, expected, "{kind:?}");
        }
    }

    #[test]
    fn what_has_no_ethernet_address_is_a_tunnel() {
        let ppp = sys::netlink::Interface {
            mac: None,
            ..seen(Kind::Ethernet)
        };
        assert_eq!(interface(&ppp).0.kind, InterfaceKind::Tunnel);
        assert_eq!(interface(&ppp).1, None);
    }

    #[test]
    fn addresses_and_routes_of_both_families_are_carried_over() {
        let (interface, mac) = interface(&seen(Kind::Ethernet));
        assert_eq!(mac, Some(Mac([2, 0, 0, 0, 0, 1])));
        assert_eq!(interface.prefixes.len(), 2);
        assert!(interface.default_route_v4 && !interface.default_route_v6);
        assert!(interface.is_fit());
    }
}
