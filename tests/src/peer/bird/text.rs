//! BIRD's configuration.

use std::fmt::Write as _;

use anyhow::Result;

use super::super::config::{Announced, Config, Distance, Imports, Peer, Remote};

/// A whole `bird.conf`.
pub(super) fn bird(config: &Config) -> Result<String> {
    let mut text = format!(
        "log stderr all;\nrouter id {};\nprotocol device {{ scan time 1; }}\n\
         protocol direct {{ ipv4; ipv6; }}\n",
        config.router_id
    );
    for (name, is_v4) in [("ipv4", true), ("ipv6", false)] {
        writeln!(
            text,
            "protocol kernel kernel_{name} {{\n  {name} {{ import none; \
             export where source = RTS_BGP; }};\n  merge paths on limit {};\n}}",
            config.max_paths
        )?;
        writeln!(text, "protocol static own_{name} {{\n  {name};")?;
        for announced in config.announced_in(is_v4) {
            own(&mut text, announced)?;
        }
        text.push_str("}\n");
    }
    for (index, peer) in config.peers.iter().enumerate() {
        protocol(&mut text, index, peer, config)?;
    }
    Ok(text)
}

/// A route of its own, with what it is announced with.
fn own(text: &mut String, announced: &Announced) -> Result<()> {
    write!(text, "  route {} blackhole {{ ", announced.prefix)?;
    for (asn, value) in &announced.communities {
        write!(text, "bgp_community.add(({asn},{value})); ")?;
    }
    for (global, local1, local2) in &announced.large_communities {
        write!(
            text,
            "bgp_large_community.add(({global},{local1},{local2})); "
        )?;
    }
    text.push_str("};\n");
    Ok(())
}

fn protocol(text: &mut String, index: usize, peer: &Peer, config: &Config) -> Result<()> {
    let source = peer.source.map(|ip| format!(" {ip}")).unwrap_or_default();
    let own = config.asn;
    // Without four octets it takes no long ASN in its configuration, and yet holds the one in the
    // peer's capability against it.
    let its = match u16::try_from(peer.asn) {
        Err(_) if !peer.speaks_four_octets => "external".to_owned(),
        _ => format!("as {}", peer.asn),
    };
    writeln!(text, "protocol bgp peer{index} {{")?;
    writeln!(text, "  local{source} as {own};")?;
    match &peer.remote {
        Remote::Address(address) => writeln!(text, "  neighbor {address} {its};")?,
        Remote::Range(prefix) => writeln!(
            text,
            "  neighbor range {prefix} {its};\n  dynamic name \"peer{index}_\";"
        )?,
    }
    let (keepalive, hold) = (peer.keepalive_time(), peer.hold_time);
    writeln!(
        text,
        "  hold time {hold};\n  keepalive time {keepalive};\n  connect retry time 1;\n\
         \x20 connect delay time 1;\n  error wait time 1,2;\n  enable extended messages on;"
    )?;
    match peer.distance {
        Distance::Direct => text.push_str("  direct;\n"),
        Distance::Multihop(hops) => writeln!(text, "  multihop {hops};")?,
        Distance::Secured(1) => text.push_str("  direct;\n  ttl security on;\n"),
        Distance::Secured(hops) => writeln!(text, "  multihop {hops};\n  ttl security on;")?,
    }
    if let Some(password) = &peer.password {
        writeln!(text, "  password \"{password}\";")?;
    }
    if peer.is_passive && matches!(peer.remote, Remote::Address(_)) {
        text.push_str("  passive on;\n");
    }
    if !peer.speaks_four_octets {
        text.push_str("  enable as4 off;\n");
    }
    let (v4, v6) = peer.families.parts();
    for (name, is_v4, is_wanted) in [("ipv4", true, v4), ("ipv6", false, v6)] {
        if is_wanted {
            channel(text, name, is_v4, peer, config)?;
        }
    }
    text.push_str("}\n");
    Ok(())
}

/// What crosses a session in one family. The next hop of what is announced is written out: on a
/// session of the other family there is none that BIRD could choose itself.
fn channel(text: &mut String, name: &str, is_v4: bool, peer: &Peer, config: &Config) -> Result<()> {
    let import = match &config.imports {
        Imports::All => "all".to_owned(),
        Imports::Within(prefixes) => {
            let own: Vec<String> = prefixes
                .iter()
                .filter(|prefix| prefix.contains(':') != is_v4)
                .map(|prefix| format!("{prefix}+"))
                .collect();
            if own.is_empty() {
                "none".to_owned()
            } else {
                format!("where net ~ [ {} ]", own.join(", "))
            }
        }
    };
    let next_hop = config.announced_in(is_v4).next();
    let next_hop = next_hop
        .map(|one| format!("next hop address {}; ", one.next_hop))
        .unwrap_or_default();
    let limit = peer
        .max_prefixes
        .map(|limit| format!("receive limit {limit} action disable; "))
        .unwrap_or_default();
    let export = if config.is_silent {
        "none"
    } else {
        "where source = RTS_STATIC"
    };
    writeln!(
        text,
        "  {name} {{ import {import}; export {export}; {next_hop}{limit}}};"
    )?;
    Ok(())
}
