//! Address texts: a CIDR, a range, or one address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use model::AddressRange;

use crate::problem::Problem;

/// Reads an entry of `addresses` or `exclude`. Text goes through std first, which rejects leading
/// zeros; a CIDR with host bits is refused with the one that was meant; a bare address stands for
/// itself alone.
pub(crate) fn parse(text: &str) -> Result<AddressRange, Problem> {
    let range = match (text.split_once('-'), text.split_once('/')) {
        (Some((first, last)), _) => {
            AddressRange::new(address(first.trim(), text)?, address(last.trim(), text)?)?
        }
        (None, Some((network, length))) => cidr(address(network, text)?, length, text)?,
        (None, None) => AddressRange::single(address(text, text)?),
    };
    unicast(range, text)
}

fn address(part: &str, text: &str) -> Result<IpAddr, Problem> {
    let address = part.parse();
    let address = address.map_err(|_| Problem::NotAnAddress(text.to_owned()))?;
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err(Problem::Ipv4Mapped(address)),
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(address),
    }
}

fn cidr(address: IpAddr, length: &str, text: &str) -> Result<AddressRange, Problem> {
    let limit = if address.is_ipv4() { 32 } else { 128 };
    let refused = || Problem::PrefixLength {
        text: text.to_owned(),
        limit,
    };
    let prefix: u8 = length.parse().map_err(|_| refused())?;
    // `+8` and `08` read as 8 too, but nobody else takes them.
    if prefix.to_string() != length {
        return Err(refused());
    }
    let network = IpNetwork::new(address, prefix).map_err(|_| refused())?;
    if network.network() != address {
        return Err(Problem::HostBits {
            text: text.to_owned(),
            network: format!("{}/{prefix}", network.network()),
        });
    }
    Ok(AddressRange::new(network.network(), network.broadcast())?)
}

/// The addresses that Kubernetes itself refuses for endpoints, as blocks.
const SPECIAL: [(&str, &str, IpAddr, IpAddr); 8] = {
    const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    }
    const fn v6(first: u16, rest: u16, last: u16) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(
            first, rest, rest, rest, rest, rest, rest, last,
        ))
    }
    const ONES: u16 = 0xffff;
    [
        ("unspecified", "0.0.0.0", v4(0, 0, 0, 0), v4(0, 0, 0, 0)),
        (
            "loopback",
            "127.0.0.0/8",
            v4(127, 0, 0, 0),
            v4(127, 255, 255, 255),
        ),
        (
            "link-local",
            "169.254.0.0/16",
            v4(169, 254, 0, 0),
            v4(169, 254, 255, 255),
        ),
        (
            "multicast",
            "224.0.0.0/4",
            v4(224, 0, 0, 0),
            v4(239, 255, 255, 255),
        ),
        (
            "broadcast",
            "255.255.255.255",
            v4(255, 255, 255, 255),
            v4(255, 255, 255, 255),
        ),
        (
            "unspecified or loopback",
            "::/127",
            v6(0, 0, 0),
            v6(0, 0, 1),
        ),
        (
            "link-local",
            "fe80::/10",
            v6(0xfe80, 0, 0),
            v6(0xfebf, ONES, ONES),
        ),
        (
            "multicast",
            "ff00::/8",
            v6(0xff00, 0, 0),
            v6(ONES, ONES, ONES),
        ),
    ]
};

fn unicast(range: AddressRange, text: &str) -> Result<AddressRange, Problem> {
    let inside = |(_, _, first, last): &&(_, _, IpAddr, IpAddr)| {
        range.family() == model::IpFamily::of(*first)
            && range.first() <= *last
            && *first <= range.last()
    };
    match SPECIAL.iter().find(inside) {
        None => Ok(range),
        Some(&(special, block, _, _)) => Err(Problem::NotUnicast {
            entry: text.to_owned(),
            special,
            block,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_all_three_forms_in_both_families() {
        for (text, range) in [
            ("10.0.0.0/30", "10.0.0.0-10.0.0.3"),
            ("10.0.0.7/32", "10.0.0.7"),
            ("10.0.0.7", "10.0.0.7"),
            ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
            ("10.0.0.1 - 10.0.0.9", "10.0.0.1-10.0.0.9"),
            ("10.0.0.1-10.0.0.1", "10.0.0.1"),
            ("fd00::/126", "fd00::-fd00::3"),
            ("fd00::7/128", "fd00::7"),
            ("FD00:0::7", "fd00::7"),
            ("fd00::1- fd00::ff", "fd00::1-fd00::ff"),
        ] {
            assert_eq!(parsed(text), range, "{text}");
        }
    }

    #[test]
    fn host_bits_are_refused_with_the_network_that_was_meant() {
        assert_eq!(
            refused("10.0.0.1/24"),
            "10.0.0.1/24 has host bits set; write 10.0.0.0/24"
        );
        assert_eq!(
            refused("fd00::1:1/112"),
            "fd00::1:1/112 has host bits set; write fd00::1:0/112"
        );
    }

    #[test]
    fn text_that_means_different_things_to_different_readers_is_refused() {
        for text in [
            "",
            " ",
            "-",
            "/",
            "10.0.0.01",
            "10.0.0",
            "10.0.0.0 /24",
            " 10.0.0.1",
            "fd00::1%eth0",
            "10.0.0.1-10.0.0.2-10.0.0.3",
            "10.0.0.0/24-10.0.1.0/24",
            "10.0.0.1-",
            "one",
        ] {
            let problem = parse(text).unwrap_err();
            assert_eq!(problem, Problem::NotAnAddress(text.to_owned()));
        }
        for (text, limit) in [
            ("10.0.0.0/", 32),
            ("10.0.0.0/33", 32),
            ("10.0.0.0/08", 32),
            ("10.0.0.0/+8", 32),
            ("10.0.0.0/24/24", 32),
            ("10.0.0.0/255.0.0.0", 32),
            ("fd00::/129", 128),
        ] {
            let text = text.to_owned();
            assert_eq!(parse(&text), Err(Problem::PrefixLength { text, limit }));
        }
    }

    #[test]
    fn an_ipv4_address_written_as_ipv6_is_refused() {
        for text in [
            "::ffff:10.0.0.1",
            "::ffff:10.0.0.0/120",
            "::ffff:a00:1-::ffff:a00:9",
        ] {
            assert!(matches!(parse(text), Err(Problem::Ipv4Mapped(_))), "{text}");
        }
    }

    #[test]
    fn ranges_have_one_family_and_go_upwards() {
        assert!(refused("10.0.0.1-fd00::1").contains("different families"));
        assert!(refused("10.0.0.9-10.0.0.1").ends_with("write the range as 10.0.0.1-10.0.0.9"));
    }

    #[test]
    fn addresses_that_no_service_can_have_are_refused_wherever_they_lie_in_the_entry() {
        for text in [
            "0.0.0.0/0",
            "0.0.0.0",
            "127.0.0.1",
            "126.0.0.0-128.0.0.0",
            "169.254.1.1",
            "223.255.255.255-224.0.0.0",
            "239.1.1.1",
            "255.255.255.255",
            "::/0",
            "::1",
            "fe80::/64",
            "febf::1",
            "ff02::1",
            "fe00::/7",
        ] {
            assert!(
                matches!(parse(text), Err(Problem::NotUnicast { .. })),
                "{text}"
            );
        }
        for text in [
            "0.0.0.1",
            "169.253.255.255",
            "240.0.0.1",
            "::2",
            "fec0::1",
            "fd00::/8",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }
}
