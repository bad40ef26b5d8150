//! What `birdc` shows, which is text for people: indented blocks of `name: value`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::{BfdSession, Capability, Path, Session};

/// The sessions in `show protocols all`, by the peer's address.
pub(super) fn sessions(text: &str) -> Result<BTreeMap<IpAddr, Session>> {
    let mut sessions = BTreeMap::new();
    for block in protocols(text) {
        if let Some(address) = block.field("Neighbor address") {
            // A link-local peer is shown with its interface.
            let address = address.split('%').next().unwrap_or_default();
            sessions.insert(address.parse()?, session(&block)?);
        }
    }
    Ok(sessions)
}

/// The sessions in `show bfd sessions`: a table of peers, each with interface, state, time, interval
/// and timeout in seconds.
pub(super) fn bfd_sessions(text: &str) -> Result<BTreeMap<IpAddr, BfdSession>> {
    let mut sessions = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [address, _, state, .., interval, timeout] = cells.as_slice() else {
            continue;
        };
        let Ok(address) = address.parse() else {
            continue;
        };
        let seconds =
            |cell: &str| Ok::<_, anyhow::Error>(Duration::try_from_secs_f64(cell.parse()?)?);
        let session = BfdSession {
            state: (*state).to_owned(),
            interval: seconds(interval)?,
            detection_time: seconds(timeout)?,
        };
        sessions.insert(address, session);
    }
    Ok(sessions)
}

/// The address of each protocol's peer, by the protocol's name.
pub(super) fn peers(text: &str) -> BTreeMap<String, IpAddr> {
    let blocks = protocols(text).into_iter();
    blocks
        .filter_map(|block| {
            let address = block.field("Neighbor address")?;
            let address = address.split('%').next()?.parse().ok()?;
            Some((block.name.to_owned(), address))
        })
        .collect()
}

/// The routes in `show route … all`.
///
/// ```text
/// 10.97.0.1/32  unicast [peer0 12:00:00.000 from 10.99.0.11] * (100) [AS64513i]
///         via 10.99.0.11 on eth0
///         BGP.origin: IGP
///                     unicast [peer1 …                 a further path to the same prefix
/// ```
pub(super) fn routes(
    text: &str,
    peers: &BTreeMap<String, IpAddr>,
) -> Result<BTreeMap<String, Vec<Path>>> {
    let mut routes: BTreeMap<String, Vec<Path>> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some((prefix, named)) = head(line) {
            if let Some(prefix) = prefix {
                current = Some(prefix.to_owned());
            }
            let prefix = current.clone().context("a path without a prefix")?;
            let path = Path {
                peer: peers.get(named).copied(),
                is_chosen: line.contains("] * ") || line.ends_with("] *"),
                ..Path::default()
            };
            routes.entry(prefix).or_default().push(path);
        } else if let Some(prefix) = &current
            && let Some(path) = routes.get_mut(prefix).and_then(|paths| paths.last_mut())
        {
            attribute(path, line.trim())?;
        }
    }
    Ok(routes)
}

/// The first line of a path: its prefix, unless it is that of the path before, and the protocol
/// that it came from.
fn head(line: &str) -> Option<(Option<&str>, &str)> {
    if line.starts_with('\t') {
        return None;
    }
    let (before, after) = line.split_once(" [")?;
    let named = after.split([' ', ']']).next()?;
    let prefix = before.split_whitespace().next()?;
    Some((prefix.contains('/').then_some(prefix), named))
}

fn attribute(path: &mut Path, line: &str) -> Result<()> {
    let Some((name, value)) = line.split_once(':') else {
        return Ok(());
    };
    let value = value.trim();
    match name {
        "BGP.origin" => value.to_uppercase().clone_into(&mut path.origin),
        "BGP.as_path" => {
            let asns = value.split_whitespace().filter_map(|asn| asn.parse().ok());
            path.as_path = asns.collect();
        }
        "BGP.next_hop" => {
            let hops = value.split_whitespace().map(str::parse);
            path.next_hops = hops.collect::<Result<_, _>>()?;
        }
        "BGP.med" => path.multi_exit_disc = Some(value.parse()?),
        "BGP.local_pref" => path.local_pref = Some(value.parse()?),
        "BGP.community" => path.communities = tuples(value),
        "BGP.large_community" => path.large_communities = tuples(value),
        "BGP.ext_community" => path.extended_communities = tuples(value),
        _ => {}
    }
    Ok(())
}

/// `(64512,1) (64512,2)` or `(64512, 1, 2)` → `64512:1`, …
fn tuples(value: &str) -> BTreeSet<String> {
    value
        .split(')')
        .map(|tuple| tuple.trim().trim_start_matches('('))
        .filter(|tuple| !tuple.is_empty())
        .map(|tuple| {
            let parts: Vec<&str> = tuple.split(',').map(str::trim).collect();
            parts.join(":")
        })
        .collect()
}

/// One protocol of `show protocols all`.
struct Block<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Block<'a> {
    /// The value of the first line with this name.
    fn field(&self, name: &str) -> Option<&'a str> {
        self.lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found.trim() == name).then(|| value.trim())
        })
    }

    /// The lines below a heading, as far as they are indented more than it.
    fn below(&self, heading: &str) -> Vec<&'a str> {
        let depth = |line: &str| line.len() - line.trim_start().len();
        let mut lines = self.lines.iter();
        let Some(start) = lines.find(|line| line.trim() == heading) else {
            return Vec::new();
        };
        lines
            .take_while(|line| depth(line) > depth(start))
            .map(|line| line.trim())
            .collect()
    }
}

/// A protocol begins with a line that is not indented; the first two lines greet and name columns.
fn protocols(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with("BIRD ") || line.starts_with("Name ") {
            continue;
        }
        if line.starts_with(' ') {
            if let Some(block) = blocks.last_mut() {
                block.lines.push(line);
            }
        } else {
            let name = line.split_whitespace().next().unwrap_or_default();
            let lines = Vec::new();
            blocks.push(Block { name, lines });
        }
    }
    blocks
}

fn session(block: &Block<'_>) -> Result<Session> {
    let remote_asn = block.field("Neighbor AS").context("no neighbor AS")?;
    // Shown as `6.123/9`: what is left, and the whole.
    let hold_time = block
        .field("Hold timer")
        .and_then(|text| text.split('/').nth(1)?.parse().ok())
        .map(Duration::from_secs)
        .unwrap_or_default();
    let updates = block.lines.iter().find_map(|line| {
        let counts = line.trim().strip_prefix("Import updates:")?;
        counts.split_whitespace().next()?.parse().ok()
    });
    Ok(Session {
        state: block.field("BGP state").unwrap_or_default().to_owned(),
        remote_asn: remote_asn.parse()?,
        hold_time,
        capabilities: capabilities(&block.below("Neighbor capabilities")),
        times_established: None,
        updates_received: updates,
        last_error: block.field("Last error").map(str::to_owned),
    })
}

fn capabilities(lines: &[&str]) -> BTreeSet<Capability> {
    let mut found = BTreeSet::new();
    for line in lines {
        if let Some(families) = line.strip_prefix("AF announced:") {
            for family in families.split_whitespace() {
                match family {
                    "ipv4" => found.insert(Capability::Ipv4Unicast),
                    "ipv6" => found.insert(Capability::Ipv6Unicast),
                    _ => false,
                };
            }
        }
        let named = match *line {
            "Route refresh" => Capability::RouteRefresh,
            "Enhanced refresh" => Capability::EnhancedRouteRefresh,
            "4-octet AS numbers" => Capability::FourOctetAs,
            "Extended message" => Capability::ExtendedMessage,
            "Extended next hop" => Capability::ExtendedNextHop,
            "Graceful restart" => Capability::GracefulRestart,
            _ => continue,
        };
        found.insert(named);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOLS: &str = "\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     14:35:18.119  

peer0      BGP        ---        up     14:36:10.208  Established   
  BGP state:          Established
    Neighbor address: 10.99.0.1
    Neighbor AS:      64512
    Local capabilities
      Extended message
    Neighbor capabilities
      Multiprotocol
        AF announced: ipv4 ipv6
      Route refresh
      4-octet AS numbers
      ADD-PATH
        RX: ipv4 ipv6
    Session:          external AS4
    Hold timer:       7.584/9
  Channel ipv4
    State:          UP
    Route change stats:     received   rejected   filtered    ignored   accepted
      Import updates:              2          0          0          1          1
";

    const ROUTES: &str = "\
BIRD 2.0.12 ready.
Table master6:
fd97::99/128         unicast [peer0 14:36:11.309 from 10.99.0.1] * (100) [AS64512i]
\tvia fd99::1 on eth0
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 64512 64513
\tBGP.next_hop: fd99::1 fe80::44d0:1eff:fe03:c2eb
\tBGP.med: 5
\tBGP.local_pref: 100
\tBGP.community: (64512,7) (64512,8)
\tBGP.ext_community: (rt, 64513, 5)
\tBGP.large_community: (64513, 1, 100)
                     unicast [peer1 14:36:11.309] (100) [AS64512i]
fd99::/64            unicast [direct1 14:35:18.123] * (240)
\tdev eth0
";

    #[test]
    fn reads_a_session_with_what_the_neighbour_can() {
        let sessions = sessions(PROTOCOLS).unwrap();
        let wanted = Session {
            state: "Established".to_owned(),
            remote_asn: 64512,
            hold_time: Duration::from_secs(9),
            capabilities: BTreeSet::from([
                Capability::Ipv4Unicast,
                Capability::Ipv6Unicast,
                Capability::RouteRefresh,
                Capability::FourOctetAs,
            ]),
            times_established: None,
            updates_received: Some(2),
            last_error: None,
        };
        let address: IpAddr = "10.99.0.1".parse().unwrap();
        assert_eq!(sessions, BTreeMap::from([(address, wanted)]));
    }

    #[test]
    fn reads_every_path_with_its_attributes() {
        let routes = routes(ROUTES, &peers(PROTOCOLS)).unwrap();
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let first = Path {
            peer: "10.99.0.1".parse().ok(),
            next_hops: vec![
                "fd99::1".parse().unwrap(),
                "fe80::44d0:1eff:fe03:c2eb".parse().unwrap(),
            ],
            origin: "IGP".to_owned(),
            as_path: vec![64512, 64513],
            multi_exit_disc: Some(5),
            local_pref: Some(100),
            communities: words(&["64512:7", "64512:8"]),
            large_communities: words(&["64513:1:100"]),
            extended_communities: words(&["rt:64513:5"]),
            is_chosen: true,
        };
        assert_eq!(routes["fd97::99/128"], [first, Path::default()]);
        assert_eq!(routes.len(), 2);
    }
}
