//! FRR's configuration, as bgpd reads it.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::super::GracefulRestart;
use super::super::config::{Announced, Config, Distance, Imports, Peer, Remote};

/// A whole `bgpd.conf`.
pub(super) fn bgpd(config: &Config) -> Result<String> {
    // Else it asks every peer for all routes some seconds after it has read its route-maps, in the
    // middle of whatever a scenario counts. They hold all the same.
    let mut text = "bgp route-map delay-timer 0\n".to_owned();
    imports(&mut text, &config.imports)?;
    for (index, announced) in config.announced.iter().enumerate() {
        attributes(&mut text, index, announced)?;
    }
    // RFC 8212: without a policy for what is told, nothing is.
    let to_all = if config.is_silent {
        ""
    } else {
        " no bgp ebgp-requires-policy\n"
    };
    writeln!(
        text,
        "router bgp {}\n bgp router-id {}\n no bgp default ipv4-unicast\n\
         {to_all} no bgp network import-check\n\
         \x20bgp bestpath as-path multipath-relax\n bgp listen limit 500",
        config.asn, config.router_id
    )?;
    text.push_str(match config.graceful_restart {
        GracefulRestart::Off => " bgp graceful-restart-disable\n",
        GracefulRestart::Helper => "",
        GracefulRestart::Full => " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n",
    });
    for peer in &config.peers {
        neighbor(&mut text, peer)?;
    }
    for is_v4 in [true, false] {
        family(&mut text, config, is_v4)?;
    }
    Ok(text)
}

/// A whole `bfdd.conf`: the profiles that peers name.
pub(super) fn bfdd(config: &Config) -> Result<String> {
    let mut text = String::new();
    for bfd in config.peers.iter().filter_map(|peer| peer.bfd) {
        let (interval, multiplier) = (bfd.milliseconds(), bfd.multiplier);
        writeln!(
            text,
            "bfd\n profile {}\n  transmit-interval {interval}\n  receive-interval {interval}\n\
             \x20 detect-multiplier {multiplier}\n exit\nexit",
            bfd.profile()
        )?;
    }
    Ok(text)
}

/// The lines that lead from one configuration to another: peers that went are removed, the others
/// are said again, which changes nothing about those that stay as they are.
pub(super) fn change(old: &Config, new: &Config) -> Result<String> {
    ensure!(
        (old.asn, old.router_id, &old.imports) == (new.asn, new.router_id, &new.imports),
        "a router keeps its ASN, its identifier and what it takes"
    );
    let mut text = format!("router bgp {}\n", old.asn);
    for peer in &old.peers {
        let next = new.peers.iter().find(|one| one.remote == peer.remote);
        let name = name(peer);
        match next {
            None => writeln!(text, " no neighbor {name}{}", group(peer))?,
            Some(next) if peer.password.is_some() && next.password.is_none() => {
                writeln!(text, " no neighbor {name} password")?;
            }
            Some(_) => {}
        }
    }
    text.push_str("exit\n");
    text.push_str(&bgpd(new)?);
    Ok(text)
}

/// What is taken: `IN` is the route-map of every peer.
fn imports(text: &mut String, imports: &Imports) -> Result<()> {
    let Imports::Within(prefixes) = imports else {
        text.push_str("route-map IN permit 10\nexit\nroute-map IN6 permit 10\nexit\n");
        return Ok(());
    };
    for prefix in prefixes {
        let (word, longest) = if prefix.contains(':') {
            ("ipv6", 128)
        } else {
            ("ip", 32)
        };
        writeln!(
            text,
            "{word} prefix-list {word}-in permit {prefix} le {longest}"
        )?;
    }
    text.push_str(
        "route-map IN permit 10\n match ip address prefix-list ip-in\nexit\n\
         route-map IN6 permit 10\n match ipv6 address prefix-list ipv6-in\nexit\n",
    );
    Ok(())
}

fn attributes(text: &mut String, index: usize, announced: &Announced) -> Result<()> {
    writeln!(text, "route-map OUT{index} permit 10")?;
    for (asn, value) in &announced.communities {
        writeln!(text, " set community {asn}:{value} additive")?;
    }
    for (global, local1, local2) in &announced.large_communities {
        writeln!(
            text,
            " set large-community {global}:{local1}:{local2} additive"
        )?;
    }
    text.push_str("exit\n");
    Ok(())
}

fn name(peer: &Peer) -> String {
    match &peer.remote {
        Remote::Address(address) => address.to_string(),
        Remote::Range(prefix) => format!("range-{}", prefix.replace([':', '.', '/'], "-")),
        Remote::Interface(interface) => interface.clone(),
    }
}

fn group(peer: &Peer) -> &'static str {
    match &peer.remote {
        Remote::Address(_) | Remote::Interface(_) => "",
        Remote::Range(_) => " peer-group",
    }
}

fn neighbor(text: &mut String, peer: &Peer) -> Result<()> {
    ensure!(
        peer.speaks_four_octets,
        "FRR always speaks four-octet ASNs; BIRD can be without"
    );
    let (name, asn) = (name(peer), peer.asn);
    match &peer.remote {
        Remote::Address(_) => writeln!(text, " neighbor {name} remote-as {asn}")?,
        Remote::Range(prefix) => writeln!(
            text,
            " neighbor {name} peer-group\n neighbor {name} remote-as {asn}\n \
             bgp listen range {prefix} peer-group {name}"
        )?,
        // It has zebra send router advertisements there, every ten seconds.
        Remote::Interface(_) => writeln!(text, " neighbor {name} interface remote-as {asn}")?,
    }
    let (keepalive, hold) = (peer.keepalive_time(), peer.hold_time);
    writeln!(text, " neighbor {name} timers {keepalive} {hold}")?;
    writeln!(text, " neighbor {name} timers connect 1")?;
    writeln!(text, " neighbor {name} advertisement-interval 0")?;
    if let Some(password) = &peer.password {
        writeln!(text, " neighbor {name} password {password}")?;
    }
    match peer.distance {
        Distance::Direct => {}
        Distance::Multihop(hops) => writeln!(text, " neighbor {name} ebgp-multihop {hops}")?,
        Distance::Secured(hops) => writeln!(text, " neighbor {name} ttl-security hops {hops}")?,
    }
    if let Some(bfd) = peer.bfd {
        writeln!(text, " neighbor {name} bfd profile {}", bfd.profile())?;
        if bfd.waits_for_control_plane {
            writeln!(text, " neighbor {name} bfd check-control-plane-failure")?;
        }
    }
    if let Some(source) = peer.source {
        writeln!(text, " neighbor {name} update-source {source}")?;
    }
    if peer.is_passive && !matches!(peer.remote, Remote::Range(_)) {
        writeln!(text, " neighbor {name} passive")?;
    }
    Ok(())
}

fn family(text: &mut String, config: &Config, is_v4: bool) -> Result<()> {
    let (word, map) = if is_v4 {
        ("ipv4", "IN")
    } else {
        ("ipv6", "IN6")
    };
    writeln!(text, " address-family {word} unicast")?;
    writeln!(text, "  maximum-paths {}", config.max_paths)?;
    writeln!(text, "  maximum-paths ibgp {}", config.max_paths)?;
    for (index, announced) in config.announced.iter().enumerate() {
        if announced.next_hop.is_ipv4() == is_v4 {
            writeln!(text, "  network {} route-map OUT{index}", announced.prefix)?;
        }
    }
    for peer in &config.peers {
        let (v4, v6) = peer.families.parts();
        if (is_v4 && v4) || (!is_v4 && v6) {
            let name = name(peer);
            writeln!(text, "  neighbor {name} activate")?;
            writeln!(text, "  neighbor {name} route-map {map} in")?;
            if let Some(prefixes) = peer.max_prefixes {
                writeln!(text, "  neighbor {name} maximum-prefix {prefixes}")?;
            }
        }
    }
    text.push_str(" exit-address-family\n");
    Ok(())
}
