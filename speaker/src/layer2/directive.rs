//! What is wanted of one interface, and what the interface is at the moment.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use l2::{Link, Mac};
use sys::InterfaceIndex;
use sys::netlink::{Interface, Kind};
use thiserror::Error;

/// The latest wish and the latest knowledge.
#[derive(Debug, Clone, Default)]
pub(super) struct Directive {
    /// The VIPs to announce; shared with the plan, so that an unchanged set is known by pointer.
    pub(super) vips: Arc<BTreeSet<IpAddr>>,
    /// The interface, if there is one of the name.
    pub(super) interface: Option<Interface>,
}

/// Why VIPs cannot be announced on an interface, until it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Unusable {
    #[error("there is no such interface")]
    Absent,
    #[error("it is a port of a bridge or bond: announce on that instead")]
    Enslaved,
    #[error("it does not speak Ethernet, so that ARP and NDP are not possible")]
    NotEthernet,
}

/// What a port needs to know of its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attachment {
    pub(super) index: InterfaceIndex,
    pub(super) link: Link,
    pub(super) prefixes: Vec<(IpAddr, u8)>,
}

impl Directive {
    /// Takes the new values over; says whether they differ.
    pub(super) fn update(
        &mut self,
        vips: Option<&Arc<BTreeSet<IpAddr>>>,
        interface: Option<&Interface>,
    ) -> bool {
        let same_vips = match vips {
            Some(vips) => Arc::ptr_eq(vips, &self.vips) || **vips == *self.vips,
            None => self.vips.is_empty(),
        };
        if !same_vips {
            self.vips = vips.cloned().unwrap_or_default();
        }
        let same_interface = self.interface.as_ref() == interface;
        if !same_interface {
            self.interface = interface.cloned();
        }
        !(same_vips && same_interface)
    }

    pub(super) fn attachment(&self) -> Result<Attachment, Unusable> {
        let interface = self.interface.as_ref().ok_or(Unusable::Absent)?;
        let mac = match interface.kind {
            Kind::Loopback => None,
            Kind::Ethernet
            | Kind::Vlan
            | Kind::Bond
            | Kind::Bridge
            | Kind::Macvlan
            | Kind::Veth
            | Kind::Tap
            | Kind::Tunnel
            | Kind::Vrf
            | Kind::Dummy
            | Kind::Other => interface.mac,
        };
        let mac = Mac(mac.ok_or(Unusable::NotEthernet)?);
        if interface.enslaved {
            return Err(Unusable::Enslaved);
        }
        Ok(Attachment {
            index: interface.index,
            link: Link {
                mac,
                up: interface.up,
            },
            prefixes: interface.prefixes.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethernet() -> Interface {
        Interface {
            index: InterfaceIndex::new(2).expect("an index"),
            name: "eth0".to_owned(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            kind: Kind::Ethernet,
            up: true,
            enslaved: false,
            bridge_has_uplink: false,
            prefixes: Vec::new(),
            default_route_v4: false,
            default_route_v6: false,
        }
    }

    fn vips(addresses: &[&str]) -> Arc<BTreeSet<IpAddr>> {
        Arc::new(
            addresses
                .iter()
                .map(|a| a.parse().expect("an address"))
                .collect(),
        )
    }

    fn attachment(interface: Interface) -> Result<Attachment, Unusable> {
        Directive {
            vips: vips(&[]),
            interface: Some(interface),
        }
        .attachment()
    }

    #[test]
    fn ethernet_is_usable_up_or_down() {
        for up in [true, false] {
            let attached = attachment(Interface { up, ..ethernet() }).map(|a| a.link.up);
            assert_eq!(attached, Ok(up));
        }
    }

    #[test]
    fn says_why_an_interface_is_unusable() {
        let port = Interface {
            enslaved: true,
            ..ethernet()
        };
        let tunnel = Interface {
            mac: None,
            kind: Kind::Tunnel,
            ..ethernet()
        };
        let loopback = Interface {
            kind: Kind::Loopback,
            ..ethernet()
        };
        assert_eq!(attachment(port), Err(Unusable::Enslaved));
        assert_eq!(attachment(tunnel), Err(Unusable::NotEthernet));
        assert_eq!(attachment(loopback), Err(Unusable::NotEthernet));
        assert_eq!(Directive::default().attachment(), Err(Unusable::Absent));
    }

    #[test]
    fn only_a_difference_is_an_update() {
        let (both, again) = (
            vips(&["10.99.0.200", "fd99::200"]),
            vips(&["10.99.0.200", "fd99::200"]),
        );
        let mut directive = Directive::default();
        assert!(!directive.update(None, None));
        assert!(directive.update(Some(&both), Some(&ethernet())));
        assert!(!directive.update(Some(&both), Some(&ethernet())));
        assert!(!directive.update(Some(&again), Some(&ethernet())));
        assert!(directive.update(
            Some(&again),
            Some(&Interface {
                up: false,
                ..ethernet()
            })
        ));
        assert!(directive.update(None, None));
    }
}
