//! What both sides' OPENs settled.

use super::{Capability, Error, GracefulRestart, NextHopEncoding, Notification, Open, Role};
use crate::{Asn, Families};

/// What decoding and encoding need to know of a session, and what else the two OPENs agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Our AS.
    pub local_asn: Asn,
    /// The neighbour's.
    pub remote_asn: Asn,
    /// The two are not the same.
    pub ebgp: bool,
    /// Families that both speak.
    pub families: Families,
    /// RFC 6793: AS numbers have four octets in AS_PATH and AGGREGATOR.
    pub four_octet_as: bool,
    /// RFC 8654: messages may have 65,535 octets.
    pub extended_message: bool,
    /// RFC 8950: IPv4 unicast routes may have IPv6 next hops.
    pub extended_next_hop: bool,
    /// RFC 2918, by both.
    pub route_refresh: bool,
    /// RFC 7313, by both.
    pub enhanced_route_refresh: bool,
    /// Seconds, the smaller of both (RFC 4271 §4.2); zero: no keepalives.
    pub hold_time: u16,
    /// RFC 4724: what the neighbour said, if we said something too.
    pub graceful_restart: Option<GracefulRestart>,
    /// RFC 8538 §2: both set the N bit.
    pub graceful_notification: bool,
    /// RFC 9234: what we are to the neighbour, if we were told.
    pub role: Option<Role>,
}

impl Default for Session {
    /// Before anything was settled: RFC 4271 alone, with a neighbour in another AS.
    fn default() -> Self {
        Self {
            local_asn: Asn::TRANS,
            remote_asn: Asn::TRANS,
            ebgp: true,
            families: [crate::Family::Ipv4Unicast].into_iter().collect(),
            four_octet_as: false,
            extended_message: false,
            extended_next_hop: false,
            route_refresh: false,
            enhanced_route_refresh: false,
            hold_time: 0,
            graceful_restart: None,
            graceful_notification: false,
            role: None,
        }
    }
}

impl Session {
    /// What both can do. Whether we want to talk to that neighbour at all is another question; see
    /// also [`Session::check_roles`].
    pub fn negotiate(ours: &Open, theirs: &Open) -> Self {
        let (local, mut remote) = (Offer::of(ours), Offer::of(theirs));
        let offered = remote.graceful_restart.take();
        let graceful = local.graceful_restart.as_ref().zip(offered);
        Self {
            local_asn: ours.asn,
            remote_asn: theirs.asn,
            ebgp: ours.asn != theirs.asn,
            families: local.families().intersect(remote.families()),
            four_octet_as: local.four_octet_as && remote.four_octet_as,
            extended_message: local.extended_message && remote.extended_message,
            extended_next_hop: local.extended_next_hop && remote.extended_next_hop,
            route_refresh: local.route_refresh && remote.route_refresh,
            enhanced_route_refresh: local.enhanced_route_refresh && remote.enhanced_route_refresh,
            hold_time: ours.hold_time.min(theirs.hold_time),
            graceful_notification: graceful
                .as_ref()
                .is_some_and(|(ours, theirs)| ours.notification && theirs.notification),
            graceful_restart: graceful.map(|(_, theirs)| theirs),
            role: ours.role().ok().flatten(),
        }
    }

    /// RFC 9234 §4.2: if both sides claim a role, the two have to fit.
    ///
    /// # Errors
    /// Role Mismatch.
    pub fn check_roles(ours: &Open, theirs: &Open) -> Result<(), Notification> {
        let Some(role) = ours.role()? else {
            return Ok(());
        };
        match theirs.role()? {
            Some(other) if other != role.counterpart() => Err(Error::RoleMismatch.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// RFC 4271 §4.1, RFC 8654 §4: the longest message, its header counted.
    pub fn maximum(&self) -> usize {
        if self.extended_message {
            super::frame::EXTENDED_MAXIMUM
        } else {
            super::frame::MAXIMUM
        }
    }

    /// RFC 9234 §5: what OTC has to say on routes of ours that this neighbour is told.
    pub fn only_to_customer(&self) -> Option<Asn> {
        let marks = self.ebgp && self.role.is_some_and(Role::marks_only_to_customer);
        marks.then_some(self.local_asn)
    }
}

/// One side's capabilities, looked up once.
#[derive(Default)]
struct Offer {
    multiprotocol: Option<Families>,
    four_octet_as: bool,
    extended_message: bool,
    extended_next_hop: bool,
    route_refresh: bool,
    enhanced_route_refresh: bool,
    graceful_restart: Option<GracefulRestart>,
}

impl Offer {
    fn of(open: &Open) -> Self {
        let mut offer = Self::default();
        for capability in &open.capabilities {
            match capability {
                Capability::Multiprotocol(named) => {
                    let families = offer.multiprotocol.get_or_insert_default();
                    named
                        .family()
                        .into_iter()
                        .for_each(|one| families.insert(one));
                }
                Capability::FourOctetAs(_) => offer.four_octet_as = true,
                Capability::ExtendedMessage => offer.extended_message = true,
                Capability::ExtendedNextHop(encodings) => {
                    offer.extended_next_hop |= encodings.contains(&NextHopEncoding::IPV4_OVER_IPV6);
                }
                Capability::RouteRefresh => offer.route_refresh = true,
                Capability::EnhancedRouteRefresh => offer.enhanced_route_refresh = true,
                // RFC 4724 §3: of several the last counts.
                Capability::GracefulRestart(restart) => {
                    offer.graceful_restart = Some(restart.clone());
                }
                Capability::Role(_) | Capability::Fqdn { .. } | Capability::Unknown { .. } => {}
            }
        }
        offer
    }

    /// RFC 4760 §8: who names no family means IPv4 unicast.
    fn families(&self) -> Families {
        let implied = || [crate::Family::Ipv4Unicast].into_iter().collect();
        self.multiprotocol.unwrap_or_else(implied)
    }
}

#[cfg(test)]
mod tests;
