//! BGP messages in a capture, as tshark tells them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::shell;

/// One message of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When its last segment was seen.
    pub time: SystemTime,
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// What it is.
    pub kind: MessageKind,
}

/// RFC 4271 §4.1, RFC 2918.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    Open,
    Update,
    Notification,
    Keepalive,
    RouteRefresh,
}

/// What one host has told another by UPDATEs. Prefixes are without their length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// How many UPDATEs it took.
    pub updates: usize,
    /// Prefixes that were announced, again or anew.
    pub announced: BTreeSet<IpAddr>,
    /// Prefixes that were withdrawn.
    pub withdrawn: BTreeSet<IpAddr>,
}

/// All messages in a capture file, in order; what TCP sent twice counts once.
pub fn messages(file: &Path) -> Result<Vec<Message>> {
    let shown = file.to_string_lossy();
    let mut command = vec!["tshark", "-n", "-r", &shown];
    command.extend(["-Y", "bgp && !tcp.analysis.retransmission"]);
    command.extend(["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"]);
    for field in ["frame.time_epoch", "ip.addr", "ipv6.addr", "bgp.type"] {
        command.extend(["-e", field]);
    }
    let mut found = Vec::new();
    for line in shell::run(&command)?.lines() {
        found.extend(parse(line).with_context(|| format!("tshark's line {line:?}"))?);
    }
    Ok(found)
}

/// How many UPDATEs a host sent to another.
pub fn updates(messages: &[Message], from: IpAddr, to: IpAddr) -> usize {
    let is_one = |message: &&Message| {
        message.kind == MessageKind::Update && message.source == from && message.destination == to
    };
    messages.iter().filter(is_one).count()
}

/// What each host told this one; what TCP sent twice counts once.
pub fn told(file: &Path, to: IpAddr) -> Result<BTreeMap<IpAddr, Told>> {
    let shown = file.to_string_lossy();
    let family = if to.is_ipv4() { "ip" } else { "ipv6" };
    let filter = format!("bgp.type == 2 && {family}.dst == {to} && !tcp.analysis.retransmission");
    let mut command = vec!["tshark", "-n", "-r", &shown, "-Y", &filter];
    command.extend(["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"]);
    let source = format!("{family}.src");
    for field in [
        &source,
        "bgp.type",
        "bgp.nlri_prefix",
        "bgp.mp_reach_nlri_ipv4_prefix",
        "bgp.mp_reach_nlri_ipv6_prefix",
        "bgp.withdrawn_prefix",
        "bgp.mp_unreach_nlri_ipv4_prefix",
        "bgp.mp_unreach_nlri_ipv6_prefix",
    ] {
        command.extend(["-e", field]);
    }
    let mut told = BTreeMap::new();
    for line in shell::run(&command)?.lines() {
        add(&mut told, line).with_context(|| format!("tshark's line {line:?}"))?;
    }
    Ok(told)
}

/// The UPDATEs of one frame: who sent them, types, three fields of what is announced, three of what
/// is withdrawn.
fn add(told: &mut BTreeMap<IpAddr, Told>, line: &str) -> Result<()> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [source, kinds, v4, mp_v4, mp_v6, withdrawn @ ..] = fields.as_slice() else {
        anyhow::bail!("it has {} fields", fields.len());
    };
    let told = told.entry(source.parse()?).or_default();
    told.updates += kinds.split(',').filter(|kind| *kind == "2").count();
    told.announced.extend(addresses(&[v4, mp_v4, mp_v6])?);
    told.withdrawn.extend(addresses(withdrawn)?);
    Ok(())
}

fn addresses(fields: &[&str]) -> Result<Vec<IpAddr>> {
    let shown = fields.iter().flat_map(|field| field.split(','));
    let shown = shown.filter(|address| !address.is_empty());
    Ok(shown.map(str::parse).collect::<Result<_, _>>()?)
}

/// The messages that end in one frame: `time  source,destination  (or)  types`.
fn parse(line: &str) -> Result<Vec<Message>> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [time, v4, v6, kinds] = fields.as_slice() else {
        anyhow::bail!("it has {} fields", fields.len());
    };
    let time = UNIX_EPOCH + Duration::from_secs_f64(time.parse()?);
    let ends = if v4.is_empty() { v6 } else { v4 };
    let (source, destination) = ends.split_once(',').context("no addresses")?;
    let (source, destination) = (source.parse()?, destination.parse()?);
    let kinds = kinds.split(',').map(kind).collect::<Result<Vec<_>>>()?;
    let message = |kind| Message {
        time,
        source,
        destination,
        kind,
    };
    Ok(kinds.into_iter().map(message).collect())
}

fn kind(number: &str) -> Result<MessageKind> {
    Ok(match number {
        "1" => MessageKind::Open,
        "2" => MessageKind::Update,
        "3" => MessageKind::Notification,
        "4" => MessageKind::Keepalive,
        "5" => MessageKind::RouteRefresh,
        other => anyhow::bail!("{other:?} is no type of a message"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_message_of_a_frame() {
        let found = parse("1.5\t10.99.0.11,10.99.0.1\t\t2,2,4").unwrap();
        let kinds: Vec<_> = found.iter().map(|message| message.kind).collect();
        let (update, keepalive) = (MessageKind::Update, MessageKind::Keepalive);
        assert_eq!(kinds, [update, update, keepalive]);
        let (from, to) = ("10.99.0.11".parse().unwrap(), "10.99.0.1".parse().unwrap());
        assert_eq!(updates(&found, from, to), 2);
        assert_eq!(updates(&found, to, from), 0);
    }
    #[test]
    fn reads_what_is_told_in_both_families() {
        let mut told = BTreeMap::new();
        let source = "10.99.0.11";
        let line = |rest: &str| format!("{source}\t{rest}");
        add(
            &mut told,
            &line("2,2,4\t10.97.0.1,10.97.0.2\t\tfd97::1\t\t\t"),
        )
        .unwrap();
        add(&mut told, &line("2\t\t\t\t10.97.0.3\t\tfd97::3")).unwrap();
        let all = |shown: &[&str]| shown.iter().map(|ip| ip.parse().unwrap()).collect();
        let expected = Told {
            updates: 3,
            announced: all(&["10.97.0.1", "10.97.0.2", "fd97::1"]),
            withdrawn: all(&["10.97.0.3", "fd97::3"]),
        };
        assert_eq!(told, [(source.parse().unwrap(), expected)].into());
        assert!(add(&mut told, &line("2")).is_err());
    }
}
