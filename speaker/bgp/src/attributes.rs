//! What a route carries, the same for every peer.

use crate::{Community, ExtendedCommunity, LargeCommunity};

/// The attributes that an operator chooses for a route. ORIGIN is always IGP; AS_PATH and NEXT_HOP
/// depend on the peer and are written for each. Ordered, so that routes group by their attributes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attributes {
    /// MULTI_EXIT_DISC, RFC 4271 §5.1.4.
    pub multi_exit_disc: Option<u32>,
    /// LOCAL_PREF, RFC 4271 §5.1.5; only internal peers are told.
    pub local_pref: Option<u32>,
    /// How often our AS number stands in AS_PATH beyond once; only external peers are told.
    pub as_path_prepend: u8,
    /// RFC 1997.
    pub communities: Vec<Community>,
    /// RFC 4360.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// RFC 8092.
    pub large_communities: Vec<LargeCommunity>,
}
