//! What a kernel does with a prefix, whoever told it: the routes of a host, by `ip -j`.

mod changes;

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::host::Host;

pub use changes::{Change, Changes};

/// A route as `ip -j route` shows it: one next hop beside it, or several in a list.
#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(flatten)]
    only: Hop,
    #[serde(default)]
    nexthops: Vec<Hop>,
}

#[derive(Debug, Default, Deserialize)]
struct Hop {
    gateway: Option<IpAddr>,
    via: Option<Via>,
}

/// A next hop of another family (RFC 8950).
#[derive(Debug, Deserialize)]
struct Via {
    host: IpAddr,
}

impl Hop {
    fn address(&self) -> Option<IpAddr> {
        self.gateway.or(self.via.as_ref().map(|via| via.host))
    }
}

/// The next hops of exactly this prefix (`10.97.0.1/32`) in a host's main table; none if it has no
/// route, several if it spreads its flows over them.
pub fn next_hops(host: &Host, prefix: &str) -> Result<BTreeSet<IpAddr>> {
    let family = if prefix.contains(':') { "-6" } else { "-4" };
    let said = host.run(&["ip", family, "-j", "route", "show", "exact", prefix])?;
    parse(&said).with_context(|| format!("the routes to {prefix} are {said:?}"))
}

fn parse(said: &str) -> Result<BTreeSet<IpAddr>> {
    // Some versions print nothing at all for no route.
    let said = if said.trim().is_empty() { "[]" } else { said };
    let routes: Vec<Shown> = serde_json::from_str(said)?;
    let hops = routes
        .iter()
        .flat_map(|route| route.nexthops.iter().chain([&route.only]));
    Ok(hops.filter_map(Hop::address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_next_hop_several_and_none() {
        let one = r#"[{"dst":"10.97.0.1","gateway":"10.99.0.11","dev":"eth0","flags":[]}]"#;
        let several = r#"[{"dst":"10.97.0.1","protocol":"bgp","flags":[],"nexthops":[
            {"gateway":"10.99.0.11","dev":"eth0","weight":1,"flags":[]},
            {"via":{"family":"inet6","host":"fe80::2"},"dev":"eth0","weight":1,"flags":[]}]}]"#;
        let hops = |said| -> Vec<String> {
            let found = parse(said).unwrap();
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(hops(one), ["10.99.0.11"]);
        assert_eq!(hops(several), ["10.99.0.11", "fe80::2"]);
        assert!(hops("[ ]").is_empty());
        assert!(hops("").is_empty());
    }
}
