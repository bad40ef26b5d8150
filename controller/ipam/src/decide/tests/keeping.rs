//! What is held stays.

use model::{InvalidRequest, IpFamily, IpFamilyPolicy, Pool, RequestedAddresses, ServiceRequest};

use crate::fixtures::{
    allocated, allocator, asking_pool, decided, dual, for_the_bank, grant, ip, ips, name, pool,
    ranges, refused, service, showing,
};
use crate::{Decision, Exclusion, Orphan, OrphanReason, Outcome, Refusal};

fn kept(addresses: &[&str]) -> Decision {
    Decision {
        keep: ips(addresses),
        shows: Some(ips(addresses)),
        ..allocated()
    }
}

fn orphaned(address: &str, pool: &str, why: OrphanReason) -> Decision {
    let orphan = Orphan {
        address: ip(address),
        pool: name(pool),
        why,
    };
    Decision {
        outcome: Outcome::Orphaned(vec![orphan]),
        ..kept(&[address])
    }
}

#[test]
fn an_entry_wins_over_whatever_the_status_shows() {
    let pools = [pool("lan", &["10.0.0.1-10.0.0.9"])];
    let allocator = allocator(
        &pools,
        &[("10.0.0.3", "lan", "web"), ("10.0.0.4", "lan", "other")],
    );
    for shown in [
        &[][..],
        &["10.0.0.3"],
        &["10.0.0.5"],
        &["10.0.0.4"],
        &["192.0.2.1"],
    ] {
        let request = showing(shown, service("web"));
        assert_eq!(
            decided(&request, &allocator),
            kept(&["10.0.0.3"]),
            "{shown:?}"
        );
    }
}

#[test]
fn a_pool_that_no_longer_admits_takes_nothing_away() {
    let lan = for_the_bank(pool("lan", &["10.0.0.1-10.0.0.9"]));
    let closed = Pool {
        auto_assign: false,
        ..lan
    };
    let allocator = allocator(&[closed], &[("10.0.0.3", "lan", "web")]);
    assert_eq!(decided(&service("web"), &allocator), kept(&["10.0.0.3"]));
    let asking = asking_pool("lan", service("web"));
    assert_eq!(decided(&asking, &allocator), kept(&["10.0.0.3"]));
}

#[test]
fn an_elder_pool_that_comes_to_overlap_takes_nothing_away() {
    let younger = Pool {
        created: 1,
        ..pool("younger", &["10.0.0.1-10.0.0.9"])
    };
    let pools = [pool("elder", &["10.0.0.1-10.0.0.9"]), younger];
    let allocator = allocator(&pools, &[("10.0.0.3", "younger", "web")]);
    assert_eq!(decided(&service("web"), &allocator), kept(&["10.0.0.3"]));
}

#[test]
fn an_address_that_its_pool_no_longer_gives_is_an_orphan() {
    let lan = pool("lan", &["10.0.0.0-10.0.0.9"]);
    let excluding = Pool {
        exclude: ranges(&["10.0.0.0"]),
        ..lan.clone()
    };
    let avoiding = Pool {
        avoid_buggy_ips: true,
        ..lan
    };
    for (pools, why) in [
        (vec![], OrphanReason::PoolGone),
        (vec![pool("lan", &["10.0.0.1"])], OrphanReason::OutsidePool),
        (vec![excluding], OrphanReason::Never(Exclusion::Excluded)),
        (vec![avoiding], OrphanReason::Never(Exclusion::BuggyIp)),
    ] {
        let allocator = allocator(&pools, &[("10.0.0.0", "lan", "web")]);
        let decision = decided(&service("web"), &allocator);
        assert_eq!(decision, orphaned("10.0.0.0", "lan", why));
        assert!(decision.outcome.is_allocated() && !decision.outcome.is_complete());
    }
}

#[test]
fn an_orphan_says_what_to_do() {
    let allocator = allocator(&[], &[("10.0.0.3", "lan", "web")]);
    let outcome = decided(&service("web"), &allocator).outcome;
    assert_eq!(outcome.reason(), "OrphanAddress");
    assert_eq!(
        outcome.to_string(),
        "10.0.0.3 is kept although pool lan no longer exists; add it to a pool again, or recreate \
         the Service to move it"
    );
}

#[test]
fn an_orphan_of_the_requested_pool_still_meets_the_request() {
    let allocator = allocator(&[], &[("10.0.0.3", "lan", "web")]);
    let decision = decided(&asking_pool("lan", service("web")), &allocator);
    assert_eq!(
        decision,
        orphaned("10.0.0.3", "lan", OrphanReason::PoolGone)
    );
}

#[test]
fn a_record_is_pointed_to_the_pool_that_has_its_address_now() {
    let pools = [
        pool("lan", &["10.0.0.1"]),
        pool("new", &["10.0.0.3", "fd00::3"]),
    ];
    let entries = [("10.0.0.3", "lan", "web"), ("fd00::3", "gone", "web")];
    let allocator = allocator(&pools, &entries);
    let request = dual("web", IpFamilyPolicy::RequireDualStack);
    let expected = Decision {
        repoint: vec![grant("10.0.0.3", "new"), grant("fd00::3", "new")],
        ..kept(&["10.0.0.3", "fd00::3"])
    };
    assert_eq!(decided(&request, &allocator), expected);
}

#[test]
fn of_two_entries_the_one_shown_stays_else_the_older() {
    let pools = [pool("lan", &["10.0.0.1-10.0.0.9"])];
    let allocator = allocator(
        &pools,
        &[("10.0.0.7", "lan", "web"), ("10.0.0.3", "lan", "web")],
    );
    for (shown, stays, goes) in [
        (&[][..], "10.0.0.7", "10.0.0.3"),
        (&["10.0.0.3"], "10.0.0.3", "10.0.0.7"),
        (&["10.0.0.3", "10.0.0.7"], "10.0.0.7", "10.0.0.3"),
    ] {
        let expected = Decision {
            release: ips(&[goes]),
            ..kept(&[stays])
        };
        assert_eq!(
            decided(&showing(shown, service("web")), &allocator),
            expected
        );
    }
}

#[test]
fn of_two_entries_the_one_in_the_requested_pool_stays() {
    let pools = [pool("lan", &["10.0.0.1"]), pool("wan", &["10.1.0.1"])];
    let allocator = allocator(
        &pools,
        &[("10.0.0.1", "lan", "web"), ("10.1.0.1", "wan", "web")],
    );
    let request = asking_pool("wan", showing(&["10.0.0.1"], service("web")));
    let expected = Decision {
        release: ips(&["10.0.0.1"]),
        ..kept(&["10.1.0.1"])
    };
    assert_eq!(decided(&request, &allocator), expected);
}

#[test]
fn an_unreadable_request_changes_nothing() {
    let pools = [pool("lan", &["10.0.0.1-10.0.0.9"])];
    let allocator = allocator(
        &pools,
        &[("10.0.0.3", "lan", "web"), ("10.0.0.4", "lan", "web")],
    );
    let invalid = InvalidRequest::Empty {
        field: "seamark.io/address-pool".to_owned(),
    };
    let request = |name| ServiceRequest {
        requested: Err(invalid.clone()),
        ..showing(&["10.0.0.4"], service(name))
    };
    let held = ["10.0.0.4", "10.0.0.3"];
    let expected = Decision {
        keep: ips(&held),
        shows: Some(ips(&held)),
        outcome: refused(Refusal::InvalidRequest(invalid.clone()), &held),
        ..allocated()
    };
    assert_eq!(decided(&request("web"), &allocator), expected);
    let nothing = decided(&showing(&[], request("new")), &allocator);
    let expected = Decision {
        outcome: refused(Refusal::InvalidRequest(invalid.clone()), &[]),
        ..allocated()
    };
    assert_eq!(nothing, expected);
}

#[test]
fn without_cluster_ips_nothing_is_decided() {
    let pools = [pool("lan", &["10.0.0.1-10.0.0.9"])];
    let allocator = allocator(&pools, &[("10.0.0.3", "lan", "web")]);
    let waiting = |name, keep: &[&str]| {
        let request = ServiceRequest {
            families: Vec::new(),
            ..showing(&["192.0.2.1"], service(name))
        };
        let expected = Decision {
            keep: ips(keep),
            ..Decision::nothing(Outcome::WaitingForClusterIp)
        };
        let decision = decided(&request, &allocator);
        assert_eq!(decision, expected);
        assert_eq!(decision.addresses(), None);
        assert_eq!(decision.outcome.unmet(), None);
    };
    waiting("web", &["10.0.0.3"]);
    waiting("new", &[]);
}

#[test]
fn a_family_listed_twice_is_one_family() {
    let allocator = allocator(&[pool("lan", &["10.0.0.1-10.0.0.9"])], &[]);
    let request = ServiceRequest {
        families: vec![IpFamily::V4, IpFamily::V4],
        requested: Ok(RequestedAddresses::default()),
        ..service("web")
    };
    assert_eq!(
        decided(&request, &allocator).claim,
        [grant("10.0.0.1", "lan")]
    );
}
