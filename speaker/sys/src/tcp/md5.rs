//! RFC 2385: TCP segments signed with a shared key, as Linux has them (`tcp_md5sig`).

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use libc::c_int;
use thiserror::Error;

use crate::option;

/// `TCP_MD5SIG_FLAG_PREFIX`: the key is for a prefix, not for one address.
const FLAG_PREFIX: u8 = 1;

/// A key: 1 to 80 bytes, which nobody gets to see.
#[derive(Clone, PartialEq, Eq)]
pub struct Md5Key(Vec<u8>);

/// Why these bytes are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Md5KeyError {
    /// There are none.
    #[error("the TCP-MD5 key is empty")]
    Empty,
    /// The kernel takes 80 at most.
    #[error("the TCP-MD5 key has {length} bytes, 80 at most are possible")]
    TooLong {
        /// How many there are.
        length: usize,
    },
}

/// Whom a key is for: one address, or all of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peers {
    address: IpAddr,
    /// `None` for one address: the kernel keeps its key apart from that of a prefix as long.
    length: Option<u8>,
}

impl Md5Key {
    /// A key of these bytes.
    pub fn new(key: &[u8]) -> Result<Self, Md5KeyError> {
        match key.len() {
            0 => Err(Md5KeyError::Empty),
            1..=libc::TCP_MD5SIG_MAXKEYLEN => Ok(Self(key.to_vec())),
            length => Err(Md5KeyError::TooLong { length }),
        }
    }
}

impl fmt::Debug for Md5Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Key(…)")
    }
}

impl Peers {
    /// One peer.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: None,
        }
    }

    /// All peers of a prefix; `None` if it is longer than an address.
    pub fn prefix(address: IpAddr, length: u8) -> Option<Self> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (length <= longest).then_some(Self {
            address,
            length: Some(length),
        })
    }
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            None => self.address.fmt(f),
            Some(length) => write!(f, "{}/{length}", self.address),
        }
    }
}

/// The kernel's `struct tcp_md5sig`. The address is a `sockaddr_storage`, kept as bytes.
#[repr(C)]
struct Signature {
    address: [u8; 128],
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: c_int,
    key: [u8; libc::TCP_MD5SIG_MAXKEYLEN],
}

const _: () = assert!(size_of::<Signature>() == 216);

/// Sets the key for peers on a socket, connected or listening; `None` removes it, if there is one.
/// Other peers' keys stay.
pub(super) fn set(socket: &impl AsRawFd, peers: Peers, key: Option<&Md5Key>) -> io::Result<()> {
    let mut signature = Signature {
        address: socket_address(peers.address),
        flags: 0,
        prefix_length: 0,
        key_length: 0,
        interface: 0,
        key: [0; libc::TCP_MD5SIG_MAXKEYLEN],
    };
    if let Some(key) = key {
        for (to, from) in signature.key.iter_mut().zip(&key.0) {
            *to = *from;
        }
        signature.key_length = u16::try_from(key.0.len()).unwrap_or(u16::MAX);
    }
    let name = match peers.length {
        None => libc::TCP_MD5SIG,
        Some(length) => {
            signature.flags = FLAG_PREFIX;
            signature.prefix_length = length;
            libc::TCP_MD5SIG_EXT
        }
    };
    match option::set(socket, libc::IPPROTO_TCP, name, &signature) {
        Err(error) if key.is_none() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        set => set,
    }
}

/// `sockaddr_in` or `sockaddr_in6` with port 0, as bytes.
fn socket_address(address: IpAddr) -> [u8; 128] {
    let mut bytes = [0; 128];
    match address {
        IpAddr::V4(address) => {
            bytes[..2].copy_from_slice(&FAMILY_IPV4.to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            bytes[..2].copy_from_slice(&FAMILY_IPV6.to_ne_bytes());
            bytes[8..24].copy_from_slice(&address.octets());
        }
    }
    bytes
}

/// `AF_INET` and `AF_INET6` in the type of their field.
const FAMILY_IPV4: libc::sa_family_t = 2;
const FAMILY_IPV6: libc::sa_family_t = 10;
const _: () = assert!(libc::AF_INET == 2 && libc::AF_INET6 == 10);
