//! How far away the far side may be, in ports and hop limits. The driver sets and checks them; the
//! values and their sections stand here.

use std::ops::RangeInclusive;

/// RFC 5881 §5: every packet leaves with this TTL or hop limit. It does so on paths of several hops
/// too, where RFC 5883 leaves it open.
pub const HOP_LIMIT: u8 = 255;

/// RFC 5881 §4: from one port of these come all packets of a session.
pub const SOURCE_PORTS: RangeInclusive<u16> = 49_152..=65_535;

/// The path that a session watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// The far side is on the link: RFC 5881.
    SingleHop,
    /// It may be routers away: RFC 5883.
    Multihop {
        /// The lowest TTL or hop limit with which its packets may arrive.
        minimum_hop_limit: u8,
    },
}

impl Path {
    /// The port that packets go to: RFC 5881 §4, RFC 5883 §5.
    pub fn port(self) -> u16 {
        match self {
            Self::SingleHop => 3784,
            Self::Multihop { .. } => 4784,
        }
    }

    /// Whether a packet may arrive with this TTL or hop limit. RFC 5881 §5: over a single hop, without
    /// authentication, with nothing but 255, which no router on the way could have left alone.
    pub fn admits(self, hop_limit: u8) -> bool {
        match self {
            Self::SingleHop => hop_limit == HOP_LIMIT,
            Self::Multihop { minimum_hop_limit } => hop_limit >= minimum_hop_limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5881 §4, RFC 5883 §5.
    #[test]
    fn each_kind_of_path_has_its_port() {
        let multihop = Path::Multihop {
            minimum_hop_limit: 254,
        };
        assert_eq!((Path::SingleHop.port(), multihop.port()), (3784, 4784));
    }

    /// RFC 5881 §5.
    #[test]
    fn over_a_single_hop_nothing_but_255_is_taken() {
        assert!(Path::SingleHop.admits(255));
        assert!((0..255).all(|hop_limit| !Path::SingleHop.admits(hop_limit)));
    }

    #[test]
    fn over_several_hops_the_lowest_hop_limit_is_set() {
        let path = Path::Multihop {
            minimum_hop_limit: 250,
        };
        assert!(path.admits(250) && path.admits(255) && !path.admits(249));
    }
}
