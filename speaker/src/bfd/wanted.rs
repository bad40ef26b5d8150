//! Which sessions are wanted, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use bfd::{Config, Path};
use model::InterfaceName;
use sys::InterfaceIndex;
use sys::tcp::Device;

use crate::bgp::SessionName;

/// The path that a session watches. Peers at the end of the same path have one session between them.
///
/// Its words are what discriminator and source port are derived from, with which a restarted speaker
/// goes on with the session of the one before: they must never change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub remote: IpAddr,
    /// On whose link the address is, if that is link-local.
    pub interface: Option<InterfaceName>,
    pub vrf: Option<String>,
    /// RFC 5883 instead of RFC 5881.
    pub multihop: bool,
}

/// How a session is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The BGP session under whose name it is counted.
    pub name: SessionName,
    /// Where we speak from; by what the route says without one.
    pub source: Option<IpAddr>,
    /// The number of the key's interface.
    pub scope: Option<InterfaceIndex>,
    pub path: Path,
    pub config: Config,
    /// How long the far side is to wait for us when we restart; zero to say that we go.
    pub absence: Duration,
}

/// One peer's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub key: Key,
    pub settings: Settings,
}

/// Those of all peers that want BFD.
pub type Wishes = BTreeMap<SessionName, Wish>;

/// Each session once.
pub(super) type Wanted = BTreeMap<Key, Settings>;

/// Where several peers share a path, the first by name decides how.
pub(super) fn fold(wishes: &Wishes) -> Wanted {
    let mut wanted = Wanted::new();
    for wish in wishes.values() {
        let settings = || wish.settings.clone();
        wanted.entry(wish.key.clone()).or_insert_with(settings);
    }
    wanted
}

impl Key {
    pub(super) fn device(&self) -> Option<Device> {
        self.vrf.as_deref().and_then(Device::new)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)?;
        if let Some(interface) = &self.interface {
            write!(f, "%{interface}")?;
        }
        if self.multihop {
            f.write_str(" multihop")?;
        }
        if let Some(vrf) = &self.vrf {
            write!(f, " vrf {vrf}")?;
        }
        Ok(())
    }
}

impl Settings {
    /// Where packets go.
    pub(super) fn destination(&self, key: &Key) -> SocketAddr {
        let port = self.path.port();
        match key.remote {
            IpAddr::V4(_) => SocketAddr::new(key.remote, port),
            IpAddr::V6(remote) => {
                let scope = self.scope.map_or(0, InterfaceIndex::get);
                SocketAddrV6::new(remote, port, 0, scope).into()
            }
        }
    }

    /// Whether a session under these goes on under the others: what it is sent from has not changed.
    pub(super) fn goes_on_as(&self, other: &Self) -> bool {
        (self.source, self.scope) == (other.source, other.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers are derived from these words.
    #[test]
    fn the_words_of_a_path_are_those_of_every_release() {
        let key = |remote: &str| Key {
            remote: remote.parse().unwrap(),
            interface: None,
            vrf: None,
            multihop: false,
        };
        assert_eq!(key("10.99.0.1").to_string(), "10.99.0.1");
        let unnumbered = Key {
            interface: Some(InterfaceName::new("eth0")),
            ..key("fe80::1")
        };
        assert_eq!(unnumbered.to_string(), "fe80::1%eth0");
        let far = Key {
            multihop: true,
            vrf: Some("blue".to_owned()),
            ..key("fd99::1")
        };
        assert_eq!(far.to_string(), "fd99::1 multihop vrf blue");
    }
}
