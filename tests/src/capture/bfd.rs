//! BFD control packets in a capture, as tshark tells them.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::shell;
use crate::standstill::{self, Standstill};

/// RFC 5880 §4.1, `Sta`.
pub const DOWN: u8 = 1;
/// RFC 5880 §4.1, `Sta`.
pub const UP: u8 = 3;

/// One control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it was seen.
    pub time: SystemTime,
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// RFC 5880 §4.1: 0 is AdminDown, then [`DOWN`], 2 is Init, then [`UP`].
    pub state: u8,
    /// RFC 5880 §4.1, `Diag`: 1 is an expired detection time.
    pub diagnostic: u8,
    /// RFC 5880 §4.1, `Detect Mult`.
    pub multiplier: u8,
    /// RFC 5880 §4.1, `Desired Min TX Interval`.
    pub desired_min_tx: Duration,
    /// RFC 5880 §4.1, `My Discriminator`.
    pub my_discriminator: u32,
}

/// A session that one side declared down because it heard nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Who declared it.
    pub by: IpAddr,
    /// Of whom.
    pub of: IpAddr,
    /// When it was declared.
    pub at: SystemTime,
    /// From the last packet that came from there to the first that says so.
    pub length: Duration,
}

/// All control packets in a capture file, in order.
pub fn packets(file: &Path) -> Result<Vec<Packet>> {
    let shown = file.to_string_lossy();
    let mut command = vec!["tshark", "-n", "-r", &shown, "-Y", "bfd"];
    command.extend(["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"]);
    for field in [
        "frame.time_epoch",
        "ip.addr",
        "ipv6.addr",
        "bfd.sta",
        "bfd.diag",
        "bfd.detect_time_multiplier",
        "bfd.desired_min_tx_interval",
        "bfd.my_discriminator",
    ] {
        command.extend(["-e", field]);
    }
    let text = shell::run(&command)?;
    text.lines()
        .map(|line| parse(line).with_context(|| format!("tshark's line {line:?}")))
        .collect()
}

/// Every time that a side which was Up said that it is Down because its detection time expired.
pub fn silences(packets: &[Packet]) -> Vec<Silence> {
    let mut found = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        if packet.state != DOWN || packet.diagnostic != 1 {
            continue;
        }
        let (by, of) = (packet.source, packet.destination);
        let before = packets.get(..index).unwrap_or_default();
        let own = before
            .iter()
            .rev()
            .find(|one| one.source == by && one.destination == of);
        let heard = before
            .iter()
            .rev()
            .find(|one| one.source == of && one.destination == by);
        if let (Some(own), Some(heard)) = (own, heard)
            && own.state == UP
        {
            let length = packet.time.duration_since(heard.time);
            let length = length.unwrap_or_default();
            found.push(Silence {
                by,
                of,
                at: packet.time,
                length,
            });
        }
    }
    found
}

/// The silences that some nodes have to answer for: those of their own, as packets of theirs came
/// too late, and those that they declared although the far side's came in time. What the far side
/// declares without reason is its own fault, and what it caused is none of theirs. Nor is a silence
/// that only a processor which stood still made too long: see [`crate::standstill`].
pub fn false_downs(
    packets: &[Packet],
    nodes: &[IpAddr],
    detection: Duration,
    standstills: &[Standstill],
) -> Vec<Silence> {
    let is_false = |one: &Silence| {
        let stood = standstill::longest(standstills, one.at - one.length, one.at);
        if nodes.contains(&one.of) {
            one.length.saturating_sub(stood) >= detection
        } else {
            one.length < detection
        }
    };
    let mut all = silences(packets);
    all.retain(is_false);
    all
}

fn parse(line: &str) -> Result<Packet> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [
        time,
        v4,
        v6,
        state,
        diagnostic,
        multiplier,
        interval,
        discriminator,
    ] = fields.as_slice()
    else {
        anyhow::bail!("it has {} fields", fields.len());
    };
    let ends = if v4.is_empty() { v6 } else { v4 };
    let (source, destination) = ends.split_once(',').context("no addresses")?;
    Ok(Packet {
        time: UNIX_EPOCH + Duration::from_secs_f64(time.parse()?),
        source: source.parse()?,
        destination: destination.parse()?,
        state: u8::try_from(number(state)?)?,
        diagnostic: u8::try_from(number(diagnostic)?)?,
        multiplier: u8::try_from(number(multiplier)?)?,
        desired_min_tx: Duration::from_micros(number(interval)?.into()),
        my_discriminator: number(discriminator)?,
    })
}

/// tshark writes some fields in hexadecimal.
fn number(text: &str) -> Result<u32> {
    let read = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.with_context(|| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: &str, ends: &str, state: &str, diagnostic: &str) -> String {
        format!("{time}\t{ends}\t\t{state}\t{diagnostic}\t3\t10000\t0x00000007")
    }

    #[test]
    fn reads_a_packet() {
        let packet = parse(&line("1.5", "10.99.0.11,10.99.0.1", "0x03", "0x00")).unwrap();
        assert_eq!(
            (packet.state, packet.diagnostic, packet.multiplier),
            (UP, 0, 3)
        );
        assert_eq!(packet.desired_min_tx, Duration::from_millis(10));
        assert_eq!(packet.my_discriminator, 7);
        assert!(parse("1.5").is_err());
    }

    #[test]
    fn a_silence_lasts_from_the_last_packet_heard_to_the_first_that_says_so() {
        let (ours, theirs) = ("10.99.0.11,10.99.0.1", "10.99.0.1,10.99.0.11");
        let lines = [
            line("1.000", theirs, "3", "0"),
            line("1.001", ours, "3", "0"),
            line("1.010", theirs, "3", "0"),
            line("1.020", ours, "3", "0"),
            line("1.041", ours, "1", "1"),
            line("2.041", ours, "1", "1"),
        ];
        let packets: Vec<Packet> = lines.iter().map(|one| parse(one).unwrap()).collect();
        let found = silences(&packets);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].by, "10.99.0.11".parse::<IpAddr>().unwrap());
        assert_eq!(found[0].length.as_millis(), 31);
    }

    #[test]
    fn a_down_is_false_where_our_own_lateness_made_it_and_not_that_of_a_processor() {
        let (ours, theirs) = ("10.99.0.11,10.99.0.1", "10.99.0.1,10.99.0.11");
        let spoken = [
            line("1.000", theirs, "3", "0"),
            line("1.002", ours, "3", "0"),
            line("1.012", ours, "3", "0"),
            line("1.022", ours, "3", "0"),
            line("1.031", ours, "1", "1"),
        ];
        let packets: Vec<Packet> = spoken.iter().map(|one| parse(one).unwrap()).collect();
        let [node, router] = ["10.99.0.11", "10.99.0.1"].map(|one| one.parse().unwrap());
        let count = |of: IpAddr, detection: u64, standstills: &[Standstill]| {
            let detection = Duration::from_millis(detection);
            false_downs(&packets, &[of], detection, standstills).len()
        };
        // The router was silent for 31 ms: whoever says so is right, and the silent one is not.
        assert_eq!(count(node, 30, &[]), 0);
        assert_eq!(count(router, 30, &[]), 1);
        assert_eq!(count(node, 40, &[]), 1);
        // A processor that stands still for a moment excuses who is late by no more.
        let stood = |from: u64, to: u64| Standstill {
            processor: 0,
            from: UNIX_EPOCH + Duration::from_millis(from),
            to: UNIX_EPOCH + Duration::from_millis(to),
        };
        assert_eq!(count(router, 30, &[stood(1_010, 1_015)]), 0);
        assert_eq!(count(router, 20, &[stood(1_010, 1_015)]), 1);
        assert_eq!(count(router, 30, &[stood(1_031, 1_061)]), 1);
        assert_eq!(count(node, 40, &[stood(1_010, 1_015)]), 1);
    }
}
