//! What is on the wire: recorded by tcpdump, decoded by tshark, never by our own codecs.

pub mod bfd;
pub mod bgp;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::frame::Mac;
use crate::host::Host;
use crate::process::Process;
use crate::{eventually, probe, shell};

/// A filter for ARP and all of ICMPv6, where neighbour discovery lives.
pub const ARP_AND_ND: &str = "arp or icmp6";
/// A filter for BFD, over one hop and over several.
pub const BFD: &str = "udp port 3784 or udp port 4784";
/// A filter for BGP.
pub const BGP: &str = "tcp port 179";

const START_TIME: Duration = Duration::from_secs(10);
/// For tcpdump to write what it has already received.
const STOP_TIME: Duration = Duration::from_secs(10);
/// IEEE 802 local experimental EtherType 1: a frame that marks the end of a capture.
const MARK: [u8; 2] = [0x88, 0xb5];

/// The fields that tshark prints, in the order in which [`parse`] reads them.
const FIELDS: [&str; 18] = [
    "frame.time_epoch",
    "eth.src",
    "eth.dst",
    "_ws.col.Protocol",
    "_ws.col.Info",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "arp.opcode",
    "arp.src.hw_mac",
    "arp.src.proto_ipv4",
    "arp.dst.hw_mac",
    "arp.dst.proto_ipv4",
    "icmpv6.type",
    "icmpv6.nd.ns.target_address",
    "icmpv6.nd.na.target_address",
    "icmpv6.opt.linkaddr",
];
/// Flags of a neighbor advertisement follow, in the order router, solicited, override.
const FLAGS: [&str; 3] = [
    "icmpv6.nd.na.flag.r",
    "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.o",
];

/// A running capture on one interface of one host.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
    host: Host,
    interface: String,
}

/// One captured packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When the kernel saw it.
    pub time: SystemTime,
    /// Ethernet source.
    pub source: Mac,
    /// Ethernet destination.
    pub destination: Mac,
    /// IP source, where there is one.
    pub ip_source: Option<IpAddr>,
    /// IP destination, where there is one.
    pub ip_destination: Option<IpAddr>,
    /// What it says.
    pub kind: Kind,
    /// tshark's one line about it.
    pub info: String,
}

/// What a packet says, as far as the lab asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// ARP, with its operation (1 request, 2 reply) and its four addresses.
    Arp {
        operation: u16,
        sender_hardware: Mac,
        sender_protocol: IpAddr,
        target_hardware: Mac,
        target_protocol: IpAddr,
    },
    /// A neighbor solicitation, with its source link-layer address option.
    Solicitation {
        target: IpAddr,
        link_address: Option<Mac>,
    },
    /// A neighbor advertisement, with its target link-layer address option.
    Advertisement {
        target: IpAddr,
        link_address: Option<Mac>,
        router: bool,
        solicited: bool,
        override_flag: bool,
    },
    /// Anything else, by the name of its protocol.
    Other(String),
}

impl Packet {
    /// The address and MAC that this packet speaks for: an ARP reply or announcement for its sender,
    /// a neighbor advertisement for its target.
    pub fn speaks_for(&self) -> Option<(IpAddr, Mac)> {
        match &self.kind {
            Kind::Arp {
                operation,
                sender_hardware,
                sender_protocol,
                target_protocol,
                ..
            } if *operation == 2 || sender_protocol == target_protocol => {
                Some((*sender_protocol, *sender_hardware))
            }
            Kind::Advertisement {
                target,
                link_address,
                ..
            } => Some((*target, (*link_address)?)),
            Kind::Arp { .. } | Kind::Solicitation { .. } | Kind::Other(_) => None,
        }
    }
}

impl Capture {
    /// Start to record what passes an interface, in both directions; when this returns, it records.
    pub fn start(host: &Host, interface: &str, filter: &str) -> Result<Self> {
        let serial = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let name = format!("capture-{}-{interface}-{serial}", host.name());
        let file = host.owner().dir().join(format!("{name}.pcap"));
        let shown = file.to_string_lossy();
        let filter = format!("({filter}) or ether proto 0x88b5");
        let command = [
            "tcpdump",
            "-i",
            interface,
            "-n",
            "-U",
            "--immediate-mode",
            "-Z",
            "root",
            "-B",
            "16384",
            "-w",
            &shown,
            &filter,
        ];
        let process = host.spawn(&name, &command)?;
        eventually(START_TIME, "tcpdump listens", || {
            process.expect_running()?;
            let said = process.log_tail(5);
            ensure!(said.contains("listening on"), "it says {said}");
            Ok(())
        })?;
        Ok(Self {
            process,
            file,
            host: host.clone(),
            interface: interface.to_owned(),
        })
    }

    /// Where the frames are written.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// End the capture and decode it: all that passed before this call, and nothing is lost.
    pub fn stop(self) -> Result<Vec<Packet>> {
        decode(&self.finish()?)
    }

    /// End the capture as [`Self::stop`] does, and return the file, for [`select`] and
    /// [`bgp::messages`].
    pub fn finish(mut self) -> Result<PathBuf> {
        self.catch_up()?;
        // tcpdump ends in order at SIGINT: it writes what it has, then its figures.
        self.process.signal(Signal::SIGINT)?;
        self.process.stop()?;
        Ok(self.file)
    }

    /// tcpdump forgets at SIGINT what it has not read yet. So a last frame is sent, from the
    /// interface to itself, and awaited in the file: all that came before it is there as well.
    fn catch_up(&self) -> Result<()> {
        let mac = self.host.interface(&self.interface)?.mac.0;
        let name = self.file.as_os_str().as_encoded_bytes();
        let mark = [&mac[..], &mac, &MARK, name].concat();
        let written = self.file.metadata()?.len();
        let socket = self.host.within(|| probe::open_socket(&self.interface))?;
        match socket.send(&mark) {
            // Nothing passes an interface that is down, and tcpdump may have ended with it.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => return Ok(()),
            sent => sent.context("sending the last frame")?,
        };
        eventually(STOP_TIME, "tcpdump has written all", || {
            let mut file = File::open(&self.file)?;
            file.seek(SeekFrom::Start(written))?;
            let mut new = Vec::new();
            file.read_to_end(&mut new)?;
            let found = new.windows(mark.len()).any(|bytes| bytes == mark);
            ensure!(found, "the last frame is not in {} bytes", new.len());
            Ok(())
        })
    }
}

/// Decode a capture file by tshark.
pub fn decode(file: &Path) -> Result<Vec<Packet>> {
    let shown = file.to_string_lossy();
    let mut command = vec![
        "tshark",
        "-n",
        "-r",
        &shown,
        "-Y",
        "!(eth.type == 0x88b5)",
        "-T",
        "fields",
        "-E",
        "separator=/t",
        "-E",
        "occurrence=f",
    ];
    for field in FIELDS.iter().chain(&FLAGS) {
        command.extend(["-e", field]);
    }
    let text = shell::run(&command)?;
    text.lines()
        .map(|line| parse(line).with_context(|| format!("tshark's line {line:?}")))
        .collect()
}

/// What tshark prints for one field of the packets of a capture file that match a display filter:
/// a line each, all values of the field separated by commas.
pub fn select(file: &Path, filter: &str, field: &str) -> Result<Vec<String>> {
    let shown = file.to_string_lossy();
    let text = shell::run(&[
        "tshark", "-n", "-r", &shown, "-Y", filter, "-T", "fields", "-e", field,
    ])?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn parse(line: &str) -> Result<Packet> {
    let fields: Vec<&str> = line.split('\t').collect();
    ensure!(
        fields.len() == FIELDS.len() + FLAGS.len(),
        "it has {} fields",
        fields.len()
    );
    let field = |name: &str| {
        let mut names = FIELDS.iter().chain(&FLAGS);
        let index = names.position(|one| *one == name)?;
        fields.get(index).copied().filter(|text| !text.is_empty())
    };
    let ip = |name: &str| field(name).map(str::parse::<IpAddr>).transpose();
    let mac = |name: &str| field(name).map(str::parse::<Mac>).transpose();
    let flag = |name: &str| field(name).is_some_and(|text| text == "1" || text == "True");
    let time: f64 = field("frame.time_epoch").context("no time")?.parse()?;
    let kind = if let Some(operation) = field("arp.opcode") {
        Kind::Arp {
            operation: operation.parse()?,
            sender_hardware: mac("arp.src.hw_mac")?.context("no sender")?,
            sender_protocol: ip("arp.src.proto_ipv4")?.context("no sender")?,
            target_hardware: mac("arp.dst.hw_mac")?.context("no target")?,
            target_protocol: ip("arp.dst.proto_ipv4")?.context("no target")?,
        }
    } else if let Some(target) = ip("icmpv6.nd.ns.target_address")? {
        Kind::Solicitation {
            target,
            link_address: mac("icmpv6.opt.linkaddr")?,
        }
    } else if let Some(target) = ip("icmpv6.nd.na.target_address")? {
        Kind::Advertisement {
            target,
            link_address: mac("icmpv6.opt.linkaddr")?,
            router: flag("icmpv6.nd.na.flag.r"),
            solicited: flag("icmpv6.nd.na.flag.s"),
            override_flag: flag("icmpv6.nd.na.flag.o"),
        }
    } else {
        Kind::Other(field("_ws.col.Protocol").unwrap_or("unknown").to_owned())
    };
    Ok(Packet {
        time: UNIX_EPOCH + Duration::from_secs_f64(time),
        source: mac("eth.src")?.context("no Ethernet source")?,
        destination: mac("eth.dst")?.context("no Ethernet destination")?,
        ip_source: ip("ip.src")?.or(ip("ipv6.src")?),
        ip_destination: ip("ip.dst")?.or(ip("ipv6.dst")?),
        kind,
        info: field("_ws.col.Info").unwrap_or_default().to_owned(),
    })
}
