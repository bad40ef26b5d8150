//! What the speaker counts. Labels are the variants of the enums that log and status print.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use model::IpFamily;
use plan::{Answer, Fitness, Plan, Withheld};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use runtime::client::Requests;

use crate::{bfd, bgp, layer2};

/// A plan for ten Services takes some microseconds, one for a thousand a quarter of a millisecond.
const PLAN_SECONDS: [f64; 8] = [25e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 1e-1];

/// Every metric of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) plans: PlanMetrics,
    pub(crate) probes: ProbeMetrics,
    pub(crate) layer2: layer2::Metrics,
    pub(crate) bgp: bgp::Metrics,
    pub(crate) bfd: bfd::Metrics,
    pub(crate) requests: Requests,
}

/// What plans come to.
#[derive(Debug, Clone)]
pub(crate) struct PlanMetrics {
    announced: Family<FamilyLabels, Gauge>,
    advertised: Family<FamilyLabels, Gauge>,
    conflicts: Gauge,
    withheld: Family<ReasonLabels, Gauge>,
    plans: Counter,
    duration: Histogram,
    generation: Gauge,
    fitness: Family<ReasonLabels, Gauge>,
}

/// What the service proxy answers.
#[derive(Debug, Clone)]
pub(crate) struct ProbeMetrics(Family<AnswerLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FamilyLabels {
    family: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: String,
}

impl Metrics {
    /// Metrics that are shown under the names in this function.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let plans = PlanMetrics {
            announced: Family::default(),
            advertised: Family::default(),
            conflicts: Gauge::default(),
            withheld: Family::default(),
            plans: Counter::default(),
            duration: Histogram::new(PLAN_SECONDS),
            generation: Gauge::default(),
            fitness: Family::default(),
        };
        plans.judged(Fitness::default());
        let probes = ProbeMetrics::register(registry);
        registry.register(
            "seamark_layer2_announced",
            "Addresses that this node announces on a segment, by family",
            plans.announced.clone(),
        );
        registry.register(
            "seamark_bgp_advertised",
            "Addresses that this node has BGP peers told, by themselves or in aggregates, by family",
            plans.advertised.clone(),
        );
        registry.register(
            "seamark_bgp_conflicts",
            "Disagreements of BGPAdvertisements about an attribute of the same routes",
            plans.conflicts.clone(),
        );
        registry.register(
            "seamark_withheld",
            "Addresses of Services of ours that this node does not announce, or not in each way that is asked for, by reason",
            plans.withheld.clone(),
        );
        registry.register("seamark_plans", "Plans made", plans.plans.clone());
        registry.register(
            "seamark_plan_duration_seconds",
            "Time that a plan takes",
            plans.duration.clone(),
        );
        registry.register(
            "seamark_config_generation",
            "Generation of the SpeakerConfig in force, 0 before one was read",
            plans.generation.clone(),
        );
        registry.register(
            "seamark_proxy_fitness",
            "What is thought of this node's service proxy: 1 for the reason that holds",
            plans.fitness.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("seamark_build", "The version that runs", build);
        let requests = Requests::default();
        requests.register(registry.sub_registry_with_prefix("seamark"));
        Self {
            plans,
            probes,
            layer2: layer2::Metrics::register(registry),
            bgp: bgp::Metrics::register(registry),
            bfd: bfd::Metrics::register(registry),
            requests,
        }
    }
}

impl ProbeMetrics {
    fn register(registry: &mut Registry) -> Self {
        let probes = Family::default();
        registry.register(
            "seamark_proxy_probes",
            "Times that this node's service proxy was asked whether it serves, by its answer",
            probes.clone(),
        );
        Self(probes)
    }

    /// It was asked once more.
    pub(crate) fn probed(&self, answer: Answer) {
        let answer = answer.label();
        self.0.get_or_create(&AnswerLabels { answer }).inc();
    }
}

impl PlanMetrics {
    /// The service proxy is judged so now.
    pub(crate) fn judged(&self, now: Fitness) {
        for fitness in Fitness::ALL {
            let reason = snake_case(fitness.reason());
            let labels = ReasonLabels { reason };
            let holds = i64::from(fitness == now);
            self.fitness.get_or_create(&labels).set(holds);
        }
    }

    /// A plan was made.
    pub(crate) fn planned(&self, plan: &Plan, took: Duration, generation: Option<i64>) {
        self.plans.inc();
        self.duration.observe(took.as_secs_f64());
        self.generation.set(generation.unwrap_or_default());
        let counts = Counts::of(plan);
        for (family, label) in [(IpFamily::V4, "ipv4"), (IpFamily::V6, "ipv6")] {
            let labels = FamilyLabels { family: label };
            let counts = counts.of_family(family);
            self.announced.get_or_create(&labels).set(counts.announced);
            self.advertised
                .get_or_create(&labels)
                .set(counts.advertised);
        }
        let conflicts = i64::try_from(plan.conflicts.len());
        self.conflicts.set(conflicts.unwrap_or(i64::MAX));
        for reason in Withheld::REASONS {
            let labels = ReasonLabels {
                reason: snake_case(reason),
            };
            let count = counts.withheld.get(reason).copied().unwrap_or_default();
            self.withheld.get_or_create(&labels).set(count);
        }
    }
}

/// A plan in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    v4: FamilyCounts,
    v6: FamilyCounts,
    /// By reason, only those that occur; of an address each reason counts once.
    pub(crate) withheld: BTreeMap<&'static str, i64>,
}

/// How many addresses of a family are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FamilyCounts {
    /// On some interface.
    pub(crate) announced: i64,
    /// To some BGP peer.
    pub(crate) advertised: i64,
    /// In any way.
    pub(crate) either: i64,
}

impl Counts {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        let announced = plan.announced.iter();
        let announced = announced.filter(|(_, announced)| !announced.interfaces.is_empty());
        for (address, _) in announced {
            let of_family = counts.family_mut(*address);
            of_family.announced += 1;
            of_family.either += 1;
        }
        let advertised = plan.advertised.iter();
        for (address, _) in advertised.filter(|(_, advertised)| advertised.told) {
            let announced = plan.announced.get(address);
            let also = announced.is_some_and(|announced| !announced.interfaces.is_empty());
            let of_family = counts.family_mut(*address);
            of_family.advertised += 1;
            of_family.either += i64::from(!also);
        }
        for withheld in plan.withheld.values() {
            for why in withheld.reasons() {
                *counts.withheld.entry(why.reason()).or_default() += 1;
            }
        }
        counts
    }

    pub(crate) fn of_family(&self, family: IpFamily) -> FamilyCounts {
        match family {
            IpFamily::V4 => self.v4,
            IpFamily::V6 => self.v6,
        }
    }

    fn family_mut(&mut self, address: IpAddr) -> &mut FamilyCounts {
        match IpFamily::of(address) {
            IpFamily::V4 => &mut self.v4,
            IpFamily::V6 => &mut self.v6,
        }
    }
}

/// `OtherNode` as `other_node`.
fn snake_case(reason: &str) -> String {
    let mut snake = String::with_capacity(reason.len() + 2);
    for letter in reason.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Holder, InterfaceName, PoolName, ServiceKey, Uid};
    use plan::{Advertised, Announced, Terms, WithheldAddress};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn holder() -> Arc<Holder> {
        Arc::new(Holder {
            service: ServiceKey::new("default", "web"),
            uid: Uid::new("uid-of-web"),
        })
    }

    fn announced(on: &[&str]) -> Announced {
        Announced {
            service: holder(),
            pool: PoolName::new("pool"),
            interfaces: on.iter().map(|name| InterfaceName::new(*name)).collect(),
        }
    }

    fn advertised(told: bool) -> Advertised {
        Advertised {
            service: holder(),
            pool: PoolName::new("pool"),
            terms: Arc::new(Terms {
                family: IpFamily::V4,
                offers: Vec::new(),
            }),
            told,
        }
    }

    #[test]
    fn an_address_that_is_announced_in_both_ways_is_one_address() {
        let [both, peers, segment, neither] =
            ["1", "2", "3", "4"].map(|n| ip(&format!("fd99::{n}")));
        let plan = Plan {
            announced: [
                (both, announced(&["eth0"])),
                (segment, announced(&["eth0"])),
                (neither, announced(&[])),
            ]
            .into(),
            advertised: [
                (both, advertised(true)),
                (peers, advertised(true)),
                (neither, advertised(false)),
            ]
            .into(),
            ..Plan::default()
        };
        let expected = FamilyCounts {
            announced: 2,
            advertised: 2,
            either: 3,
        };
        let counts = Counts::of(&plan);
        assert_eq!(counts.of_family(IpFamily::V6), expected);
        assert_eq!(counts.of_family(IpFamily::V4), FamilyCounts::default());
    }

    #[test]
    fn a_reason_that_holds_in_both_ways_counts_once() {
        let withheld = |layer2, bgp| WithheldAddress {
            service: holder(),
            layer2,
            bgp,
        };
        let plan = Plan {
            withheld: [
                (
                    ip("10.99.0.1"),
                    withheld(Some(Withheld::NodeExcluded), Some(Withheld::NodeExcluded)),
                ),
                (
                    ip("10.99.0.2"),
                    withheld(Some(Withheld::NoInterface), Some(Withheld::NoPeer)),
                ),
                (ip("10.99.0.3"), withheld(None, Some(Withheld::NoPeer))),
            ]
            .into(),
            ..Plan::default()
        };
        let expected = [("NoInterface", 1), ("NoPeer", 2), ("NodeExcluded", 1)];
        assert_eq!(Counts::of(&plan).withheld, expected.into());
    }
}
