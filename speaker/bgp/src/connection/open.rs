//! What OPENs say, and what both sides' settle.

use std::net::IpAddr;
use std::time::Duration;

use super::timers::keepalive_time;
use crate::wire::{
    Capability, Error, GracefulRestart, NextHopEncoding, Notification, Open, Session,
};
use crate::{AfiSafi, Config, Family};

/// Whether this machine has told the peer all that it holds, on any session: until then the peer
/// must not wait for our End-of-RIB (R, RFC 4724 §4.1), as we may be the one that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitialUpdate {
    Owed,
    Told,
}

/// Our OPEN on a connection from `local`. It names what we honour and nothing else.
pub(super) fn ours(config: &Config, local: IpAddr, initial: InitialUpdate) -> Open {
    let mut capabilities: Vec<Capability> = config
        .families
        .iter()
        .map(|family| Capability::Multiprotocol(AfiSafi::from(family)))
        .collect();
    capabilities.extend([
        Capability::RouteRefresh,
        Capability::EnhancedRouteRefresh,
        Capability::FourOctetAs(config.local_asn),
        Capability::ExtendedMessage,
    ]);
    if config.families.contains(Family::Ipv4Unicast) && local.is_ipv6() {
        let encodings = vec![NextHopEncoding::IPV4_OVER_IPV6];
        capabilities.push(Capability::ExtendedNextHop(encodings));
    }
    if let Some(role) = config.role
        && config.peer_asn.is_external(config.local_asn)
    {
        capabilities.push(Capability::Role(role));
    }
    if !config.hostname.is_empty() {
        capabilities.push(Capability::Fqdn {
            host: config.hostname.clone(),
            domain: String::new(),
        });
    }
    capabilities.extend(graceful_restart(config, initial).map(Capability::GracefulRestart));
    Open {
        asn: config.local_asn,
        hold_time: config.hold_time_seconds(),
        router_id: config.router_id,
        capabilities,
    }
}

/// RFC 4724 §3. Without a forwarding table of its own a node keeps both families or none.
fn graceful_restart(config: &Config, initial: InitialUpdate) -> Option<GracefulRestart> {
    let settings = config.graceful_restart?;
    let families = config.families.iter();
    Some(GracefulRestart {
        restarting: initial == InitialUpdate::Owed,
        notification: settings.notification,
        restart_time: settings.seconds(),
        families: families
            .map(|family| (AfiSafi::from(family), settings.forwarding))
            .collect(),
    })
}

/// Whether what was said of us in an OPEN is still true where it would now be `new`, and enough: a
/// family more has to be negotiated, one less has not, and how we restart can wait for the next OPEN.
pub(super) fn is_still_true(said: &Open, new: &Open) -> bool {
    let identity = |open: &Open| (open.asn, open.router_id, open.role().ok().flatten());
    let mut families = new
        .capabilities
        .iter()
        .filter(|capability| matches!(capability, Capability::Multiprotocol(_)));
    identity(said) == identity(new) && families.all(|family| said.capabilities.contains(family))
}

/// What both OPENs settled.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    pub(crate) theirs: Open,
    pub(crate) session: Session,
    /// The smaller of both; zero for none.
    pub(crate) hold_time: Duration,
    pub(crate) keepalive_time: Duration,
}

impl Agreed {
    /// Checks the peer's OPEN against ours (RFC 4271 §6.2; the codec has checked its form).
    pub(super) fn settle(ours: &Open, theirs: Open, config: &Config) -> Result<Self, Notification> {
        if !config.peer_asn.admits(theirs.asn, config.local_asn) {
            return Err(Notification::new(Error::BadPeerAs));
        }
        // RFC 6286 §2.2: unique within an AS; between ASes it may be the same.
        if theirs.asn == ours.asn && theirs.router_id == ours.router_id {
            return Err(Notification::new(Error::BadBgpIdentifier));
        }
        let session = Session::negotiate(ours, &theirs);
        if session.families.is_empty() {
            return Err(no_common_family(ours));
        }
        Session::check_roles(ours, &theirs)?;
        let hold_time = Duration::from_secs(session.hold_time.into());
        Ok(Self {
            keepalive_time: keepalive_time(config.keepalive_time, hold_time),
            theirs,
            session,
            hold_time,
        })
    }

    /// Whether the peer keeps our routes if the connection ends without a word. Whoever sends the
    /// capability does, whatever families it names: these are what it keeps itself (RFC 4724 §3).
    pub(crate) fn keeps_routes(&self) -> bool {
        self.session.graceful_restart.is_some()
    }

    /// Another keepalive time was configured.
    pub(super) fn set_keepalive_time(&mut self, config: &Config) {
        self.keepalive_time = keepalive_time(config.keepalive_time, self.hold_time);
    }

    /// The peer's name, if it says it.
    pub(crate) fn hostname(&self) -> Option<&str> {
        self.theirs.capabilities.iter().find_map(|capability| {
            if let Capability::Fqdn { host, .. } = capability {
                Some(host.as_str())
            } else {
                None
            }
        })
    }
}

/// RFC 5492 §5: what the peer misses, as it would have to say it.
fn no_common_family(ours: &Open) -> Notification {
    let mut missed = Vec::new();
    for capability in &ours.capabilities {
        if let Capability::Multiprotocol(AfiSafi { afi, safi }) = capability {
            let [high, low] = afi.to_be_bytes();
            missed.extend_from_slice(&[capability.code(), 4, high, low, 0, *safi]);
        }
    }
    Notification::new(Error::UnsupportedCapability).with_data(&missed)
}
