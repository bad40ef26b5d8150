//! GoBGP's configuration.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};

use super::super::config::{Config, Distance, Imports, Peer, Remote};

/// A whole `gobgpd.toml`.
pub(super) fn gobgpd(config: &Config) -> Result<String> {
    ensure!(
        config.imports == Imports::All,
        "GoBGP takes everything in this kit; FRR and BIRD can choose"
    );
    let mut text = format!(
        "[global.config]\n  as = {}\n  router-id = \"{}\"\n\
         [global.use-multiple-paths.config]\n  enabled = true\n",
        config.asn, config.router_id
    );
    for (index, peer) in config.peers.iter().enumerate() {
        match &peer.remote {
            Remote::Address(address) => {
                text.push_str("[[neighbors]]\n  [neighbors.config]\n");
                writeln!(text, "    neighbor-address = \"{address}\"")?;
                body(&mut text, "neighbors", peer)?;
            }
            Remote::Interface(interface) => {
                bail!(
                    "GoBGP sends no router advertisements, so that nobody finds it on {interface}"
                )
            }
            Remote::Range(prefix) => {
                let group = format!("range-{index}");
                text.push_str("[[peer-groups]]\n  [peer-groups.config]\n");
                writeln!(text, "    peer-group-name = \"{group}\"")?;
                body(&mut text, "peer-groups", peer)?;
                writeln!(
                    text,
                    "[[dynamic-neighbors]]\n  [dynamic-neighbors.config]\n    prefix = \"{prefix}\"\n    \
                     peer-group = \"{group}\""
                )?;
            }
        }
    }
    Ok(text)
}

/// What neighbors and peer groups have in common, from the middle of their `config` table on.
fn body(text: &mut String, table: &str, peer: &Peer) -> Result<()> {
    ensure!(
        peer.speaks_four_octets,
        "GoBGP always speaks four-octet ASNs; BIRD can be without"
    );
    writeln!(text, "    peer-as = {}", peer.asn)?;
    if let Some(password) = &peer.password {
        writeln!(text, "    auth-password = \"{password}\"")?;
    }
    let (keepalive, hold) = (peer.keepalive_time(), peer.hold_time);
    writeln!(
        text,
        "  [{table}.timers.config]\n    connect-retry = 1\n    idle-hold-time-after-reset = 1\n    \
         hold-time = {hold}\n    keepalive-interval = {keepalive}"
    )?;
    if peer.is_passive || peer.source.is_some() {
        writeln!(text, "  [{table}.transport.config]")?;
        if peer.is_passive {
            text.push_str("    passive-mode = true\n");
        }
        if let Some(source) = peer.source {
            writeln!(text, "    local-address = \"{source}\"")?;
        }
    }
    match peer.distance {
        Distance::Direct => {}
        Distance::Multihop(hops) => writeln!(
            text,
            "  [{table}.ebgp-multihop.config]\n    enabled = true\n    multihop-ttl = {hops}"
        )?,
        Distance::Secured(hops) => writeln!(
            text,
            "  [{table}.ttl-security.config]\n    enabled = true\n    ttl-min = {}",
            256 - u16::from(hops)
        )?,
    }
    let (v4, v6) = peer.families.parts();
    for (name, is_wanted) in [("ipv4-unicast", v4), ("ipv6-unicast", v6)] {
        if is_wanted {
            afi_safi(text, table, name, peer)?;
        }
    }
    Ok(())
}

fn afi_safi(text: &mut String, table: &str, name: &str, peer: &Peer) -> Result<()> {
    writeln!(
        text,
        "  [[{table}.afi-safis]]\n    [{table}.afi-safis.config]\n      afi-safi-name = \"{name}\""
    )?;
    if let Some(limit) = peer.max_prefixes {
        writeln!(
            text,
            "    [{table}.afi-safis.prefix-limit.config]\n      max-prefixes = {limit}"
        )?;
    }
    Ok(())
}
