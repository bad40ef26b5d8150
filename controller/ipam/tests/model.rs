//! Random scripts of pool edits, ledger records and decisions, against an allocator that keeps
//! every address in a set and looks at all of them every time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipam::{Allocator, Decision, Outcome, PoolUsage, Refusal, decide};
use model::{
    AddressRange, Allocation, Holder, IpFamily, IpFamilyPolicy, LabelSelector, Labels, Pool,
    PoolName, RequestedAddresses, ServiceAllocation, ServiceKey, ServiceRequest, Uid,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// The addresses that exist here: around 10.0.0.255 and 10.0.1.0, and from fd00:: on.
fn world(family: IpFamily) -> Vec<IpAddr> {
    match family {
        IpFamily::V4 => (0..16)
            .map(|n| Ipv4Addr::from(0x0a00_00f8 + n).into())
            .collect(),
        IpFamily::V6 => (0..8)
            .map(|n| Ipv6Addr::from((0xfd00 << 112) + n).into())
            .collect(),
    }
}

fn whole_world() -> Vec<IpAddr> {
    IpFamily::ALL.into_iter().flat_map(world).collect()
}

/// Keeps sets, enumerates, and searches by looking at everything.
#[derive(Default)]
struct Naive {
    pools: Vec<Pool>,
    ledger: HashMap<IpAddr, (PoolName, Uid)>,
}

impl Naive {
    fn pool(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == *name)
    }

    fn says(pool: &Pool, address: IpAddr) -> bool {
        pool.addresses.iter().any(|range| range.contains(address))
            && !pool.exclude.iter().any(|range| range.contains(address))
    }

    /// Everything that a pool gives, held or not.
    fn gives(&self, pool: &Pool) -> HashSet<IpAddr> {
        let elder = |other: &&Pool| (other.created, &other.name) < (pool.created, &pool.name);
        let elders: Vec<&Pool> = self.pools.iter().filter(elder).collect();
        let buggy = |address: IpAddr| match address {
            IpAddr::V4(v4) => matches!(v4.octets()[3], 0 | 255),
            IpAddr::V6(_) => false,
        };
        whole_world()
            .into_iter()
            .filter(|a| Self::says(pool, *a) && !(pool.avoid_buggy_ips && buggy(*a)))
            .filter(|a| !elders.iter().any(|elder| Self::says(elder, *a)))
            .collect()
    }

    fn lowest_free(&self, pool: &Pool, family: IpFamily) -> Option<IpAddr> {
        let free = |a: &IpAddr| IpFamily::of(*a) == family && !self.ledger.contains_key(a);
        self.gives(pool).into_iter().filter(free).min()
    }

    fn admits(pool: &Pool, request: &ServiceRequest) -> bool {
        let allocation = &pool.service_allocation;
        allocation.admits_namespace(&request.service.namespace, &Labels::new())
            && allocation.admits_service(&request.labels)
    }

    /// What a Service with one family that asks for nothing should get.
    fn automatic(&self, request: &ServiceRequest, family: IpFamily) -> Option<(IpAddr, PoolName)> {
        let rank = |pool: &&Pool| {
            let priority = pool.service_allocation.priority.unwrap_or(u32::MAX);
            (priority, pool.name.clone())
        };
        let serving = self
            .pools
            .iter()
            .filter(|p| p.auto_assign && Self::admits(p, request));
        let able = serving.filter(|pool| self.lowest_free(pool, family).is_some());
        let pool = able.min_by_key(rank)?;
        Some((self.lowest_free(pool, family)?, pool.name.clone()))
    }

    fn usage(&self, name: &PoolName) -> PoolUsage {
        let assigned = |family| {
            let named = self.ledger.iter().filter(|(_, (pool, _))| pool == name);
            named.filter(|(a, _)| IpFamily::of(**a) == family).count() as u128
        };
        let available = |family| {
            let gives = self
                .pool(name)
                .map(|pool| self.gives(pool))
                .unwrap_or_default();
            let free = gives.iter().filter(|a| !self.ledger.contains_key(a));
            free.filter(|a| IpFamily::of(**a) == family).count() as u128
        };
        PoolUsage {
            assigned_v4: assigned(IpFamily::V4),
            assigned_v6: assigned(IpFamily::V6),
            available_v4: available(IpFamily::V4),
            available_v6: available(IpFamily::V6),
        }
    }

    fn held_by(&self, uid: &Uid) -> HashSet<IpAddr> {
        let of_uid = self.ledger.iter().filter(|(_, (_, holder))| holder == uid);
        of_uid.map(|(address, _)| *address).collect()
    }
}

/// Both allocators, fed alike.
#[derive(Default)]
struct Pair {
    real: Allocator,
    naive: Naive,
}

impl Pair {
    fn record(&mut self, address: IpAddr, pool: &PoolName, service: &ServiceKey, uid: &Uid) {
        self.naive
            .ledger
            .insert(address, (pool.clone(), uid.clone()));
        let holder = Holder {
            service: service.clone(),
            uid: uid.clone(),
        };
        self.real.record(Allocation {
            address,
            pool: pool.clone(),
            holders: vec![holder],
            since: 0,
        });
    }

    fn forget(&mut self, address: IpAddr) {
        self.naive.ledger.remove(&address);
        self.real.forget(address);
    }

    fn set_pools(&mut self, pools: Vec<Pool>) {
        self.real.set_pools(&pools);
        self.naive.pools = pools;
    }

    fn agree(&self) -> Result<(), TestCaseError> {
        for name in NAMES.map(PoolName::new) {
            prop_assert_eq!(self.real.pool_usage(&name), self.naive.usage(&name));
        }
        let mut giver = BTreeMap::new();
        for pool in &self.naive.pools {
            for address in self.naive.gives(pool) {
                let other = giver.insert(address, &pool.name);
                prop_assert_eq!(other, None, "{} is given by two pools", address);
            }
        }
        for address in whole_world() {
            prop_assert_eq!(
                self.real.pool_holding(address),
                giver.get(&address).copied()
            );
        }
        let mut lost: Vec<(PoolName, IpAddr)> = Vec::new();
        for overlap in self.real.overlaps() {
            let inside = whole_world()
                .into_iter()
                .filter(|a| overlap.range.contains(*a));
            lost.extend(inside.map(|a| (overlap.loser.clone(), a)));
        }
        lost.sort();
        let mut expected = Vec::new();
        for pool in &self.naive.pools {
            let younger = |other: &&Pool| (other.created, &other.name) < (pool.created, &pool.name);
            for address in whole_world().into_iter().filter(|a| Naive::says(pool, *a)) {
                let mut elders = self.naive.pools.iter().filter(younger);
                if elders.any(|elder| Naive::says(elder, address)) {
                    expected.push((pool.name.clone(), address));
                }
            }
        }
        expected.sort();
        prop_assert_eq!(lost, expected);
        Ok(())
    }

    fn settle(&mut self, request: &ServiceRequest) -> Result<(), TestCaseError> {
        let decision = decide(request, &Labels::new(), &self.real);
        self.is_lawful(request, &decision)?;
        self.is_best(request, &decision)?;
        for address in &decision.release {
            self.forget(*address);
        }
        let entered = decision
            .adopt
            .iter()
            .chain(&decision.claim)
            .chain(&decision.repoint);
        for (address, pool) in entered {
            self.record(*address, pool, &request.service, &request.uid);
        }
        let Some(shown) = decision.addresses() else {
            return Ok(());
        };
        let settled = ServiceRequest {
            shown: shown.to_vec(),
            ..request.clone()
        };
        let again = decide(&settled, &Labels::new(), &self.real);
        let changes = (&again.adopt, &again.claim, &again.release, &again.repoint);
        prop_assert_eq!(
            changes,
            (&vec![], &vec![], &vec![], &vec![]),
            "it has settled"
        );
        prop_assert_eq!(again.addresses(), Some(shown), "and shows the same");
        Ok(())
    }

    /// What must hold of every decision.
    fn is_lawful(
        &self,
        request: &ServiceRequest,
        decision: &Decision,
    ) -> Result<(), TestCaseError> {
        let naive = &self.naive;
        let own: HashSet<IpAddr> = decision
            .keep
            .iter()
            .chain(&decision.release)
            .copied()
            .collect();
        prop_assert_eq!(own.len(), decision.keep.len() + decision.release.len());
        prop_assert_eq!(&own, &naive.held_by(&request.uid), "all that is held, once");
        let asked = request.requested.clone().unwrap_or_default();
        let mut fresh = HashSet::new();
        for (address, name) in decision.adopt.iter().chain(&decision.claim) {
            prop_assert!(!naive.ledger.contains_key(address), "{} is held", address);
            prop_assert!(fresh.insert(*address), "{} is given twice", address);
            let pool = naive.pool(name).expect("the pool exists");
            prop_assert!(
                naive.gives(pool).contains(address),
                "{} of {}",
                address,
                name
            );
            prop_assert!(request.families.contains(&IpFamily::of(*address)));
        }
        for (address, _) in &decision.adopt {
            prop_assert!(request.shown.contains(address));
        }
        for (address, name) in &decision.claim {
            let pool = naive.pool(name).expect("the pool exists");
            let family = IpFamily::of(*address);
            let by_address = asked.addresses.contains(address);
            prop_assert!(Naive::admits(pool, request));
            prop_assert!(pool.auto_assign || by_address || asked.pool.is_some());
            prop_assert!(asked.pool.is_none() || asked.pool.as_ref() == Some(name));
            prop_assert!(by_address || naive.lowest_free(pool, family) == Some(*address));
        }
        let stays = decision.keep.len() + decision.adopt.len() + decision.claim.len();
        if let Some(shown) = decision.addresses() {
            prop_assert!(shown.len() >= stays);
        }
        let had = decision.keep.iter().chain(fresh.iter());
        let served: HashSet<IpFamily> = had.map(|address| IpFamily::of(*address)).collect();
        match &decision.outcome {
            Outcome::Allocated | Outcome::Orphaned(_) => {
                prop_assert_eq!(served.len(), request.families.len());
            }
            Outcome::Partial(_) => prop_assert_eq!(served.len(), request.families.len() - 1),
            Outcome::Refused { keeps, .. } => {
                prop_assert_eq!(decision.claim.len(), 0);
                prop_assert_eq!(keeps.len(), stays);
            }
            Outcome::WaitingForClusterIp => prop_assert!(request.families.is_empty()),
        }
        Ok(())
    }

    /// A fresh Service of one family gets exactly what looking at everything finds.
    fn is_best(&self, request: &ServiceRequest, decision: &Decision) -> Result<(), TestCaseError> {
        let asks = request.requested != Ok(RequestedAddresses::default());
        let [family] = request.families[..] else {
            return Ok(());
        };
        if asks || !request.shown.is_empty() || !self.naive.held_by(&request.uid).is_empty() {
            return Ok(());
        }
        let best = self.naive.automatic(request, family);
        prop_assert_eq!(&decision.claim, &Vec::from_iter(best));
        if let Some(unmet) = decision.outcome.unmet() {
            self.freeing_heals(request, family, &unmet.why)?;
        }
        Ok(())
    }

    /// An address whose release would let the Service be served wakes it.
    fn freeing_heals(
        &self,
        request: &ServiceRequest,
        family: IpFamily,
        why: &Refusal,
    ) -> Result<(), TestCaseError> {
        for freed in world(family) {
            let mut after = self.real.clone();
            after.forget(freed);
            let served = !decide(request, &Labels::new(), &after).claim.is_empty();
            prop_assert_eq!(why.heals_on(freed, &after) && self.is_held(freed), served);
        }
        Ok(())
    }

    fn is_held(&self, address: IpAddr) -> bool {
        self.naive.ledger.contains_key(&address)
    }
}

#[derive(Debug, Clone)]
enum Step {
    SetPools(Vec<Pool>),
    Record(IpAddr, PoolName, usize),
    Forget(IpAddr),
    Settle(Box<ServiceRequest>),
}

const NAMES: [&str; 4] = ["a", "b", "c", "gone"];
const SERVICES: usize = 8;

fn service(index: usize) -> (ServiceKey, Uid) {
    (
        ServiceKey::new("shop", format!("s{index}")),
        Uid::new(format!("u{index}")),
    )
}

/// Some of the world, as ranges.
fn addresses() -> impl Strategy<Value = Vec<AddressRange>> {
    let part = |family| {
        let world = world(family);
        let last = world.len() - 1;
        (0..=last, 0..=last, 0..=last).prop_map(move |(a, b, hole)| {
            let (first, last) = (a.min(b), a.max(b));
            let range = |f: usize, l: usize| AddressRange::new(world[f], world[l]).ok();
            let left = (first < hole)
                .then(|| range(first, last.min(hole - 1)))
                .flatten();
            let right = (hole < last)
                .then(|| range(first.max(hole + 1), last))
                .flatten();
            left.into_iter().chain(right).collect::<Vec<_>>()
        })
    };
    let none = Just(Vec::new()).boxed();
    let either = |family| prop_oneof![1 => none.clone(), 3 => part(family).boxed()];
    (either(IpFamily::V4), either(IpFamily::V6)).prop_map(|(v4, v6)| [v6, v4].concat())
}

fn pool(name: &'static str) -> impl Strategy<Value = Pool> {
    let exclude = prop_oneof![2 => Just(Vec::new()), 1 => addresses()];
    let admission = prop_oneof![
        3 => Just(ServiceAllocation::default()),
        1 => Just(ServiceAllocation {
            namespaces: vec!["bank".to_owned()],
            ..ServiceAllocation::default()
        }),
        1 => Just(ServiceAllocation {
            service_selectors: vec![LabelSelector::of_labels([("tier", "gold")])],
            ..ServiceAllocation::default()
        }),
    ];
    let priority = prop_oneof![Just(None), Just(Some(1)), Just(Some(2))];
    (
        addresses(),
        exclude,
        admission,
        priority,
        0..2_i64,
        any::<[bool; 2]>(),
    )
        .prop_map(
            move |(addresses, exclude, admission, priority, created, [quiet, avoid_buggy_ips])| {
                Pool {
                    name: PoolName::new(name),
                    created,
                    labels: Labels::new(),
                    addresses,
                    exclude,
                    auto_assign: !quiet,
                    avoid_buggy_ips,
                    service_allocation: ServiceAllocation {
                        priority,
                        ..admission
                    },
                }
            },
        )
}

fn pools() -> impl Strategy<Value = Vec<Pool>> {
    let maybe = |name| proptest::option::weighted(0.8, pool(name));
    (maybe("a"), maybe("b"), maybe("c"))
        .prop_map(|(a, b, c)| [c, a, b].into_iter().flatten().collect())
}

fn request() -> impl Strategy<Value = ServiceRequest> {
    let v4 = IpFamily::V4;
    let v6 = IpFamily::V6;
    let families = prop_oneof![
        3 => Just((vec![v4], IpFamilyPolicy::SingleStack)),
        2 => Just((vec![v6], IpFamilyPolicy::PreferDualStack)),
        2 => Just((vec![v4, v6], IpFamilyPolicy::PreferDualStack)),
        2 => Just((vec![v6, v4], IpFamilyPolicy::RequireDualStack)),
        1 => Just((Vec::new(), IpFamilyPolicy::SingleStack)),
    ];
    let some = |most| vec(select(whole_world()), 0..=most);
    let addresses = prop_oneof![3 => Just(Vec::new()), 1 => some(3)];
    let pool = proptest::option::weighted(0.2, select(&NAMES[..]));
    let shown = prop_oneof![2 => Just(Vec::new()), 1 => some(3)];
    (0..SERVICES, families, addresses, pool, shown, any::<bool>()).prop_map(
        |(index, (families, family_policy), mut addresses, pool, shown, gold)| {
            let mut seen = HashSet::new();
            addresses.retain(|address| seen.insert(*address));
            let (service, uid) = service(index);
            let pool = pool.map(PoolName::new);
            let tier = if gold { "gold" } else { "tin" };
            ServiceRequest {
                service,
                uid,
                created: 0,
                labels: Labels::from([("tier".to_owned(), tier.to_owned())]),
                families,
                family_policy,
                requested: Ok(RequestedAddresses { addresses, pool }),
                shown,
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let address = || select(whole_world());
    let name = select(&NAMES[..]).prop_map(PoolName::new);
    prop_oneof![
        1 => pools().prop_map(Step::SetPools),
        2 => (address(), name, 0..SERVICES).prop_map(|(a, p, s)| Step::Record(a, p, s)),
        3 => address().prop_map(Step::Forget),
        8 => request().prop_map(|request| Step::Settle(Box::new(request))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_script_ends_as_looking_at_everything_says(
        start in pools(),
        script in vec(step(), 1..40),
    ) {
        let mut pair = Pair::default();
        pair.set_pools(start);
        for step in script {
            match step {
                Step::SetPools(pools) => pair.set_pools(pools),
                Step::Record(address, pool, index) => {
                    let (key, uid) = service(index);
                    pair.record(address, &pool, &key, &uid);
                }
                Step::Forget(address) => pair.forget(address),
                Step::Settle(request) => pair.settle(&request)?,
            }
            pair.agree()?;
        }
    }
}
