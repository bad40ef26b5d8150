//! Asking the segment who has an address, from raw sockets of the kit's own: as a client would, but
//! as often as wanted and without a neighbour table in between.

use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::bind;
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use crate::frame::{self, Asker, Mac};
use crate::host::Host;

/// All protocols: one socket hears ARP and IPv6 alike.
const ETH_P_ALL: u16 = 3;
/// The rate for "ask until the first answer".
pub const EVERY_MILLISECOND: Duration = Duration::from_millis(1);

/// An answer for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub mac: Mac,
    /// When the answer was received.
    pub at: Instant,
    /// When the last question before it was sent.
    pub asked: Instant,
}

/// A raw socket on one interface of one host.
#[derive(Debug)]
pub struct Ear {
    socket: Socket,
    asker: Asker,
}

impl Ear {
    /// Open a socket on an interface that has an address of each family.
    pub fn open(host: &Host, interface: &str) -> Result<Self> {
        let found = host.interface(interface)?;
        let global = found.v6.iter().find(|ip| !ip.is_unicast_link_local());
        let asker = Asker {
            mac: found.mac,
            v4: *found
                .v4
                .first()
                .with_context(|| format!("no IPv4 address on {interface}"))?,
            v6: *global.with_context(|| format!("no IPv6 address on {interface}"))?,
        };
        let socket = host.within(|| open_socket(interface))?;
        Ok(Self { socket, asker })
    }

    /// The addresses from which it asks.
    pub fn asker(&self) -> Asker {
        self.asker
    }

    /// Send the question for an address: an ARP request or a neighbor solicitation.
    pub fn ask(&self, wanted: IpAddr) -> Result<()> {
        self.send(&frame::question(&self.asker, wanted))
    }

    /// Send any frame, well-formed or not.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        match self.socket.send(frame) {
            // A full queue or a link that is down is what some scenarios are about.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENETDOWN)) => {
                Ok(())
            }
            result => result.map(drop).context("sending a frame"),
        }
    }

    /// The next answer for any address, until an instant; also one that nobody asked for, as in an
    /// announcement.
    pub fn next_answer(&self, until: Instant) -> Result<Option<(IpAddr, Mac, Instant)>> {
        self.next(until, |_| true)
    }

    /// The next answer that is sent to us alone, as to a question of ours.
    pub fn next_reply(&self, until: Instant) -> Result<Option<(IpAddr, Mac, Instant)>> {
        self.next(until, |frame| frame.get(..6) == Some(&self.asker.mac.0[..]))
    }

    fn next(
        &self,
        until: Instant,
        counts: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<(IpAddr, Mac, Instant)>> {
        let mut buffer = [0; 2048];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            if !is_readable_within(&self.socket, left)? {
                return Ok(None);
            }
            let length = match (&self.socket).read(&mut buffer) {
                Ok(length) => length,
                Err(error) if is_nothing(&error) => continue,
                Err(error) => return Err(error).context("receiving a frame"),
            };
            let at = Instant::now();
            let frame = buffer.get(..length).unwrap_or_default();
            if let Some((address, mac)) = frame::answer(frame)
                && mac != self.asker.mac
                && counts(frame)
            {
                return Ok(Some((address, mac, at)));
            }
        }
    }

    /// Ask for an address every `every` until the first answer, or until `timeout`.
    pub fn first_answer(
        &self,
        wanted: IpAddr,
        every: Duration,
        timeout: Duration,
    ) -> Result<Option<Answer>> {
        let end = Instant::now() + timeout;
        while Instant::now() < end {
            let asked = Instant::now();
            self.ask(wanted)?;
            let next = (asked + every).min(end);
            while let Some((address, mac, at)) = self.next_answer(next)? {
                if address == wanted {
                    return Ok(Some(Answer { mac, at, asked }));
                }
            }
        }
        Ok(None)
    }

    /// Ask for an address every `every` for all of `window`; every answer that comes.
    pub fn answers(
        &self,
        wanted: IpAddr,
        every: Duration,
        window: Duration,
    ) -> Result<Vec<Answer>> {
        let end = Instant::now() + window;
        let mut answers = Vec::new();
        while Instant::now() < end {
            let asked = Instant::now();
            self.ask(wanted)?;
            let next = (asked + every).min(end);
            while let Some((address, mac, at)) = self.next_answer(next)? {
                if address == wanted {
                    answers.push(Answer { mac, at, asked });
                }
            }
        }
        Ok(answers)
    }
}

/// Ask once a tenth of a second for an address of either family; who answers first, or nobody.
pub fn who_has(
    host: &Host,
    interface: &str,
    wanted: IpAddr,
    timeout: Duration,
) -> Result<Option<Mac>> {
    let ear = Ear::open(host, interface)?;
    let answer = ear.first_answer(wanted, Duration::from_millis(100), timeout)?;
    Ok(answer.map(|answer| answer.mac))
}

/// Who answers an ARP request for an IPv4 address.
pub fn arp(host: &Host, interface: &str, vip: IpAddr, timeout: Duration) -> Result<Option<Mac>> {
    ensure!(vip.is_ipv4(), "ARP is for IPv4, and {vip} is not");
    who_has(host, interface, vip, timeout)
}

/// Who answers a neighbor solicitation for an IPv6 address.
pub fn ndp(host: &Host, interface: &str, vip: IpAddr, timeout: Duration) -> Result<Option<Mac>> {
    ensure!(
        vip.is_ipv6(),
        "neighbor discovery is for IPv6, and {vip} is not"
    );
    who_has(host, interface, vip, timeout)
}

/// Ask for an address every millisecond until the first answer.
pub fn first_answer(
    host: &Host,
    interface: &str,
    wanted: IpAddr,
    timeout: Duration,
) -> Result<Option<Answer>> {
    Ear::open(host, interface)?.first_answer(wanted, EVERY_MILLISECOND, timeout)
}

/// A packet socket in the namespace of the calling thread.
pub(crate) fn open_socket(interface: &str) -> Result<Socket> {
    let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(protocol))?;
    // The kernel's own link address of the interface is what a packet socket is bound to.
    let link = getifaddrs()?
        .filter(|found| found.interface_name == interface)
        .find_map(|found| found.address?.as_link_addr().copied())
        .with_context(|| format!("no interface {interface}"))?;
    bind(socket.as_raw_fd(), &link).with_context(|| format!("binding to {interface}"))?;
    Ok(socket)
}

/// Wait for a socket with the precision of the kernel's timers. A receive timeout would be rounded
/// up to a tick, several milliseconds on some kernels.
pub(crate) fn is_readable_within(socket: &impl AsFd, time: Duration) -> Result<bool> {
    let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut sockets, Some(TimeSpec::from_duration(time)), None) {
        Err(Errno::EINTR) => Ok(false),
        result => Ok(result.context("waiting for a frame")? > 0),
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    ) || error.raw_os_error() == Some(libc::ENETDOWN)
}
