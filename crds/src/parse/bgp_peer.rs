//! BGP peers.

use std::net::Ipv4Addr;
use std::time::Duration;

use model::{BgpPeer, IpFamily, PasswordKey, PeerAsn, PeerName, Remote, Role, Uid};

use super::resilience::{self, Profiles};
use super::{Last, Report, name_of, remote};
use crate::bgp_peer::{BGPPeer, BGPPeerSpec, MAX_PREFIXES, PasswordSecretRef};
use crate::problem::BgpProblem;
use crate::time;

/// RFC 4271 §4.2: the hold time is two octets of seconds, and never one or two.
const MAX_HOLD_TIME: u64 = 65_535;
const MIN_HOLD_TIME: u64 = 3;
const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(90);

/// A third of the longest hold time.
const MAX_KEEPALIVE_TIME: u64 = MAX_HOLD_TIME / 3;

/// Reads a peer. What stands for a value that was refused does not matter: the peer is not in
/// force then.
pub(super) fn bgp_peer(
    object: &BGPPeer,
    profiles: &Profiles<'_>,
    last: &Last,
    report: &mut Report,
) -> BgpPeer {
    let spec = &object.spec;
    let name = PeerName::new(name_of(&object.metadata));
    let my_asn = report.take("spec.myASN", number(spec.my_asn, 1, u32::MAX));
    let asn = peer_asn(spec, report);
    external_only(spec, my_asn, asn, report);
    let (remote, source_address) = remote::ends(spec, report);
    let connects_itself = match remote {
        Remote::Range(_) => true,
        Remote::Address(_) | Remote::Interface(_) => false,
    };
    let (hold_time, keepalive_time) = hold_and_keepalive(spec, report);
    let connect_time = spec.connect_time.as_ref().and_then(|text| {
        let range = (1..=MAX_HOLD_TIME, "a time from 1s to 65535s");
        report.take("spec.connectTime", seconds(text, range))
    });
    let router_id = spec.router_id.as_ref();
    let router_id = router_id.and_then(|text| report.take("spec.routerID", read_router_id(text)));
    let role = spec.role.as_ref();
    let vrf = spec.vrf.as_ref();
    let max_prefixes = number(spec.max_prefixes, 1, MAX_PREFIXES);
    BgpPeer {
        my_asn: my_asn.unwrap_or_default(),
        peer_asn: asn.unwrap_or(PeerAsn::External),
        remote,
        port: report
            .take("spec.peerPort", number(spec.peer_port, 1, u16::MAX))
            .unwrap_or_default(),
        source_address,
        router_id,
        node_selectors: report.selectors("spec.nodeSelectors", &spec.node_selectors),
        hold_time,
        keepalive_time,
        connect_time,
        ebgp_multi_hop: spec.ebgp_multi_hop,
        ttl_security: spec.ttl_security,
        password: spec.password_secret.as_ref().map(|reference| {
            check_reference(reference, report);
            PasswordKey::of(&name)
        }),
        role: role.and_then(|text| report.take("spec.role", read_role(text))),
        max_prefixes: report
            .take("spec.maxPrefixes", max_prefixes)
            .unwrap_or_default(),
        address_families: families(&spec.address_families, report),
        passive: spec.passive || connects_itself,
        bfd: resilience::bfd(spec, profiles, last.bgp_peers.get(&name), report),
        bfd_strict: spec.bfd_strict,
        graceful_restart: resilience::graceful_restart(spec, report),
        graceful_shutdown: resilience::graceful_shutdown(spec, report),
        vrf: vrf.and_then(|text| report.take("spec.vrf", read_vrf(text))),
        requires: Vec::new(),
        uid: object.metadata.uid.clone().map(Uid::new),
        name,
    }
}

/// A number in its range, in the type that has room for it.
pub(crate) fn number<T>(value: i64, min: i64, max: impl Into<i64>) -> Result<T, BgpProblem>
where
    T: TryFrom<i64>,
{
    let max = max.into();
    let inside = Some(value).filter(|value| (min..=max).contains(value));
    let fitting = inside.and_then(|value| T::try_from(value).ok());
    fitting.ok_or(BgpProblem::NumberOutOfRange { value, min, max })
}

fn peer_asn(spec: &BGPPeerSpec, report: &mut Report) -> Option<PeerAsn> {
    match (spec.peer_asn, &spec.dynamic_asn) {
        (Some(asn), None) => {
            let asn = report.take("spec.peerASN", number(asn, 1, u32::MAX));
            asn.map(PeerAsn::Exactly)
        }
        (None, Some(word)) => report.take("spec.dynamicASN", read_dynamic_asn(word)),
        (None, None) | (Some(_), Some(_)) => {
            report.add("spec.peerASN", BgpProblem::PeerAsn);
            None
        }
    }
}

/// Reads which AS numbers a peer may have.
pub(crate) fn read_dynamic_asn(word: &str) -> Result<PeerAsn, BgpProblem> {
    match word {
        "internal" => Ok(PeerAsn::Internal),
        "external" => Ok(PeerAsn::External),
        _ => Err(unknown(word, "internal or external")),
    }
}

/// What internal peers cannot have, and what does not go together.
fn external_only(
    spec: &BGPPeerSpec,
    my_asn: Option<u32>,
    asn: Option<PeerAsn>,
    report: &mut Report,
) {
    let internal = match asn {
        Some(PeerAsn::Exactly(asn)) => my_asn == Some(asn),
        Some(PeerAsn::Internal) => true,
        Some(PeerAsn::External) | None => false,
    };
    if internal && spec.ebgp_multi_hop {
        report.add("spec.ebgpMultiHop", BgpProblem::ExternalOnly);
    }
    // RFC 9234 §4.1: the capability is for external sessions.
    if internal && spec.role.is_some() {
        report.add("spec.role", BgpProblem::ExternalOnly);
    }
    if spec.ttl_security && spec.ebgp_multi_hop {
        report.add("spec.ttlSecurity", BgpProblem::TtlSecurityMultiHop);
    }
}

fn read_router_id(text: &str) -> Result<Ipv4Addr, BgpProblem> {
    // RFC 6286 §2.1: any number but 0.
    let id = text
        .parse()
        .ok()
        .filter(|id: &Ipv4Addr| !id.is_unspecified());
    id.ok_or_else(|| BgpProblem::RouterId(text.to_owned()))
}

/// Both times. Either alone gives the other one.
fn hold_and_keepalive(spec: &BGPPeerSpec, report: &mut Report) -> (Duration, Option<Duration>) {
    let keepalive = spec.keepalive_time.as_ref().and_then(|text| {
        let range = (0..=MAX_KEEPALIVE_TIME, "a time from 1s to 21845s");
        report.take("spec.keepaliveTime", seconds(text, range))
    });
    let hold = spec
        .hold_time
        .as_ref()
        .and_then(|text| report.take("spec.holdTime", read_hold_time(text)));
    let hold_time = match (hold, keepalive, &spec.hold_time) {
        (Some(hold), _, _) => hold,
        (None, Some(keepalive), None) => keepalive * 3,
        (None, _, _) => DEFAULT_HOLD_TIME,
    };
    let fits = keepalive.is_none_or(|keepalive| {
        keepalive <= hold_time && (!keepalive.is_zero() || hold_time.is_zero())
    });
    if let (false, Some(_), Some(keepalive)) = (fits, hold, &spec.keepalive_time) {
        let problem = BgpProblem::Keepalive {
            keepalive: keepalive.clone(),
            hold: time::emit(hold_time),
        };
        report.add("spec.keepaliveTime", problem);
    }
    (
        hold_time,
        keepalive.filter(|keepalive| !keepalive.is_zero()),
    )
}

fn read_hold_time(text: &str) -> Result<Duration, BgpProblem> {
    let range = (0..=MAX_HOLD_TIME, "0s, or a time from 3s to 65535s");
    let hold = seconds(text, range.clone())?;
    if hold.is_zero() || hold.as_secs() >= MIN_HOLD_TIME {
        Ok(hold)
    } else {
        let (time, range) = (text.to_owned(), range.1);
        Err(BgpProblem::TimeOutOfRange { time, range })
    }
}

/// Reads a duration in its range, which the words say.
pub(super) fn seconds(
    text: &str,
    (range, words): (std::ops::RangeInclusive<u64>, &'static str),
) -> Result<Duration, BgpProblem> {
    let read = time::parse(text).ok_or_else(|| BgpProblem::NotADuration(text.to_owned()))?;
    if range.contains(&read.as_secs()) {
        Ok(read)
    } else {
        let time = text.to_owned();
        Err(BgpProblem::TimeOutOfRange { time, range: words })
    }
}

fn check_reference(reference: &PasswordSecretRef, report: &mut Report) {
    for (field, text) in [("name", &reference.name), ("key", &reference.key)] {
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=253).contains(&text.len()) || !text.chars().all(letter) {
            let problem = BgpProblem::SecretReference(text.clone());
            report.add(format!("spec.passwordSecret.{field}"), problem);
        }
    }
}

fn families(texts: &[String], report: &mut Report) -> Vec<IpFamily> {
    let mut families = report.each("spec.addressFamilies", texts, |text| read_family(text));
    families.sort();
    families.dedup();
    if families.is_empty() {
        families = IpFamily::ALL.to_vec();
    }
    families
}

/// Reads a family as the Service API names it.
pub(crate) fn read_family(text: &str) -> Result<IpFamily, BgpProblem> {
    match text {
        "IPv4" => Ok(IpFamily::V4),
        "IPv6" => Ok(IpFamily::V6),
        _ => Err(unknown(text, "IPv4 or IPv6")),
    }
}

/// Linux: at most 15 bytes, neither `/` nor white space (`dev_valid_name`).
fn read_vrf(text: &str) -> Result<String, BgpProblem> {
    let possible =
        (1..=15).contains(&text.len()) && !text.contains(|c: char| c == '/' || c.is_whitespace());
    if possible {
        Ok(text.to_owned())
    } else {
        Err(BgpProblem::Vrf(text.to_owned()))
    }
}

/// Each role and its word.
const ROLES: [(&str, Role); 5] = [
    ("provider", Role::Provider),
    ("rs-server", Role::RouteServer),
    ("rs-client", Role::RouteServerClient),
    ("customer", Role::Customer),
    ("peer", Role::Peer),
];

/// Reads a role by its word.
pub(crate) fn read_role(text: &str) -> Result<Role, BgpProblem> {
    let known = ROLES.iter().find(|(word, _)| *word == text);
    known.map(|(_, role)| *role).ok_or_else(|| {
        let words = "provider, rs-server, rs-client, customer or peer";
        unknown(text, words)
    })
}

/// The word for a role.
pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::RouteServer => "rs-server",
        Role::RouteServerClient => "rs-client",
        Role::Customer => "customer",
        Role::Peer => "peer",
    }
}

fn unknown(value: &str, words: &'static str) -> BgpProblem {
    BgpProblem::UnknownWord {
        value: value.to_owned(),
        words,
    }
}
