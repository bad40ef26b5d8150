//! From a BGPPeer to the machine's configuration, and to the options of its TCP connections.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

use bgp::wire;
use bgp::{
    Asn, CloseReason, Config, ConnectError, Families, Family, GracefulRestart, Mode, PeerAsn,
    Protection, RouterId,
};
use model::{BgpPeer, Cidr, InterfaceName, IpFamily, NodeName, Remote};
use plan::Forwarding;
use sys::tcp::{Device, DialError, Hops, Md5Key, Md5KeyError, Options};
use thiserror::Error;

use super::{Desired, Secret};

/// The longest wait between two attempts, where the peer does not say.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// How one peer is reached. A session cannot outlive a change of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transport {
    pub(super) remote: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) options: Options,
}

/// Why no session with a peer can be tried.
#[derive(Debug, Error)]
pub(super) enum Unfit {
    /// Nobody has been heard where it should be.
    #[error(
        "no router advertisement has been heard on {0} yet: have the router send them there, and \
         see that the interface is up and has IPv6"
    )]
    Unheard(InterfaceName),
    /// It is as many peers as connect from there, none of which is meant.
    #[error("{0} is a range of peers")]
    Many(Cidr),
    /// Rather no session than one without its password.
    #[error(
        "its password has not been read: see the conditions of the BGPPeer, and that the speaker \
         may read the Secret seamark-speaker"
    )]
    PasswordMissing,
    /// The password is none.
    #[error("its password cannot be used: correct the Secret")]
    Password(#[source] Md5KeyError),
    /// No device is called that.
    #[error("spec.vrf {0:?} is no name of a device: correct it")]
    Device(String),
}

impl Transport {
    pub(super) fn of(desired: &Desired) -> Result<Self, Unfit> {
        let peer = &desired.settings;
        let options = options(desired)?;
        let remote = match (desired.remote, &peer.remote) {
            (Some(remote), _) => remote,
            (None, Remote::Address(address)) => SocketAddr::new(*address, peer.port),
            (None, Remote::Interface(interface)) => return Err(Unfit::Unheard(interface.clone())),
            (None, Remote::Range(range)) => return Err(Unfit::Many(*range)),
        };
        Ok(Self {
            remote,
            source: peer.source_address,
            options,
        })
    }
}

/// What every connection with the peer is set up with, whatever its address.
pub(super) fn options(desired: &Desired) -> Result<Options, Unfit> {
    let peer = &desired.settings;
    let md5 = match &desired.secret {
        Secret::None => None,
        Secret::Missing => return Err(Unfit::PasswordMissing),
        Secret::Known(password) => Some(Md5Key::new(password.as_bytes()).map_err(Unfit::Password)?),
    };
    let device = |name: &String| Device::new(name).ok_or_else(|| Unfit::Device(name.clone()));
    Ok(Options {
        hops: hops(peer),
        md5,
        device: peer.vrf.as_ref().map(device).transpose()?,
        // Bytes that nobody acknowledges for a hold time are the end of the session anyway.
        user_timeout: (!peer.hold_time.is_zero()).then_some(peer.hold_time),
    })
}

/// RFC 4271 §5.1.3: an external peer is on our link unless it is said to be further away.
fn hops(peer: &BgpPeer) -> Hops {
    if peer.ttl_security {
        return Hops::Secured(NonZeroU8::MIN);
    }
    if is_external(peer) && !peer.ebgp_multi_hop {
        Hops::Direct
    } else {
        Hops::Any
    }
}

pub(super) fn is_external(peer: &BgpPeer) -> bool {
    match peer.peer_asn {
        model::PeerAsn::Exactly(asn) => asn != peer.my_asn,
        model::PeerAsn::Internal => false,
        model::PeerAsn::External => true,
    }
}

/// The machine's configuration.
pub(super) fn config(desired: &Desired, node: &NodeName) -> Config {
    let peer = &desired.settings;
    let mut families = Families::default();
    for family in &peer.address_families {
        families.insert(match family {
            IpFamily::V4 => Family::Ipv4Unicast,
            IpFamily::V6 => Family::Ipv6Unicast,
        });
    }
    Config {
        local_asn: Asn(peer.my_asn),
        peer_asn: match peer.peer_asn {
            model::PeerAsn::Exactly(asn) => PeerAsn::Exactly(Asn(asn)),
            model::PeerAsn::Internal => PeerAsn::Internal,
            model::PeerAsn::External => PeerAsn::External,
        },
        router_id: peer
            .router_id
            .and_then(RouterId::from)
            .unwrap_or(desired.router_id),
        hold_time: peer.hold_time,
        keepalive_time: peer.keepalive_time,
        connect_retry_time: peer.connect_time.unwrap_or(CONNECT_TIME),
        mode: if peer.passive {
            Mode::Passive
        } else {
            Mode::Dial
        },
        families,
        next_hop_v4: desired.next_hops.v4,
        next_hop_v6: desired.next_hops.v6,
        max_prefixes: peer.max_prefixes,
        role: peer.role.map(role),
        ebgp_multihop: peer.ebgp_multi_hop,
        protection: match (&peer.bfd, peer.bfd_strict) {
            (None, _) => Protection::None,
            (Some(_), false) => Protection::Bfd,
            (Some(_), true) => Protection::StrictBfd,
        },
        hostname: node.as_str().to_owned(),
        graceful_restart: graceful_restart(desired),
    }
}

fn graceful_restart(desired: &Desired) -> Option<GracefulRestart> {
    let settings = desired.settings.graceful_restart;
    settings.enabled.then_some(GracefulRestart {
        restart_time: settings.restart_time,
        notification: settings.notification,
        forwarding: match desired.forwarding {
            Forwarding::Preserved | Forwarding::Unanswered => wire::Forwarding::Preserved,
            Forwarding::Lost => wire::Forwarding::Lost,
        },
    })
}

/// Whether an OPEN to the peer had better wait until this node's service proxy has answered, so that
/// what it says of forwarding is true. A peer that keeps our routes for hardly longer than that, or
/// not at all, gains nothing by it.
pub(super) fn waits(desired: &Desired) -> bool {
    let settings = desired.settings.graceful_restart;
    let unanswered = match desired.forwarding {
        Forwarding::Unanswered => true,
        Forwarding::Preserved | Forwarding::Lost => false,
    };
    unanswered && settings.enabled && settings.restart_time >= Forwarding::LIMIT * 2
}

fn role(role: model::Role) -> wire::Role {
    match role {
        model::Role::Provider => wire::Role::Provider,
        model::Role::RouteServer => wire::Role::RouteServer,
        model::Role::RouteServerClient => wire::Role::RouteServerClient,
        model::Role::Customer => wire::Role::Customer,
        model::Role::Peer => wire::Role::Peer,
    }
}

/// Why there is no connection, in the machine's words.
pub(super) fn connect_error(error: &DialError) -> ConnectError {
    let system = match error {
        DialError::NotHere { .. } => return ConnectError::NoSourceAddress,
        DialError::Connect { source, .. } => source,
        DialError::Md5Unsupported(_) | DialError::Prepare { .. } => {
            return ConnectError::Other(runtime::log::chain(error));
        }
    };
    let kind = system.kind();
    if kind == ErrorKind::ConnectionRefused {
        ConnectError::Refused
    } else if kind == ErrorKind::TimedOut {
        ConnectError::TimedOut
    } else if [ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable].contains(&kind) {
        ConnectError::Unreachable
    } else {
        ConnectError::Other(system.to_string())
    }
}

/// How a connection ended, in the machine's words; `None` is an end without error.
pub(super) fn close_reason(error: Option<&io::Error>) -> CloseReason {
    let Some(error) = error else {
        return CloseReason::Finished;
    };
    let kind = error.kind();
    if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind) {
        CloseReason::Reset
    } else if kind == ErrorKind::TimedOut {
        CloseReason::TimedOut
    } else {
        CloseReason::Other(error.to_string())
    }
}
