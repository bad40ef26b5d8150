//! The addresses of one pool and family that nobody holds.

use crate::range_set::RangeSet;

/// Which numbers are never given, although they lie inside a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Avoid {
    /// All are given.
    #[default]
    Nothing,
    /// IPv4 addresses that end in .0 or .255, which some old devices take for broadcasts.
    ZeroAnd255,
}

impl Avoid {
    /// Whether this number is passed over.
    pub(crate) fn avoids(self, number: u128) -> bool {
        match self {
            Self::Nothing => false,
            Self::ZeroAnd255 => matches!(number % 256, 0 | 255),
        }
    }

    /// The range without avoided numbers at its ends; `None` if nothing remains. At most two
    /// avoided numbers stand side by side, so this is a fixed cost.
    fn trim(self, mut first: u128, mut last: u128) -> Option<(u128, u128)> {
        while self.avoids(first) {
            if first == last {
                return None;
            }
            first += 1;
        }
        while self.avoids(last) {
            last -= 1;
        }
        Some((first, last))
    }

    /// How many of `first..=last` are avoided.
    fn count(self, first: u128, last: u128) -> u128 {
        match self {
            Self::Nothing => 0,
            Self::ZeroAnd255 => {
                let below = |n: u128| 2 * (n / 256) + (n % 256).min(1);
                below(last + 1) - below(first)
            }
        }
    }
}

/// Free numbers, lowest first. No range begins or ends with an avoided number, so that the first
/// number of the first range can always be given; avoided numbers inside a range are cut off when
/// they come to its end. So a large pool costs no more than a small one, and none is enumerated.
#[derive(Debug, Clone, Default)]
pub(crate) struct FreeRanges {
    set: RangeSet,
    avoid: Avoid,
    /// How many are free, modulo 2^128.
    count: u128,
}

impl FreeRanges {
    /// An empty set that will never hold avoided numbers.
    pub(crate) fn new(avoid: Avoid) -> Self {
        Self {
            set: RangeSet::default(),
            avoid,
            count: 0,
        }
    }

    /// Adds a range that overlaps none of those there.
    pub(crate) fn add(&mut self, first: u128, last: u128) {
        if let Some((first, last)) = self.avoid.trim(first, last) {
            self.set.insert(first, last);
            let size = (last - first).wrapping_add(1);
            let avoided = self.avoid.count(first, last);
            self.count = self.count.wrapping_add(size).wrapping_sub(avoided);
        }
    }

    /// Takes one out; `false` if it was not free.
    pub(crate) fn take(&mut self, number: u128) -> bool {
        let avoid = self.avoid;
        let taken = !avoid.avoids(number) && self.set.take(number, |f, l| avoid.trim(f, l));
        if taken {
            self.count = self.count.wrapping_sub(1);
        }
        taken
    }

    /// Puts one back; `false` if it is free already or never given.
    pub(crate) fn give(&mut self, number: u128) -> bool {
        let given = !self.avoid.avoids(number) && self.set.give(number);
        if given {
            self.count = self.count.wrapping_add(1);
        }
        given
    }

    /// Whether it is free.
    #[cfg(test)]
    pub(crate) fn contains(&self, number: u128) -> bool {
        !self.avoid.avoids(number) && self.set.contains(number)
    }

    /// The lowest free number.
    pub(crate) fn first(&self) -> Option<u128> {
        self.set.first()
    }

    /// How many are free; `u128::MAX` also stands for all of IPv6, which is one more.
    pub(crate) fn count(&self) -> u128 {
        if self.count == 0 && !self.set.is_empty() {
            return u128::MAX;
        }
        self.count
    }
}

#[cfg(test)]
mod tests;
