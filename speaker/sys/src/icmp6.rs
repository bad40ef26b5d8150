//! Router solicitations and advertisements of one link, by a raw ICMPv6 socket.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;

use libc::c_int;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{InterfaceIndex, option, packet};

/// RFC 4861 §4.1, §4.2: the only types of ICMPv6 that are received.
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;

/// RFC 4861 §6.1: what has crossed a router is not valid.
const HOP_LIMIT: u32 = 255;

/// All routers on the link, to whom hosts send their solicitations.
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// `ICMP6_FILTER` of `<netinet/icmp6.h>`, which the libc crate does not name.
const FILTER: c_int = 1;

/// Sends and receives router discovery (RFC 4861 §6) on one interface. The kernel writes and checks
/// the checksum, and chooses the source address of what is sent. Dropping it closes it.
///
/// It stays with the interface that had the index when it was opened, like a
/// [`PacketSocket`](crate::PacketSocket).
#[derive(Debug)]
pub struct RouterSocket {
    socket: AsyncFd<Socket>,
    interface: InterfaceIndex,
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// What was left of its hop limit; 0 if the kernel does not say.
    pub hop_limit: u8,
    /// How many octets of the buffer it takes, from the ICMPv6 type on. One that is longer than the
    /// buffer is cut.
    pub length: usize,
}

/// Why a socket could not be opened.
#[derive(Debug, Error)]
pub enum OpenRouterSocketError {
    /// The process lacks CAP_NET_RAW.
    #[error(
        "not permitted to open an ICMPv6 socket: \
         add NET_RAW to the container's securityContext.capabilities, or run as root"
    )]
    NotPermitted(#[source] io::Error),
    /// Anything else: the interface may be gone, or have no IPv6.
    #[error("failed to {step} the ICMPv6 socket on interface {interface}")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// Where.
        interface: InterfaceIndex,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl RouterSocket {
    /// Opens a socket. Needs CAP_NET_RAW and a tokio runtime.
    pub fn open(interface: InterfaceIndex) -> Result<Self, OpenRouterSocketError> {
        let failed =
            |step| move |source: io::Error| OpenRouterSocketError::of(source, step, interface);
        let kind = Type::RAW.nonblocking().cloexec();
        let socket =
            Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6)).map_err(failed("open"))?;
        let types = passing(&[ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT]);
        option::set(&socket, libc::IPPROTO_ICMPV6, FILTER, &types)
            .map_err(failed("set the filter of"))?;
        let index = interface.get();
        socket
            .bind_device_by_index_v6(NonZeroU32::new(index))
            .map_err(failed("bind"))?;
        prepare(&socket, index).map_err(failed("prepare"))?;
        socket
            .join_multicast_v6(&ALL_ROUTERS, index)
            .map_err(failed("join the routers' group by"))?;
        let socket = packet::register(socket).map_err(failed("register"))?;
        Ok(Self { socket, interface })
    }

    /// The next message, of which the buffer holds as much as fits. Cancel safe.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let receive = |socket: &Socket| receive(socket, &mut *buffer);
        self.socket.async_io(Interest::READABLE, receive).await
    }

    /// Sends a message from its ICMPv6 type on, with two octets of zero for its checksum; never
    /// waits.
    pub fn send(&self, destination: Ipv6Addr, message: &[u8]) -> io::Result<()> {
        let to = SocketAddrV6::new(destination, 0, 0, self.interface.get());
        let socket = self.socket.get_ref();
        socket.send_to(message, &to.into()).map(drop)
    }
}

impl OpenRouterSocketError {
    fn of(source: io::Error, step: &'static str, interface: InterfaceIndex) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::NotPermitted(source),
            Some(_) | None => Self::Failed {
                step,
                interface,
                source,
            },
        }
    }
}

/// RFC 3542 §3.2, `struct icmp6_filter`: a bit that is set blocks a type.
fn passing(types: &[u8]) -> [u32; 8] {
    let mut blocked = [u32::MAX; 8];
    for kind in types {
        if let Some(word) = blocked.get_mut(usize::from(kind >> 5)) {
            *word &= !(1 << (kind & 31));
        }
    }
    blocked
}

fn prepare(socket: &Socket, index: u32) -> io::Result<()> {
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_hops_v6(HOP_LIMIT)?;
    socket.set_unicast_hops_v6(HOP_LIMIT)?;
    // What this node says is no news to it.
    socket.set_multicast_loop_v6(false)?;
    socket.set_recv_hoplimit_v6(true)
}

/// Room for what the kernel says beside a message, aligned as it wants it: one `int`.
#[repr(C, align(8))]
struct Control([u8; 64]);

#[expect(unsafe_code, reason = "control messages have no safe form")]
fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut from = MaybeUninit::<libc::sockaddr_in6>::zeroed();
    let mut control = Control([0; 64]);
    let mut slice = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all of `msghdr` may be zero.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = from.as_mut_ptr().cast();
    header.msg_namelen = option::length::<libc::sockaddr_in6>();
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the header's pointers and
    // lengths are those of `from`, `slice` (which is `buffer`) and `control`, which all outlive it.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: zeroed is a valid `sockaddr_in6`, and what the kernel writes over it as well.
    let from = unsafe { from.assume_init() };
    Ok(Received {
        source: Ipv6Addr::from(from.sin6_addr.s6_addr),
        hop_limit: hop_limit(&header),
        length: length.min(buffer.len()),
    })
}

#[expect(unsafe_code, reason = "control messages have no safe form")]
fn hop_limit(header: &libc::msghdr) -> u8 {
    // SAFETY: the header's control pointer and length are those that recvmsg left, and what they
    // point to is still there; the macros stay within that length.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: not null, so that it points to a whole control message in the buffer.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        if (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) {
            // SAFETY: RFC 3542 §6.3: the data of this one is an int, aligned or not.
            let value = unsafe { libc::CMSG_DATA(message).cast::<c_int>().read_unaligned() };
            return u8::try_from(value).unwrap_or_default();
        }
        // SAFETY: as for the first one.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_passes_what_is_named_and_blocks_the_rest() {
        let filter = passing(&[133, 134]);
        for kind in 0..=u8::MAX {
            let blocked = filter[usize::from(kind >> 5)] >> (kind & 31) & 1 == 1;
            assert_eq!(blocked, !(133..=134).contains(&kind), "{kind}");
        }
    }

    #[test]
    fn a_missing_capability_is_named_with_its_remedy() {
        let interface = InterfaceIndex::new(3).expect("an index");
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let message = OpenRouterSocketError::of(refused, "open", interface).to_string();
        assert!(message.contains("add NET_RAW"), "{message}");
        let gone = io::Error::from_raw_os_error(libc::ENODEV);
        let message = OpenRouterSocketError::of(gone, "bind", interface).to_string();
        assert_eq!(message, "failed to bind the ICMPv6 socket on interface 3");
    }
}
