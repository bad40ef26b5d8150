//! TCP as BGP wants it: everything is set before the first segment leaves.
//!
//! ```text
//! dial    bound to a source, key, hops, class, device ──▶ connect ──▶ TcpStream
//! Listener  keys by prefix ──▶ accept ──▶ TcpStream ──▶ apply (hops, timeout)
//! later   set_md5, set_hops on either, without a new connection
//! ```

mod listener;
mod md5;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU8;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use libc::c_int;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};

use crate::option;

pub use listener::{ListenError, Listener};
pub use md5::{Md5Key, Md5KeyError, Peers};

/// RFC 4271 Appendix E, RFC 4594 §3.2: routing traffic travels in class selector 6, so that a
/// congested link does not cost the session.
const CLASS_SELECTOR_6: u32 = 48 << 2;

/// Set to use TCP-AO (RFC 5925), `TCP_AO_ADD_KEY`, which the libc crate does not name.
const TCP_AO_ADD_KEY: c_int = 38;

/// What a connection is set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How far the peer may be.
    pub hops: Hops,
    /// RFC 2385: both sides sign each segment with this key, or neither does.
    pub md5: Option<Md5Key>,
    /// Only through this device, or the devices of this VRF.
    pub device: Option<Device>,
    /// RFC 5482: for how long sent bytes may stay unacknowledged before the kernel gives the
    /// connection up; `None` leaves that to its retransmissions, which takes a quarter of an hour.
    pub user_timeout: Option<Duration>,
}

/// How many hops lie between the peer and us, and what holds that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hops {
    /// One: segments are sent with TTL 1 and go no further than the next router.
    Direct,
    /// Any number: segments are sent with TTL 255.
    Any,
    /// RFC 5082: both sides send with TTL 255, and the kernel drops what has passed more routers
    /// than these hops allow, before it reaches TCP. One hop is a peer on our own link.
    Secured(NonZeroU8),
}

/// The name of a network device: 1 to 15 bytes, as Linux has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device(String);

/// Why a connection was not made.
#[derive(Debug, Error)]
pub enum DialError {
    /// The kernel was built without what the options ask for.
    #[error("this kernel has no TCP-MD5 (CONFIG_TCP_MD5SIG)")]
    Md5Unsupported(#[source] io::Error),
    /// The source address, or the device, is not there; it may come later.
    #[error("failed to {step} {remote}: the source address or the device is not on this node")]
    NotHere {
        /// What was being done.
        step: &'static str,
        /// The peer.
        remote: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A setting was refused.
    #[error("failed to {step} {remote}")]
    Prepare {
        /// What was being done.
        step: &'static str,
        /// The peer.
        remote: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The peer was not reached, or refused.
    #[error("failed to connect to {remote}")]
    Connect {
        /// The peer.
        remote: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Connects to a peer from a source address (or from what the route says, with `None`); all options
/// are in force before the SYN leaves. Waits as long as the kernel tries: the caller bounds it.
/// Cancel safe; must be called within a tokio runtime.
///
/// A link-local source lies on the link of the remote's scope.
pub async fn dial(
    remote: SocketAddr,
    source: Option<IpAddr>,
    options: &Options,
) -> Result<TcpStream, DialError> {
    let failed = |step| move |source: io::Error| DialError::of(source, step, remote);
    let socket = open(Domain::for_address(remote)).map_err(failed("open a socket for"))?;
    if let Some(device) = &options.device {
        bind_device(&socket, device).map_err(failed("bind to the device towards"))?;
    }
    if let Some(key) = &options.md5 {
        md5::set(&socket, Peers::host(remote.ip()), Some(key))
            .map_err(|source| md5_failed(source, remote))?;
    }
    apply(&socket, options).map_err(failed("set the options for"))?;
    if let Some(source) = source {
        let local = local_address(source, remote);
        socket
            .bind(&local.into())
            .map_err(failed("bind to the source address towards"))?;
    }
    let stream = std::net::TcpStream::from(socket);
    TcpSocket::from_std_stream(stream)
        .connect(remote)
        .await
        .map_err(|source| DialError::Connect { remote, source })
}

/// Puts the options that belong to a single connection in force on one that was accepted: hops,
/// user timeout, no delay, traffic class. Its key it has from the [`Listener`].
pub fn apply(connection: &impl AsFd, options: &Options) -> io::Result<()> {
    let socket = SockRef::from(connection);
    set_hops(connection, options.hops)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(options.user_timeout)?;
    set_class(&socket)
}

/// Changes how far the peer may be, also while the connection is in use.
pub fn set_hops(connection: &impl AsFd, hops: Hops) -> io::Result<()> {
    let socket = SockRef::from(connection);
    let (sent, least) = (hops.sent(), hops.least_received());
    if is_v4(&socket)? {
        socket.set_ttl_v4(sent)?;
        option::set::<c_int>(&*socket, libc::IPPROTO_IP, libc::IP_MINTTL, &least)
    } else {
        socket.set_unicast_hops_v6(sent)?;
        let level = libc::IPPROTO_IPV6;
        option::set::<c_int>(&*socket, level, libc::IPV6_MINHOPCOUNT, &least)
    }
}

/// Changes or removes the key of one connection, also while it is in use. Segments that the peer
/// signs with another key are lost until it has changed its own; TCP sends them again.
pub fn set_md5(connection: &TcpStream, key: Option<&Md5Key>) -> io::Result<()> {
    let peer = Peers::host(connection.peer_addr()?.ip());
    md5::set(connection, peer, key)
}

/// Bytes that were written to a connection and that the peer's TCP has not acknowledged: they stand
/// still if the peer does not read.
#[expect(unsafe_code, reason = "ioctl has no safe form")]
pub fn unacknowledged(connection: &TcpStream) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: the descriptor is open as long as `connection` is borrowed; SIOCOUTQ, which has the
    // number of TIOCOUTQ, writes one int to where the pointer leads.
    let result = unsafe { libc::ioctl(connection.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or_default())
}

/// Whether this kernel has the TCP Authentication Option (RFC 5925), asked by an order that it
/// cannot carry out. Changes nothing.
pub fn has_authentication_option() -> io::Result<bool> {
    let socket = open(Domain::IPV4)?;
    // Too short for a key: a kernel that knows the option says so, one without it says that first.
    let asked = option::set::<c_int>(&socket, libc::IPPROTO_TCP, TCP_AO_ADD_KEY, &0);
    match asked.map_err(|error| error.raw_os_error()) {
        Err(Some(libc::ENOPROTOOPT)) => Ok(false),
        Ok(()) | Err(_) => Ok(true),
    }
}

impl Hops {
    /// With which TTL or hop limit segments leave.
    fn sent(self) -> u32 {
        match self {
            Self::Direct => 1,
            Self::Any | Self::Secured(_) => 255,
        }
    }

    /// The least that must be left on arrival; 0 asks for nothing.
    fn least_received(self) -> c_int {
        match self {
            Self::Direct | Self::Any => 0,
            // RFC 5082 §3: each router on the way takes one off 255.
            Self::Secured(hops) => 256 - c_int::from(hops.get()),
        }
    }
}

impl Device {
    /// `None` for what no device can be called.
    pub fn new(name: &str) -> Option<Self> {
        let odd = |byte: u8| byte == b'/' || byte == 0 || byte.is_ascii_whitespace();
        let good =
            (1..=15).contains(&name.len()) && !name.bytes().any(odd) && name != "." && name != "..";
        good.then(|| Self(name.to_owned()))
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DialError {
    fn of(source: io::Error, step: &'static str, remote: SocketAddr) -> Self {
        match source.raw_os_error() {
            Some(libc::EADDRNOTAVAIL | libc::ENODEV) => Self::NotHere {
                step,
                remote,
                source,
            },
            Some(_) | None => Self::Prepare {
                step,
                remote,
                source,
            },
        }
    }
}

fn md5_failed(source: io::Error, remote: SocketAddr) -> DialError {
    if source.raw_os_error() == Some(libc::ENOPROTOOPT) {
        DialError::Md5Unsupported(source)
    } else {
        DialError::of(source, "set the TCP-MD5 key for", remote)
    }
}

/// A TCP socket that never blocks and is not passed on to children.
fn open(domain: Domain) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new(domain, kind, Some(Protocol::TCP))
}

fn bind_device(socket: &Socket, device: &Device) -> io::Result<()> {
    socket.bind_device(Some(device.as_bytes()))
}

fn set_class(socket: &Socket) -> io::Result<()> {
    if is_v4(socket)? {
        socket.set_tos_v4(CLASS_SELECTOR_6)
    } else {
        socket.set_tclass_v6(CLASS_SELECTOR_6)
    }
}

fn is_v4(socket: &Socket) -> io::Result<bool> {
    Ok(socket.domain()? == Domain::IPV4)
}

/// Any port of a source address, on the remote's link where the address belongs to a link.
fn local_address(source: IpAddr, remote: SocketAddr) -> SocketAddr {
    match (source, remote) {
        (IpAddr::V6(source), SocketAddr::V6(remote)) if source.is_unicast_link_local() => {
            SocketAddrV6::new(source, 0, 0, remote.scope_id()).into()
        }
        (source, _) => SocketAddr::new(source, 0),
    }
}

#[cfg(test)]
mod tests;
