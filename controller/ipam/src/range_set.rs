//! Ordered sets of numbers, kept as ranges.

use std::collections::BTreeMap;

/// Numbers as disjoint ranges that never touch, by their first number. Every operation costs
/// O(log n) in the number of ranges, whatever the ranges hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RangeSet {
    ranges: BTreeMap<u128, u128>,
}

impl RangeSet {
    /// Adds `first..=last`, which may overlap what is there.
    pub(crate) fn insert(&mut self, first: u128, last: u128) {
        let mut start = first;
        let mut end = last;
        if let Some((f, l)) = self.at_or_before(first)
            && l >= first.saturating_sub(1)
        {
            start = f;
            end = end.max(l);
        }
        while let Some((f, l)) = self.after(start, end.saturating_add(1)) {
            self.ranges.remove(&f);
            end = end.max(l);
        }
        self.ranges.insert(start, end);
    }

    /// Takes `first..=last` out, as far as it is in.
    pub(crate) fn remove(&mut self, first: u128, last: u128) {
        if let Some((f, l)) = self.at_or_before(first)
            && l >= first
        {
            self.cut(f, l, first, last);
        }
        while let Some((f, l)) = self.ranges.range(first..=last).next().map(pair) {
            self.cut(f, l, first, last);
        }
    }

    /// Takes one number out of the range that holds it; what is left of that range on either side
    /// is passed through `trim`, which may shorten it.
    pub(crate) fn take(
        &mut self,
        number: u128,
        trim: impl Fn(u128, u128) -> Option<(u128, u128)>,
    ) -> bool {
        let Some((first, last)) = self.ranges.range_mut(..=number).next_back() else {
            return false;
        };
        let (first, old_last) = (*first, *last);
        if old_last < number {
            return false;
        }
        let left = (first < number).then(|| trim(first, number - 1)).flatten();
        match left {
            Some((f, l)) if f == first => *last = l,
            Some((f, l)) => {
                self.ranges.remove(&first);
                self.ranges.insert(f, l);
            }
            None => {
                self.ranges.remove(&first);
            }
        }
        if number < old_last
            && let Some((f, l)) = trim(number + 1, old_last)
        {
            self.ranges.insert(f, l);
        }
        true
    }

    /// Puts one number back; `false` if it was there.
    pub(crate) fn give(&mut self, number: u128) -> bool {
        let before = self.at_or_before(number);
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let after = number
            .checked_add(1)
            .and_then(|next| self.ranges.remove(&next));
        let last = after.unwrap_or(number);
        match before {
            Some((first, end)) if end == number - 1 => self.ranges.insert(first, last),
            Some(_) | None => self.ranges.insert(number, last),
        };
        true
    }

    /// Whether the number is in.
    pub(crate) fn contains(&self, number: u128) -> bool {
        self.at_or_before(number)
            .is_some_and(|(_, last)| last >= number)
    }

    /// The lowest number.
    pub(crate) fn first(&self) -> Option<u128> {
        self.ranges.first_key_value().map(|(first, _)| *first)
    }

    /// Whether nothing is in.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, u128)> {
        self.ranges.iter().map(pair)
    }

    fn at_or_before(&self, number: u128) -> Option<(u128, u128)> {
        self.ranges.range(..=number).next_back().map(pair)
    }

    /// The first range that begins from `low` to `high`.
    fn after(&self, low: u128, high: u128) -> Option<(u128, u128)> {
        self.ranges.range(low..=high).next().map(pair)
    }

    fn cut(&mut self, f: u128, l: u128, first: u128, last: u128) {
        self.ranges.remove(&f);
        if f < first {
            self.ranges.insert(f, first - 1);
        }
        if l > last {
            self.ranges.insert(last + 1, l);
        }
    }
}

fn pair((first, last): (&u128, &u128)) -> (u128, u128) {
    (*first, *last)
}
