//! What BFD is asked for by a peer's task, and what it makes of the answers.

use std::net::SocketAddr;
use std::time::Duration;

use bfd::{Role, State};
use bgp::{Input, Path};
use k8s_openapi::jiff::Timestamp;
use model::{BfdProfile, BgpPeer, Remote};
use sys::InterfaceIndex;
use tokio::sync::watch;

use super::transport::{Transport, is_external};
use super::{Desired, SessionName};
use crate::bfd::{Adoption, Key, Settings, Status, Statuses, Wish, Wishes};

/// BFD beside a session, as status and metrics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// Where it stands, administratively down on whichever side; Down before there is anything to be
    /// said.
    pub state: State,
    /// Since when it is so.
    pub since: Timestamp,
    /// What brought it there, or why it cannot be elsewhere.
    pub why: Option<String>,
    /// How long we wait for the peer.
    pub detection_time: Option<Duration>,
    /// How long the peer waits for us.
    pub remote_detection_time: Option<Duration>,
    /// How often we send, before jitter.
    pub transmit_interval: Option<Duration>,
    /// How often it was Up and the path failed.
    pub failures: u64,
}

impl Guarded {
    /// Whether a path that fails would be noticed.
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }
}

/// One peer's.
#[derive(Debug, Default)]
pub(super) struct Guard {
    wish: Option<Wish>,
    /// How the session stands, once there is one.
    status: Option<Status>,
}

impl Guard {
    /// Asks for what the peer's settings say, which may be nothing. Another path has another
    /// session, of which nothing is known.
    pub(super) fn want(
        &mut self,
        name: &SessionName,
        wish: Option<Wish>,
        wishes: &watch::Sender<Wishes>,
    ) {
        let key = |wish: &Option<Wish>| wish.as_ref().map(|wish| wish.key.clone());
        if key(&self.wish) != key(&wish) {
            self.status = None;
        }
        self.wish.clone_from(&wish);
        wishes.send_if_modified(|wishes| match wish {
            Some(wish) if wishes.get(name) == Some(&wish) => false,
            Some(wish) => {
                wishes.insert(name.clone(), wish);
                true
            }
            None => wishes.remove(name).is_some(),
        });
    }

    /// Takes the latest; what the machine is to be told of it, failures first.
    pub(super) fn take(&mut self, statuses: &Statuses) -> Vec<Input<'static>> {
        let Some(wish) = &self.wish else {
            return Vec::new();
        };
        let now = statuses.get(&wish.key);
        if now == self.status.as_ref() {
            return Vec::new();
        }
        let failures = |status: Option<&Status>| status.map_or(0, |s| s.figures.failures);
        let failed = failures(now) > failures(self.status.as_ref());
        self.status = now.cloned();
        let path = Input::Path(self.path());
        let failed = failed.then_some(Input::PathFailed);
        failed.into_iter().chain([path]).collect()
    }

    /// Where BFD stands, in the machine's words.
    pub(super) fn path(&self) -> Path {
        let Some(status) = &self.status else {
            return Path::Listening;
        };
        let figures = &status.figures;
        let theirs = figures.remote.map(|remote| remote.state);
        match (figures.state, figures.adoption) {
            (State::Up, _) => Path::Up,
            (State::AdminDown, _) => Path::Off,
            (State::Down | State::Init, Adoption::Listening) => Path::Listening,
            (State::Down | State::Init, _) if theirs == Some(State::AdminDown) => Path::Off,
            (State::Down | State::Init, Adoption::Replacing) => Path::Replacing,
            (State::Down | State::Init, Adoption::Settled) => Path::Down,
        }
    }

    /// Whether BFD is asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.wish.is_some()
    }

    pub(super) fn is_up(&self) -> bool {
        self.path() == Path::Up
    }

    /// Why it is not Up, or is.
    pub(super) fn why(&self) -> Option<String> {
        let status = self.status.as_ref()?;
        let why = || status.figures.why.map(|why| why.to_string());
        status.trouble.clone().or_else(why)
    }

    /// For status and metrics; nothing where BFD is not asked for.
    pub(super) fn shown(&self, before: Option<&Guarded>) -> Option<Guarded> {
        self.wish.as_ref()?;
        let figures = self.status.as_ref().map(|status| &status.figures);
        let since = self.status.as_ref().map(|status| status.since);
        let since = since.or_else(|| Some(before?.since));
        Some(Guarded {
            // Held down on purpose, on whichever side.
            state: match self.path() {
                Path::Off => State::AdminDown,
                Path::Listening | Path::Replacing | Path::Down | Path::Up => {
                    figures.map_or(State::Down, |figures| figures.state)
                }
            },
            since: since.unwrap_or_else(Timestamp::now),
            why: self.why(),
            detection_time: figures.and_then(|figures| figures.detection_time),
            remote_detection_time: figures.and_then(|figures| figures.remote_detection_time),
            transmit_interval: figures.and_then(|figures| figures.transmit_interval),
            failures: figures.map_or(0, |figures| figures.failures),
        })
    }
}

/// What the settings of a peer ask for.
pub(super) fn wish(name: &SessionName, desired: &Desired, transport: &Transport) -> Option<Wish> {
    let peer = &desired.settings;
    let profile = peer.bfd.as_ref()?;
    let scope = match transport.remote {
        SocketAddr::V4(_) => None,
        SocketAddr::V6(remote) => InterfaceIndex::new(remote.scope_id()),
    };
    let interface = match &peer.remote {
        Remote::Interface(name) => Some(name.clone()),
        Remote::Address(_) | Remote::Range(_) => None,
    };
    let path = path(peer, profile, desired.on_link);
    Some(Wish {
        key: Key {
            remote: transport.remote.ip(),
            interface,
            vrf: peer.vrf.clone(),
            multihop: path != bfd::Path::SingleHop,
        },
        settings: Settings {
            name: name.clone(),
            source: transport.source,
            scope,
            path,
            config: config(profile),
            absence: if peer.graceful_restart.enabled {
                peer.graceful_restart.bfd_budget
            } else {
                Duration::ZERO
            },
        },
    })
}

fn config(profile: &BfdProfile) -> bfd::Config {
    bfd::Config {
        desired_min_tx: profile.transmit_interval,
        required_min_rx: profile.receive_interval,
        detect_mult: profile.detect_multiplier,
        role: if profile.passive {
            Role::Passive
        } else {
            Role::Active
        },
    }
}

/// As FRR has it, whatever the routes say: an external peer is on our link unless it is said to be
/// further away, an internal one if it lies in a prefix of ours. BIRD takes internal ones for far
/// unless it is told `direct`.
fn path(peer: &BgpPeer, profile: &BfdProfile, on_link: bool) -> bfd::Path {
    let near = match &peer.remote {
        Remote::Interface(_) => true,
        Remote::Address(_) | Remote::Range(_) => {
            if is_external(peer) {
                !peer.ebgp_multi_hop
            } else {
                on_link
            }
        }
    };
    if near || peer.ttl_security {
        bfd::Path::SingleHop
    } else {
        bfd::Path::Multihop {
            minimum_hop_limit: profile.minimum_ttl,
        }
    }
}

#[cfg(test)]
mod tests;
