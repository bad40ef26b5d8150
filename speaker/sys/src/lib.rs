//! Safe wrappers over the Linux calls that a speaker needs: packet sockets with their filters,
//! multicast memberships, router discovery, BGP's TCP connections, BFD's datagrams, and a monitor of
//! interfaces. Nothing is decided here.
//!
//! The only crate of the workspace with `unsafe` code that ships: calls for which neither std nor
//! socket2 nor tokio has a safe form, in `icmp6`, `option`, `packet`, `tcp` and `udp`.

mod filter;
mod groups;
mod icmp6;
mod index;
pub mod netlink;
mod option;
mod packet;
pub mod tcp;
pub mod udp;

pub use groups::{Groups, JoinGroupError};
pub use icmp6::{OpenRouterSocketError, Received, RouterSocket};
pub use index::InterfaceIndex;
pub use packet::{OpenPacketSocketError, PacketSocket, Protocol, ReceiveError, SendError};
