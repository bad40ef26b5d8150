use model::Holder;

use super::*;
use crate::fixtures::{allocator, held, ip, key, name, pool, ranges, uid, with_priority};

fn usage(assigned: (u128, u128), available: (u128, u128)) -> PoolUsage {
    PoolUsage {
        assigned_v4: assigned.0,
        assigned_v6: assigned.1,
        available_v4: available.0,
        available_v6: available.1,
    }
}

#[test]
fn counts_follow_records() {
    let lan = pool("lan", &["10.0.0.1-10.0.0.9", "fd00::1-fd00::4"]);
    let mut allocator = allocator(&[lan], &[("10.0.0.3", "lan", "a"), ("fd00::2", "lan", "a")]);
    assert_eq!(allocator.pool_usage(&name("lan")), usage((1, 1), (8, 3)));
    allocator.record(held("10.0.0.3", "lan", "b", 9));
    assert_eq!(allocator.pool_usage(&name("lan")), usage((1, 1), (8, 3)));
    allocator.forget(ip("10.0.0.3"));
    allocator.forget(ip("10.0.0.3"));
    assert_eq!(allocator.pool_usage(&name("lan")), usage((0, 1), (9, 3)));
}

#[test]
fn a_record_replaces_the_earlier_one_of_its_address() {
    let lan = pool("lan", &["10.0.0.1-10.0.0.9"]);
    let mut allocator = allocator(
        &[lan],
        &[("10.0.0.3", "lan", "a"), ("10.0.0.2", "lan", "a")],
    );
    let second = held("10.0.0.3", "wan", "b", 9);
    allocator.record(second.clone());
    assert_eq!(allocator.allocation(ip("10.0.0.3")), Some(&second));
    let addresses = |uid: &Uid| {
        allocator
            .held_by(uid)
            .map(|a| a.address)
            .collect::<Vec<_>>()
    };
    assert_eq!(addresses(&uid("a")), [ip("10.0.0.2")]);
    assert_eq!(addresses(&uid("b")), [ip("10.0.0.3")]);
    assert_eq!(allocator.pool_usage(&name("lan")), usage((1, 0), (7, 0)));
    assert_eq!(allocator.pool_usage(&name("wan")), usage((1, 0), (0, 0)));
}

#[test]
fn an_entry_without_holders_keeps_its_address_taken() {
    let mut allocator = allocator(&[pool("lan", &["10.0.0.1-10.0.0.2"])], &[]);
    allocator.record(Allocation {
        holders: Vec::new(),
        ..held("10.0.0.1", "lan", "a", 1)
    });
    assert_eq!(allocator.first_free(0, IpFamily::V4), Some(ip("10.0.0.2")));
}

#[test]
fn holders_of_one_address_are_found_by_each_uid() {
    let mut allocator = allocator(&[pool("lan", &["10.0.0.1"])], &[]);
    let holder = |service: &str| Holder {
        service: key(service),
        uid: uid(service),
    };
    allocator.record(Allocation {
        holders: vec![holder("a"), holder("b")],
        ..held("10.0.0.1", "lan", "a", 1)
    });
    assert_eq!(allocator.held_by(&uid("a")).count(), 1);
    assert_eq!(allocator.held_by(&uid("b")).count(), 1);
    assert_eq!(allocator.held_by(&uid("c")).count(), 0);
}

#[test]
fn held_addresses_are_never_free_whatever_happens_to_the_pools() {
    let entries = [("10.0.0.1", "lan", "a"), ("fd00::1", "lan", "a")];
    let mut allocator = allocator(&[pool("lan", &["10.0.0.1-10.0.0.2"])], &entries);
    allocator.set_pools(&[]);
    assert_eq!(allocator.pool_usage(&name("lan")), usage((1, 1), (0, 0)));
    allocator.set_pools(&[pool("new", &["10.0.0.1-10.0.0.2", "fd00::1"])]);
    assert_eq!(allocator.pool_usage(&name("new")), usage((0, 0), (1, 0)));
    allocator.forget(ip("fd00::1"));
    assert_eq!(allocator.pool_usage(&name("new")), usage((0, 0), (1, 1)));
    assert_eq!(allocator.pool_usage(&name("lan")), usage((1, 0), (0, 0)));
}

#[test]
fn an_address_outside_every_pool_can_be_held_and_given_back() {
    let mut allocator = allocator(&[pool("lan", &["10.0.0.1"])], &[("10.9.9.9", "old", "a")]);
    assert_eq!(allocator.held_by(&uid("a")).count(), 1);
    allocator.forget(ip("10.9.9.9"));
    assert_eq!(allocator.pool_usage(&name("lan")), usage((0, 0), (1, 0)));
}

#[test]
fn the_elder_pool_has_the_overlap_and_names_break_ties() {
    let at = |created: i64, pool: Pool| Pool { created, ..pool };
    let (a, b) = (pool("a", &["10.0.0.1"]), pool("b", &["10.0.0.1"]));
    for (pools, elder) in [
        ([at(2, a.clone()), at(1, b.clone())], "b"),
        ([at(1, b.clone()), at(1, a.clone())], "a"),
        ([at(1, a), at(2, with_priority(b, 1))], "a"),
    ] {
        let allocator = allocator(&pools, &[]);
        assert_eq!(allocator.pool_holding(ip("10.0.0.1")), Some(&name(elder)));
        assert_eq!(allocator.overlaps().len(), 1);
        assert_eq!(allocator.overlaps()[0].winner, name(elder));
    }
}

#[test]
fn what_is_never_given_is_held_by_no_pool() {
    let lan = Pool {
        exclude: ranges(&["10.0.0.7"]),
        avoid_buggy_ips: true,
        ..pool("lan", &["10.0.0.0-10.0.0.9"])
    };
    let allocator = allocator(&[lan], &[("10.0.0.8", "lan", "a")]);
    for (address, place, holding) in [
        ("10.0.0.0", Place::Never(0, Exclusion::BuggyIp), false),
        ("10.0.0.7", Place::Never(0, Exclusion::Excluded), false),
        ("10.0.0.8", Place::In(0), true),
        ("10.0.0.10", Place::Outside, false),
        ("fd00::1", Place::Outside, false),
    ] {
        assert_eq!(allocator.place(ip(address)), place);
        assert_eq!(allocator.place_in(0, ip(address)), place);
        assert_eq!(allocator.pool_holding(ip(address)).is_some(), holding);
    }
}

#[test]
fn pools_are_tried_by_priority_then_name_and_without_priority_last() {
    let pools = [
        pool("b", &[]),
        pool("a", &[]),
        with_priority(pool("d", &[]), 20),
        with_priority(pool("c", &[]), 20),
        with_priority(pool("e", &[]), 10),
    ];
    let allocator = allocator(&pools, &[]);
    let order: Vec<&str> = allocator.pools().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(order, ["e", "c", "d", "a", "b"]);
}
