use super::*;
use crate::decision::Unmet;
use crate::fixtures::{allocator, ip, key, name, pool};
use crate::{Orphan, OrphanReason, Outcome};

fn skipped(pool: &str, why: SkipReason) -> SkippedPool {
    SkippedPool {
        pool: name(pool),
        why,
    }
}

/// A refusal, its reason, its message and what heals it.
type Row = (Refusal, &'static str, &'static str, Cure);

fn of_pools() -> Vec<Row> {
    vec![
        (
            Refusal::NoPool,
            "NoPool",
            "there is no address pool; create an IPAddressPool",
            Cure::Pools,
        ),
        (
            Refusal::NoPoolAdmits {
                family: IpFamily::V6,
                skipped: vec![
                    skipped("a", SkipReason::AutoAssignOff),
                    skipped("b", SkipReason::NamespaceNotAdmitted),
                    skipped("c", SkipReason::ServiceNotAdmitted),
                    skipped("d", SkipReason::FamilyMissing(IpFamily::V6)),
                ],
            },
            "NoPoolAdmits",
            "no pool may give this Service an IPv6 address: pool a (autoAssign is false), pool b \
             (it does not admit the namespace), pool c (it does not admit the Service's labels), \
             pool d (it has no IPv6 addresses); change a pool or name one in the annotation \
             seamark.io/address-pool",
            Cure::Pools,
        ),
        (
            Refusal::UnknownPool { pool: name("lan") },
            "UnknownPool",
            "the requested pool lan does not exist; create it or ask for another one",
            Cure::Pools,
        ),
        (
            Refusal::PoolDoesNotAdmit {
                pool: name("lan"),
                why: SkipReason::NamespaceNotAdmitted,
            },
            "PoolDoesNotAdmit",
            "pool lan does not admit this Service: it does not admit the namespace; change the \
             pool or the request",
            Cure::Pools,
        ),
        (
            Refusal::PoolExhausted {
                pools: vec![name("lan")],
                family: IpFamily::V4,
            },
            "PoolExhausted",
            "pool lan has no free IPv4 address; add addresses to it or delete Services that no \
             longer need theirs",
            Cure::AnyAddress,
        ),
        (
            Refusal::PoolExhausted {
                pools: vec![name("lan"), name("wan")],
                family: IpFamily::V6,
            },
            "PoolExhausted",
            "pools lan, wan have no free IPv6 address; add addresses to one or delete Services \
             that no longer need theirs",
            Cure::AnyAddress,
        ),
    ]
}

fn of_addresses() -> Vec<Row> {
    let address = ip("10.0.0.5");
    vec![
        (
            Refusal::AddressOutsidePools { address },
            "AddressOutsidePools",
            "the requested address 10.0.0.5 is in no pool; add it to one or ask for another one",
            Cure::Pools,
        ),
        (
            Refusal::AddressOutsideRequestedPool {
                address,
                pool: name("wan"),
                given_by: Some(name("lan")),
            },
            "AddressOutsideRequestedPool",
            "the requested address 10.0.0.5 is not given by the requested pool wan but by pool \
             lan; change one of the two requests",
            Cure::Pools,
        ),
        (
            Refusal::AddressExcluded {
                address,
                pool: name("lan"),
                why: Exclusion::Excluded,
            },
            "AddressExcluded",
            "pool lan never gives 10.0.0.5: it is listed in exclude; change the pool or ask for \
             another address",
            Cure::Pools,
        ),
        (
            Refusal::AddressInUse {
                address,
                holder: Some(key("web")),
            },
            "AddressInUse",
            "the requested address 10.0.0.5 is held by Service shop/web; ask for another one or \
             delete that Service",
            Cure::Address,
        ),
        (
            Refusal::AddressInUse {
                address,
                holder: None,
            },
            "AddressInUse",
            "the requested address 10.0.0.5 is just being released; wait, it will be given as \
             soon as it is free",
            Cure::Address,
        ),
        (
            Refusal::WrongFamily {
                address,
                families: vec![IpFamily::V6],
            },
            "WrongFamily",
            "the requested address 10.0.0.5 is IPv4, but spec.ipFamilies of this Service has only \
             IPv6; add the family or remove the address",
            Cure::Nothing,
        ),
        (
            Refusal::InvalidRequest(InvalidRequest::Empty {
                field: "seamark.io/address-pool".to_owned(),
            }),
            "InvalidRequest",
            "seamark.io/address-pool is empty; give it a value or remove it",
            Cure::Nothing,
        ),
    ]
}

fn of_foreign_addresses() -> Vec<Row> {
    let address = ip("10.0.0.5");
    vec![
        (
            Refusal::ForeignAddress {
                address,
                why: ForeignReason::OutsidePools,
            },
            "ForeignAddress",
            "status shows 10.0.0.5, which is in no pool; it is left alone: add it to a pool to \
             take it over, or clear it from status.loadBalancer to get another one",
            Cure::Pools,
        ),
        (
            Refusal::ForeignAddress {
                address,
                why: ForeignReason::Never {
                    pool: name("lan"),
                    why: Exclusion::BuggyIp,
                },
            },
            "ForeignAddress",
            "status shows 10.0.0.5, which pool lan never gives: avoidBuggyIPs is set and it ends \
             in .0 or .255; it is left alone: change the pool to take it over, or clear it from \
             status.loadBalancer to get another one",
            Cure::Pools,
        ),
        (
            Refusal::ForeignAddress {
                address,
                why: ForeignReason::HeldBy(key("web")),
            },
            "ForeignAddress",
            "status shows 10.0.0.5, which the ledger gives to Service shop/web; it is left alone: \
             delete the other Service, or clear it from status.loadBalancer to get another one",
            Cure::Address,
        ),
        (
            Refusal::ForeignAddress {
                address,
                why: ForeignReason::BeingReleased,
            },
            "ForeignAddress",
            "status shows 10.0.0.5, which is being released; it is left alone: wait until it is \
             free, or clear it from status.loadBalancer to get another one",
            Cure::Address,
        ),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Cure {
    AnyAddress,
    Address,
    Pools,
    Nothing,
}

#[test]
fn every_refusal_has_a_reason_a_remedy_and_a_cure() {
    let table = [of_pools(), of_addresses(), of_foreign_addresses()].concat();
    for (refusal, reason, message, waits) in table {
        assert_eq!(refusal.reason(), reason);
        assert_eq!(refusal.to_string(), message);
        let cure = match refusal.waits_for() {
            WaitsFor::AnyAddress(..) => Cure::AnyAddress,
            WaitsFor::Address(_) => Cure::Address,
            WaitsFor::Pools => Cure::Pools,
            WaitsFor::Nothing => Cure::Nothing,
        };
        assert_eq!(cure, waits, "{reason}");
    }
}

#[test]
fn only_an_address_that_can_help_wakes_who_waits() {
    let pools = [
        pool("lan", &["10.0.0.1-10.0.0.9", "fd00::1"]),
        pool("wan", &["10.1.0.1"]),
    ];
    let allocator = allocator(&pools, &[]);
    let exhausted = Refusal::PoolExhausted {
        pools: vec![name("lan")],
        family: IpFamily::V4,
    };
    let in_use = Refusal::AddressInUse {
        address: ip("10.0.0.5"),
        holder: None,
    };
    for (freed, any_of_lan, this_one) in [
        ("10.0.0.5", true, true),
        ("10.0.0.6", true, false),
        ("fd00::1", false, false),
        ("10.1.0.1", false, false),
        ("10.2.0.1", false, false),
    ] {
        assert_eq!(
            exhausted.heals_on(ip(freed), &allocator),
            any_of_lan,
            "{freed}"
        );
        assert_eq!(in_use.heals_on(ip(freed), &allocator), this_one, "{freed}");
        assert!(!Refusal::NoPool.heals_on(ip(freed), &allocator));
    }
}

#[test]
fn messages_fit_an_event_whatever_they_list() {
    let long = |n: usize| format!("{n:03}{}", "x".repeat(250));
    let skipped: Vec<_> = (0..17)
        .map(|n| skipped(&long(n), SkipReason::ServiceNotAdmitted))
        .collect();
    let admits = |family| Refusal::NoPoolAdmits {
        family,
        skipped: skipped.clone(),
    };
    let outcome = Outcome::Refused {
        unmet: Unmet {
            why: admits(IpFamily::V4),
            also: Some(admits(IpFamily::V6)),
        },
        keeps: (0..16)
            .map(|_| ip("fd00:1111:2222:3333:4444:5555:6666:7777"))
            .collect(),
    };
    let message = outcome.to_string();
    assert!(message.len() <= 1024, "{} bytes: {message}", message.len());
    assert!(message.contains(" and 16 more"), "{message}");
    let orphan = Orphan {
        address: ip("fd00:1111:2222:3333:4444:5555:6666:7777"),
        pool: name(&long(0)),
        why: OrphanReason::Never(Exclusion::BuggyIp),
    };
    assert!(Outcome::Orphaned(vec![orphan; 16]).to_string().len() <= 1024);
}

#[test]
fn at_most_five_items_are_listed() {
    let pools: Vec<PoolName> = (0..17).map(|n| name(&format!("p{n}"))).collect();
    assert_eq!(listed(&pools), "p0, p1, p2, p3, p4 and 12 more");
    assert_eq!(listed(&pools[..5]), "p0, p1, p2, p3, p4");
}
