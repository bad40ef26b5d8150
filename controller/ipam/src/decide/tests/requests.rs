//! Requested addresses and pools.

use model::{IpFamily, IpFamilyPolicy, Labels, Pool, ServiceRequest};

use crate::fixtures::{
    allocated, allocator, asking_for, asking_pool, decided, dual, for_gold, for_the_bank, grant,
    ip, ips, key, name, pool, ranges, refused, service,
};
use crate::{Allocator, Decision, Exclusion, Outcome, Refusal, SkipReason, Unmet};

const PREFER: IpFamilyPolicy = IpFamilyPolicy::PreferDualStack;
const REQUIRE: IpFamilyPolicy = IpFamilyPolicy::RequireDualStack;

fn lan() -> Pool {
    Pool {
        exclude: ranges(&["10.0.0.7"]),
        avoid_buggy_ips: true,
        ..pool("lan", &["10.0.0.0-10.0.0.9", "fd00::1-fd00::9"])
    }
}

fn quiet(pool: Pool) -> Pool {
    Pool {
        auto_assign: false,
        ..pool
    }
}

/// `web` holds 10.0.0.5 of `lan`, `other` holds 10.0.0.3 and everything of `full`.
fn lived_in() -> Allocator {
    let pools = [
        lan(),
        quiet(pool("wan", &["10.1.0.1-10.1.0.9"])),
        for_gold(pool("gold", &["10.2.0.1"])),
        for_the_bank(pool("bank", &["10.3.0.1"])),
        pool("full", &["10.4.0.1"]),
    ];
    let entries = [
        ("10.0.0.5", "lan", "web"),
        ("10.0.0.3", "lan", "other"),
        ("10.4.0.1", "full", "other"),
    ];
    allocator(&pools, &entries)
}

fn replaced(from: &str, to: &str, pool: &str) -> Decision {
    Decision {
        claim: vec![grant(to, pool)],
        release: ips(&[from]),
        shows: Some(ips(&[to])),
        ..allocated()
    }
}

#[test]
fn a_requested_address_is_given_also_without_auto_assign() {
    let allocator = lived_in();
    for (address, pool) in [("10.0.0.9", "lan"), ("10.1.0.5", "wan")] {
        let expected = Decision {
            claim: vec![grant(address, pool)],
            shows: Some(ips(&[address])),
            ..allocated()
        };
        let request = asking_for(&[address], service("new"));
        assert_eq!(decided(&request, &allocator), expected);
        assert_eq!(decided(&asking_pool(pool, request), &allocator), expected);
    }
}

#[test]
fn a_request_that_is_met_already_changes_nothing() {
    let kept = Decision {
        keep: ips(&["10.0.0.5"]),
        shows: Some(ips(&["10.0.0.5"])),
        ..allocated()
    };
    let by_address = asking_for(&["10.0.0.5"], service("web"));
    for request in [
        asking_pool("lan", service("web")),
        asking_pool("lan", by_address.clone()),
        by_address,
    ] {
        assert_eq!(decided(&request, &lived_in()), kept);
    }
}

#[test]
fn another_address_replaces_the_held_one() {
    let request = asking_for(&["10.0.0.9"], service("web"));
    assert_eq!(
        decided(&request, &lived_in()),
        replaced("10.0.0.5", "10.0.0.9", "lan")
    );
}

#[test]
fn another_pool_replaces_the_held_address() {
    let request = asking_pool("wan", service("web"));
    assert_eq!(
        decided(&request, &lived_in()),
        replaced("10.0.0.5", "10.1.0.1", "wan")
    );
    let gold = ServiceRequest {
        labels: Labels::from([("tier".to_owned(), "gold".to_owned())]),
        ..asking_pool("gold", service("web"))
    };
    assert_eq!(
        decided(&gold, &lived_in()),
        replaced("10.0.0.5", "10.2.0.1", "gold")
    );
}

/// Refused, and `web` keeps what it holds while a fresh Service gets nothing.
fn refuses(ask: impl Fn(ServiceRequest) -> ServiceRequest, refusal: &Refusal) {
    let allocator = lived_in();
    let kept = Decision {
        keep: ips(&["10.0.0.5"]),
        shows: Some(ips(&["10.0.0.5"])),
        outcome: refused(refusal.clone(), &["10.0.0.5"]),
        ..allocated()
    };
    assert_eq!(decided(&ask(service("web")), &allocator), kept);
    let nothing = Decision {
        outcome: refused(refusal.clone(), &[]),
        ..allocated()
    };
    assert_eq!(decided(&ask(service("new")), &allocator), nothing);
}

#[test]
fn an_address_that_cannot_be_given_is_refused_and_what_is_held_stays() {
    let does_not_admit = |pool: &str, why| Refusal::PoolDoesNotAdmit {
        pool: name(pool),
        why,
    };
    let excluded = |address: &str, why| Refusal::AddressExcluded {
        address: ip(address),
        pool: name("lan"),
        why,
    };
    let table = [
        (
            "192.0.2.1",
            Refusal::AddressOutsidePools {
                address: ip("192.0.2.1"),
            },
        ),
        ("10.0.0.7", excluded("10.0.0.7", Exclusion::Excluded)),
        ("10.0.0.0", excluded("10.0.0.0", Exclusion::BuggyIp)),
        (
            "10.2.0.1",
            does_not_admit("gold", SkipReason::ServiceNotAdmitted),
        ),
        (
            "10.3.0.1",
            does_not_admit("bank", SkipReason::NamespaceNotAdmitted),
        ),
        (
            "10.0.0.3",
            Refusal::AddressInUse {
                address: ip("10.0.0.3"),
                holder: Some(key("other")),
            },
        ),
        (
            "fd00::1",
            Refusal::WrongFamily {
                address: ip("fd00::1"),
                families: vec![IpFamily::V4],
            },
        ),
    ];
    for (address, refusal) in table {
        refuses(|request| asking_for(&[address], request), &refusal);
    }
}

#[test]
fn a_pool_that_cannot_give_is_refused_and_what_is_held_stays() {
    let does_not_admit = |pool: &str, why| Refusal::PoolDoesNotAdmit {
        pool: name(pool),
        why,
    };
    let table = [
        ("none", Refusal::UnknownPool { pool: name("none") }),
        (
            "gold",
            does_not_admit("gold", SkipReason::ServiceNotAdmitted),
        ),
        (
            "bank",
            does_not_admit("bank", SkipReason::NamespaceNotAdmitted),
        ),
        (
            "full",
            Refusal::PoolExhausted {
                pools: vec![name("full")],
                family: IpFamily::V4,
            },
        ),
    ];
    for (pool, refusal) in table {
        refuses(|request| asking_pool(pool, request), &refusal);
    }
}

#[test]
fn a_requested_address_must_be_of_the_requested_pool() {
    let outside = |address: &str, given_by: Option<&str>| Refusal::AddressOutsideRequestedPool {
        address: ip(address),
        pool: name("wan"),
        given_by: given_by.map(name),
    };
    let ask =
        |address: &'static str| move |request| asking_pool("wan", asking_for(&[address], request));
    refuses(ask("10.0.0.9"), &outside("10.0.0.9", Some("lan")));
    refuses(ask("192.0.2.1"), &outside("192.0.2.1", None));
    let held = ask("10.0.0.5")(service("web"));
    let decision = decided(&held, &lived_in());
    assert_eq!(
        decision.outcome,
        refused(outside("10.0.0.5", Some("lan")), &["10.0.0.5"])
    );
    assert_eq!(decision.keep, ips(&["10.0.0.5"]));
}

#[test]
fn an_address_in_an_overlap_is_the_elder_pools() {
    let younger = Pool {
        created: 1,
        ..pool("younger", &["10.0.0.1-10.0.0.9"])
    };
    let allocator = allocator(&[pool("elder", &["10.0.0.5"]), younger], &[]);
    let request = asking_pool("younger", asking_for(&["10.0.0.5"], service("web")));
    let refusal = Refusal::AddressOutsideRequestedPool {
        address: ip("10.0.0.5"),
        pool: name("younger"),
        given_by: Some(name("elder")),
    };
    assert_eq!(decided(&request, &allocator).outcome, refused(refusal, &[]));
}

#[test]
fn an_address_that_the_requested_pool_gives_now_need_not_move() {
    let elder = quiet(pool("elder", &["10.0.0.1-10.0.0.9"]));
    let younger = Pool {
        created: 1,
        ..pool("younger", &["10.0.0.1-10.0.0.9"])
    };
    let entries = [("10.0.0.5", "younger", "web")];
    let request = asking_pool("elder", service("web"));
    let expected = Decision {
        keep: ips(&["10.0.0.5"]),
        repoint: vec![grant("10.0.0.5", "elder")],
        shows: Some(ips(&["10.0.0.5"])),
        ..allocated()
    };
    let open = allocator(&[elder.clone(), younger.clone()], &entries);
    assert_eq!(decided(&request, &open), expected);
    let closed = allocator(&[for_the_bank(elder), younger], &entries);
    assert_eq!(
        decided(&request, &closed).outcome.reason(),
        "PoolDoesNotAdmit"
    );
}

#[test]
fn several_addresses_of_one_family_are_all_or_nothing() {
    let allocator = lived_in();
    let both = asking_for(&["10.0.0.9", "10.0.0.5"], service("web"));
    let expected = Decision {
        keep: ips(&["10.0.0.5"]),
        claim: vec![grant("10.0.0.9", "lan")],
        shows: Some(ips(&["10.0.0.9", "10.0.0.5"])),
        ..allocated()
    };
    assert_eq!(decided(&both, &allocator), expected);
    let one_in_use = asking_for(&["10.0.0.9", "10.0.0.3"], service("web"));
    let decision = decided(&one_in_use, &allocator);
    assert_eq!(
        (decision.keep, decision.claim),
        (ips(&["10.0.0.5"]), vec![])
    );
    assert!(decision.outcome.heals_on(ip("10.0.0.3"), &allocator));
    assert!(!decision.outcome.heals_on(ip("10.0.0.4"), &allocator));
}

#[test]
fn a_family_without_a_requested_address_is_served_automatically() {
    let allocator = lived_in();
    for policy in [PREFER, REQUIRE] {
        let request = asking_for(&["10.1.0.5"], dual("new", policy));
        let expected = Decision {
            claim: vec![grant("10.1.0.5", "wan"), grant("fd00::1", "lan")],
            shows: Some(ips(&["10.1.0.5", "fd00::1"])),
            ..allocated()
        };
        assert_eq!(decided(&request, &allocator), expected);
    }
}

#[test]
fn a_refused_address_claims_nothing_for_the_other_family_either() {
    let request = asking_for(&["10.0.0.3"], dual("new", PREFER));
    let decision = decided(&request, &lived_in());
    assert_eq!(decision.claim, []);
    assert_eq!(decision.outcome.reason(), "AddressInUse");
}

#[test]
fn both_refused_addresses_are_told_and_waited_for() {
    let mut allocator = lived_in();
    allocator.record(crate::fixtures::held("fd00::3", "lan", "other", 9));
    let request = asking_for(&["fd00::3", "10.0.0.3"], dual("new", REQUIRE));
    let in_use = |address: &str| Refusal::AddressInUse {
        address: ip(address),
        holder: Some(key("other")),
    };
    let unmet = Unmet {
        why: in_use("10.0.0.3"),
        also: Some(in_use("fd00::3")),
    };
    let outcome = decided(&request, &allocator).outcome;
    assert_eq!(
        outcome,
        Outcome::Refused {
            unmet,
            keeps: vec![]
        }
    );
    assert!(outcome.heals_on(ip("10.0.0.3"), &allocator));
    assert!(outcome.heals_on(ip("fd00::3"), &allocator));
}

#[test]
fn a_requested_pool_with_one_family_serves_prefer_but_not_require() {
    let allocator = lived_in();
    let why = Refusal::PoolDoesNotAdmit {
        pool: name("wan"),
        why: SkipReason::FamilyMissing(IpFamily::V6),
    };
    let expected = Decision {
        claim: vec![grant("10.1.0.1", "wan")],
        shows: Some(ips(&["10.1.0.1"])),
        outcome: Outcome::Partial(Unmet::from(why.clone())),
        ..allocated()
    };
    let request = asking_pool("wan", dual("new", PREFER));
    assert_eq!(decided(&request, &allocator), expected);
    let request = asking_pool("wan", dual("new", REQUIRE));
    assert_eq!(decided(&request, &allocator).outcome, refused(why, &[]));
}

#[test]
fn a_move_to_the_requested_pool_is_all_or_nothing() {
    let mut allocator = lived_in();
    let wan = asking_pool("wan", dual("web", PREFER));
    let missing = Refusal::PoolDoesNotAdmit {
        pool: name("wan"),
        why: SkipReason::FamilyMissing(IpFamily::V6),
    };
    let expected = Decision {
        outcome: Outcome::Partial(Unmet::from(missing.clone())),
        ..replaced("10.0.0.5", "10.1.0.1", "wan")
    };
    assert_eq!(
        decided(&wan, &allocator),
        expected,
        "nothing is held in IPv6 that would be lost"
    );

    allocator.record(crate::fixtures::held("fd00::5", "lan", "web", 9));
    let expected = Decision {
        keep: ips(&["10.0.0.5", "fd00::5"]),
        shows: Some(ips(&["10.0.0.5", "fd00::5"])),
        outcome: refused(missing, &["10.0.0.5", "fd00::5"]),
        ..allocated()
    };
    assert_eq!(decided(&wan, &allocator), expected);
}

#[test]
fn an_address_of_a_removed_family_is_released_though_it_is_still_asked_for() {
    let mut allocator = lived_in();
    allocator.record(crate::fixtures::held("fd00::5", "lan", "web", 9));
    let request = asking_for(&["10.0.0.5", "fd00::5"], service("web"));
    let decision = decided(&request, &allocator);
    assert_eq!(decision.outcome.reason(), "WrongFamily");
    assert_eq!(decision.keep, ips(&["10.0.0.5"]));
    assert_eq!(decision.release, ips(&["fd00::5"]));
}
