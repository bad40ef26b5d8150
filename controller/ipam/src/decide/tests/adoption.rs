//! What the status shows without an entry.

use model::{Allocation, IpFamily, IpFamilyPolicy, Pool, ServiceRequest};

use crate::fixtures::{
    allocated, allocator, asking_for, asking_pool, decided, dual, for_gold, for_the_bank, grant,
    held, ip, ips, key, name, pool, ranges, refused, service, showing,
};
use crate::{Allocator, Decision, Exclusion, ForeignReason, Outcome, Refusal, Unmet};

fn foreign(address: &str, why: ForeignReason) -> Refusal {
    Refusal::ForeignAddress {
        address: ip(address),
        why,
    }
}

fn adopted(address: &str, pool: &str) -> Decision {
    Decision {
        adopt: vec![grant(address, pool)],
        shows: Some(ips(&[address])),
        ..allocated()
    }
}

fn lan() -> Pool {
    pool("lan", &["10.0.0.0-10.0.0.9", "fd00::1-fd00::9"])
}

fn left_alone(request: &ServiceRequest, allocator: &Allocator, why: Refusal) {
    let decision = decided(request, allocator);
    assert_eq!(decision, Decision::nothing(refused(why, &[])));
    assert_eq!(decision.addresses(), None);
}

#[test]
fn a_free_address_of_ours_is_adopted() {
    let allocator = allocator(&[lan()], &[]);
    let request = showing(&["10.0.0.5", "10.0.0.5"], service("web"));
    assert_eq!(decided(&request, &allocator), adopted("10.0.0.5", "lan"));
}

#[test]
fn adoption_may_exceed_what_the_pool_admits() {
    let closed = Pool {
        auto_assign: false,
        ..for_gold(for_the_bank(lan()))
    };
    let allocator = allocator(&[closed], &[]);
    let request = showing(&["10.0.0.5"], service("web"));
    assert_eq!(decided(&request, &allocator), adopted("10.0.0.5", "lan"));
}

#[test]
fn any_other_address_is_left_alone() {
    let guarded = Pool {
        exclude: ranges(&["10.0.0.7"]),
        avoid_buggy_ips: true,
        ..lan()
    };
    let mut allocator = allocator(&[guarded], &[("10.0.0.3", "lan", "other")]);
    allocator.record(Allocation {
        holders: Vec::new(),
        ..held("10.0.0.4", "lan", "gone", 2)
    });
    let never = |why| ForeignReason::Never {
        pool: name("lan"),
        why,
    };
    for (shown, why) in [
        ("192.0.2.1", ForeignReason::OutsidePools),
        ("2001:db8::1", ForeignReason::OutsidePools),
        ("10.0.0.7", never(Exclusion::Excluded)),
        ("10.0.0.0", never(Exclusion::BuggyIp)),
        ("10.0.0.3", ForeignReason::HeldBy(key("other"))),
        ("10.0.0.4", ForeignReason::BeingReleased),
    ] {
        let request = showing(&[shown], service("web"));
        left_alone(&request, &allocator, foreign(shown, why.clone()));
        let asking = asking_for(&["10.0.0.5"], request);
        left_alone(&asking, &allocator, foreign(shown, why));
    }
}

#[test]
fn one_foreign_family_keeps_a_fresh_service_waiting_in_the_other() {
    let allocator = allocator(&[lan()], &[]);
    let request = showing(
        &["2001:db8::1"],
        dual("web", IpFamilyPolicy::PreferDualStack),
    );
    let why = foreign("2001:db8::1", ForeignReason::OutsidePools);
    left_alone(&request, &allocator, why);
}

#[test]
fn a_foreign_address_stays_shown_beside_one_that_is_held_or_adopted() {
    let why = foreign("2001:db8::1", ForeignReason::OutsidePools);
    let shows = Some(ips(&["10.0.0.5", "2001:db8::1"]));
    for (policy, outcome) in [
        (
            IpFamilyPolicy::PreferDualStack,
            Outcome::Partial(Unmet::from(why.clone())),
        ),
        (
            IpFamilyPolicy::RequireDualStack,
            refused(why, &["10.0.0.5"]),
        ),
    ] {
        let request = dual("web", policy);
        let holding = allocator(&[lan()], &[("10.0.0.5", "lan", "web")]);
        let expected = Decision {
            keep: ips(&["10.0.0.5"]),
            shows: shows.clone(),
            outcome: outcome.clone(),
            ..allocated()
        };
        let shown = showing(&["2001:db8::1"], request.clone());
        assert_eq!(decided(&shown, &holding), expected);
        let expected = Decision {
            shows: shows.clone(),
            outcome,
            ..adopted("10.0.0.5", "lan")
        };
        let shown = showing(&["2001:db8::1", "10.0.0.5"], request);
        assert_eq!(decided(&shown, &allocator(&[lan()], &[])), expected);
    }
}

#[test]
fn an_address_of_ours_in_the_same_family_settles_it() {
    let allocator = allocator(&[lan()], &[]);
    let request = showing(&["192.0.2.1", "10.0.0.5", "10.0.0.2"], service("web"));
    assert_eq!(decided(&request, &allocator), adopted("10.0.0.5", "lan"));
}

#[test]
fn several_shown_addresses_are_adopted_if_several_are_asked_for() {
    let allocator = allocator(&[lan()], &[("10.0.0.9", "lan", "other")]);
    let shown = showing(&["10.0.0.5", "10.0.0.2"], service("web"));
    let expected = Decision {
        adopt: vec![grant("10.0.0.2", "lan"), grant("10.0.0.5", "lan")],
        shows: Some(ips(&["10.0.0.2", "10.0.0.5"])),
        ..allocated()
    };
    let asking = asking_for(&["10.0.0.2", "10.0.0.5"], shown.clone());
    assert_eq!(decided(&asking, &allocator), expected);

    let in_use = Refusal::AddressInUse {
        address: ip("10.0.0.9"),
        holder: Some(key("other")),
    };
    let unmet = asking_for(&["10.0.0.5", "10.0.0.2", "10.0.0.9"], shown);
    let expected = Decision {
        adopt: vec![grant("10.0.0.5", "lan"), grant("10.0.0.2", "lan")],
        shows: Some(ips(&["10.0.0.5", "10.0.0.2"])),
        outcome: refused(in_use, &["10.0.0.5", "10.0.0.2"]),
        ..allocated()
    };
    assert_eq!(decided(&unmet, &allocator), expected);
}

#[test]
fn a_shown_address_gives_way_to_the_requested_pool_only_if_that_can_give() {
    let shown = showing(&["10.0.0.5"], service("web"));
    let request = asking_pool("wan", shown);
    let can = allocator(&[lan(), pool("wan", &["10.1.0.1"])], &[]);
    let expected = Decision {
        claim: vec![grant("10.1.0.1", "wan")],
        shows: Some(ips(&["10.1.0.1"])),
        ..allocated()
    };
    assert_eq!(decided(&request, &can), expected);

    let cannot = allocator(&[lan()], &[]);
    let unknown = Refusal::UnknownPool { pool: name("wan") };
    let expected = Decision {
        outcome: refused(unknown, &["10.0.0.5"]),
        ..adopted("10.0.0.5", "lan")
    };
    assert_eq!(decided(&request, &cannot), expected);
}

#[test]
fn an_address_of_ours_in_a_family_that_the_service_lacks_is_not_adopted() {
    let allocator = allocator(&[lan()], &[]);
    let request = showing(&["fd00::5"], service("web"));
    let expected = Decision {
        claim: vec![grant("10.0.0.0", "lan")],
        shows: Some(ips(&["10.0.0.0"])),
        ..allocated()
    };
    assert_eq!(decided(&request, &allocator), expected);
}

#[test]
fn an_entry_in_a_removed_family_is_released_beside_a_foreign_address() {
    let allocator = allocator(&[lan()], &[("10.0.0.5", "lan", "web")]);
    let request = ServiceRequest {
        families: vec![IpFamily::V6],
        ..showing(&["2001:db8::1", "10.0.0.5"], service("web"))
    };
    let why = foreign("2001:db8::1", ForeignReason::OutsidePools);
    let expected = Decision {
        release: ips(&["10.0.0.5"]),
        ..Decision::nothing(refused(why, &[]))
    };
    assert_eq!(decided(&request, &allocator), expected);
}
