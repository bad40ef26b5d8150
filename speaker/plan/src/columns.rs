//! Maps by address, read side by side.

use std::collections::BTreeMap;
use std::collections::btree_map::Iter;
use std::net::IpAddr;

use model::{AddressRange, IpFamily};

/// An address as a number, which compares faster. In the same order: IPv4 before IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(IpFamily, u128);

/// A map of which one address after the other is taken.
pub(crate) struct Column<'a, T> {
    rest: Iter<'a, IpAddr, T>,
    head: Option<(Key, &'a T)>,
}

impl Key {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(IpFamily::of(address), AddressRange::number(address))
    }

    pub(crate) fn address(self) -> IpAddr {
        AddressRange::address_at(self.0, self.1)
    }
}

impl<'a, T> Column<'a, T> {
    pub(crate) fn new(map: &'a BTreeMap<IpAddr, T>) -> Self {
        let mut column = Self {
            rest: map.iter(),
            head: None,
        };
        column.advance();
        column
    }

    /// The first address that was not taken.
    pub(crate) fn key(&self) -> Option<Key> {
        self.head.map(|(key, _)| key)
    }

    /// What the map has for the address, if that is the first one.
    pub(crate) fn take(&mut self, key: Key) -> Option<&'a T> {
        let (_, value) = self.head.filter(|(head, _)| *head == key)?;
        self.advance();
        Some(value)
    }

    fn advance(&mut self) {
        let next = self.rest.next();
        self.head = next.map(|(address, value)| (Key::of(*address), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_addresses_and_give_them_back() {
        let addresses = [
            "0.0.0.1",
            "10.99.0.200",
            "255.255.255.255",
            "::",
            "::1",
            "fd99::",
        ];
        let addresses = addresses.map(|text| text.parse::<IpAddr>().unwrap());
        assert!(addresses.is_sorted());
        let keys = addresses.map(Key::of);
        assert!(keys.is_sorted());
        assert_eq!(keys.map(Key::address), addresses);
    }

    #[test]
    fn a_column_gives_each_value_once_and_only_at_its_turn() {
        let [first, second] = ["10.99.0.200", "fd99::200"].map(|text| text.parse().unwrap());
        let map = BTreeMap::from([(first, "first"), (second, "second")]);
        let mut column = Column::new(&map);
        assert_eq!(column.take(Key::of(second)), None);
        assert_eq!(column.key(), Some(Key::of(first)));
        assert_eq!(column.take(Key::of(first)), Some(&"first"));
        assert_eq!(column.take(Key::of(first)), None);
        assert_eq!(column.take(Key::of(second)), Some(&"second"));
        assert_eq!(column.key(), None);
    }
}
