//! Packet sockets: one a protocol and interface, which see only what their filter passes.

use std::fmt;
use std::io;
use std::io::Read;
use std::os::fd::AsRawFd;

use libc::c_int;
use socket2::{Domain, SockFilter, Socket, Type};
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{InterfaceIndex, filter, option};

/// Asked of the kernel for each receive queue, which caps it at `net.core.rmem_max`: a burst of
/// some hundred frames is kept, and a storm cannot take more.
const RECEIVE_BUFFER: usize = 512 * 1024;

/// What a socket is for. It receives nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// ARP requests for IPv4 over Ethernet.
    Arp,
    /// ICMPv6 neighbor solicitations.
    NeighborSolicitation,
}

/// A socket that receives and sends whole Ethernet frames on one interface. It never makes the
/// interface promiscuous and never sees what this host sends. Dropping it closes it.
///
/// It stays with the interface that had the index when it was opened: it survives the link's
/// going down and up, and is dead (see [`SendError::Gone`]) once the interface is removed.
#[derive(Debug)]
pub struct PacketSocket {
    socket: AsyncFd<Socket>,
    interface: InterfaceIndex,
}

/// Why a packet socket could not be opened.
#[derive(Debug, Error)]
pub enum OpenPacketSocketError {
    /// The process lacks CAP_NET_RAW.
    #[error(
        "not permitted to open a packet socket: \
         add NET_RAW to the container's securityContext.capabilities, or run as root"
    )]
    NotPermitted(#[source] io::Error),
    /// No interface has this index any more.
    #[error("interface {interface} is gone")]
    Gone {
        /// The interface.
        interface: InterfaceIndex,
    },
    /// Anything else.
    #[error("failed to {step} the packet socket for {protocol} on interface {interface}")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// For what.
        protocol: Protocol,
        /// Where.
        interface: InterfaceIndex,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Why nothing could be received.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The link went down; said once, and the socket goes on by itself when the link is back.
    #[error("the link went down")]
    LinkDown,
    /// Anything else.
    #[error("failed to receive from a packet socket")]
    Failed(#[source] io::Error),
}

/// Why a frame was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The link is down.
    #[error("the link is down")]
    LinkDown,
    /// The interface was removed: the socket is of no more use.
    #[error("the interface is gone")]
    Gone,
    /// The queue is full, or the kernel short of memory; a later frame may pass.
    #[error("the transmit queue is full")]
    QueueFull,
    /// Anything else.
    #[error("failed to send on a packet socket")]
    Failed(#[source] io::Error),
}

impl PacketSocket {
    /// Opens a socket. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// Until it is bound the socket has protocol 0, which matches no frame, so that none is seen
    /// before the filter is in place.
    pub fn open(
        interface: InterfaceIndex,
        protocol: Protocol,
    ) -> Result<Self, OpenPacketSocketError> {
        let failed = |step| {
            move |source: io::Error| OpenPacketSocketError::of(source, step, protocol, interface)
        };
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::PACKET, kind, None).map_err(failed("open"))?;
        let program: Vec<SockFilter> = filter::program(protocol)
            .iter()
            .map(|i| SockFilter::new(i.code, i.jt, i.jf, i.k))
            .collect();
        socket
            .attach_filter(&program)
            .map_err(failed("attach the filter to"))?;
        option::set::<c_int>(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1)
            .map_err(failed("ignore outgoing frames on"))?;
        socket
            .set_recv_buffer_size(RECEIVE_BUFFER)
            .map_err(failed("size the queue of"))?;
        bind(&socket, protocol.ethertype(), interface).map_err(failed("bind"))?;
        let socket = register(socket).map_err(failed("register"))?;
        Ok(Self { socket, interface })
    }

    /// Waits until [`Self::try_receive`] may return a frame. Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// The next frame that is there, cut to the buffer's length; `None` if there is none.
    pub fn try_receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, ReceiveError> {
        let received = self
            .socket
            .try_io(Interest::READABLE, |socket| (&*socket).read(buffer));
        match received {
            Ok(length) => Ok(buffer.get(..length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {
                Err(ReceiveError::LinkDown)
            }
            Err(error) => Err(ReceiveError::Failed(error)),
        }
    }

    /// Sends one whole Ethernet frame, of the type that the socket is for ([`Protocol::of`]);
    /// never waits.
    pub fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        match self.try_send(frame) {
            // The kernel keeps "the link went down" for the next call, even if that comes after
            // the link's return; the second try tells.
            Err(SendError::LinkDown) => self.try_send(frame),
            sent => sent,
        }
    }

    fn try_send(&self, frame: &[u8]) -> Result<(), SendError> {
        let Err(error) = self.socket.get_ref().send(frame) else {
            return Ok(());
        };
        Err(match error.raw_os_error() {
            Some(libc::ENETDOWN) => SendError::LinkDown,
            Some(libc::ENXIO | libc::ENODEV) => SendError::Gone,
            Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM) => SendError::QueueFull,
            Some(_) | None => SendError::Failed(error),
        })
    }

    /// Has the interface pass frames to this multicast MAC up from the network card. It sends no
    /// report to switches: see [`crate::Groups`].
    pub fn join(&self, group: [u8; 6]) -> io::Result<()> {
        self.set_membership(libc::PACKET_ADD_MEMBERSHIP, group)
    }

    /// Takes [`Self::join`] back.
    pub fn leave(&self, group: [u8; 6]) -> io::Result<()> {
        self.set_membership(libc::PACKET_DROP_MEMBERSHIP, group)
    }

    fn set_membership(&self, option: c_int, group: [u8; 6]) -> io::Result<()> {
        let mut address = [0; 8];
        address[..group.len()].copy_from_slice(&group);
        let request = libc::packet_mreq {
            mr_ifindex: self.interface.as_c_int(),
            mr_type: MULTICAST,
            mr_alen: 6,
            mr_address: address,
        };
        option::set(self.socket.get_ref(), libc::SOL_PACKET, option, &request)
    }
}

/// `PACKET_MR_MULTICAST` in the type of its field.
const MULTICAST: libc::c_ushort = 0;
const _: () = assert!(libc::PACKET_MR_MULTICAST == 0);

impl Protocol {
    /// Whose socket an Ethernet frame is to leave by, judged by its type alone; `None` for what is
    /// neither ARP nor IPv6.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let ethertype = frame.get(12..14)?;
        [Self::Arp, Self::NeighborSolicitation]
            .into_iter()
            .find(|protocol| protocol.ethertype().to_be_bytes() == ethertype)
    }

    fn ethertype(self) -> u16 {
        match self {
            Self::Arp => 0x0806,
            Self::NeighborSolicitation => 0x86dd,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arp => "ARP",
            Self::NeighborSolicitation => "neighbor solicitations",
        })
    }
}

impl OpenPacketSocketError {
    fn of(
        source: io::Error,
        step: &'static str,
        protocol: Protocol,
        interface: InterfaceIndex,
    ) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::NotPermitted(source),
            Some(libc::ENODEV | libc::ENXIO) => Self::Gone { interface },
            Some(_) | None => Self::Failed {
                step,
                protocol,
                interface,
                source,
            },
        }
    }
}

/// Binds to one protocol on one interface.
#[expect(unsafe_code, reason = "sockaddr_ll has no safe form")]
fn bind(socket: &Socket, ethertype: u16, interface: InterfaceIndex) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: FAMILY_PACKET,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: interface.as_c_int(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the descriptor is open as long as `socket` is borrowed; pointer and length are
    // those of one initialised `sockaddr_ll`, which the kernel copies before it returns.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            std::ptr::from_ref(&address).cast(),
            option::length::<libc::sockaddr_ll>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Has tokio watch the socket, for reading only: else every frame sent would wake us when it has
/// left.
#[expect(unsafe_code, reason = "AsyncFd has no safe constructor")]
pub(crate) fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns its descriptor, keeps it open until it is dropped and always
    // returns the same; AsyncFd owns the `Socket`.
    unsafe { Ok(AsyncFd::register_with_interest(socket, Interest::READABLE)?) }
}

/// `AF_PACKET` in the type of its field.
const FAMILY_PACKET: libc::sa_family_t = 17;
const _: () = assert!(libc::AF_PACKET == 17);

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(errno: c_int) -> String {
        let interface = InterfaceIndex::new(3).expect("an index");
        let source = io::Error::from_raw_os_error(errno);
        OpenPacketSocketError::of(source, "bind", Protocol::Arp, interface).to_string()
    }

    #[test]
    fn frames_are_told_by_their_type() {
        let frame = |ethertype: [u8; 2]| [&[0; 12], &ethertype[..], &[0; 28]].concat();
        assert_eq!(Protocol::of(&frame([8, 6])), Some(Protocol::Arp));
        assert_eq!(
            Protocol::of(&frame([0x86, 0xdd])),
            Some(Protocol::NeighborSolicitation)
        );
        assert_eq!(Protocol::of(&frame([8, 0])), None);
        assert_eq!(Protocol::of(&[0; 13]), None);
    }

    #[test]
    fn missing_capability_is_named_with_its_remedy() {
        for errno in [libc::EPERM, libc::EACCES] {
            let message = opened(errno);
            assert!(message.contains("add NET_RAW"), "{message}");
            assert!(message.contains("run as root"), "{message}");
        }
    }

    #[test]
    fn vanished_interface_is_told_from_other_failures() {
        assert_eq!(opened(libc::ENODEV), "interface 3 is gone");
        assert_eq!(
            opened(libc::ENOMEM),
            "failed to bind the packet socket for ARP on interface 3"
        );
    }
}
