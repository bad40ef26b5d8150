//! BGP messages in a capture, as tshark tells them.

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
}
