//! Waiting for peers that dial us.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, SockRef};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};

use super::{Device, Hops, Md5Key, Peers, bind_device, md5, open, set_class, set_hops};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 64;

/// A listening socket of one family. Dropping it closes it; connections that it accepted stay.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
}

/// Why nobody can dial us.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another process has the port, or the process may not have one below 1024.
    #[error("failed to listen on {address}: {hint}")]
    Port {
        /// Where.
        address: SocketAddr,
        /// What to do.
        hint: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("failed to {step} the socket that listens on {address}")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Listener {
    /// Listens on an address and port, on one device or on all. `::` means IPv6 only. Must be
    /// called within a tokio runtime.
    ///
    /// Its answers leave with TTL 255, so that peers which hold RFC 5082 take them; what a
    /// connection is to hold itself is said by [`super::apply`] once it is accepted.
    pub fn open(address: SocketAddr, device: Option<&Device>) -> Result<Self, ListenError> {
        let failed = |step| move |source: io::Error| ListenError::of(source, step, address);
        let socket = open(Domain::for_address(address)).map_err(failed("open"))?;
        socket.set_reuse_address(true).map_err(failed("prepare"))?;
        if address.is_ipv6() {
            socket.set_only_v6(true).map_err(failed("prepare"))?;
        }
        if let Some(device) = device {
            bind_device(&socket, device).map_err(failed("bind to its device"))?;
        }
        set_hops(&socket, Hops::Any).map_err(failed("set the TTL of"))?;
        set_class(&socket).map_err(failed("set the class of"))?;
        socket.bind(&address.into()).map_err(failed("bind"))?;
        socket.listen(BACKLOG).map_err(failed("listen on"))?;
        let listener = TcpListener::from_std(socket.into()).map_err(failed("register"))?;
        Ok(Self { listener })
    }

    /// Where it listens: the port that was given, or the one that the kernel chose for 0.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection and who dialled. With a key for that peer only signed segments have
    /// come so far. Cancel safe. An error is about one connection, or says that descriptors are
    /// short: the listener goes on.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept().await
    }

    /// From now on these peers have to sign with this key; with `None`, must not sign. Connections
    /// that stand already, and other peers, are not touched.
    pub fn set_md5(&self, peers: Peers, key: Option<&Md5Key>) -> io::Result<()> {
        md5::set(&*SockRef::from(&self.listener), peers, key)
    }
}

impl ListenError {
    fn of(source: io::Error, step: &'static str, address: SocketAddr) -> Self {
        let hint = match source.raw_os_error() {
            Some(libc::EADDRINUSE) => "another process has the port",
            Some(libc::EACCES) => "ports below 1024 need NET_BIND_SERVICE",
            Some(_) | None => {
                return Self::Failed {
                    step,
                    address,
                    source,
                };
            }
        };
        Self::Port {
            address,
            hint,
            source,
        }
    }
}
