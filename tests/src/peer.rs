//! Routers that are not ours: FRR, BIRD and GoBGP as Debian has them, in hosts of the lab. A typed
//! [`Config`] goes in; sessions and routes come out as each program itself shows them.
//!
//! ```text
//! Config ──render──▶ frr.conf, bird.conf, gobgpd.toml ──▶ processes in one host
//!                    vtysh … json, birdc, gobgp -j    ──▶ Session, Path
//! ```
//!
//! [`stub::Stub`] is a peer that behaves as no router should.

mod bfd;
mod bird;
mod config;
mod frr;
mod gobgp;
pub mod guide;
mod instance;
pub mod stub;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::eventually;
use crate::host::Host;

pub use bfd::{Bfd, BfdSession, GracefulRestart};
pub use bird::Bird;
pub use config::{Announced, Config, Distance, Families, Imports, Peer};
pub use frr::Frr;
pub use gobgp::GoBgp;

/// The programs that play a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    Frr,
    Bird,
    /// It keeps its routes to itself: the kernel of its host learns none.
    GoBgp,
}

/// A running router. Dropping it ends it and takes its routes out of the kernel.
pub trait Router: Debug {
    /// Which program it is.
    fn program(&self) -> Program;

    /// Where it runs.
    fn host(&self) -> &Host;

    /// All its sessions, by the peer's address.
    fn sessions(&self) -> Result<BTreeMap<IpAddr, Session>>;

    /// All its BFD sessions, by the peer's address; none where it speaks none.
    fn bfd_sessions(&self) -> Result<BTreeMap<IpAddr, BfdSession>>;

    /// All routes of a family that it holds, with every path to them: `10.97.0.1/32` …
    fn routes(&self, is_v4: bool) -> Result<BTreeMap<String, Vec<Path>>>;

    /// Give it real-time scheduling, so that no busy machine makes it late.
    fn never_be_late(&self) -> Result<()>;

    /// Stop it for a while as if it hung: its kernel still answers. [`Self::resume`] ends that.
    fn pause(&self) -> Result<()>;

    /// Go on after [`Self::pause`].
    fn resume(&self) -> Result<()>;

    /// SIGKILL: nothing is said to anybody, and its kernel keeps its routes.
    fn kill(&mut self) -> Result<()>;

    /// Start it with the same configuration after [`Self::kill`].
    fn start_again(&mut self) -> Result<()>;

    /// The session with one peer.
    fn session(&self, peer: IpAddr) -> Result<Session> {
        let sessions = self.sessions()?;
        let known: Vec<String> = sessions.keys().map(ToString::to_string).collect();
        sessions
            .get(&peer)
            .cloned()
            .with_context(|| format!("no session with {peer}, only with {known:?}"))
    }

    /// Wait until BFD with a peer is up.
    fn wait_bfd_up(&self, peer: IpAddr, timeout: Duration) -> Result<BfdSession> {
        let what = format!("{:?} has BFD with {peer} up", self.program());
        eventually(timeout, &what, || {
            let mut sessions = self.bfd_sessions()?;
            let session = sessions.remove(&peer).context("it has no session")?;
            ensure!(session.is_up(), "it is {session:?}");
            Ok(session)
        })
    }

    /// All paths to a prefix.
    fn paths(&self, prefix: &str) -> Result<Vec<Path>> {
        let mut routes = self.routes(!prefix.contains(':'))?;
        Ok(routes.remove(prefix).unwrap_or_default())
    }

    /// Wait until the session with a peer is established.
    fn wait_established(&self, peer: IpAddr, timeout: Duration) -> Result<Session> {
        let what = format!("{:?} has a session with {peer}", self.program());
        eventually(timeout, &what, || {
            let session = self.session(peer)?;
            ensure!(session.is_established(), "it is {session:?}");
            Ok(session)
        })
    }
}

/// A session as a router shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// RFC 4271 §8.2.2, in the router's own spelling: `Established`, `Active` …
    pub state: String,
    /// The peer's ASN, as configured or as the peer said.
    pub remote_asn: u32,
    /// The hold time that both agreed on.
    pub hold_time: Duration,
    /// What the peer said that it can; empty while there is no session.
    pub capabilities: BTreeSet<Capability>,
    /// How often it was established so far, where the program counts that.
    pub times_established: Option<u64>,
    /// UPDATE messages received, where the program counts them.
    pub updates_received: Option<u64>,
    /// Why it ended last, in the router's own words.
    pub last_error: Option<String>,
}

impl Session {
    /// Both sides exchange routes.
    pub fn is_established(&self) -> bool {
        self.state.eq_ignore_ascii_case("established")
    }
}

/// What a peer says in its OPEN, as far as scenarios ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    Ipv4Unicast,
    Ipv6Unicast,
    FourOctetAs,
    RouteRefresh,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    GracefulRestart,
}

/// One path to a prefix, with all that its UPDATE said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// The peer that it came from; `None` for the router's own.
    pub peer: Option<IpAddr>,
    /// Global first; a link-local one may follow.
    pub next_hops: Vec<IpAddr>,
    /// `IGP`, `EGP` or `INCOMPLETE`.
    pub origin: String,
    /// ASNs from the nearest to the origin.
    pub as_path: Vec<u32>,
    /// MULTI_EXIT_DISC.
    pub multi_exit_disc: Option<u32>,
    /// LOCAL_PREF. Routers show one of their own for eBGP paths.
    pub local_pref: Option<u32>,
    /// RFC 1997, written `64512:1`, well-known ones too; sorted.
    pub communities: BTreeSet<String>,
    /// RFC 8092, written `64512:1:2`.
    pub large_communities: BTreeSet<String>,
    /// RFC 4360, written `rt:64512:1`.
    pub extended_communities: BTreeSet<String>,
    /// The path, or one of the paths, that the router chose.
    pub is_chosen: bool,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Frr, Self::Bird, Self::GoBgp];

    /// Start it in a host. One router a host: they all want port 179.
    pub fn start(self, host: &Host, config: &Config) -> Result<Box<dyn Router>> {
        Ok(match self {
            Self::Frr => Box::new(Frr::start(host, config)?),
            Self::Bird => Box::new(Bird::start(host, config)?),
            Self::GoBgp => Box::new(GoBgp::start(host, config)?),
        })
    }
}

/// A community in its usual form, from the number.
pub(crate) fn community(number: u32) -> String {
    format!("{}:{}", number >> 16, number & 0xffff)
}
