//! What an address looks like on the segment, frame by frame, as tshark reads it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use lab::frame::{self, BROADCAST};
use lab::probe::Ear;
use lab::runner::Scenario;
use lab::{Capture, Kind, Lab, Mac, Packet, capture, eventually};

use crate::vips::{SOON, begin, create, node_of, vips};

/// Multicast listener reports stand behind a hop-by-hop header, where `icmp6` does not look.
const ARP_AND_IPV6: &str = "arp or ip6";
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
/// Milliseconds after the first announcement.
const SCHEDULE: [u64; 7] = [0, 20, 100, 500, 1_100, 2_200, 4_400];
/// A frame may be stamped a little late, and the next one is not.
const EARLY: Duration = Duration::from_millis(5);
/// A busy machine sends late, and catches up with nothing.
const LATE: Duration = Duration::from_millis(150);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::new(
        "a new address is announced again and again, and every kind of question for it is answered",
        announced_and_answered,
    )]
}

/// An address, and the one MAC that stands behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owned {
    pub(crate) vip: IpAddr,
    pub(crate) mac: Mac,
}

fn announced_and_answered(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let capture = Capture::start(&lab.client_host(), "eth0", ARP_AND_IPV6)?;
    let file = capture.file().to_owned();
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    create(lab, "web")?;
    let owned = hear_announcements(lab, &ear)?;
    // The schedule has run out: what is heard from now on are answers.
    for owned in owned {
        let asker = ear.asker();
        for (kind, question) in [
            ("to all", frame::question(&asker, owned.vip)),
            (
                "to it alone",
                frame::unicast_question(&asker, owned.mac, owned.vip),
            ),
            (
                "for a duplicate",
                frame::duplicate_probe(asker.mac, owned.vip),
            ),
        ] {
            expect_answer(&ear, owned, &question)
                .with_context(|| format!("a question {kind} for {}", owned.vip))?;
        }
    }
    let packets = capture.stop()?;
    for owned in owned {
        expect_announcements(&packets, owned)?;
        expect_answers(&packets, owned, &ear)?;
    }
    expect_membership(lab, owned, &file)?;
    expect_sound(&owned.map(|owned| owned.mac), &file)
}

/// Listen until each address was announced as often as the schedule says; who did it.
pub(crate) fn hear_announcements(lab: &Lab, ear: &Ear) -> Result<[Owned; 2]> {
    let vips = vips(lab, "web")?;
    let mut heard: BTreeMap<(IpAddr, Mac), usize> = BTreeMap::new();
    let end = Instant::now() + SOON;
    while vips.iter().any(|vip| {
        let mut of_vip = heard.iter().filter(|((address, _), _)| address == vip);
        of_vip.all(|(_, count)| *count < SCHEDULE.len())
    }) {
        let next = ear.next_answer(end)?;
        let (address, mac, _) = next.with_context(|| format!("heard only {heard:?}"))?;
        *heard.entry((address, mac)).or_default() += 1;
    }
    let owner = |vip: IpAddr| {
        let mut macs = heard.keys().filter(|(address, _)| *address == vip);
        let (_, mac) = macs.next().context("nobody announced it")?;
        ensure!(macs.next().is_none(), "several announce {vip}: {heard:?}");
        Ok(Owned { vip, mac: *mac })
    };
    let [v4, v6] = vips;
    Ok([owner(v4)?, owner(v6)?])
}

fn expect_answer(ear: &Ear, owned: Owned, question: &[u8]) -> Result<()> {
    ear.send(question)?;
    let end = Instant::now() + Duration::from_secs(1);
    while let Some((address, mac, _)) = ear.next_answer(end)? {
        if address == owned.vip {
            ensure!(mac == owned.mac, "{mac} answers, not {}", owned.mac);
            return Ok(());
        }
    }
    Err(anyhow::anyhow!("it is not answered"))
}

/// Each form of announcement was sent at its times: both forms of ARP, or the unsolicited
/// advertisement.
fn expect_announcements(packets: &[Packet], owned: Owned) -> Result<()> {
    let mut sent: BTreeMap<&str, Vec<SystemTime>> = BTreeMap::new();
    for packet in packets {
        if let Some(form) = announcement(packet, owned) {
            sent.entry(form).or_default().push(packet.time);
        }
    }
    let forms: Vec<&str> = sent.keys().copied().collect();
    let expected: &[&str] = match owned.vip {
        IpAddr::V4(_) => &["reply", "request"],
        IpAddr::V6(_) => &["advertisement"],
    };
    ensure!(forms == expected, "{owned:?} was announced by {forms:?}");
    for (form, times) in &sent {
        ensure!(
            times.len() >= SCHEDULE.len(),
            "only {} of form {form}",
            times.len()
        );
        let gaps = times.windows(2).zip(SCHEDULE.windows(2));
        for (pair, planned) in gaps {
            let gap = pair[1].duration_since(pair[0])?;
            let planned = Duration::from_millis(planned[1] - planned[0]);
            ensure!(
                gap + EARLY >= planned && gap <= planned + LATE.max(planned / 2),
                "{owned:?}, {form}: {gap:?} between two announcements, not {planned:?}"
            );
        }
    }
    Ok(())
}

/// The form of an announcement by the owner. A packet that differs in anything is none.
fn announcement(packet: &Packet, owned: Owned) -> Option<&'static str> {
    let Owned { vip, mac } = owned;
    let arp = |operation, target_hardware| Kind::Arp {
        operation,
        sender_hardware: mac,
        sender_protocol: vip,
        target_hardware,
        target_protocol: vip,
    };
    let advertisement = Kind::Advertisement {
        target: vip,
        link_address: Some(mac),
        router: false,
        solicited: false,
        override_flag: true,
    };
    let (destination, ip) = (packet.destination, packet.ip_destination);
    if packet.source != mac {
        None
    } else if packet.kind == arp(1, Mac([0; 6])) && destination == BROADCAST {
        Some("request")
    } else if packet.kind == arp(2, mac) && destination == BROADCAST {
        Some("reply")
    } else if packet.kind == advertisement
        && destination == ALL_NODES_MAC
        && ip == Some(IpAddr::V6(ALL_NODES))
    {
        Some("advertisement")
    } else {
        None
    }
}

/// The answers went where they belong: to the asker, and for the IPv6 probe, whose sender has no
/// address yet, to all.
fn expect_answers(packets: &[Packet], owned: Owned, ear: &Ear) -> Result<()> {
    let asker = ear.asker();
    let to_asker: Vec<&Packet> = packets
        .iter()
        .filter(|packet| packet.source == owned.mac && packet.destination == asker.mac)
        .filter(|packet| packet.speaks_for() == Some((owned.vip, owned.mac)))
        .collect();
    let to_all = packets
        .iter()
        .filter(|packet| announcement(packet, owned) == Some("advertisement"));
    let (expected, probe_answers) = match owned.vip {
        IpAddr::V4(_) => (3, 0),
        IpAddr::V6(_) => (2, to_all.count() - SCHEDULE.len()),
    };
    ensure!(
        to_asker.len() == expected && probe_answers == usize::from(owned.vip.is_ipv6()),
        "answers for {owned:?}: {to_asker:#?}, and {probe_answers} to all"
    );
    for packet in to_asker {
        if let Kind::Advertisement {
            router,
            solicited,
            override_flag,
            ..
        } = packet.kind
        {
            let right = !router && solicited && override_flag;
            ensure!(
                right && packet.ip_destination == Some(asker.v6.into()),
                "{packet:#?}"
            );
        }
    }
    Ok(())
}

/// The owner of the IPv6 address is a member of its solicited-node group, and told the switches.
fn expect_membership(lab: &Lab, owned: [Owned; 2], file: &Path) -> Result<()> {
    for Owned { vip, mac } in owned {
        let IpAddr::V6(vip) = vip else { continue };
        let (_, group) = frame::solicited_node(vip);
        let node = lab.node(&node_of(lab, mac)?);
        eventually(
            SOON,
            &format!("{} is a member of {group}", node.name()),
            || {
                let shown = node.run(&["ip", "-6", "maddr", "show", "dev", "eth0"])?;
                let group = group.to_string();
                ensure!(
                    shown.split_whitespace().any(|word| word == group),
                    "{shown}"
                );
                Ok(())
            },
        )?;
        let reports = format!("icmpv6.type == 143 && eth.src == {mac}");
        let groups = capture::select(file, &reports, "icmpv6.mldr.mar.multicast_address")?;
        ensure!(
            groups
                .iter()
                .any(|line| line.split(',').any(|one| one == group.to_string())),
            "no listener report for {group}, only {groups:?}"
        );
    }
    Ok(())
}

/// tshark finds no fault in anything that the owners sent.
fn expect_sound(owners: &[Mac], file: &Path) -> Result<()> {
    let sources: Vec<String> = owners
        .iter()
        .map(|mac| format!("eth.src == {mac}"))
        .collect();
    let faults = [
        "_ws.malformed",
        "_ws.expert.severity == \"Error\"",
        "icmpv6.checksum.status == \"Bad\"",
        "(icmpv6.type == 136 && (ipv6.hlim != 255 || icmpv6.code != 0))",
    ];
    let filter = format!("({}) && ({})", sources.join(" || "), faults.join(" || "));
    let found = capture::select(file, &filter, "_ws.col.Info")?;
    ensure!(found.is_empty(), "tshark finds fault with {found:?}");
    Ok(())
}
