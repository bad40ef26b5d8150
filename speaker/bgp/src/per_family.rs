//! One value for each address family.

use crate::Family;

/// A value for IPv4 and one for IPv6: counts, next hops, reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerFamily<T> {
    /// For IPv4 unicast.
    pub v4: T,
    /// For IPv6 unicast.
    pub v6: T,
}

impl<T> PerFamily<T> {
    /// The value that `of` gives for each family.
    pub fn each(mut of: impl FnMut(Family) -> T) -> Self {
        Self {
            v4: of(Family::Ipv4Unicast),
            v6: of(Family::Ipv6Unicast),
        }
    }

    /// The value of that family.
    pub fn of(&self, family: Family) -> &T {
        match family {
            Family::Ipv4Unicast => &self.v4,
            Family::Ipv6Unicast => &self.v6,
        }
    }

    /// The value of that family, to be changed.
    pub fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4Unicast => &mut self.v4,
            Family::Ipv6Unicast => &mut self.v6,
        }
    }
}
