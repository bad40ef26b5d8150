//! Services with two families.

use model::{IpFamily, IpFamilyPolicy, Pool, ServiceRequest};

use crate::fixtures::{
    allocated, allocator, decided, dual, grant, ip, ips, name, pool, refused, service, showing,
    with_priority,
};
use crate::{Allocator, Decision, Outcome, Refusal, SkipReason, SkippedPool, Unmet};

const PREFER: IpFamilyPolicy = IpFamilyPolicy::PreferDualStack;
const REQUIRE: IpFamilyPolicy = IpFamilyPolicy::RequireDualStack;

fn exhausted(pool: &str, family: IpFamily) -> Refusal {
    Refusal::PoolExhausted {
        pools: vec![name(pool)],
        family,
    }
}

fn claims(grants: &[(&str, &str)]) -> Decision {
    Decision {
        claim: grants
            .iter()
            .map(|(address, pool)| grant(address, pool))
            .collect(),
        shows: Some(grants.iter().map(|(address, _)| ip(address)).collect()),
        ..allocated()
    }
}

#[test]
fn addresses_are_shown_in_the_order_of_the_families() {
    let allocator = allocator(&[pool("lan", &["10.0.0.1", "fd00::1"])], &[]);
    let request = ServiceRequest {
        families: vec![IpFamily::V6, IpFamily::V4],
        ..dual("web", PREFER)
    };
    let expected = claims(&[("fd00::1", "lan"), ("10.0.0.1", "lan")]);
    assert_eq!(decided(&request, &allocator), expected);
}

#[test]
fn priority_goes_before_a_pool_that_gives_both_and_that_before_the_name() {
    let single = pool("a", &["10.0.0.1"]);
    let both = pool("b", &["10.0.1.1", "fd00:1::1"]);
    for policy in [PREFER, REQUIRE] {
        let request = dual("web", policy);
        let alike = allocator(&[single.clone(), both.clone()], &[]);
        let expected = claims(&[("10.0.1.1", "b"), ("fd00:1::1", "b")]);
        assert_eq!(decided(&request, &alike), expected);
        let ranked = allocator(&[with_priority(single.clone(), 1), both.clone()], &[]);
        let expected = claims(&[("10.0.0.1", "a"), ("fd00:1::1", "b")]);
        assert_eq!(decided(&request, &ranked), expected);
    }
}

#[test]
fn a_pool_that_is_taken_in_one_family_no_longer_gives_both() {
    let pools = [
        pool("a", &["10.0.0.1", "fd00::1"]),
        pool("b", &["10.0.1.1", "fd00:1::1"]),
    ];
    let allocator = allocator(&pools, &[("fd00::1", "a", "other")]);
    let expected = claims(&[("10.0.1.1", "b"), ("fd00:1::1", "b")]);
    assert_eq!(decided(&dual("web", PREFER), &allocator), expected);
    assert_eq!(
        decided(&service("web"), &allocator),
        claims(&[("10.0.0.1", "a")])
    );
}

#[test]
fn two_pools_may_give_one_family_each() {
    let pools = [pool("a", &["fd00::1"]), pool("b", &["10.0.1.1"])];
    let expected = claims(&[("10.0.1.1", "b"), ("fd00::1", "a")]);
    assert_eq!(
        decided(&dual("web", REQUIRE), &allocator(&pools, &[])),
        expected
    );
}

/// IPv6 is fully taken.
fn half_empty() -> Allocator {
    let lan = pool("lan", &["10.0.0.1-10.0.0.9", "fd00::1"]);
    allocator(&[lan], &[("fd00::1", "lan", "other")])
}

#[test]
fn prefer_takes_what_it_gets_and_waits_for_the_rest() {
    let mut allocator = half_empty();
    let decision = decided(&dual("web", PREFER), &allocator);
    let why = exhausted("lan", IpFamily::V6);
    let expected = Decision {
        outcome: Outcome::Partial(Unmet::from(why)),
        ..claims(&[("10.0.0.1", "lan")])
    };
    assert_eq!(decision, expected);
    assert!(decision.outcome.is_allocated() && !decision.outcome.is_complete());
    assert_eq!(
        decision.outcome.to_string(),
        "one IP family waits: pool lan has no free IPv6 address; add addresses to it or delete \
         Services that no longer need theirs"
    );
    assert!(decision.outcome.heals_on(ip("fd00::1"), &allocator));
    assert!(!decision.outcome.heals_on(ip("10.0.0.2"), &allocator));

    allocator.record(crate::fixtures::held("10.0.0.1", "lan", "web", 1));
    allocator.forget(ip("fd00::1"));
    let expected = Decision {
        keep: ips(&["10.0.0.1"]),
        claim: vec![grant("fd00::1", "lan")],
        shows: Some(ips(&["10.0.0.1", "fd00::1"])),
        ..allocated()
    };
    assert_eq!(decided(&dual("web", PREFER), &allocator), expected);
}

#[test]
fn a_held_address_never_moves_for_the_missing_family() {
    let pools = [
        pool("a", &["10.0.0.1"]),
        pool("b", &["10.0.1.1", "fd00:1::1"]),
    ];
    let allocator = allocator(&pools, &[("10.0.0.1", "a", "web")]);
    let expected = Decision {
        keep: ips(&["10.0.0.1"]),
        claim: vec![grant("fd00:1::1", "b")],
        shows: Some(ips(&["10.0.0.1", "fd00:1::1"])),
        ..allocated()
    };
    assert_eq!(decided(&dual("web", PREFER), &allocator), expected);
}

#[test]
fn require_is_all_or_nothing() {
    let allocator = half_empty();
    let expected = Decision {
        outcome: refused(exhausted("lan", IpFamily::V6), &[]),
        ..allocated()
    };
    assert_eq!(decided(&dual("web", REQUIRE), &allocator), expected);
}

#[test]
fn require_keeps_what_is_held_while_the_other_family_is_missing() {
    let mut allocator = half_empty();
    allocator.record(crate::fixtures::held("10.0.0.5", "lan", "web", 1));
    let decision = decided(&dual("web", REQUIRE), &allocator);
    let expected = Decision {
        keep: ips(&["10.0.0.5"]),
        shows: Some(ips(&["10.0.0.5"])),
        outcome: refused(exhausted("lan", IpFamily::V6), &["10.0.0.5"]),
        ..allocated()
    };
    assert_eq!(decision, expected);
    assert_eq!(
        decision.outcome.to_string(),
        "pool lan has no free IPv6 address; add addresses to it or delete Services that no longer \
         need theirs (meanwhile it keeps 10.0.0.5)"
    );
    let adopting = showing(&["10.0.0.6"], dual("new", REQUIRE));
    assert_eq!(
        decided(&adopting, &allocator).adopt,
        [grant("10.0.0.6", "lan")]
    );
}

#[test]
fn who_gets_nothing_waits_for_both_families() {
    let quiet = Pool {
        auto_assign: false,
        ..pool("quiet", &["10.0.9.1"])
    };
    let pools = [quiet, pool("lan", &["fd00::1"])];
    let allocator = allocator(&pools, &[("fd00::1", "lan", "other")]);
    let why = Refusal::NoPoolAdmits {
        family: IpFamily::V4,
        skipped: vec![
            SkippedPool {
                pool: name("lan"),
                why: SkipReason::FamilyMissing(IpFamily::V4),
            },
            SkippedPool {
                pool: name("quiet"),
                why: SkipReason::AutoAssignOff,
            },
        ],
    };
    let unmet = Unmet {
        why,
        also: Some(exhausted("lan", IpFamily::V6)),
    };
    let keeps = Vec::new();
    for policy in [PREFER, REQUIRE] {
        let decision = decided(&dual("web", policy), &allocator);
        let expected = Decision {
            outcome: Outcome::Refused {
                unmet: unmet.clone(),
                keeps: keeps.clone(),
            },
            ..allocated()
        };
        assert_eq!(decision, expected);
        assert_eq!(decision.outcome.reason(), "NoPoolAdmits");
        assert!(decision.outcome.heals_on(ip("fd00::1"), &allocator));
    }
}

#[test]
fn one_refusal_for_both_families_is_told_once() {
    let decision = decided(&dual("web", PREFER), &allocator(&[], &[]));
    let expected = Decision {
        outcome: refused(Refusal::NoPool, &[]),
        ..allocated()
    };
    assert_eq!(decision, expected);
}

#[test]
fn removing_a_family_releases_only_that() {
    let lan = pool("lan", &["10.0.0.1-10.0.0.9", "fd00::1"]);
    let entries = [("10.0.0.5", "lan", "web"), ("fd00::1", "lan", "web")];
    let allocator = allocator(&[lan], &entries);
    let request = showing(&["10.0.0.5", "fd00::1"], service("web"));
    let expected = Decision {
        keep: ips(&["10.0.0.5"]),
        release: ips(&["fd00::1"]),
        shows: Some(ips(&["10.0.0.5"])),
        ..allocated()
    };
    assert_eq!(decided(&request, &allocator), expected);
}
