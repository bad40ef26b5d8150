//! What the speaker counts. Labels are the variants of the enums that log and status print.

use std::collections::BTreeMap;
use std::time::Duration;

use model::IpFamily;
use plan::{Plan, Withheld};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use runtime::client::Requests;

use crate::layer2;

/// A plan for ten Services takes some microseconds, one for a thousand a quarter of a millisecond.
const PLAN_SECONDS: [f64; 8] = [25e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 1e-1];

/// Every metric of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) plans: PlanMetrics,
    pub(crate) layer2: layer2::Metrics,
    pub(crate) requests: Requests,
}

/// What plans come to.
#[derive(Debug, Clone)]
pub(crate) struct PlanMetrics {
    announced: Family<FamilyLabels, Gauge>,
    withheld: Family<ReasonLabels, Gauge>,
    plans: Counter,
    duration: Histogram,
    generation: Gauge,
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
            withheld: Family::default(),
            plans: Counter::default(),
            duration: Histogram::new(PLAN_SECONDS),
            generation: Gauge::default(),
        };
        registry.register(
            "seamark_layer2_announced",
            "Addresses that this node announces on a segment, by family",
            plans.announced.clone(),
        );
        registry.register(
            "seamark_withheld",
            "Addresses of Services of ours that this node does not announce, by reason",
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
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("seamark_build", "The version that runs", build);
        let requests = Requests::default();
        requests.register(registry.sub_registry_with_prefix("seamark"));
        Self {
            plans,
            layer2: layer2::Metrics::register(registry),
            requests,
        }
    }
}

impl PlanMetrics {
    /// A plan was made.
    pub(crate) fn planned(&self, plan: &Plan, took: Duration, generation: Option<i64>) {
        self.plans.inc();
        self.duration.observe(took.as_secs_f64());
        self.generation.set(generation.unwrap_or_default());
        let counts = Counts::of(plan);
        for (family, label) in [(IpFamily::V4, "ipv4"), (IpFamily::V6, "ipv6")] {
            let labels = FamilyLabels { family: label };
            self.announced
                .get_or_create(&labels)
                .set(counts.announced(family));
        }
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
    announced_v4: i64,
    announced_v6: i64,
    /// By reason, only those that occur.
    pub(crate) withheld: BTreeMap<&'static str, i64>,
}

impl Counts {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        for (address, announced) in &plan.announced {
            if !announced.interfaces.is_empty() {
                match IpFamily::of(*address) {
                    IpFamily::V4 => counts.announced_v4 += 1,
                    IpFamily::V6 => counts.announced_v6 += 1,
                }
            }
        }
        for withheld in plan.withheld.values() {
            *counts.withheld.entry(withheld.why.reason()).or_default() += 1;
        }
        counts
    }

    /// How many addresses of a family are announced on some interface.
    pub(crate) fn announced(&self, family: IpFamily) -> i64 {
        match family {
            IpFamily::V4 => self.announced_v4,
            IpFamily::V6 => self.announced_v6,
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
