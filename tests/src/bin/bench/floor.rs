//! What the API server takes for the calls that a new Service costs, one after the other, while
//! nothing of ours runs: below their sum no provider that keeps a ledger can come. It tells a slow
//! machine from a slow Seamark.

use std::time::{Duration, Instant};

use anyhow::Result;
use crds::IPAllocation;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use model::{Allocation, Holder, PoolName, ServiceKey, Uid};
use serde_json::json;

use crate::report::Report;
use crate::services::{Families, Services, nth_address};

const SAMPLES: usize = 100;

/// As [`crate::latency`] paces its Services.
const PACE: Duration = Duration::from_millis(100);

/// Who writes a status here.
const FIELD_MANAGER: &str = "seamark-bench";

/// Three calls a Service, each timed, and what they come to.
pub(crate) fn measure(services: &Services, report: &mut Report) -> Result<()> {
    let mut times = [const { Vec::new() }; 4];
    let mut pace = services.pace(PACE);
    for index in 0..SAMPLES {
        services.block_on(pace.tick());
        let calls = services.block_on(calls(services, index))?;
        for (times, took) in times.iter_mut().zip(calls) {
            times.push(took);
        }
    }
    for (name, times) in ["create", "ledger", "status", "all"].iter().zip(&times) {
        report.percentiles(&format!("floor_{name}_ms"), times)?;
    }
    services.delete_all()
}

/// The POST of a Service, the creation of its ledger entry, and its status.
async fn calls(services: &Services, index: usize) -> Result<[Duration; 4]> {
    let name = format!("floor-{index:04}");
    let families = Families::alternating(index);
    let address = nth_address(families, index / 2)?;
    let ledger: Api<IPAllocation> = Api::all(services.client());
    let entry = IPAllocation::from(&Allocation {
        address,
        pool: PoolName::new("bench"),
        holders: vec![Holder {
            service: ServiceKey::new("default", name.clone()),
            uid: Uid::new(format!("5eaa4a2c-0000-4000-8000-{index:012}")),
        }],
        since: 0,
    });
    let status = Patch::Apply(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "status": { "loadBalancer": { "ingress": [{ "ip": address, "ipMode": "VIP" }] } },
    }));
    let start = Instant::now();
    services.create(&name, families).await?;
    let created = Instant::now();
    ledger.create(&PostParams::default(), &entry).await?;
    let entered = Instant::now();
    let params = PatchParams::apply(FIELD_MANAGER);
    services.api().patch_status(&name, &params, &status).await?;
    let shown = Instant::now();
    let entry = crds::entry_name(address);
    ledger.delete(&entry, &DeleteParams::default()).await?;
    Ok([
        created - start,
        entered - created,
        shown - entered,
        shown - start,
    ])
}
