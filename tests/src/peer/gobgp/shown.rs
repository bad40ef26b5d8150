//! What `gobgp -j` shows: its messages as JSON, path attributes by their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::{Capability, Path, Session, community};

/// The sessions in `neighbor`, by the peer's address.
pub(super) fn sessions(shown: &Value) -> Result<BTreeMap<IpAddr, Session>> {
    let all = shown.as_array().context("the neighbors are no list")?;
    let mut sessions = BTreeMap::new();
    for neighbor in all {
        let address = neighbor["state"]["neighbor_address"]
            .as_str()
            .or_else(|| neighbor["conf"]["neighbor_address"].as_str());
        let address = address.context("a neighbor without an address")?;
        sessions.insert(address.parse()?, session(neighbor));
    }
    Ok(sessions)
}

fn session(neighbor: &Value) -> Session {
    let state = &neighbor["state"];
    let asn = |field: &str| u32::try_from(state[field].as_u64()?).ok();
    let hold_time = &neighbor["timers"]["state"]["negotiated_hold_time"];
    Session {
        state: session_state(&state["session_state"]),
        remote_asn: asn("peer_asn").unwrap_or_default(),
        hold_time: Duration::from_secs(hold_time.as_u64().unwrap_or_default()),
        capabilities: capabilities(&state["remote_cap"]),
        times_established: None,
        updates_received: count(&state["messages"]["received"]["update"]),
        last_error: None,
    }
}

/// Large numbers are texts in protobuf's JSON.
fn count(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// RFC 4271 §8.2.2, from the number that stands for it.
fn session_state(value: &Value) -> String {
    const STATES: [&str; 7] = [
        "Unknown",
        "Idle",
        "Connect",
        "Active",
        "OpenSent",
        "OpenConfirm",
        "Established",
    ];
    let by_number = value
        .as_u64()
        .and_then(|number| STATES.get(usize::try_from(number).ok()?));
    match (by_number, value.as_str()) {
        (Some(name), _) => (*name).to_owned(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => "Unknown".to_owned(),
    }
}

fn capabilities(list: &Value) -> BTreeSet<Capability> {
    let mut found = BTreeSet::new();
    for one in list.as_array().into_iter().flatten() {
        let kind = one["type_url"].as_str();
        let kind = kind.and_then(|url| url.rsplit('.').next());
        let named = match kind.unwrap_or_default() {
            "RouteRefreshCapability" => Capability::RouteRefresh,
            "EnhancedRouteRefreshCapability" => Capability::EnhancedRouteRefresh,
            "FourOctetASNCapability" => Capability::FourOctetAs,
            "ExtendedNexthopCapability" => Capability::ExtendedNextHop,
            "GracefulRestartCapability" => Capability::GracefulRestart,
            // The message is shown as protobuf bytes: field 1 holds AFI 1 or 2 and SAFI 1.
            "MultiProtocolCapability" => match one["value"].as_str() {
                Some("CgQIARAB") => Capability::Ipv4Unicast,
                Some("CgQIAhAB") => Capability::Ipv6Unicast,
                Some(_) | None => continue,
            },
            _ => continue,
        };
        found.insert(named);
    }
    found
}

/// The routes in `global rib`: prefix → paths.
pub(super) fn routes(shown: &Value) -> Result<BTreeMap<String, Vec<Path>>> {
    let all = shown.as_object().context("the table is no object")?;
    let mut routes = BTreeMap::new();
    for (prefix, paths) in all {
        let paths = paths.as_array().into_iter().flatten().map(path);
        routes.insert(prefix.clone(), paths.collect());
    }
    Ok(routes)
}

/// Attributes are told by their type codes (RFC 4271 §5.1, 4760, 1997, 8092, 4360).
fn path(shown: &Value) -> Path {
    let mut path = Path {
        peer: shown["neighbor-ip"]
            .as_str()
            .and_then(|text| text.parse().ok()),
        is_chosen: shown["best"] == true,
        ..Path::default()
    };
    for attribute in shown["attrs"].as_array().into_iter().flatten() {
        let value = &attribute["value"];
        let number = |field: &str| u32::try_from(attribute[field].as_u64()?).ok();
        match attribute["type"].as_u64() {
            Some(1) => {
                let names = ["IGP", "EGP", "INCOMPLETE"];
                let name = number("value").and_then(|index| names.get(index as usize));
                path.origin = (*name.unwrap_or(&"?")).to_owned();
            }
            Some(2) => path.as_path = as_path(attribute),
            Some(3 | 14) => {
                let hops = attribute["nexthop"].as_str();
                path.next_hops = hops.into_iter().filter_map(|ip| ip.parse().ok()).collect();
            }
            Some(4) => path.multi_exit_disc = number("metric"),
            Some(5) => path.local_pref = number("value"),
            Some(8) => path.communities = communities(&attribute["communities"]),
            Some(16) => path.extended_communities = extended(value),
            Some(32) => path.large_communities = large(value),
            Some(_) | None => {}
        }
    }
    path
}

fn as_path(attribute: &Value) -> Vec<u32> {
    let segments = attribute["as_paths"].as_array().into_iter().flatten();
    segments
        .flat_map(|segment| segment["asns"].as_array().into_iter().flatten())
        .filter_map(|asn| u32::try_from(asn.as_u64()?).ok())
        .collect()
}

fn communities(list: &Value) -> BTreeSet<String> {
    let numbers = list.as_array().into_iter().flatten();
    numbers
        .filter_map(|number| Some(community(u32::try_from(number.as_u64()?).ok()?)))
        .collect()
}

fn large(list: &Value) -> BTreeSet<String> {
    let all = list.as_array().into_iter().flatten();
    all.map(|one| {
        let part = |field: &str| one[field].as_u64().unwrap_or_default();
        let (global, local1, local2) = (part("ASN"), part("LocalData1"), part("LocalData2"));
        format!("{global}:{local1}:{local2}")
    })
    .collect()
}

fn extended(list: &Value) -> BTreeSet<String> {
    let all = list.as_array().into_iter().flatten();
    all.map(|one| {
        let kind = match one["subtype"].as_u64() {
            Some(2) => "rt",
            Some(3) => "ro",
            Some(_) | None => "generic",
        };
        let value = one["value"].as_str().unwrap_or_default();
        format!("{kind}:{value}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_a_path_by_the_numbers_of_its_attributes() {
        let shown = json!({ "10.97.0.1/32": [{
            "best": true,
            "attrs": [
                { "type": 1, "value": 0 },
                { "type": 2, "as_paths": [{ "segment_type": 2, "num": 1, "asns": [64512] }] },
                { "type": 3, "nexthop": "10.99.0.1" },
                { "type": 4, "metric": 5 },
                { "type": 8, "communities": [4_294_967_041_u32, 4_227_858_439_u32] },
                { "type": 16, "value": [{ "type": 0, "subtype": 2, "value": "64512:9" }] },
                { "type": 32, "value": [{ "ASN": 1, "LocalData1": 2, "LocalData2": 3 }] },
            ],
            "neighbor-ip": "fd99::1",
        }] });
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let path = Path {
            peer: "fd99::1".parse().ok(),
            next_hops: vec!["10.99.0.1".parse().unwrap()],
            origin: "IGP".to_owned(),
            as_path: vec![64512],
            multi_exit_disc: Some(5),
            local_pref: None,
            communities: words(&["65535:65281", "64512:7"]),
            large_communities: words(&["1:2:3"]),
            extended_communities: words(&["rt:64512:9"]),
            is_chosen: true,
        };
        assert_eq!(routes(&shown).unwrap()["10.97.0.1/32"], [path]);
    }

    #[test]
    fn reads_a_session_by_numbers_and_type_names() {
        let capability = |name: &str, value: &str| json!({ "type_url": format!("x/apipb.{name}"), "value": value });
        let shown = json!([{
            "conf": { "neighbor_address": "10.99.0.11" },
            "state": {
                "session_state": 6,
                "peer_asn": 64513,
                "messages": { "received": { "update": "4" } },
                "remote_cap": [
                    capability("MultiProtocolCapability", "CgQIAhAB"),
                    capability("FourOctetASNCapability", "CIH4Aw=="),
                    capability("FqdnCapability", "CgJ2bQ=="),
                ],
            },
            "timers": { "state": { "negotiated_hold_time": 9 } },
        }]);
        let sessions = sessions(&shown).unwrap();
        let address: IpAddr = "10.99.0.11".parse().unwrap();
        let session = &sessions[&address];
        assert!(session.is_established());
        assert_eq!(session.updates_received, Some(4));
        assert_eq!(session.hold_time, Duration::from_secs(9));
        let said = [Capability::Ipv6Unicast, Capability::FourOctetAs];
        assert!(session.capabilities.iter().eq(&said), "{session:?}");
    }
}
