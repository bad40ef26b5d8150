//! Where a peer is, and with what address it is spoken to.

use std::net::{IpAddr, Ipv4Addr};

use model::{Cidr, InterfaceName, Remote};

use super::Report;
use crate::bgp_peer::BGPPeerSpec;
use crate::problem::BgpProblem;

/// The three ways to say where a peer is, of which one is to be there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) peer_address: Option<&'a str>,
    pub(crate) interface: Option<&'a str>,
    pub(crate) listen_range: Option<&'a str>,
}

/// Reads where a peer is; a problem comes with the field that has it.
pub(crate) fn read_remote(written: Written<'_>) -> Result<Remote, (&'static str, BgpProblem)> {
    let Written {
        peer_address,
        interface,
        listen_range,
    } = written;
    match (peer_address, interface, listen_range) {
        (Some(text), None, None) => {
            let read = read_address(text).map(Remote::Address);
            read.map_err(|problem| ("spec.peerAddress", problem))
        }
        (None, Some(text), None) => {
            let read = read_interface(text).map(Remote::Interface);
            read.map_err(|problem| ("spec.interface", problem))
        }
        (None, None, Some(text)) => {
            let read = read_range(text).map(Remote::Range);
            read.map_err(|problem| ("spec.listenRange", problem))
        }
        (None, None, None)
        | (Some(_), Some(_), _)
        | (Some(_), _, Some(_))
        | (_, Some(_), Some(_)) => Err(("spec.peerAddress", BgpProblem::Remote)),
    }
}

/// The field that says where a peer is.
pub(super) fn field(remote: &Remote) -> &'static str {
    match remote {
        Remote::Address(_) => "spec.peerAddress",
        Remote::Interface(_) => "spec.interface",
        Remote::Range(_) => "spec.listenRange",
    }
}

/// Where a peer is and the address to speak from; with whatever does not go with that reported.
pub(super) fn ends(spec: &BGPPeerSpec, report: &mut Report) -> (Remote, Option<IpAddr>) {
    let source = spec.source_address.as_ref();
    let source = source.and_then(|text| report.take("spec.sourceAddress", read_address(text)));
    let read = read_remote(Written {
        peer_address: spec.peer_address.as_deref(),
        interface: spec.interface.as_deref(),
        listen_range: spec.listen_range.as_deref(),
    });
    let remote = match read {
        Ok(remote) => remote,
        Err((field, problem)) => {
            report.add(field, problem);
            return (Remote::Address(Ipv4Addr::UNSPECIFIED.into()), source);
        }
    };
    match &remote {
        Remote::Address(address) => same_family(*address, source, report),
        Remote::Interface(_) => on_interface(spec, report),
        Remote::Range(range) => {
            same_family(range.address(), source, report);
            if spec.peer_port != crate::bgp_peer::BGP_PORT {
                report.add("spec.peerPort", BgpProblem::NotForRange);
            }
        }
    }
    (remote, source)
}

fn same_family(peer: IpAddr, source: Option<IpAddr>, report: &mut Report) {
    if let Some(source_address) = source.filter(|source| source.is_ipv4() != peer.is_ipv4()) {
        let problem = BgpProblem::MixedEnds {
            source_address,
            peer,
        };
        report.add("spec.sourceAddress", problem);
    }
}

fn on_interface(spec: &BGPPeerSpec, report: &mut Report) {
    for (field, is_written) in [
        ("spec.sourceAddress", spec.source_address.is_some()),
        ("spec.ebgpMultiHop", spec.ebgp_multi_hop),
        ("spec.vrf", spec.vrf.is_some()),
    ] {
        if is_written {
            report.add(field, BgpProblem::NotOnInterface);
        }
    }
}

fn read_address(text: &str) -> Result<IpAddr, BgpProblem> {
    let address = text.parse().ok().filter(|address| is_speakable(*address));
    address.ok_or_else(|| BgpProblem::PeerAddress(text.to_owned()))
}

/// Whether a router can have this address, and a node find it without being told the interface.
fn is_speakable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast(),
        // Without an interface, nobody knows which link is meant.
        IpAddr::V6(v6) => {
            let special = v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local();
            !special && v6.to_ipv4_mapped().is_none()
        }
    }
}

/// Linux: at most 15 bytes, neither `/` nor white space (`dev_valid_name`). It takes `*`, which is
/// meant for a glob here.
fn read_interface(text: &str) -> Result<InterfaceName, BgpProblem> {
    let odd = |c: char| matches!(c, '/' | '*' | '?' | '[') || c.is_whitespace();
    if (1..=15).contains(&text.len()) && !text.contains(odd) {
        Ok(InterfaceName::new(text))
    } else {
        Err(BgpProblem::Interface(text.to_owned()))
    }
}

fn read_range(text: &str) -> Result<Cidr, BgpProblem> {
    let read = text.split_once('/').and_then(|(address, length)| {
        let address: IpAddr = address.parse().ok()?;
        // `+8` and `08` read as 8 too, but nobody else takes them.
        let bits: u8 = length
            .parse()
            .ok()
            .filter(|bits: &u8| bits.to_string() == length)?;
        let range = Cidr::new(address, bits)?;
        (range.address() == address && is_speakable(address)).then_some(range)
    });
    read.ok_or_else(|| BgpProblem::ListenRange(text.to_owned()))
}
