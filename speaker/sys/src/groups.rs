//! Memberships in IPv6 multicast groups, so that snooping switches pass their frames to us.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv6Addr;

use socket2::{Domain, Socket, Type};
use thiserror::Error;

use crate::InterfaceIndex;

/// The groups joined on one interface, through ordinary IPv6 sockets: the kernel then reports
/// them by MLD (RFC 3810) and again whenever the link returns, which a packet socket's membership
/// does not do. Dropping the value leaves them all.
///
/// The kernel bounds the memberships of one socket by `net.core.optmem_max` (some hundreds to
/// some thousands); where one is full, another is opened.
#[derive(Debug)]
pub struct Groups {
    interface: InterfaceIndex,
    shards: Vec<Shard>,
}

#[derive(Debug)]
struct Shard {
    socket: Socket,
    members: BTreeSet<Ipv6Addr>,
}

/// Why a group could not be joined.
#[derive(Debug, Error)]
pub enum JoinGroupError {
    /// The interface was removed, or has IPv6 switched off.
    #[error("failed to join {group}: interface {interface} is gone or has no IPv6")]
    NoInterface {
        /// The group.
        group: Ipv6Addr,
        /// The interface.
        interface: InterfaceIndex,
    },
    /// Anything else.
    #[error("failed to join {group} on interface {interface}")]
    Failed {
        /// The group.
        group: Ipv6Addr,
        /// The interface.
        interface: InterfaceIndex,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Groups {
    /// None yet, and no socket.
    pub fn new(interface: InterfaceIndex) -> Self {
        Self {
            interface,
            shards: Vec::new(),
        }
    }

    /// Joins a group; one that is joined already stays so.
    pub fn join(&mut self, group: Ipv6Addr) -> Result<(), JoinGroupError> {
        if self.shards.iter().any(|s| s.members.contains(&group)) {
            return Ok(());
        }
        self.join_somewhere(group)
            .map_err(|source| match source.raw_os_error() {
                Some(libc::ENODEV | libc::ENXIO | libc::EINVAL) => JoinGroupError::NoInterface {
                    group,
                    interface: self.interface,
                },
                Some(_) | None => JoinGroupError::Failed {
                    group,
                    interface: self.interface,
                    source,
                },
            })
    }

    /// Leaves a group, if it was joined. The membership is gone afterwards, whatever the kernel
    /// says: of a removed interface it has forgotten it already.
    pub fn leave(&mut self, group: Ipv6Addr) -> io::Result<()> {
        let Some(position) = self.shards.iter().position(|s| s.members.contains(&group)) else {
            return Ok(());
        };
        let shard = &mut self.shards[position];
        shard.members.remove(&group);
        if shard.members.is_empty() {
            // Closing the socket leaves what it had joined.
            self.shards.remove(position);
            return Ok(());
        }
        shard
            .socket
            .leave_multicast_v6(&group, self.interface.get())
    }

    fn join_somewhere(&mut self, group: Ipv6Addr) -> io::Result<()> {
        for shard in &mut self.shards {
            match shard.join(group, self.interface) {
                Err(error) if is_full(&error) => {}
                done => return done,
            }
        }
        let mut shard = Shard {
            socket: Socket::new(Domain::IPV6, Type::DGRAM.cloexec(), None)?,
            members: BTreeSet::new(),
        };
        shard.join(group, self.interface)?;
        self.shards.push(shard);
        Ok(())
    }
}

impl Shard {
    fn join(&mut self, group: Ipv6Addr, interface: InterfaceIndex) -> io::Result<()> {
        self.socket.join_multicast_v6(&group, interface.get())?;
        self.members.insert(group);
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::ENOBUFS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loopback interface, which is number 1 in every network namespace.
    fn loopback() -> Groups {
        Groups::new(InterfaceIndex::new(1).expect("an index"))
    }

    fn group(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, number)
    }

    #[test]
    fn opens_another_socket_when_one_is_full() {
        let mut groups = loopback();
        let mut joined = 0;
        while groups.shards.len() < 3 && joined < 20_000 {
            groups.join(group(joined)).expect("joined");
            joined += 1;
        }
        assert_eq!(groups.shards.len(), 3, "after {joined} groups");
        for number in 0..joined {
            groups.leave(group(number)).expect("left");
        }
        assert!(groups.shards.is_empty());
    }

    #[test]
    fn joins_and_leaves_once_only() {
        let mut groups = loopback();
        groups.join(group(1)).expect("joined");
        groups.join(group(1)).expect("still joined");
        groups.leave(group(1)).expect("left");
        groups.leave(group(1)).expect("nothing to leave");
        assert!(groups.shards.is_empty());
    }

    #[test]
    fn missing_interface_is_said() {
        let mut groups = Groups::new(InterfaceIndex::new(i32::MAX.unsigned_abs()).expect("index"));
        let error = groups.join(group(1)).expect_err("no such interface");
        assert!(
            matches!(error, JoinGroupError::NoInterface { .. }),
            "{error}"
        );
    }
}
