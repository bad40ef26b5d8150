//! What many scenarios begin with: Seamark with a pool, dual-stack Services, and the question which
//! node answers for their addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams, PostParams};
use lab::probe::{self, Ear};
use lab::{Lab, Mac, eventually, http};
use serde_json::{Value, json};

/// For what has no promised time, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

const POOL: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec:
  addresses: [10.99.0.200-10.99.0.250, 'fd99::200-fd99::250']
---
apiVersion: seamark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec:
  ipAddressPools: [lan]
";

/// Both families of a Service's addresses, IPv4 first.
pub(crate) type Vips = [IpAddr; 2];

/// Seamark runs everywhere and has a pool of both families, announced by all nodes.
pub(crate) fn begin(lab: &mut Lab) -> Result<()> {
    lab.apply(POOL)?;
    start(lab)
}

/// Seamark runs everywhere.
pub(crate) fn start(lab: &mut Lab) -> Result<()> {
    lab.start_seamark()?;
    lab.parts().iter().try_for_each(|part| lab.wait_ready(part))
}

/// A pool with these addresses, announced by all nodes.
pub(crate) fn pool(lab: &Lab, addresses: &[&str]) -> Result<()> {
    let addresses = json!(addresses).to_string();
    lab.apply(&POOL.replace(
        "[10.99.0.200-10.99.0.250, 'fd99::200-fd99::250']",
        &addresses,
    ))
}

/// Create a dual-stack LoadBalancer for the base pods; returns when the API server has answered.
pub(crate) fn create(lab: &Lab, name: &str) -> Result<()> {
    create_with(lab, name, &json!({})).map(drop)
}

/// The same with these fields in its spec besides, or instead; `null` takes one away.
pub(crate) fn create_with(lab: &Lab, name: &str, fields: &Value) -> Result<Service> {
    let mut spec = json!({
        "type": "LoadBalancer",
        "ipFamilyPolicy": "RequireDualStack",
        "selector": { "app": "web" },
        "ports": [{ "port": 80, "targetPort": 8080 }],
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let service = serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec }))?;
    let services = services(lab);
    lab.block_on(services.create(&PostParams::default(), &service))
        .with_context(|| format!("creating {name}"))
}

/// Delete a Service; returns when the API server has answered.
pub(crate) fn delete(lab: &Lab, name: &str) -> Result<()> {
    let services = services(lab);
    lab.block_on(services.delete(name, &DeleteParams::default()))
        .map(drop)
        .with_context(|| format!("deleting {name}"))
}

/// Wait for a Service's addresses.
pub(crate) fn vips(lab: &Lab, name: &str) -> Result<Vips> {
    eventually(SOON, &format!("{name} has its addresses"), || {
        let service = lab.block_on(services(lab).get(name))?;
        vips_of(&service)
    })
}

/// The addresses that a Service shows.
pub(crate) fn vips_of(service: &Service) -> Result<Vips> {
    let ingress = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let shown = ingress
        .into_iter()
        .flatten()
        .filter_map(|one| one.ip.as_ref());
    let mut shown: Vec<IpAddr> = shown.map(|ip| ip.parse()).collect::<Result<_, _>>()?;
    shown.sort_unstable();
    match shown.as_slice() {
        &[v4, v6] if v4.is_ipv4() && v6.is_ipv6() => Ok([v4, v6]),
        other => Err(anyhow!("it shows {other:?}")),
    }
}

/// Services of the namespace `default`.
pub(crate) fn services(lab: &Lab) -> Api<Service> {
    Api::namespaced(lab.client(), "default")
}

/// The node that answers for an address on the segment.
pub(crate) fn owner(lab: &Lab, vip: IpAddr) -> Result<String> {
    let mac = probe::who_has(&lab.client_host(), "eth0", vip, SOON)?;
    let mac = mac.with_context(|| format!("nobody answers for {vip}"))?;
    node_of(lab, mac)
}

pub(crate) fn node_of(lab: &Lab, mac: Mac) -> Result<String> {
    lab.node_of_mac(mac)?
        .with_context(|| format!("{mac} is no node's"))
}

/// Change something, and see how long after the change was answered the first answer for `vip`
/// comes from another node than `old`, and from which. It asks every five milliseconds.
pub(crate) fn take_over(
    lab: &Lab,
    vip: IpAddr,
    old: &str,
    change: impl FnOnce() -> Result<()>,
) -> Result<(String, Duration)> {
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    let old_mac = lab.mac(old)?;
    change()?;
    let changed = Instant::now();
    while changed.elapsed() < SOON {
        ear.ask(vip)?;
        let next = Instant::now() + Duration::from_millis(5);
        while let Some((address, mac, at)) = ear.next_answer(next)? {
            if address == vip && mac != old_mac {
                return Ok((node_of(lab, mac)?, at.saturating_duration_since(changed)));
            }
        }
    }
    Err(anyhow!("nobody but {old} answers for {vip}"))
}

/// A client on the segment is served at an address.
pub(crate) fn expect_served(lab: &Lab, vip: IpAddr) -> Result<()> {
    eventually(SOON, &format!("{vip} serves"), || {
        let body = http::get(&lab.client_host(), vip, 80, Duration::from_secs(1))?;
        ensure!(body.starts_with("web-"), "it says {body:?}");
        Ok(())
    })
    .with_context(|| format!("asking for http at {vip}"))
}

/// The addresses that the ledger holds.
pub(crate) fn held(lab: &Lab) -> Result<BTreeSet<IpAddr>> {
    let path = "jsonpath={.items[*].spec.address}";
    let shown = lab.kubectl(&["get", "ipallocations", "-o", path])?;
    Ok(shown
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?)
}

/// An error unless nobody answers for an address, asked for a while.
pub(crate) fn expect_silence(lab: &Lab, vip: IpAddr) -> Result<()> {
    let while_asked = Duration::from_millis(300);
    let mac = probe::who_has(&lab.client_host(), "eth0", vip, while_asked)?;
    ensure!(mac.is_none(), "{mac:?} answers for {vip}");
    Ok(())
}
