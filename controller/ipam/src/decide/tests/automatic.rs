//! A Service that asks for nothing.

use model::{IpFamily, LabelSelector, Labels, Pool, ServiceAllocation, ServiceRequest};

use crate::fixtures::{
    allocated, allocator, decided, for_gold, for_the_bank, grant, ips, name, pool, ranges, refused,
    service, with_priority,
};
use crate::{Decision, Refusal, SkipReason, SkippedPool, decide};

fn claimed(address: &str, pool: &str) -> Decision {
    Decision {
        claim: vec![grant(address, pool)],
        shows: Some(ips(&[address])),
        ..allocated()
    }
}

fn v6_only(name: &str) -> ServiceRequest {
    ServiceRequest {
        families: vec![IpFamily::V6],
        ..service(name)
    }
}

fn skipped(pool: &str, why: SkipReason) -> SkippedPool {
    SkippedPool {
        pool: name(pool),
        why,
    }
}

#[test]
fn the_lowest_free_address_is_claimed_in_either_family() {
    let lan = Pool {
        exclude: ranges(&["10.0.0.1-10.0.0.2", "fd00::1"]),
        avoid_buggy_ips: true,
        ..pool("lan", &["fd00::1-fd00::9", "10.0.0.0-10.0.0.9"])
    };
    let allocator = allocator(&[lan], &[("10.0.0.3", "lan", "other")]);
    assert_eq!(
        decided(&service("web"), &allocator),
        claimed("10.0.0.4", "lan")
    );
    assert_eq!(
        decided(&v6_only("web"), &allocator),
        claimed("fd00::2", "lan")
    );
}

#[test]
fn pools_are_tried_by_priority_then_name() {
    let last = pool("a", &["10.0.0.1"]);
    let first = with_priority(pool("z", &["10.0.9.1"]), 1);
    let second = with_priority(pool("b", &["10.0.2.1"]), 2);
    let third = with_priority(pool("c", &["10.0.3.1"]), 2);
    let pools = [last, third, second, first];
    let order = [
        ("10.0.9.1", "z"),
        ("10.0.2.1", "b"),
        ("10.0.3.1", "c"),
        ("10.0.0.1", "a"),
    ];
    let mut taken: Vec<(&str, &str, &str)> = Vec::new();
    for (address, pool) in order {
        let allocator = allocator(&pools, &taken);
        assert_eq!(decided(&service("web"), &allocator), claimed(address, pool));
        taken.push((address, pool, "other"));
    }
}

#[test]
fn pools_that_do_not_admit_are_passed_over() {
    let quiet = Pool {
        auto_assign: false,
        ..pool("a", &["10.0.0.1"])
    };
    let pools = [
        quiet,
        for_the_bank(pool("b", &["10.0.1.1"])),
        for_gold(pool("c", &["10.0.2.1"])),
        pool("d", &["10.0.3.1"]),
    ];
    let allocator = allocator(&pools, &[]);
    assert_eq!(
        decided(&service("web"), &allocator),
        claimed("10.0.3.1", "d")
    );
    let gold = ServiceRequest {
        labels: Labels::from([("tier".to_owned(), "gold".to_owned())]),
        ..service("web")
    };
    assert_eq!(decided(&gold, &allocator), claimed("10.0.2.1", "c"));
}

#[test]
fn pools_select_namespaces_by_label() {
    let service_allocation = ServiceAllocation {
        namespace_selectors: vec![LabelSelector::of_labels([("team", "a")])],
        ..ServiceAllocation::default()
    };
    let lan = Pool {
        service_allocation,
        ..pool("lan", &["10.0.0.1"])
    };
    let allocator = allocator(&[lan], &[]);
    let team_a = Labels::from([("team".to_owned(), "a".to_owned())]);
    assert_eq!(
        decide(&service("web"), &team_a, &allocator),
        claimed("10.0.0.1", "lan")
    );
    assert_eq!(
        decide(&service("web"), &Labels::new(), &allocator)
            .outcome
            .reason(),
        "NoPoolAdmits"
    );
}

#[test]
fn without_pools_nothing_can_be_given() {
    let expected = Decision {
        outcome: refused(Refusal::NoPool, &[]),
        ..allocated()
    };
    assert_eq!(decided(&service("web"), &allocator(&[], &[])), expected);
}

#[test]
fn each_pool_that_does_not_admit_has_its_reason() {
    let quiet = Pool {
        auto_assign: false,
        ..pool("a", &["10.0.0.1"])
    };
    let pools = [
        quiet,
        for_the_bank(pool("b", &["10.0.1.1"])),
        for_gold(pool("c", &["10.0.2.1"])),
        pool("d", &["fd00::1"]),
    ];
    let refusal = Refusal::NoPoolAdmits {
        family: IpFamily::V4,
        skipped: vec![
            skipped("a", SkipReason::AutoAssignOff),
            skipped("b", SkipReason::NamespaceNotAdmitted),
            skipped("c", SkipReason::ServiceNotAdmitted),
            skipped("d", SkipReason::FamilyMissing(IpFamily::V4)),
        ],
    };
    let expected = Decision {
        outcome: refused(refusal, &[]),
        ..allocated()
    };
    assert_eq!(decided(&service("web"), &allocator(&pools, &[])), expected);
}

#[test]
fn only_pools_that_would_serve_are_called_exhausted() {
    let younger = Pool {
        created: 1,
        ..pool("d", &["10.0.0.1"])
    };
    let pools = [
        pool("a", &["10.0.0.1"]),
        for_gold(pool("b", &["10.0.1.1"])),
        pool("c", &["fd00::1"]),
        younger,
    ];
    let allocator = allocator(
        &pools,
        &[("10.0.0.1", "a", "other"), ("fd00::1", "c", "other")],
    );
    let exhausted = |family, pools: &[&str]| Decision {
        outcome: refused(
            Refusal::PoolExhausted {
                pools: pools.iter().copied().map(name).collect(),
                family,
            },
            &[],
        ),
        ..allocated()
    };
    let v4 = exhausted(IpFamily::V4, &["a", "d"]);
    assert_eq!(decided(&service("web"), &allocator), v4);
    let v6 = exhausted(IpFamily::V6, &["c"]);
    assert_eq!(decided(&v6_only("web"), &allocator), v6);
}
