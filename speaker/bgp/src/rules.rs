//! What the peer's kind makes of a route: the attributes that are not the route's own.

use std::net::{IpAddr, Ipv6Addr};

use crate::per_family::PerFamily;
use crate::wire::{NextHop, PathAttributes, Session};
use crate::{Asn, Attributes, Community, Config, Families, Family};

/// Why no route of a family is told to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyWithheld {
    /// It is not among the families configured for this peer.
    NotConfigured,
    /// The peer did not say in its OPEN that it takes it.
    NotNegotiated,
    /// The session runs over the other family, and no next hop of this one is configured.
    NextHopUnknown,
}

impl FamilyWithheld {
    /// The word for it in status and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotConfigured => "FamilyNotConfigured",
            Self::NotNegotiated => "FamilyNotNegotiated",
            Self::NextHopUnknown => "NextHopUnknown",
        }
    }
}

impl std::fmt::Display for FamilyWithheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotConfigured => "the family is not among those configured for this peer",
            Self::NotNegotiated => {
                "the peer did not offer the family in its OPEN; activate it there for this session"
            }
            Self::NextHopUnknown => {
                "the session runs over the other family and no next hop of this one is known; \
                 configure one, or add a peer of this family"
            }
        })
    }
}

/// How routes are told on one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    local_asn: Asn,
    external: bool,
    /// RFC 8326: the peer is to prefer any other path.
    graceful_shutdown: bool,
    next_hops: PerFamily<Result<NextHop, FamilyWithheld>>,
}

impl Rules {
    /// The rules of a session from `local` that was negotiated as `session`.
    pub(crate) fn new(config: &Config, local: IpAddr, session: &Session) -> Self {
        let next_hop = |family| {
            if !config.families.contains(family) {
                Err(FamilyWithheld::NotConfigured)
            } else if !session.families.contains(family) {
                Err(FamilyWithheld::NotNegotiated)
            } else {
                next_hop(config, local, session, family).ok_or(FamilyWithheld::NextHopUnknown)
            }
        };
        Self {
            local_asn: config.local_asn,
            external: session.ebgp,
            graceful_shutdown: false,
            next_hops: PerFamily::each(next_hop),
        }
    }

    /// RFC 8326 §4.2, §4.3: all routes carry GRACEFUL_SHUTDOWN; an internal peer, that may not
    /// know the community, is told a LOCAL_PREF of zero as well.
    pub(crate) fn set_graceful_shutdown(&mut self, leaving: bool) {
        self.graceful_shutdown = leaving;
    }

    /// Whether they do.
    pub(crate) fn is_graceful_shutdown(&self) -> bool {
        self.graceful_shutdown
    }

    /// The families that can be told.
    pub(crate) fn families(&self) -> Families {
        let known = |family: &Family| self.next_hops.of(*family).is_ok();
        Families::BOTH.iter().filter(known).collect()
    }

    /// Why a family is not told.
    pub(crate) fn withheld(&self) -> PerFamily<Option<FamilyWithheld>> {
        PerFamily::each(|family| self.next_hops.of(family).err())
    }

    /// Whether routes of the family are told differently than by `other`.
    pub(crate) fn differ(&self, other: &Self, family: Family) -> bool {
        let of = |rules: &Self| Self {
            next_hops: PerFamily::each(|_| *rules.next_hops.of(family)),
            ..rules.clone()
        };
        of(self) != of(other)
    }

    /// What an UPDATE to this peer carries; `None` while its next hop is not known.
    ///
    /// To an external peer: our AS once and as often again as the route asks for (RFC 4271
    /// §5.1.2). To an internal peer: an empty AS_PATH, as §5.1.2 forbids to prepend our own AS
    /// there, so that `as_path_prepend` has no effect. LOCAL_PREF goes to internal peers only, and
    /// always (§5.1.5): the codec sees to it, as to OTC.
    pub(crate) fn path_attributes(
        &self,
        family: Family,
        attributes: &Attributes,
    ) -> Option<PathAttributes> {
        let next_hop = (*self.next_hops.of(family)).ok()?;
        let repeated = usize::from(attributes.as_path_prepend) + 1;
        Some(PathAttributes {
            as_path: if self.external {
                vec![self.local_asn; repeated]
            } else {
                Vec::new()
            },
            next_hop,
            multi_exit_disc: attributes.multi_exit_disc,
            local_pref: match (self.graceful_shutdown, self.external) {
                (true, false) => Some(0),
                (true, true) | (false, _) => attributes.local_pref,
            },
            communities: self.communities(attributes),
            extended_communities: attributes.extended_communities.clone(),
            large_communities: attributes.large_communities.clone(),
        })
    }

    fn communities(&self, attributes: &Attributes) -> Vec<Community> {
        let mut communities = attributes.communities.clone();
        let leaving = Community::GRACEFUL_SHUTDOWN;
        if self.graceful_shutdown && !communities.contains(&leaving) {
            communities.push(leaving);
        }
        communities
    }
}

/// The configured next hop, or else the connection's own address: of the same family, or, for IPv4
/// where RFC 8950 was negotiated, of IPv6.
fn next_hop(config: &Config, local: IpAddr, session: &Session, family: Family) -> Option<NextHop> {
    match (family, local) {
        (Family::Ipv4Unicast, local) => match (config.next_hop_v4, local) {
            (Some(configured), _) => Some(NextHop::V4(configured)),
            (None, IpAddr::V4(own)) => Some(NextHop::V4(own)),
            (None, IpAddr::V6(own)) => session.extended_next_hop.then(|| v6(own)),
        },
        (Family::Ipv6Unicast, local) => match (config.next_hop_v6, local) {
            (Some(configured), _) => Some(v6(configured)),
            (None, IpAddr::V6(own)) => Some(v6(own)),
            (None, IpAddr::V4(_)) => None,
        },
    }
}

/// RFC 2545 §3. On a link without global addresses the link-local one stands alone.
fn v6(global: Ipv6Addr) -> NextHop {
    NextHop::V6 {
        global,
        link_local: None,
    }
}

#[cfg(test)]
mod tests;
