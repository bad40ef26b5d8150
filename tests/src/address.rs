//! Who has which address: the whole numbering of the lab in one place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the API server listens.
pub const API_SERVER: &str = "https://10.99.0.2:6443";
/// The client's address on the segment.
pub const CLIENT: [IpAddr; 2] = on_segment(0x100, 100);
/// The client's address behind the router: bind to it to be routed.
pub const ROUTED_CLIENT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 98, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, 2)),
];
/// The client's address behind the second router.
pub const ROUTED_CLIENT_2: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 94, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd94, 0, 0, 0, 0, 0, 0, 2)),
];
/// What BGP scenarios give to Services: prefixes that lie on no segment.
pub const BGP_POOL: [&str; 2] = ["10.97.0.0/24", "fd97::/64"];
/// What holds all that BGP scenarios give to Services: the client goes there by the first router.
pub const BGP_NETS: [&str; 2] = ["10.97.0.0/16", "fd97::/32"];
/// The port on which every pod's small server answers (HTTP by TCP, an echo of its name by UDP).
pub const POD_PORT: u16 = 8080;

/// IPv4 and IPv6 address of node `number` (from 1) on the segment.
pub const fn node(number: u8) -> [IpAddr; 2] {
    // Written alike in both families: 10.99.0.11 and fd99::11.
    let last = number + 10;
    on_segment(as_written(last), last)
}

/// IPv4 and IPv6 address of router `number` (from 1) on the segment.
pub const fn router(number: u8) -> [IpAddr; 2] {
    // 2, 3 and 4 are the control plane, the kit and the controller.
    let last = if number == 1 { 1 } else { number + 3 };
    on_segment(as_written(last), last)
}

/// IPv4 and IPv6 address of pod `index` (from 0) on node `number`.
pub const fn pod(number: u8, index: u8) -> [IpAddr; 2] {
    let last = index + 10;
    [
        IpAddr::V4(Ipv4Addr::new(10, 244, number, last)),
        IpAddr::V6(Ipv6Addr::new(
            0xfd00,
            0x10,
            0x244,
            as_written(number),
            0,
            0,
            0,
            as_written(last),
        )),
    ]
}

/// The MAC address that belongs to an IPv4 address: locally administered, readable in captures.
pub(crate) fn mac_for(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:5e:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

const fn on_segment(last_v6: u16, last_v4: u8) -> [IpAddr; 2] {
    [
        IpAddr::V4(Ipv4Addr::new(10, 99, 0, last_v4)),
        IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, last_v6)),
    ]
}

/// The hexadecimal number that is written like this decimal one: 11 → 0x11.
const fn as_written(decimal: u8) -> u16 {
    let decimal = decimal as u16;
    decimal / 100 * 0x100 + decimal / 10 % 10 * 0x10 + decimal % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_written_alike() {
        assert_eq!(node(1).map(|ip| ip.to_string()), ["10.99.0.11", "fd99::11"]);
        assert_eq!(
            pod(2, 0).map(|ip| ip.to_string()),
            ["10.244.2.10", "fd00:10:244:2::10"]
        );
        assert_eq!(router(2).map(|ip| ip.to_string()), ["10.99.0.5", "fd99::5"]);
        assert_eq!(
            CLIENT.map(|ip| ip.to_string()),
            ["10.99.0.100", "fd99::100"]
        );
    }
}
