//! What changes in the routes of a host, told by its kernel at once (rtnetlink).

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use nix::unistd::read;

use crate::host::Host;

/// How long, in milliseconds, the thread may not look whether it is to end.
const GLANCE: u16 = 50;
/// More than any message about a route.
const LONGEST: usize = 64 * 1024;
/// Of `struct nlmsghdr` and `struct rtmsg`.
const HEADER: usize = 16;
const ROUTE: usize = 12;

/// A route that is there, for the first time or with other next hops, or is there no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Where the prefix begins.
    pub address: IpAddr,
    /// Bits of the prefix.
    pub length: u8,
    /// Whether it is there now.
    pub is_there: bool,
    /// When the kernel's message was read.
    pub at: Instant,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Changes {
    stop: Arc<AtomicBool>,
    heard: Receiver<Change>,
    worker: Option<JoinHandle<Result<()>>>,
}

impl Changes {
    /// All changes of a host's routes from now on.
    pub fn of(host: &Host) -> Result<Self> {
        let socket = host.within(open)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (outlet, heard) = mpsc::channel();
        let worker = thread::Builder::new()
            .name(format!("routes {}", host.name()))
            .spawn({
                let stop = Arc::clone(&stop);
                move || listen(&socket, &outlet, &stop)
            })?;
        Ok(Self {
            stop,
            heard,
            worker: Some(worker),
        })
    }

    /// What has changed so far and was not asked for yet.
    pub fn seen(&self) -> Vec<Change> {
        self.heard.try_iter().collect()
    }

    /// The next change that is wanted; others are passed over.
    pub fn wait(&self, end: Instant, wanted: impl Fn(&Change) -> bool) -> Result<Change> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(change) if wanted(&change) => return Ok(change),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("no such change of a route"),
                Err(RecvTimeoutError::Disconnected) => bail!("nobody listens to the kernel"),
            }
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

fn open() -> Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let groups = libc::RTMGRP_IPV4_ROUTE | libc::RTMGRP_IPV6_ROUTE;
    let address = NetlinkAddr::new(0, u32::try_from(groups)?);
    bind(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

fn listen(socket: &OwnedFd, outlet: &Sender<Change>, stop: &AtomicBool) -> Result<()> {
    let mut buffer = vec![0; LONGEST];
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::from(GLANCE)) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error).context("waiting for the kernel"),
        }
        let length = read(socket, &mut buffer).context("reading from the kernel")?;
        let at = Instant::now();
        for change in parse(buffer.get(..length).unwrap_or_default(), at) {
            if outlet.send(change).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The messages of a datagram that tell of a route.
fn parse(mut datagram: &[u8], at: Instant) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some((length, rest)) = datagram.split_first_chunk() {
        let length = usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX);
        let kind = rest.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
        let is_there = match kind {
            Some(libc::RTM_NEWROUTE) => Some(true),
            Some(libc::RTM_DELROUTE) => Some(false),
            Some(_) | None => None,
        };
        let body = datagram.get(HEADER..length);
        if let (Some(is_there), Some((address, length))) = (is_there, body.and_then(prefix)) {
            changes.push(Change {
                address,
                length,
                is_there,
                at,
            });
        }
        let next = length.next_multiple_of(4).max(HEADER);
        datagram = datagram.get(next..).unwrap_or_default();
    }
    changes
}

/// The destination of a route; a default route has none.
fn prefix(body: &[u8]) -> Option<(IpAddr, u8)> {
    let length = *body.get(1)?;
    let mut attributes = body.get(ROUTE..)?;
    loop {
        let (size, rest) = attributes.split_first_chunk()?;
        let (kind, _) = rest.split_first_chunk()?;
        let size = usize::from(u16::from_ne_bytes(*size));
        if u16::from_ne_bytes(*kind) == libc::RTA_DST {
            let octets = attributes.get(4..size)?;
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
            return Some((v4.or_else(|_| v6()).ok()?, length));
        }
        attributes = attributes.get(size.next_multiple_of(4).max(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel writes it: header, route, an attribute that does not matter, the destination.
    fn message(kind: u16, destination: &[u8]) -> Vec<u8> {
        let mut body = vec![0, u8::try_from(destination.len() * 8).unwrap()];
        body.resize(ROUTE, 0);
        for (kind, value) in [
            (libc::RTA_TABLE, [254, 0, 0, 0].as_slice()),
            (libc::RTA_DST, destination),
        ] {
            body.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
        }
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn reads_the_routes_of_both_families_and_passes_over_the_rest() {
        let v6: IpAddr = "fd97::1".parse().unwrap();
        let IpAddr::V6(octets) = v6 else { panic!() };
        let all = [
            message(libc::RTM_NEWROUTE, &[10, 97, 0, 1]),
            message(libc::RTM_NEWLINK, &[10, 97, 0, 2]),
            message(libc::RTM_DELROUTE, &octets.octets()),
        ];
        let at = Instant::now();
        let change = |address, length, is_there| Change {
            address,
            length,
            is_there,
            at,
        };
        let expected = [
            change([10, 97, 0, 1].into(), 32, true),
            change(v6, 128, false),
        ];
        let bytes = all.concat();
        assert_eq!(parse(&bytes, at), expected);
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end], at).len() < 2);
        }
    }
}
