//! Builders for this crate's tests.

use std::net::IpAddr;

use model::{
    AddressRange, Allocation, Holder, IpFamily, IpFamilyPolicy, LabelSelector, Labels, Pool,
    PoolName, RequestedAddresses, ServiceAllocation, ServiceKey, ServiceRequest, Uid,
};

use crate::{Allocator, Decision, Outcome, Refusal, Unmet, decide};

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().copied().map(ip).collect()
}

pub(crate) fn range(text: &str) -> AddressRange {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    AddressRange::new(ip(first), ip(last)).unwrap()
}

pub(crate) fn ranges(texts: &[&str]) -> Vec<AddressRange> {
    texts.iter().copied().map(range).collect()
}

pub(crate) fn name(text: &str) -> PoolName {
    PoolName::new(text)
}

pub(crate) fn grant(address: &str, pool: &str) -> (IpAddr, PoolName) {
    (ip(address), name(pool))
}

pub(crate) fn key(service: &str) -> ServiceKey {
    ServiceKey::new("shop", service)
}

pub(crate) fn uid(service: &str) -> Uid {
    Uid::new(format!("uid-of-{service}"))
}

pub(crate) fn pool(pool: &str, addresses: &[&str]) -> Pool {
    Pool {
        name: name(pool),
        created: 0,
        labels: Labels::new(),
        addresses: ranges(addresses),
        exclude: Vec::new(),
        auto_assign: true,
        avoid_buggy_ips: false,
        service_allocation: ServiceAllocation::default(),
    }
}

pub(crate) fn with_priority(pool: Pool, priority: u32) -> Pool {
    let service_allocation = ServiceAllocation {
        priority: Some(priority),
        ..pool.service_allocation.clone()
    };
    Pool {
        service_allocation,
        ..pool
    }
}

/// Admits Services of namespace `bank` only; ours are in `shop`.
pub(crate) fn for_the_bank(pool: Pool) -> Pool {
    let service_allocation = ServiceAllocation {
        namespaces: vec!["bank".to_owned()],
        ..pool.service_allocation.clone()
    };
    Pool {
        service_allocation,
        ..pool
    }
}

/// Admits Services with the label `tier: gold` only.
pub(crate) fn for_gold(pool: Pool) -> Pool {
    let service_allocation = ServiceAllocation {
        service_selectors: vec![LabelSelector::of_labels([("tier", "gold")])],
        ..pool.service_allocation.clone()
    };
    Pool {
        service_allocation,
        ..pool
    }
}

/// A Service with IPv4 only that asks for nothing.
pub(crate) fn service(service: &str) -> ServiceRequest {
    ServiceRequest {
        service: key(service),
        uid: uid(service),
        created: 0,
        labels: Labels::new(),
        families: vec![IpFamily::V4],
        family_policy: IpFamilyPolicy::SingleStack,
        requested: Ok(RequestedAddresses::default()),
        shown: Vec::new(),
    }
}

pub(crate) fn dual(name: &str, family_policy: IpFamilyPolicy) -> ServiceRequest {
    ServiceRequest {
        families: IpFamily::ALL.to_vec(),
        family_policy,
        ..service(name)
    }
}

pub(crate) fn showing(addresses: &[&str], request: ServiceRequest) -> ServiceRequest {
    ServiceRequest {
        shown: ips(addresses),
        ..request
    }
}

pub(crate) fn asking_for(addresses: &[&str], request: ServiceRequest) -> ServiceRequest {
    let asked = request.requested.clone().unwrap_or_default();
    ServiceRequest {
        requested: Ok(RequestedAddresses {
            addresses: ips(addresses),
            ..asked
        }),
        ..request
    }
}

pub(crate) fn asking_pool(pool: &str, request: ServiceRequest) -> ServiceRequest {
    let asked = request.requested.clone().unwrap_or_default();
    ServiceRequest {
        requested: Ok(RequestedAddresses {
            pool: Some(name(pool)),
            ..asked
        }),
        ..request
    }
}

pub(crate) fn held(address: &str, pool: &str, service: &str, since: i64) -> Allocation {
    let holder = Holder {
        service: key(service),
        uid: uid(service),
    };
    Allocation {
        address: ip(address),
        pool: name(pool),
        holders: vec![holder],
        since,
    }
}

/// Held entries as (address, pool, service); of two, the first is the older.
pub(crate) fn allocator(pools: &[Pool], entries: &[(&str, &str, &str)]) -> Allocator {
    let mut allocator = Allocator::new();
    allocator.set_pools(pools);
    for (since, (address, pool, service)) in (1..).zip(entries) {
        allocator.record(held(address, pool, service, since));
    }
    allocator
}

pub(crate) fn decided(request: &ServiceRequest, allocator: &Allocator) -> Decision {
    decide(request, &Labels::new(), allocator)
}

/// A decision that does nothing and shows nothing, to be filled in.
pub(crate) fn allocated() -> Decision {
    Decision {
        shows: Some(Vec::new()),
        ..Decision::nothing(Outcome::Allocated)
    }
}

pub(crate) fn refused(refusal: Refusal, keeps: &[&str]) -> Outcome {
    Outcome::Refused {
        unmet: Unmet::from(refusal),
        keeps: ips(keeps),
    }
}
