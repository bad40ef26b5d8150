//! The kernel's objects as last heard of, and the interfaces that they make.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Interface, Kind};
use crate::InterfaceIndex;

/// Links, their addresses and the default routes through them.
#[derive(Debug, Default)]
pub(super) struct Table {
    links: BTreeMap<u32, Link>,
    prefixes: BTreeMap<u32, BTreeSet<(IpAddr, u8)>>,
    /// Indices of the interfaces out of which default routes lead.
    default_v4: BTreeSet<u32>,
    default_v6: BTreeSet<u32>,
}

#[derive(Debug, PartialEq, Eq)]
struct Link {
    name: String,
    mac: Option<[u8; 6]>,
    kind: Kind,
    up: bool,
    master: Option<u32>,
}

/// Whether, after a message, the default routes can still be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Routes {
    Known,
    /// They are to be read anew. Messages are not enough: one route may hide another, and the
    /// kernel drops IPv4 routes with their interface or source address without a word.
    Stale,
}

impl Table {
    /// Takes what a dump of links, addresses or routes, or a notification says.
    pub(super) fn apply(&mut self, message: &RouteNetlinkMessage) -> Routes {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.set_link(link),
            RouteNetlinkMessage::DelLink(link) => self.remove_link(link),
            RouteNetlinkMessage::NewAddress(address) => {
                if let Some(prefix) = prefix(address) {
                    let index = address.header.index;
                    self.prefixes.entry(index).or_default().insert(prefix);
                }
                Routes::Known
            }
            RouteNetlinkMessage::DelAddress(address) => self.remove_address(address),
            RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
                if is_default(route) {
                    Routes::Stale
                } else {
                    Routes::Known
                }
            }
            // The other kinds of messages are not subscribed to.
            _ => Routes::Known,
        }
    }

    /// Replaces the default routes by those of a complete dump.
    pub(super) fn set_routes<'a>(&mut self, dump: impl Iterator<Item = &'a RouteNetlinkMessage>) {
        self.default_v4.clear();
        self.default_v6.clear();
        for message in dump {
            let RouteNetlinkMessage::NewRoute(route) = message else {
                continue;
            };
            if !is_default(route) {
                continue;
            }
            let of_family = if route.header.address_family == AddressFamily::Inet {
                &mut self.default_v4
            } else {
                &mut self.default_v6
            };
            of_family.extend(interfaces_of(route));
        }
    }

    /// All interfaces, by name.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        let mut interfaces: Vec<Interface> = self
            .links
            .iter()
            .filter_map(|(&index, link)| self.interface(index, link))
            .collect();
        interfaces.sort_by(|a, b| a.name.cmp(&b.name));
        interfaces
    }

    fn interface(&self, index: u32, link: &Link) -> Option<Interface> {
        let master = link.master.and_then(|master| self.links.get(&master));
        let prefixes = self.prefixes.get(&index);
        Some(Interface {
            index: InterfaceIndex::new(index)?,
            name: link.name.clone(),
            mac: link.mac,
            kind: link.kind,
            up: link.up,
            enslaved: link.master.is_some() && master.is_none_or(|m| m.kind != Kind::Vrf),
            bridge_has_uplink: link.kind == Kind::Bridge && self.has_uplink(index),
            prefixes: prefixes.into_iter().flatten().copied().collect(),
            // Of an interface that is down the kernel may not have dropped them yet.
            default_route_v4: link.up && self.default_v4.contains(&index),
            default_route_v6: link.up && self.default_v6.contains(&index),
        })
    }

    fn has_uplink(&self, bridge: u32) -> bool {
        let mut ports = self.links.values().filter(|l| l.master == Some(bridge));
        ports.any(|port| port.kind.is_uplink())
    }

    fn set_link(&mut self, message: &LinkMessage) -> Routes {
        if message.header.interface_family != AddressFamily::Unspec {
            // A bridge speaks of its ports in this way too.
            return Routes::Known;
        }
        let index = message.header.index;
        let Some(link) = Link::of(message) else {
            return Routes::Known;
        };
        let before = self.links.insert(index, link);
        let unchanged = before.is_some_and(|before| self.links.get(&index) == Some(&before));
        if unchanged {
            Routes::Known
        } else {
            self.routes_through(index)
        }
    }

    fn remove_link(&mut self, message: &LinkMessage) -> Routes {
        if message.header.interface_family != AddressFamily::Unspec {
            return Routes::Known;
        }
        let index = message.header.index;
        self.links.remove(&index);
        self.prefixes.remove(&index);
        self.routes_through(index)
    }

    fn remove_address(&mut self, message: &AddressMessage) -> Routes {
        let index = message.header.index;
        if let Some(prefix) = prefix(message)
            && let Some(prefixes) = self.prefixes.get_mut(&index)
        {
            prefixes.remove(&prefix);
            if prefixes.is_empty() {
                self.prefixes.remove(&index);
            }
        }
        self.routes_through(index)
    }

    fn routes_through(&self, index: u32) -> Routes {
        if self.default_v4.contains(&index) || self.default_v6.contains(&index) {
            Routes::Stale
        } else {
            Routes::Known
        }
    }
}

impl Link {
    fn of(message: &LinkMessage) -> Option<Self> {
        let header = &message.header;
        let (mut name, mut address, mut master, mut info) = (None, None, None, None);
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = Some(text.clone()),
                LinkAttribute::Address(bytes) => address = <[u8; 6]>::try_from(&**bytes).ok(),
                LinkAttribute::Controller(index) if *index != 0 => master = Some(*index),
                LinkAttribute::LinkInfo(infos) => info = info_kind(infos),
                _ => {}
            }
        }
        // Not IFF_RUNNING, which the kernel sets up to a second later than the carrier.
        let passes = LinkFlags::Up | LinkFlags::LowerUp;
        Some(Self {
            name: name?,
            mac: address.filter(|_| header.link_layer_type == LinkLayerType::Ether),
            kind: Kind::of(header.link_layer_type, info),
            up: header.flags.contains(passes) && !header.flags.contains(LinkFlags::Dormant),
            master,
        })
    }
}

fn info_kind(infos: &[LinkInfo]) -> Option<&InfoKind> {
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    })
}

fn prefix(message: &AddressMessage) -> Option<(IpAddr, u8)> {
    let mut local = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(address) => {
                return Some((*address, message.header.prefix_len));
            }
            AddressAttribute::Local(address) => local = Some(*address),
            _ => {}
        }
    }
    local.map(|address| (address, message.header.prefix_len))
}

/// Whether it is an IPv4 or IPv6 unicast route of the main table to everywhere.
fn is_default(route: &RouteMessage) -> bool {
    let header = &route.header;
    let table = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Table(table) => Some(*table),
            _ => None,
        });
    header.destination_prefix_length == 0
        && header.kind == RouteType::Unicast
        && table.unwrap_or(header.table.into()) == u32::from(RouteHeader::RT_TABLE_MAIN)
        && matches!(
            header.address_family,
            AddressFamily::Inet | AddressFamily::Inet6
        )
}

fn interfaces_of(route: &RouteMessage) -> Vec<u32> {
    let mut indices = Vec::new();
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => indices.push(*index),
            RouteAttribute::MultiPath(hops) => {
                indices.extend(hops.iter().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    indices
}

#[cfg(test)]
mod tests;
