//! What the peer has told us: counted and bounded, never used.

use std::collections::BTreeSet;

use crate::per_family::PerFamily;
use crate::wire::{Treatment, Update};
use crate::{Counters, Families, Family, Prefix};

/// The prefixes that a peer holds us to know, at most one more than it may send.
#[derive(Debug, Default)]
pub(crate) struct Received {
    families: PerFamily<Known>,
    /// Families that a malformed message made us stop listening to.
    disabled: Families,
    /// Families of which the peer has said that it told all.
    end_of_rib: Families,
}

#[derive(Debug, Default)]
struct Known {
    prefixes: BTreeSet<Prefix>,
    /// Not told again yet, since the peer began to tell all (RFC 7313 §4).
    stale: BTreeSet<Prefix>,
}

/// The peer has sent more prefixes than it may; the family of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitExceeded(pub(crate) Family);

impl Received {
    /// Counts what an UPDATE says. Withdrawals come first: a prefix that stands in both is
    /// announced (RFC 4271 §4.3).
    pub(super) fn apply(
        &mut self,
        update: &Update,
        limit: u32,
        counters: &mut Counters,
    ) -> Result<(), LimitExceeded> {
        match update.verdict() {
            Some(Treatment::Discard) => counters.attributes_discarded += 1,
            Some(Treatment::Withdraw) => counters.treated_as_withdraw += 1,
            Some(Treatment::Disable(_)) => counters.families_disabled += 1,
            Some(Treatment::Reset) | None => {}
        }
        for (_, treatment) in &update.treatments {
            if let Treatment::Disable(void) = treatment
                && let Some(family) = void.family()
            {
                self.disable(family);
            }
        }
        for prefix in &update.withdrawn {
            self.withdraw(*prefix);
        }
        if let Some(family) = update.end_of_rib {
            self.end_of_rib.insert(family);
        }
        update
            .announced
            .iter()
            .try_for_each(|prefix| self.announce(*prefix, limit))
    }

    /// Counts a prefix.
    fn announce(&mut self, prefix: Prefix, limit: u32) -> Result<(), LimitExceeded> {
        let family = prefix.family();
        if self.disabled.contains(family) {
            return Ok(());
        }
        let known = self.families.of_mut(family);
        known.stale.remove(&prefix);
        known.prefixes.insert(prefix);
        let count = Families::BOTH.iter().map(|family| self.count(family));
        if count.sum::<usize>() > usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(LimitExceeded(family));
        }
        Ok(())
    }

    /// Forgets a prefix.
    fn withdraw(&mut self, prefix: Prefix) {
        let known = self.families.of_mut(prefix.family());
        known.prefixes.remove(&prefix);
        known.stale.remove(&prefix);
    }

    /// RFC 7606 §2: from now on the family is not listened to.
    fn disable(&mut self, family: Family) {
        self.disabled.insert(family);
        *self.families.of_mut(family) = Known::default();
    }

    /// BoRR: all that is known has to be told again.
    pub(super) fn begin_refresh(&mut self, family: Family) {
        let known = self.families.of_mut(family);
        let told = std::mem::take(&mut known.prefixes);
        known.stale.extend(told);
    }

    /// EoRR: what was not told again is gone.
    pub(super) fn end_refresh(&mut self, family: Family) {
        self.families.of_mut(family).stale.clear();
    }

    /// How many prefixes of the family are known.
    pub(crate) fn count(&self, family: Family) -> usize {
        let known = self.families.of(family);
        known.prefixes.len() + known.stale.len()
    }

    pub(crate) fn is_disabled(&self, family: Family) -> bool {
        self.disabled.contains(family)
    }

    pub(crate) fn has_ended(&self, family: Family) -> bool {
        self.end_of_rib.contains(family)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v4(n: u32) -> Prefix {
        Prefix::host(IpAddr::from(Ipv4Addr::from_bits(n)))
    }

    fn v6(n: u128) -> Prefix {
        Prefix::host(IpAddr::from(Ipv6Addr::from_bits(n)))
    }

    #[test]
    fn prefixes_of_both_families_count_once_each_towards_the_limit() {
        let mut received = Received::default();
        for prefix in [v4(1), v6(1), v4(1), v6(1)] {
            assert_eq!(received.announce(prefix, 2), Ok(()));
        }
        let over = received.announce(v6(2), 2);
        assert_eq!(over, Err(LimitExceeded(Family::Ipv6Unicast)));
        received.withdraw(v4(1));
        assert_eq!(received.announce(v6(2), 2), Ok(()));
    }

    /// RFC 7313 §4: what was not told again between BoRR and EoRR is gone.
    #[test]
    fn a_refresh_leaves_what_was_told_again() {
        let mut received = Received::default();
        for n in 0..4 {
            received.announce(v4(n), 10).unwrap();
        }
        received.begin_refresh(Family::Ipv4Unicast);
        received.announce(v4(1), 10).unwrap();
        assert_eq!(received.count(Family::Ipv4Unicast), 4);
        received.end_refresh(Family::Ipv4Unicast);
        assert_eq!(received.count(Family::Ipv4Unicast), 1);
    }

    #[test]
    fn a_disabled_family_is_forgotten_and_no_longer_heard() {
        let mut received = Received::default();
        received.announce(v4(1), 10).unwrap();
        received.disable(Family::Ipv4Unicast);
        received.announce(v4(2), 0).unwrap();
        assert_eq!(received.count(Family::Ipv4Unicast), 0);
        assert!(received.is_disabled(Family::Ipv4Unicast));
    }
}
