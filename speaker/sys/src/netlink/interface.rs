//! What is known of one interface.

use std::net::IpAddr;

use netlink_packet_route::link::{InfoKind, LinkLayerType};

use crate::InterfaceIndex;

/// A network interface at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number, which no later interface of the same name gets.
    pub index: InterfaceIndex,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; `None` for what does not speak Ethernet.
    pub mac: Option<[u8; 6]>,
    /// What it is.
    pub kind: Kind,
    /// Whether frames can pass: switched on, with a carrier, and not waiting for an
    /// authentication (802.1X).
    pub up: bool,
    /// Whether it is a port of a bridge, bond, team or virtual switch, whose frames belong to
    /// that. Membership in a VRF does not count: it concerns routing only.
    pub enslaved: bool,
    /// Whether it is a bridge with at least one port that leads out of this machine, as far as
    /// can be seen: any but veth, netkit, TAP and dummy.
    pub bridge_has_uplink: bool,
    /// Its addresses with the lengths of their prefixes, in order. Of a point-to-point address
    /// the other side's is taken, as the prefix is that one's.
    pub prefixes: Vec<(IpAddr, u8)>,
    /// Whether an IPv4 default route of the main table leads out of it.
    pub default_route_v4: bool,
    /// Whether an IPv6 default route of the main table leads out of it.
    pub default_route_v6: bool,
}

/// What an interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A network card or a virtual machine's; also what stands in for one: MACsec, HSR, and the
    /// ports of virtual switches whose kind is not known here.
    Ethernet,
    /// A VLAN's sub-interface.
    Vlan,
    /// A bond or team of several.
    Bond,
    /// A bridge.
    Bridge,
    /// A macvlan, with a MAC of its own on its parent's segment.
    Macvlan,
    /// One end of a veth or netkit pair.
    Veth,
    /// A TAP device, as virtual machines use.
    Tap,
    /// The loopback interface.
    Loopback,
    /// Any tunnel or overlay, with or without Ethernet inside.
    Tunnel,
    /// A routing domain.
    Vrf,
    /// A dummy, or another that leads nowhere.
    Dummy,
    /// Whatever else.
    Other,
}

impl Kind {
    pub(super) fn of(layer: LinkLayerType, info: Option<&InfoKind>) -> Self {
        let ethernet = layer == LinkLayerType::Ether;
        if layer == LinkLayerType::Loopback {
            return Self::Loopback;
        }
        match info {
            None if ethernet => Self::Ethernet,
            Some(InfoKind::Dsa | InfoKind::MacSec | InfoKind::Hsr | InfoKind::Other(_))
                if ethernet =>
            {
                Self::Ethernet
            }
            Some(InfoKind::Dummy | InfoKind::Ifb | InfoKind::Nlmon) => Self::Dummy,
            Some(InfoKind::Vlan) => Self::Vlan,
            Some(InfoKind::Bond | InfoKind::Team) => Self::Bond,
            Some(InfoKind::Bridge) => Self::Bridge,
            Some(InfoKind::MacVlan | InfoKind::MacVtap) => Self::Macvlan,
            Some(InfoKind::Veth | InfoKind::Netkit) => Self::Veth,
            Some(InfoKind::Tun) if ethernet => Self::Tap,
            Some(InfoKind::Vrf) => Self::Vrf,
            Some(kind) if is_tunnel(kind) => Self::Tunnel,
            Some(_) | None => Self::Other,
        }
    }

    /// Whether, as a bridge's port, it may lead out of this machine.
    pub(super) fn is_uplink(self) -> bool {
        match self {
            Self::Veth | Self::Tap | Self::Dummy => false,
            Self::Ethernet
            | Self::Vlan
            | Self::Bond
            | Self::Bridge
            | Self::Macvlan
            | Self::Loopback
            | Self::Tunnel
            | Self::Vrf
            | Self::Other => true,
        }
    }
}

fn is_tunnel(kind: &InfoKind) -> bool {
    matches!(
        kind,
        InfoKind::Tun
            | InfoKind::Vxlan
            | InfoKind::Geneve
            | InfoKind::GreTap
            | InfoKind::GreTap6
            | InfoKind::GreTun
            | InfoKind::GreTun6
            | InfoKind::ErSpan
            | InfoKind::Ip6ErSpan
            | InfoKind::IpIp
            | InfoKind::Ip6Tnl
            | InfoKind::SitTun
            | InfoKind::Vti
            | InfoKind::Vti6
            | InfoKind::Wireguard
            | InfoKind::Xfrm
            | InfoKind::Gtp
            | InfoKind::BareUdp
            | InfoKind::Amt
    )
}
