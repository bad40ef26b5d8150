//! UDP as BFD wants it: every datagram comes with the hops it has left, where it was sent to and by
//! which interface it came; every datagram leaves with all its hops, in the class of routing.
//!
//! ```text
//! Receiver  one a family and port, for all sessions ──▶ Datagram + the caller's buffer
//! Sender    one a session, with a source port of its own
//! Poll      waits for any of the receivers, to the microsecond
//! ```
//!
//! Nothing here allocates once it is open.

mod control;
mod poll;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::SystemTime;

use libc::c_int;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;

use crate::tcp::Device;
use crate::{InterfaceIndex, option};

pub use poll::{Poll, sharpen_timers, shorten_slices};

/// RFC 5881 §5: how many hops a datagram leaves with.
const HOPS: u32 = 255;

/// RFC 4594 §3.2: routing travels in class selector 6, so that a congested link does not look like a
/// dead one. The kernel derives the queueing priority from it; setting a higher one would need
/// CAP_NET_ADMIN.
const CLASS_SELECTOR_6: u32 = 48 << 2;

/// Asked of the kernel for each receive queue: some hundred datagrams, as it counts their overhead.
const RECEIVE_BUFFER: usize = 256 * 1024;

/// What arrived, besides its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Octets of the payload that are in the buffer; what had no room there is lost.
    pub length: usize,
    /// Who sent it, with the scope of a link-local address.
    pub source: SocketAddr,
    /// To which of our addresses.
    pub destination: IpAddr,
    /// By which interface it came.
    pub interface: InterfaceIndex,
    /// TTL or hop limit on arrival.
    pub hop_limit: u8,
    /// When the kernel took it in, by the wall clock.
    pub noted: Option<SystemTime>,
}

/// Receives on one port. Dropping it closes it.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
}

/// Sends to one far side from one port. Dropping it closes it.
#[derive(Debug)]
pub struct Sender {
    socket: Socket,
    to: SockAddr,
}

/// Why nothing can be received.
#[derive(Debug, Error)]
pub enum OpenReceiverError {
    /// Another process has the port.
    #[error(
        "UDP port {port} is taken: another BFD daemon runs on this node or in its network \
         namespace; stop it, or take the BFD profile off the peers"
    )]
    PortTaken {
        /// Which.
        port: u16,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("failed to {step} the socket for UDP port {port}")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// Which.
        port: u16,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Receiver {
    /// Receives what is sent to this address and port, through this device (or the devices of this
    /// VRF) or through any. `::` means IPv6 only.
    ///
    /// The kernel lets a port be opened for a device beside one for all only if both agree to it:
    /// see [`Self::share`].
    pub fn open(address: SocketAddr, device: Option<&Device>) -> Result<Self, OpenReceiverError> {
        let failed = |step| move |source: io::Error| OpenReceiverError::of(source, step, address);
        let socket = open(address).map_err(failed("open"))?;
        if let Some(device) = device {
            socket.set_reuse_address(true).map_err(failed("share"))?;
            socket
                .bind_device(Some(device.as_bytes()))
                .map_err(failed("bind to its device"))?;
        }
        tell_origin(&socket, address).map_err(failed("prepare"))?;
        socket
            .set_recv_buffer_size(RECEIVE_BUFFER)
            .map_err(failed("size the queue of"))?;
        socket.bind(&address.into()).map_err(failed("bind"))?;
        Ok(Self { socket })
    }

    /// Lets the same port be opened for single devices as well. Not done unasked, because then any
    /// other process could open it too and take our datagrams.
    pub fn share(&self) -> io::Result<()> {
        self.socket.set_reuse_address(true)
    }

    /// The next datagram that is there, its payload in `buffer`; `None` if there is none. One that
    /// the kernel tells too little about counts as not there, and the one after it is taken.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        loop {
            match control::receive(&self.socket, buffer) {
                Ok(Some(datagram)) => return Ok(Some(datagram)),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it listens.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        local_address(&self.socket)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Sender {
    /// Sends to `to` from a port of ours; from a source address, or from what the route says, anew
    /// for each datagram, with `None`; through a device, or the devices of a VRF, where one is
    /// given. A port that is taken is [`io::ErrorKind::AddrInUse`], an address that is not here (it
    /// may come later) [`io::ErrorKind::AddrNotAvailable`].
    pub fn open(
        source: Option<IpAddr>,
        port: u16,
        to: SocketAddr,
        device: Option<&Device>,
    ) -> io::Result<Self> {
        let socket = open(to)?;
        if let Some(device) = device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if to.is_ipv4() {
            socket.set_ttl_v4(HOPS)?;
            socket.set_tos_v4(CLASS_SELECTOR_6)?;
        } else {
            socket.set_unicast_hops_v6(HOPS)?;
            socket.set_tclass_v6(CLASS_SELECTOR_6)?;
        }
        // Nobody reads what comes to this port: the kernel keeps as little of it as it can.
        socket.set_recv_buffer_size(0)?;
        socket.bind(&local(source, port, to).into())?;
        Ok(Self {
            socket,
            to: to.into(),
        })
    }

    /// Sends one datagram; never waits.
    pub fn send(&self, payload: &[u8]) -> io::Result<()> {
        self.socket.send_to(payload, &self.to).map(drop)
    }

    /// Where it sends from.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        local_address(&self.socket)
    }
}

impl OpenReceiverError {
    fn of(source: io::Error, step: &'static str, address: SocketAddr) -> Self {
        let port = address.port();
        if source.raw_os_error() == Some(libc::EADDRINUSE) {
            Self::PortTaken { port, source }
        } else {
            Self::Failed { step, port, source }
        }
    }
}

/// A UDP socket of the address's family that never blocks and is not passed on to children.
fn open(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Has the kernel say with each datagram what [`Datagram`] says.
fn tell_origin(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let (level, options) = if address.is_ipv4() {
        (libc::IPPROTO_IP, [libc::IP_PKTINFO, libc::IP_RECVTTL])
    } else {
        let options = [libc::IPV6_RECVPKTINFO, libc::IPV6_RECVHOPLIMIT];
        (libc::IPPROTO_IPV6, options)
    };
    for option in options {
        option::set::<c_int>(socket, level, option, &1)?;
    }
    option::set::<c_int>(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)
}

/// The source, on the far side's link where it belongs to a link.
fn local(source: Option<IpAddr>, port: u16, to: SocketAddr) -> SocketAddr {
    let unspecified = if to.is_ipv4() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    let mut local = SocketAddr::new(source.unwrap_or(unspecified), port);
    if let (SocketAddr::V6(local), SocketAddr::V6(to)) = (&mut local, to)
        && local.ip().is_unicast_link_local()
    {
        local.set_scope_id(to.scope_id());
    }
    local
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests;
