//! BIRD's configuration.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::super::config::{Announced, Config, Distance, Imports, Peer, Remote};
use super::super::{Bfd, GracefulRestart};

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
    bfd(&mut text, config)?;
    advertisements(&mut text, config)?;
    for (index, peer) in config.peers.iter().enumerate() {
        protocol(&mut text, index, peer, config)?;
    }
    Ok(text)
}

/// The peer learns from router advertisements that we are there, and makes us no default router.
fn advertisements(text: &mut String, config: &Config) -> Result<()> {
    for peer in &config.peers {
        if let Remote::Interface(interface) = &peer.remote {
            writeln!(
                text,
                "protocol radv {{\n  interface \"{interface}\" {{ min ra interval 3; \
                 max ra interval 10; default lifetime 0; }};\n}}"
            )?;
        }
    }
    Ok(())
}

/// BIRD has one set of intervals for an interface, and one for all that is further away.
fn bfd(text: &mut String, config: &Config) -> Result<()> {
    let mut all = config.peers.iter().filter_map(|peer| peer.bfd);
    let Some(first) = all.next() else {
        return Ok(());
    };
    let same = |one: &Bfd| (one.interval, one.multiplier) == (first.interval, first.multiplier);
    ensure!(
        all.all(|one| same(&one)),
        "BIRD's peers share their intervals"
    );
    let (interval, multiplier) = (first.milliseconds(), first.multiplier);
    let times = format!("interval {interval} ms; multiplier {multiplier};");
    writeln!(
        text,
        "protocol bfd bfd1 {{\n  interface \"*\" {{ {times} }};\n  multihop {{ {times} }};\n}}"
    )?;
    Ok(())
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
        Remote::Interface(interface) => writeln!(
            text,
            "  neighbor range fe80::/10 {its};\n  interface \"{interface}\";\n  \
             dynamic name \"peer{index}_\";"
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
    if let Some(bfd) = &peer.bfd {
        let word = if bfd.waits_for_control_plane {
            "graceful"
        } else {
            "on"
        };
        writeln!(text, "  bfd {word};")?;
    }
    text.push_str(match config.graceful_restart {
        GracefulRestart::Off => "  graceful restart off;\n",
        GracefulRestart::Helper => "",
        GracefulRestart::Full => "  graceful restart on;\n",
    });
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

/// What BIRD does not do of itself: RFC 8326 §4.2, a route that is about to go is the last choice.
const GRACEFUL_SHUTDOWN: &str = "if (65535, 0) ~ bgp_community then bgp_local_pref = 0;";

/// What crosses a session in one family. The next hop of what is announced is written out: on a
/// session of the other family there is none that BIRD could choose itself.
fn channel(text: &mut String, name: &str, is_v4: bool, peer: &Peer, config: &Config) -> Result<()> {
    let import = match &config.imports {
        Imports::All => format!("filter {{\n      {GRACEFUL_SHUTDOWN}\n      accept;\n    }}"),
        Imports::Within(prefixes) => {
            let own: Vec<String> = prefixes
                .iter()
                .filter(|prefix| prefix.contains(':') != is_v4)
                .map(|prefix| format!("{prefix}+"))
                .collect();
            if own.is_empty() {
                "none".to_owned()
            } else {
                let own = own.join(", ");
                format!(
                    "filter {{\n      {GRACEFUL_SHUTDOWN}\n      \
                     if net ~ [ {own} ] then accept;\n      reject;\n    }}"
                )
            }
        }
    };
    let next_hop = config.announced_in(is_v4).next();
    let next_hop = next_hop
        .map(|one| format!("    next hop address {};\n", one.next_hop))
        .unwrap_or_default();
    let limit = peer
        .max_prefixes
        .map(|limit| format!("    receive limit {limit} action disable;\n"))
        .unwrap_or_default();
    // RFC 8950; BIRD does not offer it of itself.
    let extended = if is_v4 && matches!(peer.remote, Remote::Interface(_)) {
        "    extended next hop on;\n"
    } else {
        ""
    };
    let export = if config.is_silent {
        "none"
    } else {
        "where source = RTS_STATIC"
    };
    writeln!(
        text,
        "  {name} {{\n    import {import};\n    export {export};\n{extended}{next_hop}{limit}  }};"
    )?;
    Ok(())
}
