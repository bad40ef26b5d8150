//! Without this ground nothing that stands on it proves anything.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{self, CLIENT, POD_PORT, ROUTED_CLIENT};
use lab::runner::Scenario;
use lab::{Lab, Topology, eventually, http, probe};

const SOON: Duration = Duration::from_secs(20);
const ONE_REQUEST: Duration = Duration::from_secs(1);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let ground = Topology {
        seamark: false,
        ..Topology::default()
    };
    vec![
        Scenario::new(
            "the lab's own ground holds: kube-proxy serves a nodePort by both families",
            serves_a_node_port,
        )
        .on(ground),
    ]
}

fn serves_a_node_port(lab: &mut Lab) -> Result<()> {
    let client = lab.client_host();
    lab.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: ground, namespace: default}\n\
         spec:\n  type: NodePort\n  selector: {app: web}\n  ipFamilyPolicy: RequireDualStack\n\
         \x20 ports: [{port: 80, targetPort: 8080, nodePort: 30080}]\n",
    )?;
    for (node, ip) in [1, 2, 3]
        .into_iter()
        .flat_map(|n| address::node(n).map(|ip| (n, ip)))
    {
        let body = eventually(SOON, &format!("n{node} serves the port at {ip}"), || {
            http::get(&client, ip, 30080, ONE_REQUEST)
        })?;
        ensure!(body.starts_with("web-"), "{ip} answered {body:?}");
        let routed = ROUTED_CLIENT[usize::from(ip.is_ipv6())];
        http::get_from(&client, routed, ip, 30080, ONE_REQUEST)
            .with_context(|| format!("from {routed} by the router to {ip}"))?;
    }
    for ip in lab.pod("web-1")?.addresses() {
        let own = CLIENT[usize::from(ip.is_ipv6())];
        let body = http::get(&lab.node("n2"), ip, POD_PORT, ONE_REQUEST)?;
        ensure!(body.starts_with("web-1 "), "{ip} answered {body:?}");
        ensure!(
            !body.contains(&own.to_string()),
            "n2 is not the client: {body:?}"
        );
    }
    for ip in address::node(2) {
        let mac = probe::who_has(&client, "eth0", ip, SOON)?;
        let mac = mac.with_context(|| format!("nobody answers for {ip}"))?;
        ensure!(
            lab.node_of_mac(mac)?.as_deref() == Some("n2"),
            "{mac} answers for {ip}"
        );
    }
    Ok(())
}
