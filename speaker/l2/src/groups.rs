//! Solicited-node groups, counted, because several VIPs may share one.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// RFC 4291 §2.7.1: ff02::1:ff00:0/104 and the last three octets of the address.
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// How many VIPs need each group.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    members: BTreeMap<Ipv6Addr, usize>,
}

impl Groups {
    /// Counts a VIP in; gives the group if it is to be joined now.
    pub(crate) fn acquire(&mut self, vip: Ipv6Addr) -> Option<Ipv6Addr> {
        let group = solicited_node(vip);
        let members = self.members.entry(group).or_insert(0);
        *members += 1;
        (*members == 1).then_some(group)
    }

    /// Counts a VIP out; gives the group if it is to be left now.
    pub(crate) fn release(&mut self, vip: Ipv6Addr) -> Option<Ipv6Addr> {
        let group = solicited_node(vip);
        let members = self.members.get_mut(&group)?;
        *members -= 1;
        if *members > 0 {
            return None;
        }
        self.members.remove(&group);
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_ends_with_the_last_three_octets() {
        let vip = "fd99::ab12:3456".parse().unwrap();
        assert_eq!(
            solicited_node(vip),
            "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap()
        );
    }

    #[test]
    fn a_shared_group_is_joined_once_and_left_with_its_last_vip() {
        let (one, other) = (
            "fd99::1:0:200".parse().unwrap(),
            "fd99::2:0:200".parse().unwrap(),
        );
        let group = Some("ff02::1:ff00:200".parse().unwrap());
        let mut groups = Groups::default();

        let joins = [groups.acquire(one), groups.acquire(other)];
        let leaves = [
            groups.release(one),
            groups.release(other),
            groups.release(other),
        ];

        assert_eq!(joins, [group, None]);
        assert_eq!(leaves, [None, group, None]);
    }
}
