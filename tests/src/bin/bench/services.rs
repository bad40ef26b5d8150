//! Services to measure with, made and watched as fast as a client can: by connections of the
//! bench's own, on one thread, so that what is measured is not the kit.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use ::runtime::args::{Common, LogFormat};
use ::runtime::client::{Requests, connect};
use anyhow::{Context, Result, bail, ensure};
use crds::IPAllocation;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use lab::{Lab, eventually};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// Room for thousands in both families. It is no prefix of the lab's: speakers take the interface
/// of the default route, and the client is told that it is on its segment.
const POOL: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: bench}
spec:
  addresses: [10.97.0.1-10.97.15.254, 'fd97::1-fd97::1:0']
---
apiVersion: seamark.io/v1beta1
kind: L2Advertisement
metadata: {name: bench}
spec:
  ipAddressPools: [bench]
";

/// Only ours, so that other Services and their changes are not read.
const OURS: &str = "bench=bench";

/// What a Service may take on the busiest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How many requests are under way where there is much to do.
const PARALLEL: usize = 32;

/// The families of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Families {
    V4,
    V6,
    Dual,
}

impl Families {
    /// One family and the other by turns.
    pub(crate) fn alternating(index: usize) -> Self {
        if index.is_multiple_of(2) {
            Self::V4
        } else {
            Self::V6
        }
    }
}

/// The address that the nth Service of a family gets from the empty pool: the lowest free one.
pub(crate) fn nth_address(families: Families, index: usize) -> Result<IpAddr> {
    let index = u32::try_from(index)?;
    Ok(match families {
        Families::V4 => {
            let first = u32::from(Ipv4Addr::new(10, 97, 0, 1));
            IpAddr::V4(Ipv4Addr::from(first + index))
        }
        Families::V6 => {
            let first = u128::from(Ipv6Addr::new(0xfd97, 0, 0, 0, 0, 0, 0, 1));
            IpAddr::V6(Ipv6Addr::from(first + u128::from(index)))
        }
        Families::Dual => bail!("a dual-stack Service has two addresses"),
    })
}

/// Seamark, started and ready, with a pool.
pub(crate) fn start(lab: &mut Lab) -> Result<()> {
    for prefix in ["10.97.0.0/20", "fd97::/64"] {
        lab.client_host()
            .run(&["ip", "route", "add", prefix, "dev", "eth0"])?;
    }
    start_with(lab, POOL)
}

/// Seamark, started and ready, with these objects.
pub(crate) fn start_with(lab: &mut Lab, objects: &str) -> Result<()> {
    lab.start_seamark()?;
    lab.apply(objects)?;
    lab.parts().iter().try_for_each(|part| lab.wait_ready(part))
}

/// A client for Services. Requests and watch have a connection each.
pub(crate) struct Services {
    runtime: Runtime,
    requests: Client,
    watches: Client,
}

impl Services {
    pub(crate) fn open(lab: &Lab) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let common = Common {
            kubeconfig: Some(lab.kubeconfig().into()),
            context: None,
            log_format: LogFormat::Text,
            log_level: "error".to_owned(),
        };
        let client = || runtime.block_on(connect(&common, "seamark-bench", Requests::default()));
        let (requests, watches) = (client()?, client()?);
        let services = Self {
            runtime,
            requests,
            watches,
        };
        // The first request pays for its connection.
        services.version()?;
        Ok(services)
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Ticks at a steady pace, and never sooner than that after a tick that was late.
    pub(crate) fn pace(&self, every: Duration) -> Interval {
        let _context = self.runtime.enter();
        let mut pace = interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    }

    pub(crate) fn client(&self) -> Client {
        self.requests.clone()
    }

    pub(crate) fn api(&self) -> Api<Service> {
        Api::default_namespaced(self.requests.clone())
    }

    /// Create a Service of these families before the pods of the lab.
    pub(crate) async fn create(&self, name: &str, families: Families) -> Result<()> {
        let service = service(name, families)?;
        let answer = self.api().create(&PostParams::default(), &service).await;
        answer.map(drop).with_context(|| format!("creating {name}"))
    }

    /// Create Services at once; the instant of the last answer.
    pub(crate) async fn create_all(&self, all: &[(String, Families)]) -> Result<Instant> {
        let created = stream::iter(all).map(|(name, families)| self.create(name, *families));
        created
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(Instant::now())
    }

    /// Each Service that gets its addresses from now on: its name and they, when they were seen.
    pub(crate) fn watch(&self) -> Result<impl Stream<Item = Result<Seen>> + Unpin + use<>> {
        let version = self.version()?;
        let api: Api<Service> = Api::default_namespaced(self.watches.clone());
        let params = WatchParams::default().labels(OURS).timeout(290);
        let events = self.block_on(async move { api.watch(&params, &version).await })?;
        let seen = events
            .map_err(anyhow::Error::from)
            .try_filter_map(|event| async {
                Ok(match event {
                    WatchEvent::Added(service) | WatchEvent::Modified(service) => {
                        Seen::of(&service)
                    }
                    WatchEvent::Error(status) => bail!("the watch ended: {status:?}"),
                    WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => None,
                })
            });
        Ok(Box::pin(seen))
    }

    /// Delete all and wait until their addresses are free.
    pub(crate) fn delete_all(&self) -> Result<()> {
        let ledger: Api<IPAllocation> = Api::all(self.requests.clone());
        let api = self.api();
        self.block_on(async {
            let all = api
                .list_metadata(&ListParams::default().labels(OURS))
                .await?;
            let params = DeleteParams::default();
            let deleted = stream::iter(all.items).map(|service| {
                let (api, params) = (api.clone(), &params);
                async move { api.delete(&service.name_any(), params).await.map(drop) }
            });
            deleted
                .buffer_unordered(PARALLEL)
                .try_collect::<Vec<()>>()
                .await
        })?;
        eventually(PATIENCE, "all addresses are free", || {
            let left = self.block_on(ledger.list_metadata(&ListParams::default()))?;
            ensure!(left.items.is_empty(), "{} are held", left.items.len());
            Ok(())
        })
    }

    fn version(&self) -> Result<String> {
        let none = ListParams::default().labels(OURS).limit(1);
        let list = self.block_on(async {
            // Both connections are made here, and stay.
            let api: Api<Service> = Api::default_namespaced(self.watches.clone());
            api.list_metadata(&none).await?;
            self.api().list_metadata(&none).await
        })?;
        list.metadata
            .resource_version
            .context("a list without version")
    }
}

/// A Service that shows addresses.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) at: Instant,
}

impl Seen {
    fn of(service: &Service) -> Option<Self> {
        let at = Instant::now();
        let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
        let ingress = balancer.ingress.iter().flatten();
        let addresses: Vec<IpAddr> = ingress
            .filter_map(|one| one.ip.as_ref()?.parse().ok())
            .collect();
        let name = service.name_any();
        (!addresses.is_empty()).then_some(Self {
            name,
            addresses,
            at,
        })
    }
}

/// The first that is seen of a Service.
pub(crate) async fn shown(
    seen: &mut (impl Stream<Item = Result<Seen>> + Unpin),
    name: &str,
) -> Result<Seen> {
    let search = async {
        while let Some(seen) = seen.try_next().await? {
            if seen.name == name {
                return Ok(seen);
            }
        }
        bail!("the watch ended")
    };
    timeout(PATIENCE, search)
        .await
        .with_context(|| format!("{name} got no address"))?
}

/// Services until each name of `missing` was seen; when the last one was, and what each showed.
pub(crate) async fn all_shown(
    seen: &mut (impl Stream<Item = Result<Seen>> + Unpin),
    mut missing: BTreeSet<String>,
    mut each: impl FnMut(&Seen),
) -> Result<Instant> {
    let mut last = Instant::now();
    while !missing.is_empty() {
        let next = timeout(PATIENCE, seen.try_next()).await;
        let next = next.with_context(|| format!("{} got no address", missing.len()))??;
        let next = next.context("the watch ended")?;
        if missing.remove(&next.name) {
            each(&next);
            last = next.at;
        }
    }
    Ok(last)
}

fn service(name: &str, families: Families) -> Result<Service> {
    let (policy, families) = match families {
        Families::V4 => ("SingleStack", json!(["IPv4"])),
        Families::V6 => ("SingleStack", json!(["IPv6"])),
        Families::Dual => ("RequireDualStack", json!(["IPv4", "IPv6"])),
    };
    Ok(serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "bench": "bench" } },
        "spec": {
            "type": "LoadBalancer",
            "ipFamilyPolicy": policy,
            "ipFamilies": families,
            "selector": { "app": "web" },
            "ports": [{ "port": 80, "targetPort": 8080 }],
        },
    }))?)
}
