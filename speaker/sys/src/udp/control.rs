//! One datagram with what the kernel tells about it, RFC 3542 §6 and ip(7).

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libc::c_int;
use socket2::Socket;

use super::Datagram;
use crate::InterfaceIndex;

/// Octets of the longer of the two kinds of socket address, `sockaddr_in6`.
const ADDRESS: usize = mem::size_of::<libc::sockaddr_in6>();

/// Room for the three messages that we ask for, and some more.
const CONTROL: usize = 128;

/// Octets before the data of a message: its length, level and type.
const HEADER: usize = mem::size_of::<libc::cmsghdr>();

/// What the kernel filled in.
struct Received {
    length: usize,
    address: [u8; ADDRESS],
    control: [u8; CONTROL],
    control_length: usize,
}

/// Receives one datagram, without waiting; `None` if it cannot be told who sent it, or how.
pub(super) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
    let received = recvmsg(socket, buffer)?;
    let told = received.control.get(..received.control_length);
    Ok(read(
        received.length,
        &received.address,
        told.unwrap_or_default(),
    ))
}

#[expect(
    unsafe_code,
    reason = "recvmsg has no safe form that reads what the kernel tells about a datagram"
)]
fn recvmsg(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut received = Received {
        length: 0,
        address: [0; ADDRESS],
        control: [0; CONTROL],
        control_length: 0,
    };
    let mut payload = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: a `msghdr` is integers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = ptr::from_mut(&mut received.address).cast();
    header.msg_namelen = crate::option::length::<[u8; ADDRESS]>();
    header.msg_iov = &raw mut payload;
    header.msg_iovlen = 1;
    header.msg_control = ptr::from_mut(&mut received.control).cast();
    header.msg_controllen = CONTROL;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; each pointer leads to memory
    // of the length beside it, borrowed for the call, in which any octets are a value.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    received.length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    received.control_length = header.msg_controllen;
    Ok(received)
}

/// Puts together what was told.
fn read(length: usize, address: &[u8; ADDRESS], control: &[u8]) -> Option<Datagram> {
    let source = socket_address(address)?;
    let mut to = None;
    let mut hop_limit = None;
    let mut noted = None;
    let mut rest = control;
    while let Some((message, next)) = message(rest) {
        match (message.level, message.kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => to = packet_info_v4(message.data),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => to = packet_info_v6(message.data),
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                hop_limit = integer(message.data).and_then(|hops| u8::try_from(hops).ok());
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => noted = time(message.data),
            (_, _) => {}
        }
        rest = next;
    }
    let (destination, interface) = to?;
    Some(Datagram {
        length,
        source,
        destination,
        interface,
        hop_limit: hop_limit?,
        noted,
    })
}

/// One message of the kernel's.
struct Message<'a> {
    level: c_int,
    kind: c_int,
    data: &'a [u8],
}

/// The first message and what follows it; messages are aligned like a `usize`.
fn message(control: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (length, rest) = control.split_first_chunk()?;
    let (level, rest) = rest.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let length = usize::from_ne_bytes(*length);
    let message = Message {
        level: c_int::from_ne_bytes(*level),
        kind: c_int::from_ne_bytes(*kind),
        data: control.get(HEADER..length)?,
    };
    let next = length.checked_next_multiple_of(mem::align_of::<usize>())?;
    Some((message, control.get(next..).unwrap_or_default()))
}

/// `sockaddr_in` or `sockaddr_in6`.
fn socket_address(address: &[u8; ADDRESS]) -> Option<SocketAddr> {
    let (family, rest) = address.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes(*port);
    match c_int::from(libc::sa_family_t::from_ne_bytes(*family)) {
        libc::AF_INET => Some(SocketAddr::new(Ipv4Addr::from(*first).into(), port)),
        libc::AF_INET6 => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            let (scope, _) = rest.split_first_chunk()?;
            let scope = u32::from_ne_bytes(*scope);
            Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, scope).into())
        }
        _ => None,
    }
}

/// `in_pktinfo`: the interface, an address of ours, and where the datagram was sent to.
fn packet_info_v4(data: &[u8]) -> Option<(IpAddr, InterfaceIndex)> {
    let (index, rest) = data.split_first_chunk()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let (destination, _) = rest.split_first_chunk::<4>()?;
    let index = InterfaceIndex::new(u32::from_ne_bytes(*index))?;
    Some((Ipv4Addr::from(*destination).into(), index))
}

/// `in6_pktinfo`: where the datagram was sent to, and the interface.
fn packet_info_v6(data: &[u8]) -> Option<(IpAddr, InterfaceIndex)> {
    let (destination, rest) = data.split_first_chunk::<16>()?;
    let (index, _) = rest.split_first_chunk()?;
    let index = InterfaceIndex::new(u32::from_ne_bytes(*index))?;
    Some((Ipv6Addr::from(*destination).into(), index))
}

/// `timespec`, by the wall clock.
fn time(data: &[u8]) -> Option<SystemTime> {
    let (seconds, rest) = data.split_first_chunk()?;
    let (nanoseconds, _) = rest.split_first_chunk()?;
    let seconds = u64::try_from(libc::time_t::from_ne_bytes(*seconds)).ok()?;
    let nanoseconds = u32::try_from(libc::c_long::from_ne_bytes(*nanoseconds)).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

fn integer(data: &[u8]) -> Option<c_int> {
    let (integer, _) = data.split_first_chunk()?;
    Some(c_int::from_ne_bytes(*integer))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One message as the kernel writes it.
    fn told(level: c_int, kind: c_int, data: &[u8]) -> Vec<u8> {
        let length = HEADER + data.len();
        let head = [&level.to_ne_bytes()[..], &kind.to_ne_bytes()].concat();
        let mut octets = [&length.to_ne_bytes()[..], &head, data].concat();
        octets.resize(length.next_multiple_of(mem::align_of::<usize>()), 0);
        octets
    }

    fn from_v4() -> [u8; ADDRESS] {
        let mut address = [0; ADDRESS];
        address[..2].copy_from_slice(&2_u16.to_ne_bytes());
        address[2..8].copy_from_slice(&[0xc0, 0x01, 192, 0, 2, 9]);
        address
    }

    fn info_v4() -> Vec<u8> {
        let data = [3_u32.to_ne_bytes(), [0; 4], [192, 0, 2, 1]].concat();
        told(libc::IPPROTO_IP, libc::IP_PKTINFO, &data)
    }

    fn hops_v4() -> Vec<u8> {
        told(libc::IPPROTO_IP, libc::IP_TTL, &255_i32.to_ne_bytes())
    }

    #[test]
    fn what_is_told_is_read_in_any_order_among_other_things() {
        let other = told(libc::SOL_SOCKET, 29, &[1; 16]);
        let stamp = [7_i64.to_ne_bytes(), 500_i64.to_ne_bytes()].concat();
        let stamp = told(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &stamp);
        for (control, noted) in [
            ([info_v4(), hops_v4()].concat(), None),
            (
                [hops_v4(), other, stamp, info_v4()].concat(),
                Some(UNIX_EPOCH + Duration::new(7, 500)),
            ),
        ] {
            let datagram = read(24, &from_v4(), &control).unwrap();
            assert_eq!(datagram.noted, noted);
            assert_eq!(datagram.source, "192.0.2.9:49153".parse().unwrap());
            assert_eq!(datagram.destination, IpAddr::from([192, 0, 2, 1]));
            let (interface, hops) = (datagram.interface.get(), datagram.hop_limit);
            assert_eq!((interface, hops, datagram.length), (3, 255, 24));
        }
    }

    #[test]
    fn what_is_cut_or_missing_is_no_datagram() {
        let control = [info_v4(), hops_v4()].concat();
        for length in 0..control.len() - 4 {
            assert_eq!(read(24, &from_v4(), &control[..length]), None);
        }
        assert_eq!(read(24, &[0; ADDRESS], &control), None);
        let mut endless = control.clone();
        endless[..8].copy_from_slice(&[0; 8]);
        assert_eq!(read(24, &from_v4(), &endless), None);
        endless[..8].copy_from_slice(&[0xff; 8]);
        assert_eq!(read(24, &from_v4(), &endless), None);
    }
}
